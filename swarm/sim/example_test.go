package sim_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"swarmnode/swarm/sim"
)

// A scenario is run with a seed, which makes the run repeatable.
func ExampleRun() {
	s, ok := sim.Find("nine")
	if !ok {
		return
	}
	r := sim.Run(s, 1)
	leeches := r.Class("leech")
	fmt.Printf("%d of %d leeches have everything\n", leeches.Done, leeches.Count)
	fmt.Println("below the bound:", r.Last < r.Bound)
	fmt.Println("as the scenario demands:", s.Check(&r) == nil)
	fmt.Println("the same again:", sim.Run(s, 1).Digest == r.Digest)
	// Output:
	// 9 of 9 leeches have everything
	// below the bound: false
	// as the scenario demands: true
	// the same again: true
}

// A swarm of one's own: a seed with 10 Mbit/s, and two leeches that come later.
func ExampleScenario_Bound() {
	s := sim.Scenario{
		Name: "pair", Pieces: 64, PieceLength: 256 << 10, Limit: time.Hour,
		Classes: []sim.Class{
			{Name: "seed", Count: 1, Up: 10 * sim.Mbit, Seed: true},
			{Name: "leech", Count: 2, Up: 10 * sim.Mbit, Join: 5 * time.Second},
		},
	}
	fmt.Printf("no swarm needs less than %.1f s\n", s.Bound().Seconds())
	r := sim.Run(s, 7)
	fmt.Println("complete:", r.Done())
	// Output:
	// no swarm needs less than 13.4 s
	// complete: true
}

// A Timeline holds what a picture is drawn from.
func ExampleObserve() {
	s, _ := sim.Find("nine")
	var tl sim.Timeline
	_, err := sim.Observe(context.Background(), s, 1, sim.Observer{Timeline: &tl})
	if err != nil {
		return // the context ended
	}
	file, err := os.CreateTemp("", "swarm*.svg")
	if err != nil {
		return
	}
	defer os.Remove(file.Name())
	defer file.Close()
	fmt.Println(tl.WriteSVG(file))
	// Output: <nil>
}
