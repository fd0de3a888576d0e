//go:build unix

package storage

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"swarmnode/metainfo"
)

// Two torrents whose content has one name share the folder, in whatever order they
// are finished, when both are fetched at the same time as when one comes after the
// other.
func TestTorrentsOfOneName(t *testing.T) {
	for _, firstDone := range []bool{true, false} {
		dir, state := t.TempDir(), t.TempDir()
		a, dataA := makeLayout(t, "x", 64<<10, tfile{"a", 200_000, false}, tfile{"sub/b", 5, false},
			tfile{"same", 3000, false})
		b, dataB := makeLayout(t, "x", 64<<10, tfile{"c", 100_000, false},
			tfile{"sub/d/e", 100_000, false}, tfile{"f", 0, false})
		cfg := func(n byte, layout *metainfo.Layout) Config {
			return Config{Dir: dir, StateDir: state, Layout: layout, Part: true,
				Hash: metainfo.Hash{n}}
		}
		first := newRig(t, cfg(1, a), dataA)
		second := newRig(t, cfg(2, b), dataB)
		for _, r := range []*rig{first, second} {
			if _, err := r.store.Check(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if got := r.piece(1); !got.OK {
				t.Fatalf("%+v", got)
			}
		}
		second.back() // and goes on
		second = newRig(t, cfg(2, b), dataB)
		if have, err := second.store.Check(t.Context(), nil); err != nil || have.Count() != 1 {
			t.Fatal("after a stop:", err)
		}
		order := []*rig{first, second}
		if !firstDone {
			order = []*rig{second, first}
		}
		for _, r := range order {
			for p := range r.layout.Pieces() {
				if got := r.piece(p); !got.OK {
					t.Fatalf("%+v", got)
				}
			}
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			if got := r.store.Paths()[0]; got != filepath.Join(dir, "x") {
				t.Error("Paths:", got)
			}
			if err := r.store.ReadAt(make([]byte, 1000), 0, 0); err != nil {
				t.Error(err)
			}
		}
		for _, r := range order {
			r.onDisk(dir, "x")
			r.back()
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("left behind: %v, %v", entries, err)
		}
		for n, layout := range []*metainfo.Layout{a, b} {
			if have, hashed, warned := recheck(t, cfg(byte(n+1), layout), nil); !have.All() ||
				hashed != 0 || warned != nil {
				t.Errorf("again: %d bytes hashed, %q", hashed, warned)
			}
		}
	}
}

// The same with Stores that know nothing of each other and begin and end at any moment.
func TestTorrentsOfOneNameAtOnce(t *testing.T) {
	for range 40 {
		dir := t.TempDir()
		var rigs []*rig
		var wait sync.WaitGroup
		var mu sync.Mutex
		for n := range byte(4) {
			files := []tfile{{string('a' + rune(n)), 20_000, false},
				{"sub/" + string('a'+rune(n)), 5, false}}
			layout, data := makeLayout(t, "x", 16<<10, files...)
			wait.Go(func() {
				r, err := tryRig(t, Config{Dir: dir, Layout: layout, Part: true,
					Hash: metainfo.Hash{n}}, data)
				if err == nil {
					_, err = r.store.Check(t.Context(), nil)
				}
				for p := 0; err == nil && p < layout.Pieces(); p++ {
					err = r.piece(p).Err
				}
				if err == nil {
					err = r.store.Finish()
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				rigs = append(rigs, r)
			})
		}
		wait.Wait()
		for _, r := range rigs {
			r.onDisk(dir, "x")
			r.back()
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("left behind: %v, %v", entries, err)
		}
		if t.Failed() {
			return
		}
	}
}

// Torrents of one name with a file in common are fetched at the same time, by one
// process or two, whoever gets the folder; one that is stopped goes on with what it has.
func TestTorrentsOfOneNameShareFile(t *testing.T) {
	for _, processes := range []int{1, 2} {
		for _, stopped := range []bool{false, true} {
			dir, state := t.TempDir(), t.TempDir()
			readme := tfile{"a readme", 64 << 10, false} // the first, so it is made first
			a, dataA := makeLayout(t, "x", 64<<10, readme, tfile{"b", 200_000, false},
				tfile{"c", 100, false})
			dataB := content(99, 64<<10+300_000)
			copy(dataB, dataA[:64<<10])
			b := layoutOf(t, "x", 64<<10, dataB, readme, tfile{"d", 300_000, false})
			cfg := func(n int) Config {
				c := Config{Dir: dir, StateDir: state, Layout: a, Part: true,
					Hash: metainfo.Hash{byte(n)}}
				if n == 2 {
					c.Layout = b
				}
				return c
			}
			workers := NewWorkers(2)
			t.Cleanup(workers.Close)
			open := func(n int, data []byte) *rig {
				c := cfg(n)
				if processes == 1 {
					c.Workers = workers
				}
				r := newRig(t, c, data)
				if _, err := r.store.Check(t.Context(), nil); err != nil {
					t.Fatalf("%d processes, torrent %d: %v", processes, n, err)
				}
				return r
			}
			first := open(1, dataA)
			for _, p := range []int{0, 2} {
				if got := first.piece(p); !got.OK {
					t.Fatalf("%+v", got)
				}
			}
			second := open(2, dataB)
			if first.store.Paths()[0] == second.store.Paths()[0] {
				t.Fatal("both write to", first.store.Paths()[0])
			}
			second.all()
			if stopped {
				first.back()
			}
			if err := second.store.Finish(); err != nil {
				t.Fatal(err)
			}
			if stopped {
				first = open(1, dataA)
				if have := first.store.Have(); have.Count() != 2 {
					t.Errorf("after a stop %d of 2 pieces are left", have.Count())
				}
			}
			first.all()
			if err := first.store.Finish(); err != nil {
				t.Fatal(err)
			}
			first.onDisk(dir, "x")
			second.onDisk(dir, "x")
			first.back()
			second.back()
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("left behind: %v, %v", entries, err)
			}
		}
	}
}

// A file that two torrents of one name have stays as it is: the same is one file, and
// another is an error that loses nothing.
func TestTorrentsOfOneNameAndFile(t *testing.T) {
	for _, same := range []bool{true, false} {
		dir := t.TempDir()
		a, dataA := makeLayout(t, "x", 64<<10, tfile{"a", 70_000, false},
			tfile{"readme", 300_000, false})
		dataB := content(4321, len(dataA))
		if same {
			copy(dataB[70_000:], dataA[70_000:])
		}
		b := layoutOf(t, "x", 64<<10, dataB, tfile{"b", 70_000, false},
			tfile{"readme", 300_000, false})
		first := newRig(t, Config{Dir: dir, Layout: a, Part: true, Hash: metainfo.Hash{1}}, dataA)
		second := newRig(t, Config{Dir: dir, Layout: b, Part: true, Hash: metainfo.Hash{2}}, dataB)
		first.fetch()
		second.all()
		err := second.store.Finish()
		if failed := errors.Is(err, ErrExists); failed == same {
			t.Errorf("same %v: %v", same, err)
		}
		first.onDisk(dir, "x")
		if same {
			second.onDisk(dir, "x")
		}
		second.back()
		if same {
			continue
		}
		// When the other file is gone, the next start ends what was begun.
		if err := os.Remove(filepath.Join(dir, "x", "readme")); err != nil {
			t.Fatal(err)
		}
		second = newRig(t, Config{Dir: dir, Layout: b, Part: true, Hash: metainfo.Hash{2}}, dataB)
		if have, err := second.store.Check(t.Context(), nil); err != nil || !have.All() {
			t.Error("the next start:", err)
		}
		second.onDisk(dir, "x")
		second.back()
	}
}

// A torrent joins a folder that has one of its files, whether or not a piece of its own
// tells that it is the same; if it is not, nothing is lost.
func TestSharedFileInFolder(t *testing.T) {
	for _, tt := range []struct {
		name string
		data []byte
		ok   bool
	}{
		{"the same", content(5, 5000), true},
		{"another", content(6, 5000), false},
	} {
		dir := t.TempDir()
		// The shared file lies in one piece with the next one.
		shared := tfile{"readme", 5000, false}
		data := append(content(5, 5000), content(7, 200_000)...)
		layout := layoutOf(t, "x", 64<<10, data, shared, tfile{"z", 200_000, false})
		others, dataOthers := makeLayout(t, "x", 64<<10, tfile{"a", 3000, false})
		putContent(t, dir, "x", others, dataOthers)
		if err := os.WriteFile(filepath.Join(dir, "x", "readme"), tt.data, 0o600); err != nil {
			t.Fatal(err)
		}
		r := newRig(t, Config{Dir: dir, Layout: layout, Part: true, Hash: metainfo.Hash{1}}, data)
		if _, err := r.store.Check(t.Context(), nil); err != nil {
			t.Fatal(tt.name, err)
		}
		r.all()
		if err := r.store.Finish(); (err == nil) != tt.ok ||
			err != nil && !errors.Is(err, ErrExists) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.ok {
			r.onDisk(dir, "x")
		} else if got, err := os.ReadFile(filepath.Join(dir, "x", "readme")); err != nil ||
			string(got) != string(tt.data) {
			t.Errorf("%s: the file of others was changed: %v", tt.name, err)
		}
		r.back()
	}
}
