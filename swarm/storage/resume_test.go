package storage

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// recheck opens a Store, checks, and returns the pieces, the bytes that were
// hashed for it, and what was warned of.
func recheck(t *testing.T, cfg Config, data []byte) (have *bits.Set, hashed int64,
	warned []string) {
	t.Helper()
	cfg.Warn = func(err error) { warned = append(warned, err.Error()) }
	r := newRig(t, cfg, data)
	have, err := r.store.Check(t.Context(), func(done, _ int64) {
		hashed = max(hashed, done)
	})
	if err != nil {
		t.Fatal(err)
	}
	r.back()
	return have, hashed, warned
}

// recordPath and partfilePath are where the record of content is that lies in cfg.Dir,
// and its partfile.
func recordPath(cfg Config) string   { return statePath(cfg, ResumeSuffix) }
func partfilePath(cfg Config) string { return statePath(cfg, partfileSuffix) }

func statePath(cfg Config, suffix string) string {
	name := cmp.Or(cfg.Name, cfg.Layout.Name)
	return filepath.Join(cfg.StateDir, stateStem(cfg.Hash, filepath.Join(cfg.Dir, name))+suffix)
}

func TestCleanStopNeedsNoHashing(t *testing.T) {
	for name, files := range shapes {
		for _, pieces := range []int{1, 1 << 20} {
			layout, data := makeLayout(t, name, 64<<10, files...)
			cfg := Config{Dir: t.TempDir(), StateDir: filepath.Join(t.TempDir(), "a", "b"),
				Layout: layout, Part: true}
			r := newRig(t, cfg, data)
			want := bits.New(layout.Pieces())
			for p := range min(pieces, layout.Pieces()) {
				r.piece(p)
				want.Add(p)
			}
			if !want.All() { // and a piece that is not complete
				r.write(r.refs(layout.Pieces() - 1)[0])
			} else if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			r.back()
			for range 2 {
				have, hashed, warned := recheck(t, cfg, data)
				if !equal(have, want) || hashed != 0 || warned != nil {
					t.Errorf("%s: %d pieces, want %d; %d bytes hashed; warnings %q", name,
						have.Count(), want.Count(), hashed, warned)
				}
			}
			cfg.ReadOnly = true
			have, hashed, warned := recheck(t, cfg, data)
			if !equal(have, want) || hashed != 0 || warned != nil {
				t.Errorf("%s: to seed: %d pieces, want %d; %d bytes hashed; warnings %q", name,
					have.Count(), want.Count(), hashed, warned)
			}
		}
	}
}

func TestSeederRemembersItsCheck(t *testing.T) {
	layout, data := makeLayout(t, "x", 64<<10, shapes["folder"]...)
	cfg := Config{Dir: t.TempDir(), Layout: layout}
	r := newRig(t, cfg, data)
	r.all()
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	r.back()
	cfg.ReadOnly, cfg.StateDir = true, t.TempDir()
	for i, want := range []int64{layout.Length, 0, 0} {
		if have, hashed, _ := recheck(t, cfg, data); !have.All() || hashed != want {
			t.Errorf("start %d: %d bytes hashed, want %d", i, hashed, want)
		}
	}
}

func TestOnlyChangedFilesAreHashedAgain(t *testing.T) {
	layout, data := makeLayout(t, "x", 16<<10, tfile{"a", 64 << 10, false},
		tfile{"b", 64 << 10, false}, tfile{"c", 64 << 10, false})
	for _, tt := range []struct {
		name         string
		change       func(path string) error
		hashed, lost int // pieces
	}{
		{"touched", func(p string) error {
			return os.Chtimes(p, time.Time{}, time.Now().Add(-time.Hour))
		}, 4, 0},
		{"deleted", os.Remove, 0, 4},
		{"shortened", func(p string) error { return os.Truncate(p, 20<<10) }, 1, 3},
		{"overwritten", func(p string) error { return overwrite(p, 17<<10) }, 4, 1},
		{"overwritten, with the old time", func(p string) error {
			st, err := os.Stat(p)
			if err != nil {
				return err
			}
			return errors.Join(overwrite(p, 17<<10), os.Chtimes(p, time.Time{}, st.ModTime()))
		}, 4, 1},
		{"replaced", func(p string) error {
			return errors.Join(os.Remove(p), os.WriteFile(p, make([]byte, 64<<10), 0o600))
		}, 4, 4},
	} {
		cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout}
		r := newRig(t, cfg, data)
		r.all()
		r.back()
		if err := tt.change(filepath.Join(cfg.Dir, "x", "b")); err != nil {
			t.Fatal(err)
		}
		have, hashed, warned := recheck(t, cfg, data)
		if lost := layout.Pieces() - have.Count(); lost != tt.lost ||
			hashed != int64(tt.hashed)*16<<10 || warned != nil {
			t.Errorf("%s: %d pieces hashed, %d lost; want %d, %d; warnings %q", tt.name, hashed>>14,
				lost, tt.hashed, tt.lost, warned)
		}
	}
}

