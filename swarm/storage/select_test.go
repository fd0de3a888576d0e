//go:build unix

package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// reselect selects other files and fails the test if that does not work. It returns the
// pieces that were found and lost.
func (r *rig) reselect(picture string) (found, lost string) {
	r.t.Helper()
	var wanted []bool
	if picture != "" {
		wanted = choose(picture)
	}
	changed, err := r.store.Select(r.t.Context(), wanted)
	if err != nil {
		r.t.Fatalf("Select %q: %v", picture, err)
	}
	show := func(set *bits.Set) string {
		if set == nil {
			return ""
		}
		return members(set)
	}
	return show(changed.Found), show(changed.Lost)
}

// halves writes some of the blocks of each piece in pieces and returns a function that
// writes the others and verifies the piece.
func (r *rig) halves(rnd *rand.Rand, pieces ...int) func(p int) Result {
	late := make(map[int][]int)
	for _, p := range pieces {
		for i, ref := range r.refs(p) {
			if rnd.IntN(2) == 0 {
				r.write(ref)
			} else {
				late[p] = append(late[p], i)
			}
		}
	}
	return func(p int) Result {
		refs := r.refs(p)
		for _, i := range late[p] {
			r.write(refs[i])
		}
		r.store.Verify(uint32(p))
		return <-r.results
	}
}

// TestSelectWhileRunning: some files are chosen, then others while pieces are half
// written, then all; each piece is right, and each file in its place.
func TestSelectWhileRunning(t *testing.T) {
	for _, c := range choices(t) {
		t.Run(fmt.Sprint(c.name, " ", c.wanted), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(len(c.wanted)), 3))
			all := strings.Repeat("x", len(c.wanted))
			cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: c.layout,
				Wanted: choose(c.wanted), Part: true, Hash: metainfo.Hash{1, 2}}
			r := newRig(t, cfg, c.data)
			have, err := r.store.Check(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.wantedPieces(cfg.Wanted, have)
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			done := r.store.Have()
			other := strings.Map(func(is rune) rune { return '.' + 'x' - is }, c.wanted)
			r.reselect(other)
			var begun []int
			for p := range c.layout.Pieces() {
				if !done.Has(p) {
					begun = append(begun, p)
				}
			}
			finish := r.halves(rnd, begun...)
			r.reselect(c.wanted)
			r.reselect(all)
			r.readsBack(done)
			for _, p := range begun {
				if got := finish(p); !got.OK {
					t.Fatalf("piece %d: %+v", p, got)
				}
			}
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			r.readsBack(bits.Full(c.layout.Pieces()))
			r.back()
			whole := choice{c.name, c.layout, c.data, all}
			sameFiles(t, filesBelow(t, cfg.Dir), whole.wantedContent())
			cfg.Wanted = nil
			have, hashed, warned := recheck(t, cfg, c.data)
			if !have.All() || hashed != 0 || warned != nil {
				t.Errorf("next start: %d pieces, %d bytes hashed, %q", have.Count(), hashed, warned)
			}
		})
	}
}

// TestDeselected: a file that nobody wants any more stays as it is if it was begun, and is
// not made if it was not.
func TestDeselected(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout}
	r := newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := r.piece(0); !got.OK { // of file a
		t.Fatal(got)
	}
	r.reselect(".x......")
	if got := r.piece(3); !got.OK { // of a, b/c and e
		t.Fatal(got)
	}
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	found := filesBelow(t, cfg.Dir)
	if len(found) != 2 || found["x/b/c"] != string(data[100_000:109_000]) ||
		found["x/a"][:32<<10] != string(data[:32<<10]) ||
		found["x/a"][98_304:] != string(data[98_304:100_000]) {
		t.Errorf("there are %d files", len(found))
	}
	r.readsBack(r.store.Have())
	r.reselect("x.......")
	for _, p := range []int{1, 2} {
		if got := r.piece(p); !got.OK {
			t.Fatal(got)
		}
	}
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	if found = filesBelow(t, cfg.Dir); found["x/a"] != string(data[:100_000]) {
		t.Error("the file that was wanted again is not whole")
	}
	r.back()
}

