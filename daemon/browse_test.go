package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/daemon/confine"
)

// plant makes files, folders (with a slash at the end) and links (with an arrow) in a folder.
func plant(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		name, target, isLink := strings.Cut(name, " -> ")
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(target, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte(name), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// shownIn returns the entries of a listing as a picture.
func shownIn(l Listing) string {
	var b strings.Builder
	for _, e := range l.Entries {
		if e.Folder {
			fmt.Fprintf(&b, "%s/ ", e.Name)
		} else {
			fmt.Fprintf(&b, "%s:%d ", e.Name, e.Size)
		}
	}
	return strings.TrimSpace(b.String())
}

// A folder shows its subfolders first, and links as what they lead to. Who is confined does not
// see what lies outside, by no link and no path.
func TestBrowse(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	plant(t, outside, "secret.txt", "deep/")
	plant(t, dir, "b.txt", "A.txt", "z/inner.txt", "z/below/", "in.txt -> b.txt", "inz -> z",
		"out.txt -> "+outside+"/secret.txt", "out -> "+outside, "gone -> nowhere",
		"round -> round")
	d := startDaemon(t, testConfig(t.TempDir(), dir, nil))
	confined := Confine(t.Context())
	for _, tt := range []struct {
		ctx  context.Context
		dir  string
		want string
	}{
		{confined, dir, "inz/ z/ A.txt:5 b.txt:5 in.txt:5"},
		{t.Context(), dir + "/", "inz/ out/ z/ A.txt:5 b.txt:5 in.txt:5 out.txt:10"},
		{confined, dir + "/inz", "below/ inner.txt:11"},
		{t.Context(), outside, "deep/ secret.txt:10"},
	} {
		l, err := d.Browse(tt.ctx, tt.dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := shownIn(l); got != tt.want || l.Dir != filepath.Clean(tt.dir) ||
			l.Total != len(l.Entries) || l.More {
			t.Errorf("%s:\ngot  %s %+v\nwant %s", tt.dir, got, l, tt.want)
		}
	}
	if l, _ := d.Browse(confined, dir); l.Parent != "" {
		t.Errorf("the folder above the allowed one is shown: %q", l.Parent)
	}
	if l, _ := d.Browse(confined, dir+"/z"); l.Parent != dir {
		t.Errorf("the folder above is %q", l.Parent)
	}
	for _, tt := range []struct {
		ctx  context.Context
		dir  string
		want error
	}{
		{confined, outside, confine.ErrOutside}, {confined, dir + "/out", confine.ErrOutside},
		{confined, dir + "/../x", confine.ErrOutside}, {confined, "x", confine.ErrRelative},
		{t.Context(), "x", confine.ErrRelative}, {t.Context(), dir + "/nothing", fs.ErrNotExist},
		{confined, dir + "/nothing", fs.ErrNotExist}, {confined, dir + "/b.txt", ErrNoFolder},
		{t.Context(), dir + "/b.txt", ErrNoFolder},
	} {
		if l, err := d.Browse(tt.ctx, tt.dir); !errors.Is(err, tt.want) {
			t.Errorf("%s: %+v, %v, want %v", tt.dir, l, err, tt.want)
		}
	}
}

// Without a folder the allowed ones are shown, and to the owner also where everything begins.
func TestBrowseBegins(t *testing.T) {
	dir, more := t.TempDir(), t.TempDir()
	cfg := testConfig(t.TempDir(), dir, nil)
	cfg.Settings.Roots = []string{more, dir, more + "/missing"}
	d := startDaemon(t, cfg)
	l, err := d.Browse(Confine(t.Context()), "")
	if err != nil || shownIn(l) != dir+"/ "+more+"/" || l.Dir != "" {
		t.Errorf("the allowed folders: %+v, %v", l, err)
	}
	l, err = d.Browse(t.Context(), "")
	if err != nil || !strings.HasPrefix(shownIn(l), dir+"/ "+more+"/ ") ||
		!strings.HasSuffix(shownIn(l), " //") {
		t.Errorf("the folders of the owner: %+v, %v", l, err)
	}
}

// A listing has a bound, and says how many entries there are.
func TestBrowseIsBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range browseMax + 7 {
		if err := os.Mkdir(filepath.Join(dir, fmt.Sprintf("d%05d", i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l, err := browse(t.Context(), dir, nil)
	if err != nil || l.Total != browseMax+7 || len(l.Entries) != browseMax ||
		l.Entries[0].Name != "d00000" || l.More {
		t.Errorf("%d entries of %d, more %v, %v", len(l.Entries), l.Total, l.More, err)
	}
}

// FuzzBrowse asks for folders of every shape: who is confined never sees what lies outside.
func FuzzBrowse(f *testing.F) {
	outside, dir := f.TempDir(), f.TempDir()
	err := errors.Join(os.Mkdir(dir+"/in", 0o755), os.Mkdir(outside+"/secret", 0o755),
		os.Symlink(outside, dir+"/out"))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "in", "out", "../", "out/secret", "in/../..", "./in//",
		"\x00", strings.Repeat("a/", 3000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, below string) {
		for _, path := range []string{dir + "/" + below, below} {
			roots := []string{dir}
			path = filepath.Clean(path)
			if allowed(path, roots) != nil {
				continue
			}
			l, err := browse(t.Context(), path, roots)
			if err == nil && strings.Contains(shownIn(l), "secret") {
				t.Errorf("%q shows %+v", path, l)
			}
		}
	})
}
