//go:build linux

package storage

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"swarmnode/metainfo"
)

// oddNames are names of the kinds that some system or some program changes.
var oddNames = []string{
	"plain", "What?.bin", "a:b", "con", "aux.txt", "dot.", "blank ", " lead", "ReadMe.txt",
	"readme.txt", "\u00e9", "e\u0301",
	`"q"`, `a\b`, `\lead`, "*", "<", ">", "|", "tab\tx", "exe.\u202egpj", "bad\xff",
	strings.Repeat("n", 255),
	"f:/plain", "f:/in?", "x\x02/y|/z:", "x\x02/y|/plain", "C:/x",
}

// oddLayout is a torrent called name of files of such names, each in pieces that it
// shares with its neighbours.
func oddLayout(t testing.TB, name string, names ...string) (*metainfo.Layout, []byte) {
	t.Helper()
	var files []tfile
	for i, n := range names {
		files = append(files, tfile{path: n, length: 20_000 + i})
	}
	return makeLayout(t, name, 16<<10, files...)
}

// put writes the content of l below dir, each file where place says.
func put(t testing.TB, dir string, l *metainfo.Layout, data []byte, place func(i int) string) {
	t.Helper()
	for i := range l.Files {
		f := &l.Files[i]
		path := filepath.Join(dir, place(i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data[f.Offset:f.Offset+f.Length], 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// byRule places files as a rule calls them.
func byRule(l *metainfo.Layout, rule metainfo.NameRule) func(i int) string {
	names := l.Names(rule)
	return func(i int) string { return placed(names.Top, names.Path(i)...) }
}

func placed(top string, elements ...string) string {
	return strings.Join(append([]string{top}, elements...), "/")
}

// paths lists the files below dir.
func paths(t testing.TB, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, path[len(dir)+1:])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// TestContentIsFoundUnderAnyName: whatever a program or the maker of a torrent calls
// its files, they are found, by those who read and by those who would write, and
// nothing else is made.
func TestContentIsFoundUnderAnyName(t *testing.T) {
	l, data := oddLayout(t, "t?\x01", oddNames...)
	raw, portable := l.Names(metainfo.NamesRaw), l.Names(metainfo.NamesPortable)
	forms := map[string]func(i int) string{
		"native":   byRule(l, metainfo.NamesNative),
		"raw":      byRule(l, metainfo.NamesRaw),
		"portable": byRule(l, metainfo.NamesPortable),
		"uncased":  byRule(l, metainfo.NamesUncased),
		"one after the other": func(i int) string {
			rule := []metainfo.NameRule{metainfo.NamesNative, metainfo.NamesRaw,
				metainfo.NamesPortable}[i%3]
			return placed(l.Name, l.Names(rule).Path(i)...)
		},
		"folders portable, files raw": func(i int) string {
			p, r := portable.Path(i), raw.Path(i)
			return placed(portable.Top, append(slices.Clone(p[:len(p)-1]), r[len(r)-1])...)
		},
		"folders raw, files portable": func(i int) string {
			p, r := portable.Path(i), raw.Path(i)
			return placed(raw.Top, append(slices.Clone(r[:len(r)-1]), p[len(p)-1])...)
		},
	}
	for name, place := range forms {
		for _, made := range []metainfo.NameRule{metainfo.NamesNative, metainfo.NamesPortable} {
			for _, readOnly := range []bool{true, false} {
				t.Run(fmt.Sprint(name, made, readOnly), func(t *testing.T) {
					dir := t.TempDir()
					put(t, dir, l, data, place)
					before := paths(t, dir)
					r := newRig(t, Config{Dir: dir, Layout: l, ReadOnly: readOnly, Names: made,
						Part: true}, data)
					have, err := r.store.Check(t.Context(), nil)
					if err != nil {
						t.Fatal(err)
					}
					if !have.All() {
						t.Errorf("%d of %d pieces were found", have.Count(), l.Pieces())
					}
					for i := range l.Files {
						if got := r.store.FileName(i); got != place(i) {
							t.Errorf("file %d: found as %q, lies at %q", i, got, place(i))
						}
						if size, err := r.store.FileSize(i); err != nil ||
							size != l.Files[i].Length || !r.store.FileReadable(i) {
							t.Errorf("file %d: %d bytes, %v", i, size, err)
						}
					}
					if err := r.store.Finish(); err != nil {
						t.Error(err)
					}
					if after := paths(t, dir); !slices.Equal(before, after) {
						t.Errorf("got %q, was %q", after, before)
					}
				})
			}
		}
	}
}

// TestNamesThatAreMade fetches into an empty folder.
func TestNamesThatAreMade(t *testing.T) {
	l, data := oddLayout(t, "t?", oddNames...)
	for _, rule := range []metainfo.NameRule{metainfo.NamesNative, metainfo.NamesUncased,
		metainfo.NamesPortable} {
		dir := t.TempDir()
		r := newRig(t, Config{Dir: dir, Layout: l, Names: rule, Part: true}, data)
		if _, err := r.store.Check(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.all()
		if err := r.store.Finish(); err != nil {
			t.Fatal(err)
		}
		var want []string
		for i := range l.Files {
			want = append(want, byRule(l, rule)(i))
			if got := r.store.FilePath(i); got != filepath.Join(dir, want[i]) {
				t.Errorf("file %d is at %s", i, got)
			}
		}
		slices.Sort(want)
		if got := paths(t, dir); !slices.Equal(got, want) {
			t.Errorf("by rule %d:\ngot  %q\nwant %q", rule, got, want)
		}
	}
}

// TestFetchGoesOnUnderItsNames: what was begun by an earlier release, or with
// portable names, goes on under these, and what is missing is made beside it.
func TestFetchGoesOnUnderItsNames(t *testing.T) {
	l, data := oddLayout(t, "t?", "in:/a?", "in:/b?", "new?/c", "plain")
	dir := t.TempDir()
	old := byRule(l, metainfo.NamesPortable)
	put(t, dir, l, data, func(i int) string {
		return strings.Replace(old(i), "t_/", "t_.part/", 1)
	})
	for _, i := range []int{1, 2} {
		if err := os.Remove(filepath.Join(dir, strings.Replace(old(i), "t_/", "t_.part/",
			1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "t_.part/new_")); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Config{Dir: dir, Layout: l, Part: true}, data)
	have, err := r.store.Check(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if have.None() {
		t.Error("nothing was found")
	}
	r.all()
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	want := []string{"t_/in_/a_", "t_/in_/b?", "t_/new?/c", "t_/plain"}
	if got := paths(t, dir); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestNoFileIsTakenForAnother has torrents in which what one file is called by one
// rule is what another one is called by the next.
func TestNoFileIsTakenForAnother(t *testing.T) {
	for _, tt := range []struct{ names, there string }{
		{"a A a", ""}, {"a A a", "A"}, {"a A a", "a|A"},
		{"x:/f x_/f", ""}, {"x:/f x_/f", "x_/f"}, {"x:/f x_/f", "x:/f"},
		{"a:b a_b a?b", "a_b"}, {"ReadMe readme", "ReadMe"}, {"ReadMe readme", "readme"},
		{"con _con CON", "_con"}, {"d: d_/x d:/x", "d_/x"},
	} {
		l, data := oddLayout(t, "t", strings.Fields(tt.names)...)
		for _, layout := range []metainfo.NameRule{metainfo.NamesNative, metainfo.NamesPortable} {
			for _, made := range []metainfo.NameRule{metainfo.NamesNative, metainfo.NamesUncased,
				metainfo.NamesPortable} {
				t.Run(fmt.Sprint(tt, layout, made), func(t *testing.T) {
					dir := t.TempDir()
					there := strings.Split(tt.there, "|")
					put(t, dir, l, data, byRule(l, layout))
					for i := range l.Files { // and take some away
						if name := byRule(l, layout)(i); tt.there != "" &&
							!slices.Contains(there, strings.TrimPrefix(name, "t/")) {
							if err := os.Remove(filepath.Join(dir, name)); err != nil {
								t.Fatal(err)
							}
						}
					}
					r := newRig(t, Config{Dir: dir, Layout: l, Names: made}, data)
					if _, err := r.store.Check(t.Context(), nil); err != nil {
						t.Fatal(err)
					}
					seen := make(map[string]int)
					for i := range l.Files {
						name := r.store.FileName(i)
						if j, ok := seen[name]; ok {
							t.Errorf("files %d and %d are both %q", i, j, name)
						}
						seen[name] = i
					}
					r.all()
					if err := r.store.Finish(); err != nil {
						t.Fatal(err)
					}
					for i := range l.Files {
						f := &l.Files[i]
						if got := fileText(t, r.store.FilePath(i)); got != string(
							data[f.Offset:f.Offset+f.Length]) {
							t.Errorf("file %d is wrong", i)
						}
					}
					if got := paths(t, dir); len(got) != len(l.Files) {
						t.Errorf("there are %q", got)
					}
				})
			}
		}
	}
}

// TestOthersKeepTheirNames: what has by chance a name that would be looked for is
// neither taken for the content nor written to.
func TestOthersKeepTheirNames(t *testing.T) {
	l, data := oddLayout(t, "t?", "a?", "b?", "plain")
	single, singleData := makeLayout(t, "one?", 16<<10, tfile{length: 50_000})
	mine := content(99, 20_000)
	for name, tt := range map[string]struct {
		layout *metainfo.Layout
		data   []byte
		path   string
		size   int
	}{
		"folder of that name":            {l, data, "t_/notes.txt", 5},
		"folder with a file of the name": {l, data, "t_/a_", 5},
		"file of that name":              {single, singleData, "one_", 5},
		"unfinished file of that name":   {single, singleData, "one_.part", 5},
		"folder for a file":              {single, singleData, "one_/x", 5},
		"file for a folder":              {l, data, "t_", 5},
		"within the content":             {l, data, "t?/a_", 20_000}, // as long as the file
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, tt.path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, mine[:tt.size], 0o644); err != nil {
				t.Fatal(err)
			}
			if name == "within the content" {
				f := &l.Files[2]
				if err := os.WriteFile(filepath.Join(dir, "t?/plain"),
					data[f.Offset:f.Offset+f.Length], 0o644); err != nil {
					t.Fatal(err)
				}
			}
			r := newRig(t, Config{Dir: dir, Layout: tt.layout, Part: true}, tt.data)
			if _, err := r.store.Check(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			r.all()
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			if got := fileText(t, path); got != string(mine[:tt.size]) {
				t.Error("it was written to")
			}
			for i := range tt.layout.Files {
				if got, want := r.store.FileName(i),
					byRule(tt.layout, metainfo.NamesNative)(i); strings.TrimSuffix(want,
					"/") != got {
					t.Errorf("file %d is %q, want %q", i, got, want)
				}
			}
		})
	}
}

// TestSingleFileInItsFolder: a v2 torrent of one file is found in the folder that it
// was made of, too.
func TestSingleFileInItsFolder(t *testing.T) {
	for _, folder := range []string{"al?bum", "film:.mkv"} {
		t.Run(folder, func(t *testing.T) { singleFileInItsFolder(t, folder) })
	}
}

func singleFileInItsFolder(t *testing.T, folder string) {
	dir := t.TempDir()
	data := content(3, 50_000)
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, folder, "film:.mkv"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	built, err := metainfo.Build(t.Context(),
		metainfo.BuildOptions{Path: filepath.Join(dir, folder), Kind: metainfo.V2})
	if err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.ParseTorrent(built.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	l := torrent.Info().Layout()
	for _, readOnly := range []bool{true, false} {
		r := newRig(t, Config{Dir: dir, Layout: l, ReadOnly: readOnly, Part: true}, data)
		have, err := r.store.Check(t.Context(), nil)
		if err != nil || !have.All() || r.store.FileName(0) != folder+"/film:.mkv" {
			t.Errorf("%v, %v, as %s", have, err, r.store.FileName(0))
		}
		if err := r.store.Finish(); err != nil {
			t.Error(err)
		}
		r.store.Close()
	}
	if got := paths(t, dir); len(got) != 1 {
		t.Errorf("there are %q", got)
	}
}
