//go:build linux

package storage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/metainfo"
)

// TestReadersFollowLinks: content behind links is found by whoever reads it, and
// nothing is written where a link leads.
func TestReadersFollowLinks(t *testing.T) {
	l, data := oddLayout(t, "t", "a", "d/b", "c")
	link := func(t *testing.T, dir, to, name string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
			os.Symlink(to, path)); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		place func(i int) string
		links [][2]string // to, from
		other bool        // the content is elsewhere
	}{
		"file": {func(i int) string { return []string{"x/a", "t/d/b", "t/c"}[i] },
			[][2]string{{"../x/a", "t/a"}}, false},
		"folder": {func(i int) string { return []string{"t/a", "x/b", "t/c"}[i] },
			[][2]string{{"../x", "t/d"}}, false},
		"every file": {func(i int) string { return []string{"x/1", "x/2", "x/3"}[i] },
			[][2]string{{"../x/1", "t/a"}, {"../../x/2", "t/d/b"}, {"../x/3", "t/c"}}, false},
		"content": {func(i int) string { return []string{"x/a", "x/d/b", "x/c"}[i] },
			[][2]string{{"x", "t"}}, false},
		"content elsewhere": {func(i int) string { return []string{"x/a", "x/d/b", "x/c"}[i] },
			nil, true},
	} {
		for _, readOnly := range []bool{true, false} {
			for _, whole := range []bool{true, false} {
				t.Run(name+map[bool]string{true: ", to read"}[readOnly]+
					map[bool]string{true: ", whole"}[whole], func(t *testing.T) {
					dir, at := t.TempDir(), ""
					if at = dir; tt.other {
						at = t.TempDir()
						link(t, dir, filepath.Join(at, "x"), "t")
					}
					put(t, at, l, data, tt.place)
					for _, x := range tt.links {
						link(t, dir, x[0], x[1])
					}
					if !whole { // the first piece alone is right
						for i := range l.Files {
							if i == 0 {
								continue
							}
							if err := os.WriteFile(filepath.Join(at, tt.place(i)),
								make([]byte, l.Files[i].Length), 0o644); err != nil {
								t.Fatal(err)
							}
						}
					}
					before, targets := tree(t, dir), linkedText(t, at, l, tt.place)
					r := newRig(t, Config{Dir: dir, Layout: l, ReadOnly: readOnly, Part: true},
						data)
					have, err := r.store.Check(t.Context(), nil)
					switch {
					case whole && (err != nil || !have.All()):
						t.Fatalf("found %v, %v", have, err)
					case whole:
						if err := r.store.Finish(); err != nil {
							t.Error(err)
						}
						if got := r.store.FilePath(1); got != filepath.Join(dir, "t/d/b") {
							t.Errorf("file 1 is at %s", got)
						}
						part := make([]byte, l.PieceSize(1))
						if err := r.store.ReadAt(part, 1, 0); err != nil ||
							!l.VerifyPiece(1, part) {
							t.Errorf("cannot be served: %v", err)
						}
					case !readOnly && !errors.Is(err, ErrLink):
						t.Errorf("got %v, want %v", err, ErrLink)
					}
					if after := tree(t, dir); after != before {
						t.Errorf("got\n%s, was\n%s", after, before)
					}
					for p := range l.Pieces() { // and when somebody writes all the same
						r.piece(p)
					}
					if got := linkedText(t, at, l, tt.place); got != targets {
						t.Error("it was written where a link leads")
					}
				})
			}
		}
	}
}

// linkedText is what the files hold that are not in the folder t itself.
func linkedText(t *testing.T, dir string, l *metainfo.Layout,
	place func(i int) string) (text string) {
	for i := range l.Files {
		if name := place(i); !strings.HasPrefix(name, "t/") {
			text += fileText(t, filepath.Join(dir, name))
		}
	}
	return text
}

// TestLinksAndNames: a link is found under any name, too.
func TestLinksAndNames(t *testing.T) {
	l, data := oddLayout(t, "t?", "a?", "b")
	dir := t.TempDir()
	put(t, dir, l, data, func(i int) string { return []string{"x/1", "x/2"}[i] })
	for name, to := range map[string]string{"t_": "x", "x/a_": "1", "x/b": "2"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, Config{Dir: dir, Layout: l, Part: true, Names: metainfo.NamesNative}, data)
	have, err := r.store.Check(t.Context(), nil)
	if err != nil || !have.All() || r.store.FileName(0) != "t_/a_" {
		t.Errorf("found %v, %v, as %s", have, err, r.store.FileName(0))
	}
}
