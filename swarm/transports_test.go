package swarm_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"swarmnode/swarm"
	"swarmnode/swarm/book"
	"swarmnode/swarm/transport/utp"
)

// TestTransports: which transport two nodes meet by, as each of them has it, whoever dials,
// and that the content arrives.
func TestTransports(t *testing.T) {
	const tcp, utp = swarm.TransportTCP, swarm.TransportUTP
	v6 := []netip.AddrPort{netip.MustParseAddrPort("[::1]:0")}
	hidden := swarm.EncryptionRequired
	for _, c := range []struct {
		name        string
		seed, leech swarm.Config
		want        swarm.Transport
	}{
		{"both have both", swarm.Config{}, swarm.Config{}, tcp},
		{"the seed has no TCP", swarm.Config{NoTCP: true}, swarm.Config{}, utp},
		{"the leech has no TCP", swarm.Config{}, swarm.Config{NoTCP: true}, utp},
		{"neither has TCP", swarm.Config{NoTCP: true}, swarm.Config{NoTCP: true}, utp},
		{"the leech has no uTP", swarm.Config{}, swarm.Config{NoUTP: true}, tcp},
		{"encrypted", swarm.Config{NoTCP: true, Encryption: hidden}, swarm.Config{}, utp},
		{"IPv6", swarm.Config{NoTCP: true, Listen: v6}, swarm.Config{Listen: v6}, utp},
	} {
		for _, dials := range []string{"leech", "seed"} {
			t.Run(c.name+", the "+dials+" dials", func(t *testing.T) {
				t.Parallel()
				dir, torrent := makeContent(t, 3<<20)
				out := t.TempDir()
				one, two := listen(t, c.seed), listen(t, c.leech)
				seed := add(t, one, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
				leech := add(t, two, swarm.Spec{Torrent: torrent, Dir: out,
					Down: 64 << 10}) // until both are looked at
				if dials == "leech" {
					leech.AddPeer(one.Addr())
				} else {
					seed.AddPeer(two.Addr())
				}
				var p, q swarm.PeerState
				await(t, "a block", func() bool {
					there, here := seed.Peers(), leech.Peers()
					if len(there) == 1 && len(here) == 1 {
						p, q = there[0], here[0]
					}
					return q.Down > 0
				})
				if p.Transport != c.want || q.Transport != c.want {
					t.Errorf("the seed is here by %v, the leech there by %v; want %v", q.Transport,
						p.Transport, c.want)
				}
				if p.Listen != two.Addr() || q.Listen != one.Addr() {
					t.Errorf("the leech is said to be at %v, the seed at %v; want %v, %v", p.Listen,
						q.Listen, two.Addr(), one.Addr())
				}
				if want := c.seed.Encryption == hidden; p.Encrypted != want || q.Encrypted != want {
					t.Errorf("encrypted %v and %v, want %v", p.Encrypted, q.Encrypted, want)
				}
				mustDo(t, leech.SetLimits(swarm.Limits{}))
				waitDone(t, leech)
				sameContent(t, dir, out)
			})
		}
	}
}

// TestTransportsThatDoNotMeet: a node that has TCP alone and one that has uTP alone refuse
// each other at once.
func TestTransportsThatDoNotMeet(t *testing.T) {
	t.Parallel()
	dir, torrent := makeContent(t, 100<<10)
	one, two := listen(t, swarm.Config{NoUTP: true}), listen(t, swarm.Config{NoTCP: true})
	seed := add(t, one, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	leech := add(t, two, swarm.Spec{Torrent: torrent, Dir: t.TempDir()})
	seed.AddPeer(two.Addr())
	leech.AddPeer(one.Addr())
	for _, each := range []*swarm.Torrent{seed, leech} {
		until(t, each, "not refused", func(s swarm.State) bool {
			return s.Unmet == book.Unmet{book.FaultRefused: 1}
		})
	}
	if _, err := swarm.Listen(swarm.Config{NoUTP: true, NoTCP: true}); !errors.Is(err,
		swarm.ErrNoTransport) {
		t.Errorf("without any transport: %v", err)
	}
}

// TestTransportsThatAreOff: a node without TCP listens for none, and one without uTP resets
// attempts to connect by it.
func TestTransportsThatAreOff(t *testing.T) {
	t.Parallel()
	socket, err := utp.Listen(t.Context(), loopback, utp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	noTCP, noUTP := listen(t, swarm.Config{NoTCP: true}), listen(t, swarm.Config{NoUTP: true})
	if conn, err := net.Dial("tcp", noTCP.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("TCP to a node that has none: %v, %v", conn, err)
	}
	if conn, err := socket.Dial(t.Context(), noUTP.Addr()); !errors.Is(err, utp.ErrRefused) {
		t.Errorf("uTP to a node that has none: %v, %v", conn, err)
	}
	conn, err := socket.Dial(t.Context(), noTCP.Addr())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "\x13BitTorrent protocol\x00\x00\x00\x00\x00\x00\x00\x00"+
		"some torrent that is not")
	conn.SetReadDeadline(time.Now().Add(patience))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("a stranger over uTP read %d bytes, %v", n, err)
	}
	conn.Close()
}

// TestOneConnectionOverBothTransports: two nodes that dial each other at once, over
// whatever leads there, end with one connection, and keep it.
func TestOneConnectionOverBothTransports(t *testing.T) {
	t.Parallel()
	dir, torrent := makeContent(t, 2<<20)
	for range 5 {
		one, two := listen(t, swarm.Config{}), listen(t, swarm.Config{})
		seed := add(t, one, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true,
			Peers: []string{two.Addr().String()}})
		leech := add(t, two, swarm.Spec{Torrent: torrent, Dir: t.TempDir(), Down: 4 << 20,
			Peers: []string{one.Addr().String()}})
		waitDone(t, leech)
		if p, q := seed.Peers(), leech.Peers(); len(p) > 1 || len(q) > 1 {
			t.Errorf("%d and %d connections: %+v, %+v", len(p), len(q), p, q)
		}
	}
}