// TestDeselectedBeforeItIsMade: a shared piece was begun, and its first block comes when
// the file is not wanted any more: the file is not made for it.
func TestDeselectedBeforeItIsMade(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout,
		Wanted: choose("x..x....")}
	r := newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	refs := r.refs(3)
	r.write(refs[1]) // lies in e alone
	for {
		if _, err := os.Lstat(filepath.Join(cfg.Dir, "x", "e")); err == nil {
			break
		}
	}
	r.reselect("...x....")
	r.write(refs[0])
	r.store.Verify(3)
	if got := <-r.results; !got.OK {
		t.Fatal(got)
	}
	r.readsBack(r.store.Have())
	r.back()
	if found := filesBelow(t, cfg.Dir); len(found) != 1 || found["x/e"] == "" {
		t.Errorf("there are %d files", len(found))
	}
}

// TestSelectedWhole: a file comes to be wanted that lacks nothing but what is in the
// partfile. It is whole then, and nobody takes it for changed by another program.
func TestSelectedWhole(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout,
		Wanted: choose("...x....")}
	r := newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r.piece(4)
	r.back()
	cfg.Wanted = choose(".x...x..")
	r = newRig(t, cfg, data)
	have, err := r.store.Check(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.wantedPieces(cfg.Wanted, have)
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	r.reselect(".x.x.x..")
	if err := r.store.Finish(); err != nil {
		t.Error(err)
	}
	r.readsBack(r.store.Have())
	r.back()
	if got := filesBelow(t, cfg.Dir)["x/e"]; got != string(data[109_000:179_000]) {
		t.Errorf("the file has %d bytes, or wrong ones", len(got))
	}
	if have, hashed, _ := recheck(t, cfg, data); members(have) != "3 4 5" || hashed != 0 {
		t.Errorf("next start: %s, %d bytes hashed", members(have), hashed)
	}
}

// TestNothingWanted: nothing is made, and unfinished content keeps its name, until a file
// is wanted.
func TestNothingWanted(t *testing.T) {
	layout, data := mixed(t)
	for _, early := range []bool{true, false} { // nothing is wanted at the start
		cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout, Part: true}
		if early {
			cfg.Wanted = choose("........")
		}
		r := newRig(t, cfg, data)
		if _, err := r.store.Check(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if !early {
			r.piece(0)
			r.reselect("........")
		}
		if err := r.store.Finish(); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(cfg.Dir)
		if err != nil || len(entries) != 0 && (early || entries[0].Name() != "x.part") {
			t.Errorf("early %v: %v, %v", early, entries, err)
		}
		r.reselect(".......x")
		if got := r.piece(layout.Pieces() - 1); !got.OK {
			t.Fatal(got)
		}
		if err := r.store.Finish(); err != nil {
			t.Fatal(err)
		}
		if got := filesBelow(t, cfg.Dir)["x/i"]; got != string(data[len(data)-1:]) {
			t.Errorf("early %v: the wanted file has %d bytes", early, len(got))
		}
		r.readsBack(r.store.Have())
		r.back()
	}
}

// TestSelectFindsData: what another program has put in the place of an unwanted file is
// found when the file comes to be wanted.
func TestSelectFindsData(t *testing.T) {
	layout, data := mixed(t)
	e := data[109_000:179_000]
	for _, tt := range []struct {
		name, found string
		file        []byte
		err         error
	}{
		{"nothing", "", nil, nil},
		{"all of it", "4", e, nil},
		{"the start", "", e[:30_000], nil},
		{"other data", "", content(9, 70_000), nil},
		{"something longer", "", append(bytes.Clone(e), "more"...), ErrLonger},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout,
				Wanted: choose(".x......")}
			r := newRig(t, cfg, data)
			if _, err := r.store.Check(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			r.wantedPieces(cfg.Wanted, r.store.Have())
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(cfg.Dir, "x", "e")
			if tt.file != nil {
				if err := os.WriteFile(path, tt.file, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := r.store.Have()
			got, err := r.store.Select(t.Context(), choose(".x.x...."))
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if tt.err != nil {
				if !equal(before, r.store.Have()) || fileText(t, path) != string(tt.file) {
					t.Error("something changed")
				}
				r.readsBack(before)
				r.back()
				return
			}
			if found := got.Found; (found != nil || tt.found != "") && members(found) != tt.found {
				t.Errorf("found %v, want %s", found, tt.found)
			}
			r.readsBack(r.store.Have())
			r.wantedPieces(choose(".x.x...."), r.store.Have())
			if err := r.store.Finish(); err != nil {
				t.Error(err)
			}
			if fileText(t, path) != string(e) {
				t.Error("the file is not right in the end")
			}
			r.back()
		})
	}
}

