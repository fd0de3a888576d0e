package sim

import (
	"testing"
	"time"
)

func TestSmall(t *testing.T) {
	s := Scenario{Name: "small", Pieces: 256, PieceLength: 256 << 10, Limit: 10 * time.Minute,
		Classes: []Class{
			{Name: "seed", Count: 1, Seed: true, Up: 20 * Mbit, Down: 20 * Mbit, Distance: 8 * time.Millisecond},
			{Name: "leech", Count: 9, Up: 20 * Mbit, Down: 20 * Mbit, Distance: 8 * time.Millisecond},
		}}
	start := time.Now()
	r := Run(s, 1)
	t.Logf("%v %v\n%v", time.Since(start), r.Wasted, r.String())
}
