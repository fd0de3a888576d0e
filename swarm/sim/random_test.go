package sim

import "testing"

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
		r := run(t, random(), seed)
		if r.Lacking > 0 {
			t.Errorf("random swarm %d: %d times a node lacks a piece that another has, %d "+
				"are lost\n%v%s",
				seed, r.Lacking, r.Lost, r.String(), replay("random", seed))
		}
	}
}
