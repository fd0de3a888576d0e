package sim

import (
	"testing"
	"time"
)

// hidden is a seed and a leech that are behind routers, or not, and know an introducer alone,
// which gives nothing.
func hidden(seed, leech float64) Scenario {
	return Scenario{
		Name: "hidden", Pieces: 16, PieceLength: 16 << 10, Limit: time.Minute, Introducer: true,
		Classes: []Class{
			{Name: "introducer", Count: 1, Down: 8 << 10, Acts: FreeRider, Distance: 3 * near},
			{Name: "seed", Count: 1, Seed: true, Up: 10 * Mbit, Down: 10 * Mbit, NAT: seed,
				Distance: 2 * near},
			{Name: "leech", Count: 1, Up: 10 * Mbit, Down: 10 * Mbit, NAT: leech,
				Distance: near, Join: 10 * time.Second},
		},
	}
}

// TestPunching: a leech behind a router meets a seed behind another by way of a peer that both
// know, within three seconds of its start, as fast as one that can be connected to.
func TestPunching(t *testing.T) {
	for _, tt := range []struct{ seed, leech float64 }{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		for seed := range uint64(8) {
			r := Run(hidden(tt.seed, tt.leech), seed)
			if took := r.Class("leech").Median - 10*time.Second; took < 0 || took > 3*time.Second {
				t.Errorf("routers of the seed %v, of the leech %v, seed %d: done after %v",
					tt.seed, tt.leech, seed, took)
			}
		}
	}
}

// TestRouters: a router lets in those alone whom somebody behind it has sent something to, and
// not for ever.
func TestRouters(t *testing.T) {
	w := &world{}
	a := &node{world: w, id: 1, nat: true, holes: map[*node]int64{}}
	b := &node{world: w, id: 2, holes: map[*node]int64{}}
	if a.lets(b) || !b.lets(a) {
		t.Error("before anything was sent")
	}
	a.open(b)
	if !a.lets(b) || a.lets(&node{}) {
		t.Error("after something was sent")
	}
	if w.now += int64(holeFor); a.lets(b) {
		t.Error("when the time is over")
	}
}
