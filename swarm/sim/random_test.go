package sim

import (
	"math/rand/v2"
	"testing"
	"time"
)

// randomSwarm returns a small swarm of all sorts: partial seeds, nodes behind
// NATs, slow and lossy ones, such as leave and come back, liars and mutes, and
// perhaps no seed, or one that leaves.
func randomSwarm(seed uint64) Scenario {
	rng := rand.New(rand.NewPCG(seed, 0xabc))
	rate := func() int64 { return int64(1+rng.IntN(40)) * Mbit / 2 }
	s := Scenario{
		Name: "random", Pieces: 8 + rng.IntN(56), PieceLength: 16 << (10 + rng.IntN(5)), Limit: 20 * time.Minute,
		PeersMax: []int{0, 4, 12}[rng.IntN(3)],
	}
	add := func(c Class) {
		c.Up, c.Down, c.Distance, c.Jitter = rate(), rate(), near, time.Duration(rng.Int64N(int64(100*time.Millisecond)))
		s.Classes = append(s.Classes, c)
	}
	if rng.IntN(4) > 0 {
		add(Class{Name: "seed", Count: 1, Seed: true, Copies: []float64{0, 0.5, 1.2}[rng.IntN(3)], SuperSeed: rng.IntN(4) == 0})
	}
	add(Class{Name: "leech", Count: 2 + rng.IntN(6), Magnet: rng.IntN(4) == 0, Loss: float64(rng.IntN(3)) / 100})
	add(Class{Name: "partial", Count: 1 + rng.IntN(5), All: rng.Float64(), NAT: rng.Float64() / 2})
	add(Class{Name: "guest", Count: rng.IntN(4), All: rng.Float64() / 2, Life: 40 * time.Second, Away: 20 * time.Second})
	if rng.IntN(2) == 0 {
		add(Class{Name: "liar", Count: 1 + rng.IntN(2), Seed: true, Acts: Liar})
		add(Class{Name: "mute", Count: 1 + rng.IntN(2), Seed: true, Acts: Mute})
	}
	return s
}

// TestEverybodyGetsWhatAnybodyHas: whatever the swarm, in the end no leech lacks a
// piece that another node has.
func TestEverybodyGetsWhatAnybodyHas(t *testing.T) {
	swarms := uint64(150)
	switch {
	case raced:
		swarms = 8
	case *large:
		swarms = 2000
	}
	for seed := range swarms {
		r := Run(randomSwarm(seed), seed)
		if r.Lacking > 0 {
			t.Errorf("random swarm %d: %d pieces are missing somewhere that are to be had, %d are lost\n%v", seed, r.Lacking, r.Lost, r.String())
		}
	}
}
