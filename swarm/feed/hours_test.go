package feed

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// A reader that asks for a time hears of all changes since then, and of none from more than
// StrikeEvery before.
func TestMoment(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			f := newFeed(time.Now())
			changed := make(map[*thing]time.Time)
			for name := range 50 {
				x := &thing{name: name}
				f.Add(x)
				changed[x] = time.Now()
				time.Sleep(time.Duration(rng.Int64N(int64(10 * time.Second))))
				asked := time.Now().Add(-time.Duration(rng.Int64N(int64(2 * time.Minute))))
				c, _, _ := f.Read(f.Moment(asked))
				told := make(map[*thing]bool)
				for _, item := range c.Items {
					told[item.Item] = true
				}
				for x, at := range changed {
					if !at.Before(asked) && !told[x] {
						t.Fatalf("seed %d: a change of %v is not among those since %v", seed, at,
							asked)
					}
					if told[x] && asked.Sub(at) > StrikeEvery {
						t.Fatalf("seed %d: a change of %v is among those since %v", seed, at,
							asked)
					}
				}
			}
		})
	}
}

// Nothing has happened for a while, and what happened long ago is forgotten.
func TestMomentOfQuietTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(time.Now())
		x := &thing{name: 1}
		f.Add(x)
		began := time.Now()
		if got := f.Moment(began.Add(-time.Hour)); got != 0 {
			t.Errorf("an hour before the start it is %d, want 0", got)
		}
		time.Sleep(time.Hour)
		if got := f.Moment(time.Now().Add(-time.Minute)); got != f.Seq() {
			t.Errorf("it is %d, want %d: nothing has changed", got, f.Seq())
		}
		for range 2 * strokesMax {
			time.Sleep(StrikeEvery)
			f.Change(x, 1)
		}
		if got := f.Moment(began); got != 0 {
			t.Errorf("of a time that is forgotten it is %d, want 0", got)
		}
	})
}
