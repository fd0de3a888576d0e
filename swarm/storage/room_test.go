package storage

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"swarmnode/metainfo"
)

// The room that is missing is told before a download: of wanted files alone, of what is
// neither there nor reserved, by file system, and with what other torrents will take.
func TestRoomIsLookedAt(t *testing.T) {
	layout, data := makeLayout(t, "x", 64<<10, tfile{"a", 1 << 20, false},
		tfile{"b", 100_000, false}, tfile{"c", 1 << 20, false})
	total := layout.Length
	half := func(dir string) error { // of a, with a hole
		f, err := os.Create(dir + "/x/a")
		if err != nil {
			return err
		}
		_, err = f.WriteAt(data[:512<<10], 0)
		return errors.Join(err, f.Truncate(1<<20), f.Close())
	}
	for _, tt := range []struct {
		name    string
		prepare func(dir string) error
		wanted  []bool
		free    int64
		want    string // warned of; none if empty
	}{
		{"nothing there, enough", nil, nil, total, ""},
		{"nothing there", nil, nil, total - 1, "x.part needs 2.10 MiB, 2.10 MiB free"},
		{"none free", nil, nil, 0, "x.part needs 2.10 MiB, 0 B free"},
		{"half of a file, enough", half, nil, total - 512<<10, ""},
		{"half of a file", half, nil, 50 << 10, "x needs 1.60 MiB, 50.0 KiB free"},
		{"all there", func(dir string) error {
			putContent(t, dir, "x", layout, data)
			return nil
		}, nil, 0, ""},
		{"zeros of another client", func(dir string) error {
			putContent(t, dir, "x", layout, make([]byte, len(data)))
			return nil
		}, nil, 0, ""},
		{"holes", func(dir string) error {
			return errors.Join(half(dir), os.Truncate(dir+"/x/a", 0),
				os.Truncate(dir+"/x/a", 1<<20))
		}, nil, 1 << 20, "x needs 2.10 MiB, 1.00 MiB free"},
		{"some wanted, enough", nil, []bool{false, true, false}, 200_000, ""},
		{"some wanted", nil, []bool{false, true, false}, 40_000,
			"x.part needs 97.7 KiB, 39.1 KiB free"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var warned []string
			cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout, Part: true,
				Wanted: tt.wanted,
				Warn:   func(err error) { warned = append(warned, err.Error()) }}
			cfg.spaceOf = func(path string) (fileSystem, int64, bool) {
				if strings.HasPrefix(path, cfg.StateDir) {
					return fileSystem{2}, 1 << 30, true
				}
				return fileSystem{1}, tt.free, true
			}
			if tt.prepare != nil {
				if err := errors.Join(os.Mkdir(cfg.Dir+"/x", 0o700),
					tt.prepare(cfg.Dir)); err != nil {
					t.Fatal(err)
				}
			}
			r := newRig(t, cfg, data)
			if _, err := r.store.Check(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			var want []string
			if tt.want != "" {
				want = []string{filepath.Join(cfg.Dir, tt.want)}
			}
			if !slices.Equal(warned, want) {
				t.Errorf("warned of %q, want %q", warned, want)
			}
			r.back()
		})
	}
}

// What is reserved for a file is there, though it is a hole to look at.
func TestReservedRoomIsThere(t *testing.T) {
	layout, data := makeLayout(t, "x", 64<<10, tfile{"", 1 << 20, false})
	cfg := Config{Dir: t.TempDir(), Layout: layout, Part: true, Workers: NewWorkers(1)}
	t.Cleanup(cfg.Workers.Close)
	f, err := cfg.Workers.disks.open(cfg.Dir, useThere)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	x, err := f.open("x"+PartSuffix, openCreate)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(x.reserve(1<<20), x.close()); err != nil {
		t.Fatal(err)
	}
	if st, err := f.stat("x" + PartSuffix); err != nil || st.room < 1<<20 {
		t.Skip("nothing can be reserved here:", st, err)
	}
	var warned []string
	cfg.Warn = func(err error) { warned = append(warned, err.Error()) }
	cfg.spaceOf = func(string) (fileSystem, int64, bool) { return fileSystem{}, 0, true }
	r := newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil || warned != nil {
		t.Errorf("%v, warned of %q", err, warned)
	}
	r.back()
}

// Torrents that are fetched at the same time need room side by side, as long as they
// have not got it.
func TestRoomOfSeveral(t *testing.T) {
	workers := NewWorkers(1)
	t.Cleanup(workers.Close)
	var warned []string
	const length = 1 << 20
	free, system := int64(1_500_000), fileSystem{1}
	open := func(n byte, name string) *rig {
		layout, data := makeLayout(t, name, 64<<10, tfile{"", length, false})
		r := newRig(t, Config{Dir: t.TempDir(), Layout: layout, Part: true, Hash: metainfo.Hash{n},
			Workers: workers,
			Warn:    func(err error) { warned = append(warned, filepath.Base(err.Error())) },
			spaceOf: func(string) (fileSystem, int64, bool) { return system, free, true }}, data)
		if _, err := r.store.Check(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := open(1, "a")
	if warned != nil {
		t.Error("the first one:", warned)
	}
	second := open(2, "b")
	if want := []string{"b.part needs 1.00 MiB beside 1.00 MiB of other torrents, 1.43 " +
		"MiB free"}; !slices.Equal(warned, want) {
		t.Errorf("the second one: %q", warned)
	}
	second.back()
	warned, system = nil, fileSystem{2}
	open(3, "c").back()
	system = fileSystem{1}
	if warned != nil {
		t.Error("on another disk:", warned)
	}
	first.all() // it has its room now
	free -= length
	third := open(4, "d")
	if want := []string{"d.part needs 1.00 MiB, 441 KiB free"}; !slices.Equal(warned, want) {
		t.Errorf("after the first one: %q", warned)
	}
	first.back()
	third.back()
}

func TestSizeText(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "0.98 KiB", 1023: "1.00 KiB", 10 << 10: "10.0 KiB",
		286 << 20: "286 MiB", 50 << 20: "50.0 MiB",
		999 << 20: "999 MiB", 1023 << 20: "1.00 GiB", 1 << 62: "4.00 EiB",
	} {
		if got := sizeText(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
