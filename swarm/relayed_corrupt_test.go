package swarm_test

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"swarmnode/swarm"
	"swarmnode/swarm/transport/relay"
)

// spoiler passes datagrams between whoever sends to it and a relayed address, as a relay that
// changes what it carries: a byte in each large datagram to the peer.
type spoiler struct {
	front, back *net.UDPConn
	peer        atomic.Pointer[netip.AddrPort]
	spoilt      atomic.Int64
}

// startSpoiler starts a spoiler at an address of this machine, until the test ends.
func startSpoiler(t *testing.T, ip string, relayed netip.AddrPort) *spoiler {
	t.Helper()
	open := func() *net.UDPConn {
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(
			netip.AddrPortFrom(netip.MustParseAddr(ip), 0)))
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	s := &spoiler{front: open(), back: open()}
	ended := make(chan struct{}, 2)
	go func() {
		defer func() { ended <- struct{}{} }()
		s.pass(s.front, func(b []byte, from netip.AddrPort) {
			s.peer.Store(&from)
			_, _ = s.back.WriteToUDPAddrPort(b, relayed)
		})
	}()
	go func() {
		defer func() { ended <- struct{}{} }()
		s.pass(s.back, func(b []byte, _ netip.AddrPort) {
			if len(b) > 1000 {
				b[len(b)/2] ^= 0xff
				s.spoilt.Add(1)
			}
			if to := s.peer.Load(); to != nil {
				_, _ = s.front.WriteToUDPAddrPort(b, *to)
			}
		})
	}()
	t.Cleanup(func() {
		s.front.Close()
		s.back.Close()
		<-ended
		<-ended
	})
	return s
}

// pass calls f with each datagram that comes to conn, until it is closed.
func (s *spoiler) pass(conn *net.UDPConn, f func([]byte, netip.AddrPort)) {
	b := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		f(b[:n], from)
	}
}

// What a relay changes costs the leech bandwidth, and never gets into the content.
func TestRelayCorrupts(t *testing.T) {
	t.Parallel()
	servers := serveRelays(t, 1, relay.Limits{TenantRate: 400_000, TenantBurst: 50_000})
	dir, torrent := makeContent(t, 800<<10)
	seeder := listen(t, swarm.Config{Client: "test", Relays: servers})
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	eventually(t, "an allocation", func() bool { return len(seeder.Relayed()) > 0 })
	s := startSpoiler(t, "127.0.9.50", seeder.Relayed()[0])
	seed.AddPeer(netip.MustParseAddrPort("127.0.9.50:9")) // a permit for the host
	out := t.TempDir()
	leech := add(t, listen(t, swarm.Config{Client: "test"}), swarm.Spec{Torrent: torrent,
		Dir: out, Peers: []string{s.front.LocalAddr().String()}})
	eventually(t, "spoilt datagrams", func() bool { return s.spoilt.Load() > 0 })
	honest := listen(t, swarm.Config{Client: "test"})
	add(t, honest, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	leech.AddPeer(honest.Addr())
	waitDone(t, leech)
	sameContent(t, dir, out)
	state := leech.State()
	t.Logf("%d spoilt datagrams, %d bytes wasted", s.spoilt.Load(), state.Wasted())
}
