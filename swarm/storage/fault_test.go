package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
)

// memRig opens a Store on a memDisk.
func memRig(t *testing.T, d *memDisk, rec *record, layout *metainfo.Layout, data []byte) *rig {
	t.Helper()
	r, err := tryMemRig(t, d, rec, layout, data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryMemRig(t *testing.T, d *memDisk, rec *record, layout *metainfo.Layout,
	data []byte) (*rig, error) {
	r := &rig{t: t, layout: layout, data: data, pool: block.NewPool(1 << 20),
		results: make(chan Result, 2*layout.Pieces()+16)}
	cfg := Config{Layout: layout, Workers: NewWorkers(2), Results: func(x Result) {
		r.results <- x
	}, Part: true, record: rec}
	t.Cleanup(cfg.Workers.Close)
	var err error
	r.store, err = openOn(cfg, d)
	return r, err
}

// The power goes at any moment, several times: nothing that was recorded is
// lost or hashed again, and nothing wrong counts as sound.
func TestPowerLoss(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 300_000, false},
		tfile{"b/c", 500_000, false},
		tfile{"b/d", 10, false}, tfile{"e", 90_000, false})
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 5))
				d := newMemDisk(seed)
				rec := newMemRecord(d)
				for life := range 8 {
					if lifeOf(t, rnd, d, rec, layout, data) {
						break
					}
					d.crash()
					if life == 7 && recordedBy(t, rec) == nil {
						t.Error("eight lives and nothing recorded")
					}
				}
			})
		})
	}
}

// lifeOf runs a Store until it is complete or the power goes.
func lifeOf(t *testing.T, rnd *rand.Rand, d *memDisk, rec *record, layout *metainfo.Layout,
	data []byte) (complete bool) {
	recorded := bits.New(layout.Pieces())
	if was := recordedBy(t, rec); was != nil {
		recorded = was.Have
	}
	r := memRig(t, d, rec, layout, data)
	var hashed, others int64
	have, err := r.store.Check(t.Context(), func(done, _ int64) { hashed = max(hashed, done) })
	if err != nil {
		t.Fatal(err)
	}
	if recorded.AnyNotIn(have) {
		t.Fatalf("recorded pieces were lost: %v, now %v", recorded.Count(), have.Count())
	}
	for p := range layout.Pieces() {
		if !recorded.Has(p) {
			others += int64(layout.PieceSize(p))
		}
		if have.Has(p) {
			r.mustBeSound(p)
		}
	}
	if hashed > others {
		t.Fatalf("%d bytes were hashed, and only %d were not recorded", hashed, others)
	}
	missing := rnd.Perm(layout.Pieces())
	steps := rnd.IntN(30)
	for _, p := range missing {
		if have.Has(p) {
			continue
		}
		if steps--; steps < 0 {
			r.write(r.refs(p)[0]) // a piece in the middle
			if rnd.IntN(2) == 0 {
				time.Sleep(time.Duration(rnd.IntN(12_000)) * time.Millisecond)
			}
			d.cut()
			r.store.Close()
			return false
		}
		if got := r.piece(p); !got.OK {
			t.Fatal(got)
		}
		time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond)
	}
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	r.back()
	return true
}

// mustBeSound reports whether what is on disk of piece p is right.
func (r *rig) mustBeSound(p int) {
	r.t.Helper()
	got := make([]byte, r.layout.PieceSize(p))
	if err := r.store.pieces.read(got, r.layout.PieceOffset(p)); err != nil ||
		!r.layout.VerifyPiece(p, got) {
		r.t.Fatalf("piece %d counts as sound and is not (%v)", p, err)
	}
}

// Each operation in turn fails once: the download goes on after a Probe, and
// nothing is lost.
func TestEveryOperationFailsOnce(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 50_000, false},
		tfile{"b/c", 60_000, false}, tfile{"b/e", 0, false})
	for n, done := 1, false; !done; n++ {
		synctest.Test(t, func(t *testing.T) {
			d := newMemDisk(uint64(n))
			rec := newMemRecord(d)
			r := memRig(t, d, rec, layout, data)
			if _, err := r.store.Check(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			left := n
			d.failIf(func(op, name string) bool {
				left--
				return left == 0
			})
			for p := range layout.Pieces() {
				for try := 0; ; try++ {
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
			err := r.store.Finish()
			if err != nil && !errors.Is(err, syscall.EIO) {
				t.Fatalf("%d: Finish: %v", n, err)
			}
			r.back()
			failed := d.failIf(nil)
			done = failed == ""
			again := memRig(t, d, rec, layout, data)
			if have, err := again.store.Check(t.Context(), nil); err != nil || !have.All() {
				t.Fatalf("%d (%s): afterwards: %d pieces, %v", n, failed, have.Count(), err)
			}
			for p := range layout.Pieces() {
				again.mustBeSound(p)
			}
			again.back()
		})
	}
}

func TestDiskFull(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 200_000, false})
	d := newMemDisk(1)
	d.room = 100_000
	r := memRig(t, d, nil, layout, data)
	for p := range 3 {
		if got := r.piece(p); !got.OK {
			t.Fatal(got)
		}
	}
	for _, ref := range r.refs(3) {
		r.write(ref)
	}
	got := <-r.results
	own := (*Error)(nil)
	if got.Piece != 3 || !IsFull(got.Err) || !errors.As(got.Err, &own) ||
		got.Err.Error() != "write /mem/x.part/a: no space left on device" {
		t.Errorf("got %+v", got)
	}
	r.store.Verify(3)
	if got := <-r.results; !IsFull(got.Err) {
		t.Errorf("Verify after it: got %+v", got)
	}
	if err := r.store.Probe(); !IsFull(err) {
		t.Error("Probe while it is full:", err)
	}
	d.mu.Lock()
	d.room = -1
	d.mu.Unlock()
	if err := r.store.Probe(); err != nil {
		t.Error("Probe when there is room again:", err)
	}
	for p := 3; p < layout.Pieces(); p++ {
		if got := r.piece(p); !got.OK {
			t.Error(got)
		}
	}
	if err := r.store.Finish(); err != nil {
		t.Error(err)
	}
	r.back()
}

