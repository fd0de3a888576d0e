package swarm_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm"
	"swarmnode/swarm/transport/utp"
	"swarmnode/swarm/wire"
)

// utpSyn asks for a uTP connection (BEP 29).
var utpSyn = append([]byte{0x41, 0}, make([]byte, 18)...)

// dialUTP returns a uTP connection to the first port of e.
func dialUTP(t *testing.T, e *swarm.Engine) net.Conn {
	t.Helper()
	s, err := utp.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), utp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	conn, err := s.Dial(t.Context(), e.Addr())
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// greet shakes hands for a torrent over conn (BEP 3).
func greet(conn net.Conn, hash [20]byte) error {
	hello := wire.AppendHello(nil, wire.Hello{InfoHash: hash, PeerID: [20]byte{1}})
	if _, err := conn.Write(hello); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, hello)
	return err
}

// A peer over uTP that an engine leaves by Close has everything that was written to it, and
// then the end of the stream, not a RESET.
func TestCloseEndsUTPInOrder(t *testing.T) {
	dir, torrent := makeContent(t, 50<<10)
	e := newEngine(t)
	add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	conn := dialUTP(t, e)
	if err := greet(conn, torrent.Info().Hash()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	mustDo(t, e.Close())
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// A port takes peers over uTP, and answers packets of a connection that it has forgotten.
func TestUTPIsAccepted(t *testing.T) {
	dir, torrent := makeContent(t, 50<<10)
	e := newEngine(t)
	add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	if err := greet(dialUTP(t, e), torrent.Info().Hash()); err != nil {
		t.Error(err)
	}
	conn, err := net.Dial("udp", e.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	data := append([]byte{0x01}, utpSyn[1:]...)
	if _, err := conn.Write(data); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := conn.Read(b); err != nil || n != 20 || b[0] != 0x31 {
		t.Errorf("got % x, %v, want ST_RESET", b[:n], err)
	}
}

// Connections over uTP outlive the port that they came by, unless it is wanted again.
func TestUTPOutlivesItsPort(t *testing.T) {
	dir, torrent := makeContent(t, 50<<10)
	e := newEngine(t)
	add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	old := e.Addr()
	conn := dialUTP(t, e)
	if err := greet(conn, torrent.Info().Hash()); err != nil {
		t.Fatal(err)
	}
	mustDo(t, e.Rebind([]netip.AddrPort{loopback}))
	if _, err := conn.Write([]byte{0, 0, 0, 1, byte(wire.Interested)}); err != nil {
		t.Fatal(err)
	}
	for id := wire.KeepAlive; id != wire.Unchoke; {
		var head [5]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			t.Fatalf("after its port was given up: %v", err)
		}
		id = wire.ID(head[4])
		io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head[:])-1))
	}
	mustDo(t, e.Rebind([]netip.AddrPort{old}))
	if e.Addr() != old {
		t.Fatalf("listens at %v, want %v", e.Addr(), old)
	}
	if _, err := io.Copy(io.Discard, conn); !errors.Is(err, utp.ErrReset) {
		t.Errorf("a connection over the port that was bound again ended with %v", err)
	}
	if err := greet(dialUTP(t, e), torrent.Info().Hash()); err != nil {
		t.Errorf("over the port that was bound again: %v", err)
	}
}
