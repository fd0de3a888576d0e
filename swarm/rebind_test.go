package swarm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/wire"
)

// greeted connects to an engine and shakes hands for a torrent.
func greeted(t *testing.T, at netip.AddrPort, hash metainfo.Hash) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	hello := wire.Hello{InfoHash: hash, PeerID: [20]byte{byte(at.Port()), byte(at.Port() >> 8)},
		Reserved: wire.Reserved{}.With(wire.FeatureExtension)}
	if _, err := conn.Write(wire.AppendHello(nil, hello)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, wire.HelloSize)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// readMessage reads one message of the wire.
func readMessage(r io.Reader) (m wire.Message, err error) {
	var size [wire.PrefixSize]byte
	if _, err = io.ReadFull(r, size[:]); err != nil {
		return m, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err = io.ReadFull(r, body); err != nil {
		return m, err
	}
	return wire.Parse(body)
}

// told reads what an engine sends on a connection until its extension handshake, and
// returns the port in it (BEP 10, "p").
func told(t *testing.T, conn net.Conn) uint16 {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	for {
		m, err := readMessage(conn)
		if err != nil {
			t.Fatal(err)
		}
		if m.ID != wire.Extended || m.Ext != wire.ExtHandshakeNumber {
			continue
		}
		h, err := wire.ParseExtHandshake(m.Payload)
		if err != nil {
			t.Fatal(err)
		}
		return h.Port
	}
}

// listens reports whether somebody accepts connections.
func listens(at netip.AddrPort) bool {
	conn, err := net.Dial("tcp", at.String())
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// After Rebind peers connect at the new port, connections by the old one stay, and sources
// and peers hear of the new one.
func TestRebind(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		t.Run(ip, func(t *testing.T) {
			at := netip.AddrPortFrom(netip.MustParseAddr(ip), 0)
			if probe, err := net.Listen("tcp", at.String()); err != nil {
				t.Skip("the system does not have the family: ", err)
			} else {
				probe.Close()
			}
			rebind(t, at)
		})
	}
}

func rebind(t *testing.T, at netip.AddrPort) {
	dir, torrent := makeContent(t, 100<<10)
	e := listen(t, swarm.Config{Listen: []netip.AddrPort{at}})
	dht := &fakeDHT{}
	seed := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true, DHT: dht})
	waitDone(t, seed)
	old := e.Addr()
	before := greeted(t, old, torrent.Info().Hash())
	if port := told(t, before); port != old.Port() {
		t.Fatalf("told of port %d, want %d", port, old.Port())
	}
	await(t, "the peer is connected", func() bool { return seed.State().PeersConnected == 1 })

	mustDo(t, e.Rebind([]netip.AddrPort{at}))
	now := e.Addr()
	if now.Port() == old.Port() || listens(old) || !listens(now) {
		t.Errorf("listens at %v: %v, at %v: %v", old, listens(old), now, listens(now))
	}
	if port := told(t, before); port != now.Port() {
		t.Errorf("a peer was told of port %d, want %d", port, now.Port())
	}
	if s := seed.State(); s.PeersConnected != 1 {
		t.Errorf("%d peers after Rebind, want the old one", s.PeersConnected)
	}
	after := greeted(t, now, torrent.Info().Hash())
	if port := told(t, after); port != now.Port() {
		t.Errorf("a new peer was told of port %d, want %d", port, now.Port())
	}
	await(t, "the search announces the new port", func() bool {
		dht.mu.Lock()
		defer dht.mu.Unlock()
		return slices.Contains(dht.ports, now.Port())
	})
	leech := add(t, listen(t, swarm.Config{Listen: []netip.AddrPort{at}}), swarm.Spec{
		Magnet: torrent.Magnet(), Dir: t.TempDir(), Peers: []string{now.String()}})
	waitDone(t, leech)
}

