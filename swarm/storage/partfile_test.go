package storage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
)

// partfileRig opens a Store of a selection on a memDisk that holds the partfile
// too.
func partfileRig(t *testing.T, d *memDisk, rec *record, layout *metainfo.Layout, data []byte,
	wanted []bool) *rig {
	t.Helper()
	r, err := tryPartfileRig(t, d, rec, layout, data, wanted)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryPartfileRig(t *testing.T, d *memDisk, rec *record, layout *metainfo.Layout, data []byte,
	wanted []bool) (*rig, error) {
	r := &rig{t: t, layout: layout, data: data, pool: block.NewPool(1 << 20),
		results: make(chan Result, 2*layout.Pieces()+16)}
	cfg := Config{Layout: layout, Workers: NewWorkers(2), Results: func(x Result) {
		r.results <- x
	}, Part: true,
		Wanted: wanted, partDisk: d, record: rec}
	t.Cleanup(cfg.Workers.Close)
	var err error
	r.store, err = openOn(cfg, d)
	return r, err
}

// mixed are files of which a few share each piece.
func mixed(t *testing.T) (*metainfo.Layout, []byte) {
	return makeLayout(t, "x", 32<<10, tfile{"a", 100_000, false}, tfile{"b/c", 9_000, false},
		tfile{"b/d", 0, false},
		tfile{"e", 70_000, false}, tfile{"f", 5, false}, tfile{"g", 5_000, false},
		tfile{"h", 130_000, false}, tfile{"i", 1, false})
}

// The partfile is lost, cut short, written over, or something else: what it
// held is fetched again, and wrong data never counts.
func TestPartfileChanged(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(path string) error
		lost   bool
		check  error
	}{
		{"untouched", func(string) error { return nil }, false, nil},
		{"touched", func(p string) error {
			return os.Chtimes(p, time.Time{}, time.Now().Add(-time.Hour))
		}, false, nil},
		{"deleted", os.Remove, true, nil},
		{"empty", func(p string) error { return os.Truncate(p, 0) }, true, nil},
		{"short", func(p string) error { return os.Truncate(p, 10_000) }, true, nil},
		{"overwritten", func(p string) error {
			st, err := os.Stat(p)
			return errors.Join(err, os.WriteFile(p, make([]byte, st.Size()), 0o600))
		}, true, nil},
		{"a link", func(p string) error {
			return errors.Join(os.Rename(p, p+"2"), os.Symlink(p+"2", p))
		}, true, ErrLink},
		{"a folder", func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) },
			true, ErrFolder},
	} {
		for _, next := range [][]bool{choose(".x......"), choose("xx......"), nil} {
			layout, data := mixed(t)
			cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout,
				Wanted: choose(".x......")}
			r := newRig(t, cfg, data)
			r.wantedPieces(cfg.Wanted, bits.New(layout.Pieces()))
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			r.back()
			path := partfilePath(cfg)
			if err := tt.change(path); err != nil {
				t.Fatal(err)
			}
			cfg.Wanted = next
			r = newRig(t, cfg, data)
			have, err := r.store.Check(t.Context(), nil)
			if tt.check != nil {
				if own := (*Error)(nil); !errors.Is(err, tt.check) || !errors.As(err, &own) ||
					own.Path != path {
					t.Errorf("%s: Check: %v", tt.name, err)
				}
				continue
			}
			if err != nil || have.None() != tt.lost || !tt.lost && !have.Has(3) {
				t.Errorf("%s, %v: Check: %s, %v", tt.name, next, members(have), err)
			}
			for p := range have.Members() {
				r.mustBeSound(p)
			}
			r.wantedPieces(next, have)
			if err := r.store.Finish(); err != nil {
				t.Errorf("%s: Finish: %v", tt.name, err)
			}
			r.readsBack(WantedPieces(layout, next))
			r.back()
		}
	}
}

