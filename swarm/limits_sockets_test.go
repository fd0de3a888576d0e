package swarm_test

import (
	"testing"

	"swarmnode/swarm"
)

// TestLimitsOnSockets: a limit under which a transfer would take hours is lifted, on either
// side and for a torrent or its engine, and the transfer ends at once.
func TestLimitsOnSockets(t *testing.T) {
	t.Parallel() // it waits for dials
	const size, slow = 3 << 20, 1 << 10
	lift := func(t *testing.T, torrent *swarm.Torrent) {
		if err := torrent.SetLimits(swarm.Limits{}); err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		up, down         swarm.Config
		upSpec, downSpec swarm.Spec
		lift             func(t *testing.T, seeder, leecher *swarm.Engine, seed,
			leech *swarm.Torrent)
	}{
		"up of a torrent": {upSpec: swarm.Spec{Up: slow}, lift: func(t *testing.T, _,
			_ *swarm.Engine, seed, _ *swarm.Torrent) {
			lift(t, seed)
		}},
		"down of a torrent": {downSpec: swarm.Spec{Down: slow}, lift: func(t *testing.T, _,
			_ *swarm.Engine, _, leech *swarm.Torrent) {
			lift(t, leech)
		}},
		"up of the engine": {up: swarm.Config{Up: slow}, lift: func(_ *testing.T, seeder,
			_ *swarm.Engine, _, _ *swarm.Torrent) {
			seeder.SetLimits(swarm.EngineLimits{})
		}},
		"down of the engine": {down: swarm.Config{Down: slow}, lift: func(_ *testing.T, _,
			leecher *swarm.Engine, _, _ *swarm.Torrent) {
			leecher.SetLimits(swarm.EngineLimits{Down: 1 << 30})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, torrent := makeContent(t, size)
			seeder, leecher := listen(t, c.up), listen(t, c.down)
			c.upSpec.Torrent, c.upSpec.Dir, c.upSpec.Complete = torrent, dir, true
			seed := add(t, seeder, c.upSpec)
			waitDone(t, seed)
			c.downSpec.Torrent, c.downSpec.Dir = torrent, t.TempDir()
			c.downSpec.Peers = []string{seeder.Addr().String()}
			leech := add(t, leecher, c.downSpec)
			until(t, leech, "nothing comes", func(s swarm.State) bool { return s.Asked > 0 })
			if isDone(leech) {
				t.Error("the limit did not hold")
			}
			c.lift(t, seeder, leecher, seed, leech)
			waitDone(t, leech)
		})
	}
}

// isDone reports whether the torrent is complete.
func isDone(torrent *swarm.Torrent) bool {
	select {
	case <-torrent.Done():
		return true
	default:
		return false
	}
}

// TestPeersLeaveOnSockets: peers leave a torrent that may have fewer, and an engine that may.
func TestPeersLeaveOnSockets(t *testing.T) {
	t.Parallel() // it waits for dials
	dir, torrent := makeContent(t, 100<<10)
	seeder := newEngine(t)
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	for range 4 { // they lack what nobody can give them, since they get nothing
		add(t, listen(t, swarm.Config{Down: 1}), swarm.Spec{Torrent: torrent, Dir: t.TempDir(),
			Peers: []string{seeder.Addr().String()}})
	}
	peers := func(what string, want int) {
		t.Helper()
		until(t, seed, what, func(s swarm.State) bool { return s.PeersConnected == want })
	}
	peers("not all have come", 4)
	if err := seed.SetLimits(swarm.Limits{Peers: 2}); err != nil {
		t.Fatal(err)
	}
	if n := seed.State().PeersConnected; n > 2 {
		t.Errorf("%d peers when SetLimits returns, want 2 at most", n)
	}
	seeder.SetLimits(swarm.EngineLimits{Peers: 1})
	peers("more than one stays", 1)
}
