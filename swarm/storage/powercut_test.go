package storage

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// cutSeeds is how many ways of losing what was not synced are tried for each
// operation at which the power goes.
const cutSeeds = 4

// The power goes at every operation of a download in turn, and at another one
// of the start that follows: the record is never lost once it was written, what
// it says is sound, none of it is fetched or hashed again, and in the end all is
// there.
func TestPowerCutAtEveryOperation(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 200_000, false},
		tfile{"b/c", 160_000, false}, tfile{"b/e", 0, false})
	cuts := 0
	for n, done := 1, false; !done; n++ {
		for seed := range uint64(cutSeeds) {
			synctest.Test(t, func(t *testing.T) {
				d := newMemDisk(uint64(n)*cutSeeds + seed)
				rec := newMemRecord(d)
				d.cutIn = n
				promised := cutLife(t, n, d, rec, layout, data, bits.New(layout.Pieces()))
				if done = !d.dead; done {
					return
				}
				cuts++
				d.crash()
				d.cutIn = 1 + d.rnd.IntN(60)
				promised = cutLife(t, n, d, rec, layout, data, promised)
				d.crash()
				d.cutIn = 0
				promised = cutLife(t, n, d, rec, layout, data, promised)
				if !promised.All() {
					t.Errorf("%d: in the end %s is recorded", n, members(promised))
				}
			})
		}
	}
	t.Logf("%d cuts, %d operations", cuts, cuts/cutSeeds)
	if cuts < 80*cutSeeds {
		t.Error("the download has only", cuts/cutSeeds, "operations: the test shows little")
	}
}

// cutLife downloads what is missing until the power goes, and returns the
// pieces of the last record that it was told is on stable storage. promised are
// those of the life before.
func cutLife(t *testing.T, n int, d *memDisk, rec *record, layout *metainfo.Layout, data []byte,
	promised *bits.Set) *bits.Set {
	t.Helper()
	d.uncounted(func() {
		was := recordedBy(t, rec)
		if !promised.None() && (was == nil || promised.AnyNotIn(was.Have)) {
			t.Fatalf("%d: %s was recorded, and after the cut there is %+v", n, members(promised),
				was)
		}
	})
	r, err := tryMemRig(t, d, rec, layout, data)
	if err != nil && d.isDead() {
		return promised
	}
	if err != nil {
		t.Fatal(n, err)
	}
	defer r.store.Close()
	var hashed, others int64
	have, err := r.store.Check(t.Context(), func(done, _ int64) { hashed = max(hashed, done) })
	if d.isDead() {
		return promised
	}
	if err != nil {
		t.Fatal(n, err)
	}
	for p := range layout.Pieces() {
		if !promised.Has(p) {
			others += int64(layout.PieceSize(p))
		}
	}
	if promised.AnyNotIn(have) || hashed > others {
		t.Fatalf("%d: %s was recorded, %s is found, with %d bytes hashed of %d", n,
			members(promised), members(have), hashed, others)
	}
	d.uncounted(func() {
		for p := range have.Members() {
			r.mustBeSound(p)
		}
	})
	for p := range layout.Pieces() {
		if have.Has(p) {
			continue
		}
		got := r.piece(p)
		time.Sleep(2 * time.Second)
		if d.isDead() {
			break
		}
		if !got.OK {
			t.Fatal(n, got)
		}
	}
	if !d.isDead() {
		time.Sleep(time.Minute) // whatever beats there are
		if err := r.store.Finish(); err != nil && !errors.Is(err, syscall.EIO) {
			t.Fatal(n, err)
		}
	}
	r.store.known.mu.Lock()
	defer r.store.known.mu.Unlock()
	if r.store.journal.recorded == nil {
		return promised
	}
	return r.store.journal.recorded.Clone()
}
