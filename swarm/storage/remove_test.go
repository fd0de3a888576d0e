//go:build unix

package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/metainfo"
)

// closedStore returns a Store that was checked, wrote the pieces and was closed.
func closedStore(t *testing.T, cfg Config, data []byte, pieces ...int) *Store {
	t.Helper()
	r := newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range pieces {
		if got := r.piece(p); !got.OK {
			t.Fatal(got)
		}
	}
	r.back()
	return r.store
}

// TestRemoveOnlyOurs: whatever else lies in the folder of the content stays.
func TestRemoveOnlyOurs(t *testing.T) {
	layout, data := mixed(t)
	file := func(dir, name string, size int) error {
		path := filepath.Join(dir, "x.part", name)
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
			os.WriteFile(path, content(3, size), 0o600))
	}
	for _, tt := range []struct {
		name, stays string
		prepare     func(dir string) error
	}{
		{"nothing", "", func(string) error { return nil }},
		{"a file of another name", "x.part/other", func(dir string) error {
			return file(dir, "other", 9)
		}},
		{"a file in the place of one that is not wanted", "x.part/e", func(dir string) error {
			return file(dir, "e", 70_000)
		}},
		{"a file that is too long", "x.part/a", func(dir string) error {
			return file(dir, "a", 100_001)
		}},
		{"a folder in the place of a file", "x.part/g/in", func(dir string) error {
			return file(dir, "g/in", 9)
		}},
		{"a link in the place of a file", "x.part/g", func(dir string) error {
			return os.Symlink("/etc/passwd", filepath.Join(dir, "x.part", "g"))
		}},
		{"a link in the place of a folder", "x.part/b", func(dir string) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, "x.part", "b")),
				os.Symlink("/etc", filepath.Join(dir, "x.part", "b")))
		}},
		{"a folder of the final name", "x/a", func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "x"), 0o700),
				os.WriteFile(filepath.Join(dir, "x", "a"), content(3, 9), 0o600))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout, Part: true,
				Wanted: choose("xxx.xxxx")}
			s := closedStore(t, cfg, data, 3)
			if err := tt.prepare(cfg.Dir); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := s.Remove(nil); err != nil {
					t.Fatal(err)
				}
			}
			var left []string
			err := filepath.WalkDir(cfg.Dir, func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					left = append(left, path[len(cfg.Dir)+1:])
				}
				return err
			})
			if got := strings.Join(left, " "); err != nil || got != tt.stays {
				t.Errorf("left are %q, want %q; %v", got, tt.stays, err)
			}
			if entries, _ := os.ReadDir(cfg.Dir); tt.stays == "" && len(entries) > 0 {
				t.Errorf("left is the folder %v", entries)
			}
		})
	}
}

// TestRemoveRefused: content that another Store writes to is not removed, nor content
// behind a link.
func TestRemoveRefused(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout, Part: true}
	s := closedStore(t, cfg, data, 0)
	other := newRig(t, cfg, data)
	if _, err := other.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(nil); !errors.Is(err, ErrInUse) {
		t.Error("while another Store writes:", err)
	}
	other.readsBack(other.store.Have())
	other.all()
	if err := other.store.Finish(); err != nil {
		t.Fatal(err)
	}
	other.back()
	real := filepath.Join(t.TempDir(), "real")
	if err := errors.Join(os.Rename(filepath.Join(cfg.Dir, "x"), real),
		os.Symlink(real, filepath.Join(cfg.Dir, "x"))); err != nil {
		t.Fatal(err)
	}
	linked := closedStore(t, cfg, data)
	if err := linked.Remove(nil); !errors.Is(err, ErrLink) {
		t.Error("behind a link:", err)
	}
	if _, err := os.Stat(filepath.Join(real, "a")); err != nil {
		t.Error(err)
	}
}

// TestRemoveOwnNames: what lies under the names that only this torrent has goes, too.
func TestRemoveOwnNames(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout, Part: true,
		Hash: metainfo.Hash{7}}
	s := closedStore(t, cfg, data, 0)
	names := contentNames("x", cfg.Hash)
	for _, name := range []string{names[ownName], names[mergeName]} {
		if err := errors.Join(os.Mkdir(filepath.Join(cfg.Dir, name), 0o700),
			os.WriteFile(filepath.Join(cfg.Dir, name, "a"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	used := filepath.Join(cfg.Dir, "x.part", "a")
	if err := s.Remove(func(path string) bool { return path == used }); err != nil {
		t.Fatal(err)
	}
	found := filesBelow(t, cfg.Dir)
	if _, ok := found["x.part/a"]; !ok || len(found) != 1 {
		t.Errorf("left are %d files, among them one that is used: %v", len(found), ok)
	}
	if err := s.Remove(nil); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(cfg.Dir); err != nil || len(entries) != 0 {
		t.Errorf("left are %v, %v", entries, err)
	}
}
