package swarm_test

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm"
	"swarmnode/swarm/blocklist"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
)

// listOf returns a blocklist of lines.
func listOf(t *testing.T, lines ...string) *blocklist.List {
	t.Helper()
	list, _, err := blocklist.Parse(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// at returns an engine at an address of this machine.
func at(t *testing.T, host string) *swarm.Engine {
	t.Helper()
	return newEngineAt(t, netip.AddrPortFrom(netip.MustParseAddr(host), 0), "")
}

// A leech fetches everything from the peer that is not blocked, although it knows both by the
// DHT and the blocked one connects to it as well.
func TestBlockedPeersAreLeftOut(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	bad, good, leecher := at(t, "127.0.0.2"), at(t, "127.0.0.3"), at(t, "127.0.0.1")
	leecher.SetBlocklist(listOf(t, "127.0.0.2/31", "127.0.0.4")) // and then
	leecher.SetBlocklist(listOf(t, "127.0.0.2"))
	dht := &fakeDHT{peers: []netip.AddrPort{bad.Addr(), good.Addr()}}
	seeds := swarm.Spec{Torrent: torrent, Dir: dir, Complete: true,
		Peers: []string{leecher.Addr().String()}}
	out := t.TempDir()
	leech := add(t, leecher, swarm.Spec{Torrent: torrent, Dir: out, DHT: dht})
	rejected, served := add(t, bad, seeds), add(t, good, seeds)
	waitDone(t, leech)
	sameContent(t, dir, out)
	await(t, "the blocked seed is hung up on", func() bool {
		s := rejected.State()
		return s.Unmet[book.FaultHungUp]+s.Unmet[book.FaultOther] > 0
	})
	if s := rejected.State(); s.Up > 0 || s.PeersConnected > 0 {
		t.Errorf("the blocked seed has sent %d bytes", s.Up)
	}
	if s := leech.State(); s.PeersKnown != 1 {
		t.Errorf("%d peers found, want the one that is not blocked", s.PeersKnown)
	}
	await(t, "the other seed has served", func() bool { return served.State().Up > 0 })
	if leecher.Blocked() < 2 {
		t.Errorf("%d refused, want the news of the peer and its connection", leecher.Blocked())
	}
}

// A connection from a blocked address is closed before a byte of a handshake is read.
func TestBlockedConnectionsAreClosed(t *testing.T) {
	e := listen(t, swarm.Config{Blocklist: listOf(t, "127.0.0.2")})
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	conn, err := d.Dial("tcp", e.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		t.Errorf("read %d bytes, %v, want the end", n, err)
	}
	if e.Blocked() != 1 {
		t.Errorf("%d refused, want 1", e.Blocked())
	}
}

// A SYN of uTP (BEP 29) from a blocked address gets no answer, not even a RESET.
func TestBlockedSYNsAreIgnored(t *testing.T) {
	e := at(t, "127.0.0.1")
	e.SetBlocklist(listOf(t, "127.0.0.2"))
	syn := []byte{0x41, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0}
	var conns []*net.UDPConn
	for _, host := range []byte{2, 3} {
		c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, host)},
			net.UDPAddrFromAddrPort(e.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(syn); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	// The second one is answered, so the first one has been read.
	conns[1].SetReadDeadline(time.Now().Add(patience))
	if n, err := conns[1].Read(make([]byte, 100)); n < 20 || err != nil {
		t.Fatalf("the address that is not blocked got %d bytes, %v", n, err)
	}
	conns[0].SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := conns[0].Read(make([]byte, 100)); err == nil {
		t.Errorf("the blocked address got %d bytes", n)
	}
	if e.Blocked() != 1 {
		t.Errorf("%d refused, want 1", e.Blocked())
	}
}

// A peer that is blocked while it is connected has to leave. A peer that the user has named is
// no exception, and the state says what is wrong with it. Without a list everybody is let in.
func TestBlockingEndsConnections(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	seeder, leecher := at(t, "127.0.0.2"), at(t, "127.0.0.1")
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	leech := add(t, leecher, swarm.Spec{Torrent: torrent, Dir: t.TempDir(), Down: 64 << 10,
		Peers: []string{seeder.Addr().String()}})
	await(t, "the connection", func() bool { return leech.State().Have > 0 })
	leecher.SetBlocklist(listOf(t, "127.0.0.0/8"))
	await(t, "its end", func() bool {
		return leech.State().PeersConnected == 0 && seed.State().PeersConnected == 0
	})
	if s := leech.State(); s.Drops[core.ReasonBlocked] != 1 {
		t.Errorf("drops: %v", s.Drops)
	}
	leech.AddPeer(netip.MustParseAddrPort("127.0.0.9:9")) // is dialled at once
	await(t, "the refusal", func() bool { return leech.State().Unmet[book.FaultBlocked] == 1 })
	if !refuses(t, leecher.Addr(), torrent.Info().Hash()) {
		t.Error("a blocked peer is let in")
	}
	leecher.SetBlocklist(nil)
	if refuses(t, leecher.Addr(), torrent.Info().Hash()) {
		t.Error("nobody is blocked, and a peer is not let in")
	}
}
