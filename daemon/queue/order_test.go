package queue

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// ordered returns an order of 0 to n-1.
func ordered(n int) *Order[int] {
	var o Order[int]
	for k := range n {
		o.Append(k)
	}
	return &o
}

// sound checks that positions, places and the list say the same.
func sound(t testing.TB, o *Order[int]) {
	t.Helper()
	for i, k := range o.All() {
		if o.Position(k) != i {
			t.Fatalf("%d has position %d, want %d: %v", k, o.Position(k), i, o.All())
		}
		if i > 0 && o.Place(k) <= o.Place(o.All()[i-1]) {
			t.Fatalf("place %d of %d is not after %d", o.Place(k), k, o.Place(o.All()[i-1]))
		}
	}
	if len(o.places) != o.Len() || len(o.index) > o.Len() {
		t.Fatalf("%d torrents, %d places, %d positions", o.Len(), len(o.places), len(o.index))
	}
}

func TestMovePosition(t *testing.T) {
	for _, c := range []struct {
		k, to int
		want  string
		n     int
	}{
		{2, 0, "[2 0 1 3]", 1},
		{0, 3, "[1 2 3 0]", 1},
		{0, 99, "[1 2 3 0]", 1},
		{3, -5, "[3 0 1 2]", 1},
		{1, 2, "[0 2 1 3]", 1},
		{1, 1, "[0 1 2 3]", 0},
		{7, 1, "[0 1 2 3]", 0},
	} {
		o := ordered(4)
		changed := o.Move(c.k, c.to)
		if got := fmt.Sprint(o.All()); got != c.want || len(changed) != c.n {
			t.Errorf("%d to %d: %s, %d changed; want %s, %d", c.k, c.to, got, len(changed),
				c.want, c.n)
		}
		sound(t, o)
	}
}

func TestShift(t *testing.T) {
	for _, c := range []struct {
		where Shift
		some  []int
		want  string
	}{
		{Top, []int{3, 1}, "[1 3 0 2 4]"},
		{Bottom, []int{3, 1}, "[0 2 4 1 3]"},
		{Up, []int{2}, "[0 2 1 3 4]"},
		{Up, []int{0, 1, 3}, "[0 1 3 2 4]"},
		{Up, []int{2, 1}, "[1 2 0 3 4]"},
		{Down, []int{2}, "[0 1 3 2 4]"},
		{Down, []int{4, 3, 1}, "[0 2 1 3 4]"},
		{Down, []int{1, 2}, "[0 3 1 2 4]"},
		{Top, []int{9, 2, 2}, "[2 0 1 3 4]"},
		{Top, nil, "[0 1 2 3 4]"},
	} {
		o := ordered(5)
		o.Shift(c.some, c.where)
		if got := fmt.Sprint(o.All()); got != c.want {
			t.Errorf("shift %d of %v: %s, want %s", c.where, c.some, got, c.want)
		}
		sound(t, o)
	}
}

// Places come back from records as they were, whatever else they may be.
func TestLoad(t *testing.T) {
	o := ordered(5)
	o.Move(4, 1)
	var back Order[int]
	if changed := back.Load(maps.Clone(o.places)); len(changed) > 0 {
		t.Errorf("%d places changed", len(changed))
	}
	if !slices.Equal(back.All(), o.All()) {
		t.Errorf("got %v, want %v", back.All(), o.All())
	}
	for _, places := range []map[int]int64{
		{1: 5, 2: 5, 3: 5},
		{1: math.MinInt64, 2: math.MaxInt64, 3: 0},
	} {
		var o Order[int]
		if len(o.Load(places)) == 0 {
			t.Errorf("%v: no place changed", places)
		}
		sound(t, &o)
	}
	var none Order[int]
	if none.Load(nil); none.Len() != 0 || none.Position(1) != -1 {
		t.Error("an empty order is not empty")
	}
}

// A torrent can be moved between the same two neighbours for ever.
func TestGapsRunOut(t *testing.T) {
	o := ordered(3)
	spread := 0
	for i := range 200 {
		if len(o.Move(1+i%2, 1)) > 1 {
			spread++
		}
		sound(t, o)
	}
	if spread == 0 || spread > 20 {
		t.Errorf("all places changed %d times", spread)
	}
}

func TestRandomOrder(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 2))
		o, model := ordered(0), []int(nil)
		for range 200 {
			k := rng.IntN(20)
			at := slices.Index(model, k)
			switch rng.IntN(4) {
			case 0, 1:
				next := o.Next()
				if place := o.Append(k); at < 0 {
					if place != next {
						t.Fatalf("seed %d: got place %d, want %d", seed, place, next)
					}
					model = append(model, k)
				}
			case 2:
				if o.Remove(k); at >= 0 {
					model = slices.Delete(model, at, at+1)
				}
			case 3:
				to := rng.IntN(25) - 2
				if o.Move(k, to); at >= 0 {
					model = slices.Delete(model, at, at+1)
					model = slices.Insert(model, min(max(to, 0), len(model)), k)
				}
			}
			if !slices.Equal(o.All(), model) {
				t.Fatalf("seed %d: got %v, want %v", seed, o.All(), model)
			}
			sound(t, o)
		}
	}
}
