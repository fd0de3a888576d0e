package confine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree makes folders, and symbolic links to what follows "->", below a temporary folder, whose
// real path it returns. A link that begins with / is relative to that folder.
func tree(t testing.TB, entries ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name, target, link := strings.Cut(entry, "->")
		path := filepath.Join(dir, filepath.FromSlash(name))
		if !link {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if strings.HasPrefix(target, "/") {
			target = filepath.Join(dir, target)
		}
		if err := os.Symlink(filepath.FromSlash(target), path); err != nil {
			t.Skip(err)
		}
	}
	return dir
}

func TestCheck(t *testing.T) {
	dir := tree(t, "data/films", "other/private", "data2",
		"data/out->/other", "data/in->/data/films", "data/up->../other", "data/within->films/..",
		"data/dangling->/nowhere", "data/later->/data/later-too", "data/loop->loop",
		"data/chain->out", "alias->/data", "data/root->/")
	roots := []string{filepath.Join(dir, "data")}
	for path, want := range map[string]error{
		"data": nil, "data/": nil, "data/films": nil, "data/new/and/newer": nil,
		"data//films/.": nil, "data/in": nil,
		"data/in/new": nil, "data/within": nil, "data/within/new": nil,
		"data/later": nil, "data/later/x": nil, "alias": nil, "alias/new": nil, "alias/in": nil,
		"data/root/data": nil, "data/..x": nil, "data/x..": nil, "data/...": nil,

		"":      ErrOutside,
		"data2": ErrOutside, "dat": ErrOutside, "other": ErrOutside, "data/out": ErrOutside,
		"data/out/private": ErrOutside, "data/out/new": ErrOutside, "data/up": ErrOutside,
		"data/dangling": ErrOutside, "data/dangling/x": ErrOutside, "data/chain/x": ErrOutside,
		"alias/out": ErrOutside, "data/root": ErrOutside, "data/root/other": ErrOutside,
		"data/../data": ErrForm, "data/films/..": ErrForm, "data/../../../etc": ErrForm,
		"data/x\x00y": ErrForm, "data/loop": ErrLinks, "data/loop/x": ErrLinks,
		"data/" + strings.Repeat("x/", pathBytesMax/2): ErrLong,
	} {
		if err := Check(dir+"/"+path, roots); !errors.Is(err, want) {
			t.Errorf("%.60q: %v, want %v", path, err, want)
		}
	}
	for _, path := range []string{"", "data", "./data", "../x", "~", "~/x", `\data`} {
		if err := Check(path, roots); !errors.Is(err, ErrRelative) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// Roots are links themselves, do not exist, or are wrong.
func TestRoots(t *testing.T) {
	dir := tree(t, "real", "link->/real", "loop->loop")
	for root, want := range map[string]bool{
		"/link": true, "/real": true, "/real/": true, "/real/../real": true, "/missing": false,
		"/loop": false, "/real/a": true, "/real/a/b": true, "/real/a/b/c": false,
	} {
		err := Check(filepath.Join(dir, "real/a/b"), []string{dir + root})
		if (err == nil) != want {
			t.Errorf("root %s: %v", root, err)
		}
	}
	for _, roots := range [][]string{nil, {""}, {"."}, {"real"}} {
		if err := Check(filepath.Join(dir, "real"), roots); !errors.Is(err, ErrOutside) {
			t.Errorf("roots %q: %v", roots, err)
		}
	}
	if err := Check(filepath.Join(dir, "anything"), []string{top(dir)}); err != nil {
		t.Errorf("all is allowed: %v", err)
	}
	if err := Check(filepath.Join(dir, "real"), []string{"x", filepath.Join(dir, "other"),
		filepath.Join(dir, "link")}); err != nil {
		t.Errorf("the last root allows it: %v", err)
	}
}

// A folder that cannot be looked into may hide a link, so what lies below is refused.
func TestWhatCannotBeSeenIsRefused(t *testing.T) {
	dir := tree(t, "data/closed/film")
	closed := filepath.Join(dir, "data/closed")
	if err := os.Chmod(closed, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(closed, 0o755) })
	if _, err := os.Lstat(filepath.Join(closed, "film")); err == nil {
		t.Skip("this user sees everything")
	}
	if err := Check(filepath.Join(closed, "film"), []string{dir}); err == nil {
		t.Error("allowed")
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(filepath.Join(file, "below"), []string{dir}); err == nil {
		t.Error("a folder below a file is allowed")
	}
}

// FuzzCheck makes a folder wherever Check allows one: it lies below the root.
func FuzzCheck(f *testing.F) {
	for _, path := range []string{"data", "data/a/b", "data/out/x", "data/in/x", "data/up",
		"x/../y", "data/dangling/x", "alias/x",
		"data/root/data/x", "data/./x", "data//x", "data/loop"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		dir := tree(t, "data/films", "other",
			"data/out->/other", "data/in->/data/films", "data/up->..", "data/back->up/data",
			"data/dangling->/nowhere", "data/loop->loop", "alias->/data", "data/root->/")
		root := filepath.Join(dir, "data")
		named := dir + "/" + path
		if err := Check(named, []string{root}); err != nil {
			return
		}
		if err := os.MkdirAll(named, 0o755); err != nil {
			return // a name that the system does not take
		}
		real, err := filepath.EvalSymlinks(named)
		if err != nil || real != root && !strings.HasPrefix(real, root+string(filepath.Separator)) {
			t.Errorf("%q is allowed and leads to %q, %v", path, real, err)
		}
		if resolved, err := Resolve(named); err != nil || resolved != real {
			t.Errorf("%q leads to %q, %v; want %q", path, resolved, err, real)
		}
	})
}