// TestSelectRefused: a selection that cannot be is refused, and the one before stays.
func TestSelectRefused(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), Layout: layout, Wanted: choose(".x......")}
	r := newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r.wantedPieces(cfg.Wanted, r.store.Have())
	if _, err := r.store.Select(t.Context(), choose("xx")); !errors.Is(err, ErrSelection) {
		t.Error("a selection of another torrent:", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.store.Select(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Error("a call that was given up:", err)
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "x", "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Select(t.Context(), nil); !errors.Is(err, ErrFolder) {
		t.Error("a folder in the place of a file:", err)
	}
	if err := r.store.Finish(); err != nil {
		t.Error("the selection before:", err)
	}
	r.back()
	if _, err := r.store.Select(t.Context(), nil); !errors.Is(err, ErrClosed) {
		t.Error("after Close:", err)
	}
	cfg.ReadOnly = true
	r = newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(cfg.Dir, "x", "a")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Select(t.Context(), nil); !errors.Is(err, ErrReadOnly) {
		t.Error("content that is only read:", err)
	}
	r.back()
}

// TestSelectFullDisk: when the bytes of a file cannot leave the partfile, the selection
// stays as it was and nothing is lost.
func TestSelectFullDisk(t *testing.T) {
	layout, data := mixed(t)
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk(1)
		rec := newMemRecord(d)
		r := partfileRig(t, d, rec, layout, data, choose(".x......"))
		if _, err := r.store.Check(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if got := r.piece(3); !got.OK {
			t.Fatal(got)
		}
		d.failIf(func(op, name string) bool {
			return op == "write" && strings.HasSuffix(name, "/e")
		})
		if _, err := r.store.Select(t.Context(), nil); err == nil {
			t.Fatal("Select succeeded")
		}
		r.readsBack(r.store.Have())
		if err := r.store.Finish(); err != nil {
			t.Error("the selection before:", err)
		}
		d.failIf(nil)
		r.reselect("")
		r.readsBack(r.store.Have())
		r.wantedPieces(nil, r.store.Have())
		if err := r.store.Finish(); err != nil {
			t.Error(err)
		}
		r.back()
	})
}

// TestDeselectWhileArranged: a choice that needs no file does not wait for a move, and one
// that does is given up with its context.
func TestDeselectWhileArranged(t *testing.T) {
	layout, data := mixed(t)
	r := newRig(t, Config{Dir: t.TempDir(), Layout: layout}, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	_, end, err := r.store.arrange(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.reselect(".x......")
	got := make(chan error, 1)
	go func() {
		_, err := r.store.Select(t.Context(), nil)
		got <- err
	}()
	end()
	if err := <-got; err != nil {
		t.Error(err)
	}
	r.back()
}

// TestKeep: a piece of a file that is not wanted goes to its place, and stays there.
func TestKeep(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout, Part: true,
		Wanted: choose(".x......")}
	r := newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r.wantedPieces(cfg.Wanted, r.store.Have()) // e has a part in the partfile
	if _, err := r.store.Keep(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if got := r.piece(4); !got.OK {
		t.Fatal(got)
	}
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	got := filesBelow(t, cfg.Dir)["x/e"]
	if len(got) != 70_000 || got[:2*32<<10-9_000-1_696] != string(data[109_000:5*32<<10]) {
		t.Errorf("the file has %d bytes, or wrong ones", len(got))
	}
	r.readsBack(r.store.Have())
	r.back()
	if have, hashed, _ := recheck(t, cfg, data); members(have) != "3 4" || hashed != 0 {
		t.Errorf("next start: %s, %d bytes hashed", members(have), hashed)
	}
}

// TestSelectPowerLoss: selections change while pieces are half written, and the power goes
// or the Store is closed. What was recorded is never lost, and no piece is wrong.
func TestSelectPowerLoss(t *testing.T) {
	layout, data := mixed(t)
	for seed := range uint64(100) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 7))
				d := newMemDisk(seed)
				d.syncTakes = time.Duration(seed%2) * 3 * time.Second // much comes meanwhile
				rec := newMemRecord(d)
				for range 8 {
					if !reselectingLife(t, rnd, d, rec, layout, data) {
						d.crash()
					}
				}
			})
		})
	}
}