func overwrite(path string, at int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte("overwritten"), at)
	return errors.Join(err, f.Close())
}

// A record that cannot be trusted is told in one line, and everything is
// hashed.
func TestUselessRecords(t *testing.T) {
	layout, data := makeLayout(t, "x", 64<<10, shapes["folder"]...)
	for _, tt := range []struct {
		name   string
		change func(doc []byte, r *Resume) []byte
		warn   string
	}{
		{"empty", func([]byte, *Resume) []byte { return nil }, "does not begin like a resume file"},
		{"truncated", func(doc []byte, _ *Resume) []byte { return doc[:len(doc)-1] }, "checksum"},
		{"half", func(doc []byte, _ *Resume) []byte { return doc[:len(doc)/2] }, "checksum"},
		{"a flipped bit", func(doc []byte, _ *Resume) []byte { doc[len(doc)/2] ^= 4; return doc },
			"checksum"},
		{"something else", func([]byte, *Resume) []byte {
			return []byte("#!/bin/sh\necho resume\n")
		}, "does not begin like a resume file"},
		{"a later version", func(doc []byte, _ *Resume) []byte {
			return []byte(strings.Replace(string(doc), "resume 1\n", "resume 2\n", 1))
		}, "another version"},
		{"another torrent", func(_ []byte, r *Resume) []byte { r.Hash[3]++; return r.Append(nil) },
			"another torrent"},
		{"another folder", func(_ []byte, r *Resume) []byte {
			r.Path = "/elsewhere/x"
			return r.Append(nil)
		}, "elsewhere"},
		{"fewer pieces", func(_ []byte, r *Resume) []byte {
			r.Have = bits.Full(2)
			return r.Append(nil)
		}, "does not fit"},
		{"fewer files in what it says of the partfile", func(_ []byte, r *Resume) []byte {
			doc := (&Resume{Hash: r.Hash, Path: r.Path, Have: r.Have, Files: r.Files,
				Partfile: &PartfileState{FileState{}, bits.New(len(r.Files) + 8),
					bits.New(len(r.Files))}}).Append(nil)
			return doc
		}, "damaged"},
		{"fewer files", func(_ []byte, r *Resume) []byte {
			r.Files = r.Files[1:]
			return r.Append(nil)
		}, "does not fit"},
	} {
		cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout,
			Hash: metainfo.Hash{1, 2, 3}}
		r := newRig(t, cfg, data)
		r.all()
		r.back()
		path := recordPath(cfg)
		doc, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ParseResume(doc)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, tt.change(doc, parsed), 0o600); err != nil {
			t.Fatal(err)
		}
		have, hashed, warned := recheck(t, cfg, data)
		if !have.All() || hashed != layout.Length || len(warned) != 1 ||
			!strings.Contains(warned[0], tt.warn) {
			t.Errorf("%s: %d pieces, %d bytes hashed, warnings %q", tt.name, have.Count(), hashed,
				warned)
		}
		if have, hashed, warned = recheck(t, cfg, data); !have.All() || hashed != 0 ||
			warned != nil {
			t.Errorf("%s: the start after that: %d pieces, %d bytes hashed, warnings %q", tt.name,
				have.Count(), hashed, warned)
		}
	}
}

// A record that is whole but lies is found out at the latest when the piece is
// to be sent to somebody.
func TestLyingRecord(t *testing.T) {
	layout, data := makeLayout(t, "x", 64<<10, tfile{"", 320 << 10, false})
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout}
	r := newRig(t, cfg, data)
	r.piece(0)
	r.piece(1)
	for i, ref := range r.refs(2) { // all there, but a block of it wrong
		if i == 0 {
			r.writeData(ref, make([]byte, ref.Length))
			continue
		}
		r.write(ref)
	}
	r.back()
	path := recordPath(cfg)
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lie, err := ParseResume(doc)
	if err != nil || lie.Have.Count() != 2 || !lie.Clean {
		t.Fatalf("%+v, %v", lie, err)
	}
	lie.Have.Add(2) // wrong data
	lie.Have.Add(4) // a hole
	if err := os.WriteFile(path, lie.Append(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	r = newRig(t, cfg, data)
	have, err := r.store.Check(t.Context(), nil)
	if err != nil || !have.Has(0) || !have.Has(1) || have.Has(4) {
		t.Fatal("after the check:", have, err)
	}
	p := make([]byte, 100)
	if err := r.store.ReadAt(p, 0, 0); err != nil {
		t.Error("a piece that is there:", err)
	}
	if err := r.store.ReadAt(p, 2, 50_000); !errors.Is(err, ErrChanged) {
		t.Error("a piece that is not there was read:", err)
	}
	if have := r.store.Have(); have.Has(2) || have.Count() != 2 {
		t.Error("the piece still counts:", have)
	}
	r.back()
}

// Other data under the content's name is left alone when unfinished content
// would have another name.
func TestOtherContentOfThatName(t *testing.T) {
	layout, data := makeLayout(t, "x", 64<<10, tfile{"", 320 << 10, false})
	for _, n := range []int{6, 200 << 10, 320 << 10} {
		cfg := Config{Dir: t.TempDir(), Layout: layout, Part: true}
		mine := content(1234, n)
		path := filepath.Join(cfg.Dir, "x")
		if err := os.WriteFile(path, mine, 0o600); err != nil {
			t.Fatal(err)
		}
		r := newRig(t, cfg, data)
		if _, err := r.store.Check(t.Context(), nil); !errors.Is(err, ErrExists) ||
			!IsInTheWay(err) {
			t.Errorf("%d bytes of other data: %v", n, err)
		}
		r.back()
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, mine) {
			t.Error("they were changed:", err)
		}
	}
}