// The partfile changes while the Store is open.
func TestFinishNoticesPartfile(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"deleted": os.Remove,
		"short":   func(p string) error { return os.Truncate(p, 10) },
		"changed": func(p string) error {
			return errors.Join(overwrite(p, 20_000),
				os.Chtimes(p, time.Time{}, time.Now().Add(time.Second)))
		},
	} {
		layout, data := mixed(t)
		cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout,
			Wanted: choose("x.......")}
		r := newRig(t, cfg, data)
		if _, err := r.store.Check(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.wantedPieces(cfg.Wanted, bits.New(layout.Pieces()))
		path := partfilePath(cfg)
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		err := r.store.Finish()
		if own := (*Error)(nil); !errors.Is(err, ErrChanged) || !errors.As(err, &own) ||
			own.Path != path {
			t.Errorf("%s: Finish: %v", name, err)
		}
		if err := r.store.Finish(); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: Finish with nothing done about it: %v", name, err)
		}
		for p := range WantedPieces(layout, cfg.Wanted).Members() {
			r.store.Verify(uint32(p))
			if got := <-r.results; got.Err != nil || !got.OK && !r.piece(p).OK {
				t.Errorf("%s: piece %d: %+v", name, p, got)
			}
		}
		if err := r.store.Finish(); err != nil {
			t.Errorf("%s: Finish after that: %v", name, err)
		}
		r.readsBack(WantedPieces(layout, cfg.Wanted))
		r.back()
	}
}

// No room for the partfile is a fault like no room for the content.
func TestNoRoomForPartfile(t *testing.T) {
	layout, data := mixed(t)
	d := newMemDisk(1)
	d.room = 1_000 // less than the end of the first file in the piece
	r := partfileRig(t, d, newMemRecord(d), layout, data, choose(".x......"))
	for _, ref := range r.refs(3) {
		r.write(ref)
	}
	got := <-r.results
	if !IsFull(got.Err) || !strings.HasPrefix(got.Err.Error(),
		"write /mem/"+stateStem(metainfo.Hash{}, "/mem/x")+".parts: ") {
		t.Errorf("got %+v", got)
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
	if got := r.piece(3); !got.OK {
		t.Errorf("got %+v", got)
	}
	r.back()
}

// A worker that is still telling of the failure does not keep the piece from
// starting over once the disk works again.
func TestProbeWhileBusy(t *testing.T) {
	for _, more := range []bool{false, true} { // blocks that come meanwhile
		layout, data := mixed(t)
		d := newMemDisk(1)
		d.room = 0
		r := &rig{t: t, layout: layout, data: data, pool: block.NewPool(1 << 20)}
		results, told := make(chan Result), make(chan struct{})
		cfg := Config{Layout: layout, Workers: NewWorkers(1), record: newMemRecord(d),
			Results: func(x Result) {
				results <- x
				<-told
			}}
		t.Cleanup(cfg.Workers.Close)
		var err error
		if r.store, err = openOn(cfg, d); err != nil {
			t.Fatal(err)
		}
		refs := r.refs(1)
		r.write(refs[0])
		if got := <-results; !IsFull(got.Err) {
			t.Errorf("got %+v", got)
		}
		if more {
			r.write(refs[1])
		}
		d.mu.Lock()
		d.room = -1
		d.mu.Unlock()
		if err := r.store.Probe(); err != nil {
			t.Error("Probe when there is room:", err)
		}
		close(told)
		for _, ref := range refs {
			r.write(ref)
		}
		r.store.Verify(1)
		if got := <-results; !got.OK || got.Piece != 1 {
			t.Errorf("blocks meanwhile: %v: got %+v", more, got)
		}
		r.back()
	}
}

// Without a folder for state the partfile is gone after Close.
func TestNoStateFolder(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), Layout: layout, Wanted: choose("x......x"), Part: true}
	r := newRig(t, cfg, data)
	if len(filesBelow(t, temporary)) != 0 {
		t.Error("a partfile before it is needed")
	}
	r.wantedPieces(cfg.Wanted, bits.New(layout.Pieces()))
	if len(filesBelow(t, temporary)) != 1 {
		t.Error("no partfile:", filesBelow(t, temporary))
	}
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	r.readsBack(WantedPieces(layout, cfg.Wanted))
	r.back()
	if left, err := os.ReadDir(temporary); err != nil || len(left) != 0 {
		t.Error("left behind:", left, err)
	}
	r = newRig(t, cfg, data)
	have, err := r.store.Check(t.Context(), nil)
	if err != nil || members(have) != "0 1 2" {
		t.Error("afterwards:", members(have), err)
	}
	r.wantedPieces(cfg.Wanted, have)
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	r.back()
	sameFiles(t, filesBelow(t, cfg.Dir), (&choice{"", layout, data, "x......x"}).wantedContent())
}