// TestSelectDuringSync: bytes leave the partfile while a checkpoint is under way that does
// not sync their file, and then the power goes. They are still known to be in the partfile.
func TestSelectDuringSync(t *testing.T) {
	layout, data := mixed(t)
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			d := newMemDisk(seed)
			d.syncTakes = 3 * time.Second
			rec := newMemRecord(d)
			r := partfileRig(t, d, rec, layout, data, choose(".x....x."))
			if _, err := r.store.Check(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			r.piece(3)
			time.Sleep(time.Minute)
			r.piece(8)
			time.Sleep(checkpointInterval + time.Second)
			r.reselect("")
			time.Sleep(3 * time.Second)
			d.cut()
			r.store.Close()
			d.crash()
			if was := recordedBy(t, rec); was == nil || members(was.Have) != "3 8" {
				t.Fatalf("seed %d: recorded is %v", seed, was)
			}
			for _, wanted := range []string{".x....x.", "xxxxxxxx"} {
				r = partfileRig(t, d, rec, layout, data, choose(wanted))
				have, err := r.store.Check(t.Context(), nil)
				if err != nil || members(have) != "3 8" {
					t.Fatalf("seed %d: found %s, %v", seed, members(have), err)
				}
				r.mustBeSound(3)
				r.back()
			}
		})
	}
}

// reselectingLife runs a Store with changing selections until it is closed or the power
// goes, and reports whether it was closed.
func reselectingLife(t *testing.T, rnd *rand.Rand, d *memDisk, rec *record,
	layout *metainfo.Layout, data []byte) (closed bool) {
	recorded := bits.New(layout.Pieces())
	if was := recordedBy(t, rec); was != nil {
		recorded = was.Have
	}
	wanted := randomChoice(rnd, len(layout.Files))
	r := partfileRig(t, d, rec, layout, data, wanted)
	have, err := r.store.Check(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if recorded.AnyNotIn(have) {
		t.Fatalf("recorded pieces were lost: %s, now %s", members(recorded), members(have))
	}
	begun := make(map[int]func(p int) Result)
	for range rnd.IntN(30) {
		p := rnd.IntN(layout.Pieces())
		switch rnd.IntN(4) {
		case 0:
			wanted = randomChoice(rnd, len(layout.Files))
			got, err := r.store.Select(t.Context(), wanted)
			if err != nil || got.Lost != nil {
				t.Fatal(got, err)
			}
		case 1:
			if !r.store.Have().Has(p) && begun[p] == nil {
				begun[p] = r.halves(rnd, p)
			}
		case 2:
			if finish := begun[p]; finish != nil {
				if got := finish(p); !got.OK {
					t.Fatalf("piece %d: %+v", p, got)
				}
				delete(begun, p)
			}
		case 3:
			time.Sleep(time.Duration(rnd.IntN(8000)) * time.Millisecond)
		}
	}
	have = r.store.Have()
	for p := range have.Members() {
		r.mustBeSound(p)
	}
	if rnd.IntN(2) == 0 {
		d.cut()
		r.store.Close()
		return false
	}
	if len(begun) == 0 && !WantedPieces(layout, wanted).AnyNotIn(have) {
		if err := r.store.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	r.back()
	return true
}

// TestSelectAtOnce: pieces are written and read while the selection changes all the time.
func TestSelectAtOnce(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout, Part: true,
		interval: time.Millisecond}
	r := newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		rnd := rand.New(rand.NewPCG(1, 1))
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			got, err := r.store.Select(t.Context(), randomChoice(rnd, len(layout.Files)))
			if err != nil || got.Lost != nil || got.Found != nil {
				t.Errorf("%d: %v, %v", n, got, err)
				return
			}
		}
	})
	wait.Go(func() {
		for p := 0; ; p = (p + 1) % layout.Pieces() {
			select {
			case <-stop:
				return
			default:
			}
			if !r.store.Have().Has(p) {
				continue
			}
			got := make([]byte, layout.PieceSize(p))
			if err := r.store.ReadAt(got, uint32(p), 0); err != nil || !layout.VerifyPiece(p, got) {
				t.Errorf("piece %d reads otherwise (%v)", p, err)
				return
			}
		}
	})
	rnd := rand.New(rand.NewPCG(2, 2))
	for range 20 {
		for _, p := range rnd.Perm(layout.Pieces()) {
			if got := r.piece(p); !got.OK { // again and again, as after it was lost
				t.Fatalf("piece %d: %+v", p, got)
			}
		}
	}
	close(stop)
	wait.Wait()
	r.reselect("")
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	r.back()
	whole := choice{"", layout, data, "xxxxxxxx"}
	sameFiles(t, filesBelow(t, cfg.Dir), whole.wantedContent())
}