// A port that is taken leaves the engine where it is, with the other addresses too.
func TestRebindFails(t *testing.T) {
	e := newEngine(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	old := e.Addrs()
	err = e.Rebind([]netip.AddrPort{loopback, netip.MustParseAddrPort(taken.Addr().String())})
	if !errors.Is(err, transport.ErrInUse) {
		t.Errorf("a port that is taken: %v", err)
	}
	if !slices.Equal(e.Addrs(), old) || !listens(old[0]) {
		t.Errorf("after a failure it listens at %v, want %v", e.Addrs(), old)
	}
	mustDo(t, e.Rebind(old)) // which changes nothing
	if !slices.Equal(e.Addrs(), old) || !listens(old[0]) {
		t.Errorf("the same again: %v, want %v", e.Addrs(), old)
	}
	mustDo(t, e.Rebind([]netip.AddrPort{old[0], loopback}))
	if addrs := e.Addrs(); len(addrs) != 2 || addrs[0] != old[0] || !listens(addrs[1]) {
		t.Errorf("one more: %v, of which %v stays", addrs, old)
	}
	mustDo(t, e.Close())
	if err := e.Rebind([]netip.AddrPort{loopback}); !errors.Is(err, swarm.ErrClosed) {
		t.Errorf("Rebind after Close: %v", err)
	}
}

// The UDP sockets of new ports refuse uTP at once. Both the new ports and those that stay
// give their DHT's side to the last who asks.
func TestRebindPacketConns(t *testing.T) {
	e := newEngine(t)
	first := e.PacketConns()[0]
	mustDo(t, e.Rebind([]netip.AddrPort{e.Addr(), loopback}))
	conn, err := net.Dial("udp", e.Addrs()[1].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(utpSyn); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 100)); err != nil || n != 20 {
		t.Errorf("uTP at a new port: %d bytes, %v", n, err)
	}
	conns := e.PacketConns()
	if len(conns) != 2 || conns[0].LocalAddr().String() != first.LocalAddr().String() {
		t.Fatalf("handed over: %v", conns)
	}
	if _, _, err := first.ReadFrom(make([]byte, 100)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the side that was given out first: %v", err)
	}
	for _, c := range conns {
		from, err := net.Dial("udp", c.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		if _, err := from.Write([]byte("d1:q")); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 100)
		if n, _, err := c.ReadFrom(b); err != nil || string(b[:n]) != "d1:q" {
			t.Fatalf("got %q, %v", b[:n], err)
		}
	}
	mustDo(t, e.Rebind([]netip.AddrPort{loopback}))
	if _, _, err := conns[0].ReadFrom(make([]byte, 100)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the socket of a port that was given up: %v", err)
	}
}

// Ports change while torrents come, pause and go, and while the engine closes.
func TestRebindStorm(t *testing.T) {
	dir, torrent := makeContent(t, 50<<10)
	e := newEngine(t)
	var storm sync.WaitGroup
	for i := range 4 {
		storm.Go(func() {
			for range 10 {
				err := e.Rebind([]netip.AddrPort{loopback})
				if err != nil && (i != 0 || !errors.Is(err, swarm.ErrClosed)) {
					t.Error(err)
				}
				e.PacketConns()
				_ = e.Addr()
			}
		})
		storm.Go(func() {
			for range 10 {
				seed, err := e.Add(swarm.Spec{Torrent: torrent, Dir: dir, Complete: true,
					DHT: &fakeDHT{}})
				if err != nil {
					continue // another goroutine has added it
				}
				mustDo(t, seed.Pause(), seed.Resume(), seed.Close())
			}
		})
	}
	storm.Wait()
	last := e.Addr()
	seed := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	if len(e.Addrs()) != 1 || !listens(last) {
		t.Errorf("listens at %v", e.Addrs())
	}
}

// Trackers hear of the new port at once. A paused torrent tells them when it goes on.
func TestRebindIsAnnounced(t *testing.T) {
	ports := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("event") != "stopped" {
			ports <- q.Get("port")
		}
		fmt.Fprint(w, "d8:intervali1800e12:min intervali1800e5:peers0:e")
	}))
	defer server.Close()
	dir, torrent := makeContent(t, 50<<10)
	e := newEngine(t)
	seed := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true,
		Trackers: [][]string{{server.URL}}})
	hears := func() {
		t.Helper()
		want := fmt.Sprint(e.Addr().Port())
		late := time.After(patience)
		for {
			select {
			case got := <-ports:
				if got == want {
					return
				}
				t.Errorf("announced port %s, want %s", got, want)
			case <-late:
				t.Fatal("the port was not announced")
			}
		}
	}
	hears()
	mustDo(t, e.Rebind([]netip.AddrPort{loopback}))
	hears()
	mustDo(t, seed.Pause(), e.Rebind([]netip.AddrPort{loopback}), seed.Resume())
	hears()
}
