package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

func randomChoice(rnd *rand.Rand, n int) []bool {
	if rnd.IntN(4) == 0 {
		return nil
	}
	wanted := make([]bool, n)
	for i := range wanted {
		wanted[i] = rnd.IntN(2) == 0
	}
	return wanted
}

// The power goes, or the Store is closed, and other files are wanted at each
// start: what was recorded is never lost, and what is not wanted never changes.
func TestSelectionPowerLoss(t *testing.T) {
	layout, data := mixed(t)
	for seed := range uint64(100) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 6))
				d := newMemDisk(seed)
				rec := newMemRecord(d)
				for range 12 {
					if !selectionLife(t, rnd, d, rec, layout, data) {
						d.crash()
					}
				}
			})
		})
	}
}

// unwantedOn returns what is on the disk of files that are not wanted.
func unwantedOn(d *memDisk, layout *metainfo.Layout, wanted []bool) map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := make(map[string]string)
	for i := range wanted {
		for _, top := range []string{"x", "x" + PartSuffix} {
			if f := d.files[top+strings.TrimPrefix(layout.FilePath(i), "x")]; f != nil &&
				!wanted[i] {
				found[layout.FilePath(i)] = string(f.data)
			}
		}
	}
	return found
}

// selectionLife runs a Store of some selection until it is complete, closed or
// the power goes, and tells that it was closed.
func selectionLife(t *testing.T, rnd *rand.Rand, d *memDisk, rec *record, layout *metainfo.Layout,
	data []byte) (closed bool) {
	recorded := bits.New(layout.Pieces())
	if was := recordedBy(t, rec); was != nil {
		recorded = was.Have
	}
	wanted := randomChoice(rnd, len(layout.Files))
	before := unwantedOn(d, layout, wanted)
	defer func() {
		t.Helper()
		sameFiles(t, unwantedOn(d, layout, wanted), before)
	}()
	r := partfileRig(t, d, rec, layout, data, wanted)
	var hashed int64
	have, err := r.store.Check(t.Context(), func(done, _ int64) { hashed = max(hashed, done) })
	if err != nil {
		t.Fatal(err)
	}
	if recorded.AnyNotIn(have) {
		t.Fatalf("recorded pieces were lost: %s, now %s", members(recorded), members(have))
	}
	for p := range have.Members() {
		r.mustBeSound(p)
	}
	steps := rnd.IntN(14)
	pieces := WantedPieces(layout, wanted)
	for _, p := range rnd.Perm(layout.Pieces()) {
		if have.Has(p) || !pieces.Has(p) {
			continue
		}
		if steps--; steps < 0 && rnd.IntN(2) == 0 {
			break
		}
		if steps < 0 {
			refs := r.refs(p)
			r.write(refs[rnd.IntN(len(refs))])
			time.Sleep(time.Duration(rnd.IntN(12_000)) * time.Millisecond)
			d.cut()
			r.store.Close()
			return false
		}
		if got := r.piece(p); !got.OK {
			t.Fatal(got)
		}
		time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond)
	}
	if steps >= 0 {
		if err := r.store.Finish(); err != nil {
			t.Fatal(err)
		}
		if have := r.store.Have(); pieces.AnyNotIn(have) {
			t.Fatalf("complete with %s, wanted %s", members(have), members(pieces))
		}
	}
	for p := range r.store.Have().Members() {
		r.mustBeSound(p)
	}
	r.back()
	return true
}

// Each operation in turn fails once, while a selection is downloaded and after
// it everything: nothing is lost, and the download goes on.
func TestSelectionEveryOperationFailsOnce(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 50_000, false},
		tfile{"b/c", 20_000, false}, tfile{"b/e", 60_000, false})
	for n, done := 1, false; !done; n++ {
		synctest.Test(t, func(t *testing.T) {
			d := newMemDisk(uint64(n))
			rec := newMemRecord(d)
			left := n
			d.failIf(func(op, name string) bool {
				left--
				return left == 0
			})
			have := bits.New(layout.Pieces())
			for _, wanted := range [][]bool{choose(".x."), choose("x.."), nil} {
				// what is wanted of it, since a file that is not may seem to be
				// gone
				had := have.Clone()
				had.Intersect(had, WantedPieces(layout, wanted))
				have = failingRun(t, n, d, rec, layout, data, wanted)
				if failed := d.failIf(d.fail); had.AnyNotIn(have) &&
					!strings.HasPrefix(failed, "sync") &&
					!strings.HasPrefix(failed, "record") && !strings.HasPrefix(failed, "read") {
					t.Errorf("%d (%s): there were %s, now %s", n, failed, members(had),
						members(have))
				}
			}
			if !have.All() {
				t.Errorf("%d: in the end: %s", n, members(have))
			}
			done = d.failIf(nil) == ""
		})
	}
}

// failingRun downloads a selection on a disk of which an operation may fail, and
// returns the pieces that it then has.
func failingRun(t *testing.T, n int, d *memDisk, rec *record, layout *metainfo.Layout, data []byte,
	wanted []bool) *bits.Set {
	t.Helper()
	var r *rig
	var have *bits.Set
	for try := 0; ; try++ { // what fails at the start is tried again by the user
		var err error
		if r, err = tryPartfileRig(t, d, rec, layout, data, wanted); err == nil {
			if have, err = r.store.Check(t.Context(), nil); err == nil {
				break
			}
			r.back()
		}
		if try > 0 || !errors.Is(err, syscall.EIO) {
			t.Fatalf("%d: Check: %v", n, err)
		}
	}
	for p := range WantedPieces(layout, wanted).Members() {
		for try := 0; !have.Has(p); try++ {
			got := r.piece(p)
			time.Sleep(3 * time.Second)
			for len(r.results) > 0 {
				got = <-r.results // of the Verify after a failed write
			}
			if got.OK {
				break
			}
			if !errors.Is(got.Err, syscall.EIO) || try > 1 {
				t.Fatalf("%d: piece %d: %+v", n, p, got)
			}
			if err := r.store.Probe(); err != nil {
				t.Fatalf("%d: probe: %v", n, err)
			}
		}
	}
	time.Sleep(time.Minute) // whatever beats there are
	if err := r.store.Finish(); err != nil && !errors.Is(err, syscall.EIO) {
		t.Fatalf("%d: Finish: %v", n, err)
	}
	have = r.store.Have()
	for p := range have.Members() {
		// as what it is, also of a file that is not wanted
		if err := r.store.ReadAt(make([]byte, 1), uint32(p), 0); err != nil &&
			!errors.Is(err, syscall.EIO) {
			t.Errorf("%d: reading piece %d: %v", n, p, err)
		}
	}
	r.back()
	return have
}
