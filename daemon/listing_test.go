package daemon

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestListing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var l listing
	want := make(map[ID]*Torrent)
	for range 2000 {
		id := ID(1 + rng.IntN(100))
		if known := want[id]; l.get(id) != known {
			t.Fatalf("torrent %d is %p, want %p", id, l.get(id), known)
		}
		if rng.IntN(2) == 0 {
			l.drop(id)
			delete(want, id)
			continue
		}
		one := &Torrent{id: id}
		l.put(one)
		if want[id] == nil {
			want[id] = one
		}
		ids := slices.Sorted(maps.Keys(want))
		if !slices.EqualFunc(l, ids, func(t *Torrent, id ID) bool { return t.id == id }) {
			t.Fatalf("the order is not that of %v", ids)
		}
	}
}