// A disk that cannot be read for a while: the read fails, hashing the piece
// says so, and when it works again nothing has to be fetched.
func TestReadFails(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 100_000, false})
	d := newMemDisk(1)
	r := memRig(t, d, nil, layout, data)
	r.all()
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	d.failIf(func(op, name string) bool { return op == "read" })
	p := make([]byte, 100)
	if err := r.store.ReadAt(p, 1, 0); !errors.Is(err, syscall.EIO) {
		t.Error("ReadAt:", err)
	}
	r.store.Verify(1)
	if got := <-r.results; got.OK || !errors.Is(got.Err, syscall.EIO) {
		t.Errorf("Verify: %+v", got)
	}
	d.failIf(nil)
	r.store.Verify(1)
	if got := <-r.results; !got.OK {
		t.Errorf("Verify when it works again: %+v", got)
	}
	if err := r.store.ReadAt(p, 1, 0); err != nil {
		t.Error("ReadAt when it works again:", err)
	}
	r.back()
}

// What a failed sync leaves behind is not trusted, even if the next one works.
func TestFailedSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 100_000, false},
			tfile{"b", 100_000, false})
		d := newMemDisk(1)
		rec := newMemRecord(d)
		r := memRig(t, d, rec, layout, data)
		warned := make(chan error, 10)
		r.store.cfg.Warn = func(err error) { warned <- err }
		r.piece(0)
		time.Sleep(time.Minute)
		r.piece(1)
		r.piece(5)
		failures := 1
		d.failIf(func(op, name string) bool {
			failing := op == "sync" && name == "x.part/a" && failures > 0
			if failing {
				failures--
			}
			return failing
		})
		time.Sleep(time.Minute)
		doc, _, _ := rec.read()
		was, err := ParseResume(doc)
		if err != nil || !was.Have.Has(0) || was.Have.Has(1) || !was.Have.Has(5) {
			t.Errorf("recorded: %+v, %v", was, err)
		}
		synctest.Wait()
		if len(warned) != 1 || !errors.Is(<-warned, syscall.EIO) {
			t.Error("not one warning of the failed sync")
		}
		for _, p := range []int{2, 3, 4, 6} {
			r.piece(p)
		}
		if err := r.store.Finish(); !errors.Is(err, syscall.EIO) {
			t.Error("Finish:", err)
		}
		r.back()
	})
}

// A disk on which syncing takes a minute: the record says all the while that
// the Store lives, and Close does not wait for the end.
func TestSlowSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 100_000, false},
			tfile{"b", 100_000, false})
		d := newMemDisk(1)
		d.syncTakes = time.Minute
		rec := newMemRecord(d)
		r := memRig(t, d, rec, layout, data)
		r.piece(0)
		time.Sleep(62 * time.Second)
		_, made, err := rec.read()
		if age := time.Since(time.Unix(0, made)); err != nil || age > checkpointInterval {
			t.Error("the record was not renewed for", age, err)
		}
		time.Sleep(10 * time.Second)
		r.piece(1)
		r.piece(4)
		time.Sleep(10 * time.Second)
		start := time.Now()
		r.back()
		if took := time.Since(start); took > closeSyncMax+memSyncStep {
			t.Error("Close took", took)
		}
		doc, _, _ := rec.read()
		was, err := ParseResume(doc)
		if err != nil || !was.Have.Has(0) || was.Have.Count() != 1 || was.Clean {
			t.Errorf("recorded: %+v, %v", was, err)
		}
		d.syncTakes = 0
		r = memRig(t, d, rec, layout, data)
		if have, err := r.store.Check(t.Context(), nil); err != nil || have.Count() != 3 {
			t.Error("after it:", have.Count(), err)
		}
		r.back()
	})
}
