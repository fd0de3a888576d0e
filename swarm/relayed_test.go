package swarm_test

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"testing"
	"time"

	"swarmnode/swarm"
	"swarmnode/swarm/core"
	"swarmnode/swarm/transport/relay"
)

// relayServers are TURN servers that an engine can use.
type relayServers []*relay.Server

// Relays implements swarm.RelaySource.
func (list relayServers) Relays(context.Context) iter.Seq[swarm.RelayServer] {
	return func(yield func(swarm.RelayServer) bool) {
		for _, s := range list {
			at := s.Addrs()[0]
			if !yield(swarm.RelayServer{URI: relay.URI{Host: at.Addr().String(), Port: at.Port(),
				User: "me", Password: "secret"}}) {
				return
			}
		}
	}
}

// serveRelays starts n servers that relay on this machine, each at an address of its own.
func serveRelays(t *testing.T, n int, limits relay.Limits) (list relayServers) {
	t.Helper()
	for i := range n {
		at := netip.AddrFrom4([4]byte{127, 0, 9, byte(i + 1)})
		s, err := relay.Serve(t.Context(), relay.ServerConfig{
			Listen: []netip.AddrPort{netip.AddrPortFrom(at, 0)}, Lend: []relay.Lent{{Public: at}},
			Users: map[string]string{"me": "secret"}, Private: true, Limits: limits,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		list = append(list, s)
	}
	return list
}

// relayedSeed starts a seed that nobody reaches but by a relay, and a leech that knows only its
// first relayed address. The seed hears of the leech's host, and not of its port.
func relayedSeed(t *testing.T, servers relayServers, size int) (seed, leech *swarm.Torrent,
	seeder *swarm.Engine, same func()) {
	t.Helper()
	dir, torrent := makeContent(t, size)
	seeder = listen(t, swarm.Config{Client: "test", Relays: servers})
	seed = add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	eventually(t, "an allocation", func() bool { return len(seeder.Relayed()) > 0 })
	leecher := listen(t, swarm.Config{Client: "test",
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.9.100:0")}})
	out := t.TempDir()
	leech = add(t, leecher, swarm.Spec{Magnet: torrent.Magnet(), Dir: out,
		Peers: []string{seeder.Relayed()[0].String()}})
	seed.AddPeer(netip.MustParseAddrPort("127.0.9.100:9"))
	return seed, leech, seeder, func() { sameContent(t, dir, out) }
}

// A peer that knows nothing of relays downloads from a seed that only a relay lets in.
func TestRelayedSeed(t *testing.T) {
	t.Parallel()
	servers := serveRelays(t, 1, relay.Limits{TenantRate: 200_000, TenantBurst: 50_000})
	seed, leech, seeder, same := relayedSeed(t, servers, 500<<10)
	eventually(t, "a relayed peer", func() bool {
		return slices.ContainsFunc(seed.Peers(), func(p swarm.PeerState) bool {
			return p.Transport == swarm.TransportRelay && !p.Outgoing
		})
	})
	seed.AddPeer(seeder.Relayed()[0]) // it is our own address
	waitDone(t, leech)
	same()
	if n := seed.State().Drops[core.ReasonSelf]; n > 0 {
		t.Errorf("the seed has met itself %d times", n)
	}
	if is := seeder.Reach().Relayed; !slices.Equal(is, seeder.Relayed()) {
		t.Errorf("the standing names the relays %v", is)
	}
}

// When a relay dies in the middle of a download, data comes through another one within seconds.
func TestRelayDies(t *testing.T) {
	t.Parallel()
	servers := serveRelays(t, 2, relay.Limits{TenantRate: 200_000, TenantBurst: 50_000})
	_, leech, seeder, same := relayedSeed(t, servers, 1<<20)
	eventually(t, "a second allocation", func() bool { return len(seeder.Relayed()) == 2 })
	eventually(t, "data", func() bool { return leech.State().Down > 100<<10 })
	first := slices.IndexFunc(servers, func(s *relay.Server) bool {
		return s.Addrs()[0].Addr() == seeder.Relayed()[0].Addr()
	})
	servers[first].Close()
	died, had := time.Now(), leech.State().Down
	eventually(t, "data by the other relay", func() bool {
		return leech.State().Down > had+64<<10
	})
	t.Logf("data again after %v", time.Since(died))
	waitDone(t, leech)
	same()
}

// A direct connection takes over in the middle of a download. Little is sent twice, although the
// end of the download may ask for blocks again that the relay has not brought yet.
func TestDirectAfterRelay(t *testing.T) {
	t.Parallel()
	servers := serveRelays(t, 1, relay.Limits{TenantRate: 100_000, TenantBurst: 50_000})
	seed, leech, seeder, same := relayedSeed(t, servers, 4<<20)
	eventually(t, "data", func() bool { return leech.State().Down > 100<<10 })
	leech.AddPeer(seeder.Addr())
	waitDone(t, leech)
	same()
	for reason, n := range leech.State().Waste {
		if n > 1<<20 {
			t.Errorf("%d bytes were wasted: %v", n, reason)
		}
	}
	for _, p := range seed.Peers() {
		if p.Transport == swarm.TransportRelay && p.Up > 2<<20 {
			t.Errorf("the relay has carried %d bytes", p.Up)
		}
	}
}