func TestResumeRoundTrip(t *testing.T) {
	want := &Resume{Path: "/a b/ü", Have: bits.New(19), Clean: true, Hash: metainfo.Hash{9: 7},
		Files: []FileState{
			{-1, 0, 0}, {0, 1, 2}, {5, -7, 1 << 62}, {1 << 60, -1 << 63, 1<<63 - 1}, {-1, 0, 0},
			{7, 1700000000000000001, 0},
		}}
	want.Have.Add(0)
	want.Have.Add(18)
	for range 2 {
		got, err := ParseResume(want.Append(nil))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
		want.Partfile = &PartfileState{FileState{9, 8, 7}, bits.New(6), bits.Full(6)}
		want.Partfile.Head.Add(3)
	}
	doc := (&Resume{Have: bits.New(0)}).Append([]byte("before"))
	if _, err := ParseResume(doc[len("before"):]); err != nil {
		t.Error("an empty one:", err)
	}
}

func FuzzParseResume(f *testing.F) {
	r := &Resume{Path: "/x", Have: bits.Full(9), Files: []FileState{{5, 6, 7}, {-1, 0, 0}}}
	f.Add(r.Append(nil), true)
	r.Partfile = &PartfileState{FileState{1, 2, 3}, bits.Full(2), bits.New(2)}
	f.Add(r.Append(nil), true)
	f.Add([]byte("swarmnode resume "+
		"1\nd5:aside1:x5:files1:\x004:hash20:aaaaaaaaaaaaaaaaaaaa4:have0:6:piecesi0ee"), true)
	f.Add([]byte("swarmnode resume 1\nde"), true)
	f.Add([]byte("swarmnode resume "+
		"1\nd5:files3:\xff\xff\x014:hash20:aaaaaaaaaaaaaaaaaaaa4:have0:6:piecesi0ee"), true)
	f.Add([]byte("swarmnode resume "+
		"1\nd5:files0:4:hash20:aaaaaaaaaaaaaaaaaaaa4:have1:\xff6:piecesi1ee"), true)
	f.Add([]byte("swarmnode resume 99\n"), false)
	f.Fuzz(func(t *testing.T, doc []byte, seal bool) {
		if seal { // give it the right checksum, so that what is in it is read
			doc = sealed(doc)
		}
		r, err := ParseResume(doc)
		if err != nil {
			if !errors.Is(err, ErrResumeDamaged) && !errors.Is(err, ErrResumeVersion) {
				t.Errorf("error of an unknown kind: %v", err)
			}
			return
		}
		again, err := ParseResume(r.Append(nil))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}

func sealed(doc []byte) []byte {
	sum := sha256.Sum256(doc)
	return append(doc[:len(doc):len(doc)], sum[:]...)
}

// A record that is cut at any byte, or of which any bit is turned, is noticed.
func TestDamagedResume(t *testing.T) {
	r := &Resume{Path: "/down/x", Have: bits.New(100), Hash: metainfo.Hash{1},
		Files:    []FileState{{5, 6, 7}, {-1, 0, 0}},
		Partfile: &PartfileState{FileState{1, 2, 3}, bits.New(2), bits.New(2)}}
	r.Have.Add(77)
	doc := r.Append(nil)
	for n := range doc {
		if got, err := ParseResume(doc[:n]); !errors.Is(err, ErrResumeDamaged) {
			t.Errorf("the first %d of %d bytes: %+v, %v", n, len(doc), got, err)
		}
	}
	if _, err := ParseResume(append(bytes.Clone(doc), 0)); !errors.Is(err, ErrResumeDamaged) {
		t.Error("a byte too many:", err)
	}
	for i := range len(doc) * 8 {
		damaged := bytes.Clone(doc)
		damaged[i/8] ^= 1 << (i % 8)
		if got, err := ParseResume(damaged); !errors.Is(err, ErrResumeDamaged) &&
			!errors.Is(err, ErrResumeVersion) {
			t.Errorf("bit %d of byte %d of %q: %+v, %v", i%8, i/8, doc, got, err)
		}
	}
}
