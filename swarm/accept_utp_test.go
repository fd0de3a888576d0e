package swarm

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/limit"
	"swarmnode/swarm/transport/utp"
)

// TestUTPIsAdmittedLikeTCP: a banned source gets no handshake by uTP, and unfinished
// handshakes by uTP take the places that those of TCP take.
func TestUTPIsAdmittedLikeTCP(t *testing.T) {
	e, err := Listen(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	away := netip.MustParseAddr("127.0.0.99") // is not where the engine listens
	socket, err := utp.Listen(t.Context(), netip.AddrPortFrom(away, 0), utp.Config{})
	if err != nil {
		t.Skip("no such address on this machine: ", err)
	}
	defer socket.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	waits, err := socket.Dial(ctx, e.Addr())
	if err != nil {
		t.Fatal(err)
	}
	awaitTrue(t, "a handshake under way", func() bool { return e.pending.Used() == 1 })
	waits.Close()
	awaitTrue(t, "its end", func() bool { return e.pending.Used() == 0 })
	e.bans.ban(time.Now(), limit.SourceOf(away))
	short, cancel := context.WithTimeout(ctx, time.Second) // its attempts are ignored
	defer cancel()
	if conn, err := socket.Dial(short, e.Addr()); err == nil {
		conn.Close()
		t.Error("a banned source is met by uTP")
	}
	if n := e.pending.Used(); n != 0 {
		t.Errorf("%d handshakes with a banned source are under way", n)
	}
}
