package metainfo

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
)

// Each thing is worked on once, however many parts there are.
func TestPartsAreTheWhole(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for _, n := range []int{0, 1, 15, 16, 17, 79, 80, 1000} {
		done := make([]atomic.Int32, n)
		var parts atomic.Int32
		err := inParts(n, 10, func(from, to int) error {
			parts.Add(1)
			for i := from; i < to; i++ {
				done[i].Add(1)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%d things: %v", n, err)
		}
		for i := range done {
			if got := done[i].Load(); got != 1 {
				t.Errorf("%d things: thing %d was worked on %d times", n, i, got)
			}
		}
		if got, want := int(parts.Load()), max(1, min(8, n/10)); got != want {
			t.Errorf("%d things: %d parts, want %d", n, got, want)
		}
	}
}

// The error does not depend on which part ends first.
func TestPartsReturnTheFirstError(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	first, second := errors.New("first"), errors.New("second")
	later := make(chan struct{})
	err := inParts(4, 1, func(from, _ int) error {
		switch from {
		case 1:
			<-later
			return first
		case 3:
			close(later)
			return second
		}
		return nil
	})
	if err != first {
		t.Errorf("got %v, want %v", err, first)
	}
}

// All of many layers are looked at.
func TestEachOfManyLayersIsChecked(t *testing.T) {
	doc := manyFilesTorrent(t, V2)
	torrent, err := ParseTorrent(doc)
	if err != nil {
		t.Fatal(err)
	}
	if !torrent.Info().Layout().HashesKnown() {
		t.Error("hashes are missing")
	}
	l := torrent.Info().Layout()
	for _, at := range []int{0, 1, len(l.roots) / 2, len(l.roots) - 1} {
		row := l.trees[l.roots[at]].rows[0]
		row[0][0] ^= 1
		if _, err := ParseTorrent(torrent.Marshal()); !errors.Is(err, errLayer) {
			t.Errorf("layer %d: got %v, want %v", at, err, errLayer)
		}
		row[0][0] ^= 1
	}
}
