package sim

import (
	"math/rand/v2"
	"time"
)

// random draws another swarm for each seed.
func random() Scenario {
	return Scenario{
		Name: "random", About: "a small swarm of all sorts, another with each seed",
		Draw: randomSwarm, Check: spread,
	}
}

// randomSwarm returns a small swarm of all sorts: partial seeds, nodes behind
// NATs, slow and lossy ones, nodes that leave and come back, liars and mutes. It
// may have no seed, or one that leaves.
func randomSwarm(seed uint64) Scenario {
	rng := rand.New(rand.NewPCG(seed, 0xabc))
	rate := func() int64 { return int64(1+rng.IntN(40)) * Mbit / 2 }
	s := Scenario{
		Name: "random", Pieces: 8 + rng.IntN(56), PieceLength: 16 << (10 + rng.IntN(5)),
		Limit:    20 * time.Minute,
		PeersMax: []int{0, 4, 12}[rng.IntN(3)],
	}
	add := func(c Class) {
		c.Up, c.Down, c.Distance, c.Jitter = rate(), rate(), near,
			time.Duration(rng.Int64N(int64(100*time.Millisecond)))
		s.Classes = append(s.Classes, c)
	}
	if rng.IntN(4) > 0 {
		add(Class{Name: "seed", Count: 1, Seed: true, Copies: []float64{0, 0.5, 1.2}[rng.IntN(3)],
			SuperSeed: rng.IntN(4) == 0})
	}
	add(Class{Name: "leech", Count: 2 + rng.IntN(6), Magnet: rng.IntN(4) == 0,
		Loss: float64(rng.IntN(3)) / 100})
	add(Class{Name: "partial", Count: 1 + rng.IntN(5), All: rng.Float64(), NAT: rng.Float64() / 2})
	add(Class{Name: "guest", Count: rng.IntN(4), All: rng.Float64() / 2, Life: 40 * time.Second,
		Away: 20 * time.Second})
	if rng.IntN(2) == 0 {
		add(Class{Name: "liar", Count: 1 + rng.IntN(2), Seed: true, Acts: Liar})
		add(Class{Name: "mute", Count: 1 + rng.IntN(2), Seed: true, Acts: Mute})
	}
	return s
}