// The record is lost or damaged: what lies in the partfile is found by hashing.
func TestPartfileWithoutRecord(t *testing.T) {
	for _, next := range [][]bool{choose(".x......"), choose("...x...."), choose("x......x"), nil} {
		for _, change := range []func(path string) error{
			os.Remove, func(p string) error { return os.Truncate(p, 100) }} {
			layout, data := mixed(t)
			cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout,
				Wanted: choose(".x.....x"), Part: true}
			r := newRig(t, cfg, data)
			r.wantedPieces(cfg.Wanted, bits.New(layout.Pieces()))
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			want := r.store.Have()
			r.back()
			if err := change(recordPath(cfg)); err != nil {
				t.Fatal(err)
			}
			cfg.Wanted = next
			have, _, _ := recheck(t, cfg, data)
			if !equal(have, want) {
				t.Errorf("%v: found %s, want %s", next, members(have), members(want))
			}
			r = newRig(t, cfg, data)
			if have, err := r.store.Check(t.Context(), nil); err != nil || !equal(have, want) {
				t.Errorf("%v: then: %s, %v", next, members(have), err)
			}
			r.readsBack(want)
			r.back()
		}
	}
}

// Two Stores in one folder for state, of the same torrent in two places: each has
// a partfile and a record of its own.
func TestPartfileOfEachPlace(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout,
		Wanted: choose(".x......")}
	first := newRig(t, cfg, data)
	first.wantedPieces(cfg.Wanted, bits.New(layout.Pieces()))
	cfg.Dir = t.TempDir()
	second := newRig(t, cfg, data)
	if have, err := second.store.Check(t.Context(), nil); err != nil || !have.None() {
		t.Error("Check:", members(have), err)
	}
	if got := second.piece(3); !got.OK {
		t.Errorf("piece: %+v", got)
	}
	first.readsBack(first.store.Have())
	first.back()
	second.back()
	if have, _, warned := recheck(t, cfg, data); have.Count() != 1 || warned != nil {
		t.Errorf("the second one again: %s, %q", members(have), warned)
	}
}

func TestForget(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout,
		Wanted: choose(".x......"), Hash: metainfo.Hash{3}}
	r := newRig(t, cfg, data)
	r.wantedPieces(cfg.Wanted, bits.New(layout.Pieces()))
	r.back()
	other := filepath.Join(cfg.StateDir, "0123.parts")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if n := len(filesBelow(t, cfg.StateDir)); n != 3 {
		t.Error("files for state:", n)
	}
	for range 2 {
		if err := Forget(cfg.StateDir, cfg.Hash); err != nil {
			t.Error(err)
		}
		sameFiles(t, filesBelow(t, cfg.StateDir), map[string]string{"0123.parts": ""})
	}
}

// A record that is outdated says that more lies aside than does: nothing that is
// right is written over with it.
func TestOutdatedPartfileRecord(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout}
	r := newRig(t, cfg, data)
	r.all()
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	r.back()
	path := recordPath(cfg)
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lie, err := ParseResume(doc)
	if err != nil || lie.Partfile != nil {
		t.Fatalf("%+v, %v", lie, err)
	}
	all := bits.Full(len(layout.Files))
	lie.Partfile = &PartfileState{FileState{1 << 20, 1, 1}, all, all}
	side := partfilePath(cfg)
	for _, wanted := range [][]bool{nil, choose("x..xx...")} {
		err := errors.Join(os.WriteFile(path, lie.Append(nil), 0o600),
			os.WriteFile(side, content(3, 1<<20), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Wanted = wanted
		recheck(t, cfg, data)
		sameFiles(t, filesBelow(t, cfg.Dir),
			(&choice{"", layout, data, "xxxxxxxx"}).wantedContent())
	}
	cfg.Wanted = nil
	r = newRig(t, cfg, data)
	have, err := r.store.Check(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.wantedPieces(nil, have)
	if err := r.store.Finish(); err != nil {
		t.Error(err)
	}
	r.readsBack(bits.Full(layout.Pieces()))
	r.back()
}

// Content with padding that was there before the record is recorded in time.
func TestCheckedContentWithPadding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layout, data := makeLayout(t, "x", 64<<10, shapes["padding"]...)
		d := newMemDisk(1)
		r := memRig(t, d, nil, layout, data)
		r.all()
		r.back()
		rec := newMemRecord(d)
		r = memRig(t, d, rec, layout, data)
		if have, err := r.store.Check(t.Context(), nil); err != nil || !have.All() {
			t.Fatal(members(have), err)
		}
		time.Sleep(time.Minute)
		if err := r.store.Finish(); err != nil {
			t.Error(err)
		}
		doc, _, _ := rec.read()
		if was, err := ParseResume(doc); err != nil || !was.Have.All() {
			t.Errorf("recorded: %+v, %v", was, err)
		}
		r.back()
	})
}
