package swarm_test

import (
	"fmt"
	"net/netip"
	"testing"

	"swarmnode/swarm"
	"swarmnode/swarm/core"
	"swarmnode/swarm/transport/relay"
)

// fastRelay starts a relay that is no limit.
func fastRelay(t *testing.T) relayServers {
	t.Helper()
	return serveRelays(t, 1, relay.Limits{Rate: 100 << 20, TenantRate: 100 << 20})
}

// relayedLeech starts a leech at a host of its own that knows only the relayed address of a seed.
func relayedLeech(t *testing.T, host byte, cfg swarm.Config, seeder *swarm.Engine,
	spec swarm.Spec) (*swarm.Engine, *swarm.Torrent) {
	t.Helper()
	cfg.Listen = []netip.AddrPort{netip.MustParseAddrPort(fmt.Sprintf("127.0.9.%d:0", host))}
	cfg.NoTCP = true
	leecher := listen(t, cfg)
	spec.Dir, spec.Peers = t.TempDir(), []string{seeder.Relayed()[0].String()}
	return leecher, add(t, leecher, spec)
}

// The rates of the user hold on a relayed path, whoever has the limit, until they are lifted.
func TestRatesHoldOverRelays(t *testing.T) {
	t.Parallel()
	const size, slow = 1 << 20, 1 << 10
	servers := fastRelay(t)
	for host, c := range []struct {
		name     string
		up, down int64
	}{{"up", slow, 0}, {"down", 0, slow}} {
		t.Run(c.name, func(t *testing.T) {
			dir, torrent := makeContent(t, size)
			seeder := listen(t, swarm.Config{Relays: servers, Up: c.up})
			seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
			eventually(t, "an allocation", func() bool { return len(seeder.Relayed()) > 0 })
			leecher, leech := relayedLeech(t, byte(110+host), swarm.Config{Down: c.down}, seeder,
				swarm.Spec{Torrent: torrent})
			until(t, leech, "nothing comes", func(s swarm.State) bool { return s.Asked > 0 })
			if isDone(leech) {
				t.Error("the limit did not hold")
			}
			for _, p := range seed.Peers() {
				if p.Transport != swarm.TransportRelay {
					t.Errorf("a peer by %v", p.Transport)
				}
			}
			seeder.SetLimits(swarm.EngineLimits{})
			leecher.SetLimits(swarm.EngineLimits{})
			waitDone(t, leech)
			seeder.Close() // the server has one allocation for each source
		})
	}
}

// Peers that come through a relay count as peers, of the torrent and of the engine.
func TestConnectionLimitsHoldOverRelays(t *testing.T) {
	t.Parallel()
	dir, torrent := makeContent(t, 100<<10)
	seeder := listen(t, swarm.Config{Relays: fastRelay(t)})
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	eventually(t, "an allocation", func() bool { return len(seeder.Relayed()) > 0 })
	for i := range 3 { // they lack what nobody can give them, since they get nothing
		relayedLeech(t, byte(120+i), swarm.Config{Down: 1}, seeder,
			swarm.Spec{Torrent: torrent})
	}
	until(t, seed, "not all have come", func(s swarm.State) bool { return s.PeersConnected == 3 })
	if err := seed.SetLimits(swarm.Limits{Peers: 2}); err != nil {
		t.Fatal(err)
	}
	if n := seed.State().PeersConnected; n > 2 {
		t.Errorf("%d peers when SetLimits returns, want 2 at most", n)
	}
	seeder.SetLimits(swarm.EngineLimits{Peers: 1})
	until(t, seed, "more than one stays", func(s swarm.State) bool { return s.PeersConnected <= 1 })
	if n := seed.State().Drops[core.ReasonSelf]; n > 0 {
		t.Errorf("the seed has met itself %d times", n)
	}
}
