//go:build linux

package storage

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
)

// A caselessDisk is a folder in which names that differ in case are one, as on
// many USB sticks and on other systems.
type caselessDisk struct{ *osDisk }

// real returns the name by which something is called that is there.
func (d caselessDisk) real(name string) string {
	var real []string
	for element := range strings.SplitSeq(name, "/") {
		// none if it is not there
		entries, _ := os.ReadDir(filepath.Join(append([]string{d.dir}, real...)...))
		for _, e := range entries {
			if metainfo.FoldName(e.Name()) == metainfo.FoldName(element) {
				element = e.Name()
				break
			}
		}
		real = append(real, element)
	}
	return strings.Join(real, "/")
}

func (d caselessDisk) open(name string, mode openMode) (file, error) {
	return d.osDisk.open(d.real(name), mode)
}
func (d caselessDisk) stat(name string) (fileStat, error) { return d.osDisk.stat(d.real(name)) }
func (d caselessDisk) makeDir(name string) error          { return d.osDisk.makeDir(d.real(name)) }
func (d caselessDisk) syncFolder(name string) error {
	return d.osDisk.syncFolder(d.real(name))
}
func (d caselessDisk) rename(from, to string) error { return d.osDisk.rename(d.real(from), to) }
func (d caselessDisk) list(name string, max int) ([]fs.DirEntry, error) {
	return d.osDisk.list(d.real(name), max)
}
func (d caselessDisk) names() metainfo.NameRule { return metainfo.NamesUncased }

// TestCaselessFolder fetches files whose names differ in case into a folder that
// does not tell them apart, and finds them again, however they came there.
func TestCaselessFolder(t *testing.T) {
	l, data := oddLayout(t, "t", "ReadMe", "readme", "D/a", "d/A", "d/b?", "plain")
	open := func(dir string) *rig {
		inner, err := openDisk(dir, useMade)
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, layout: l, data: data, pool: block.NewPool(4 << 20),
			results: make(chan Result, l.Pieces()+16)}
		workers := NewWorkers(2)
		t.Cleanup(workers.Close)
		r.store, err = openOn(Config{
			Dir: dir, Layout: l, Workers: workers, Part: true, Results: func(x Result) {
				r.results <- x
			},
		}, caselessDisk{inner})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.store.Close() })
		return r
	}
	for _, begun := range []string{"", "begun"} {
		dir := t.TempDir()
		if begun != "" { // by the rule that every system can hold
			put(t, dir, l, data, func(i int) string {
				return strings.Replace(byRule(l, metainfo.NamesPortable)(i), "/d/", "/D/", 1)
			})
			if err := os.Remove(filepath.Join(dir, "t/plain")); err != nil {
				t.Fatal(err)
			}
		}
		r := open(dir)
		if _, err := r.store.Check(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.all()
		if err := r.store.Finish(); err != nil {
			t.Fatal(err)
		}
		want := []string{"t/D/a", "t/D/A (2)", "t/D/b?", "t/ReadMe", "t/plain", "t/readme (2)"}
		if begun != "" {
			want = []string{"t/D/a", "t/D/A (2)", "t/D/b_", "t/ReadMe", "t/plain", "t/readme (2)"}
		}
		slices.Sort(want)
		if got := paths(t, dir); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", begun, got, want)
		}
		r.store.Close()
		again := open(dir)
		if have, err := again.store.Check(t.Context(), nil); err != nil || !have.All() {
			t.Errorf("%s: found %d of %d pieces, %v", begun, have.Count(), l.Pieces(), err)
		}
	}
}

// TestRuleOfFileSystems decides by what comes of a file with an odd name.
func TestRuleOfFileSystems(t *testing.T) {
	type result struct {
		as   string
		seen bool
	}
	for name, tt := range map[string]struct {
		try  func(name, other string) result
		want metainfo.NameRule
	}{
		"ext4": {func(name, _ string) result { return result{name, false} }, metainfo.NamesNative},
		"APFS": {func(name, other string) result { return result{name, other != ""} },
			metainfo.NamesUncased},
		"HFS+": {func(name, other string) result {
			return result{strings.ReplaceAll(name, "\u00c9", "E\u0301"), other != ""}
		}, metainfo.NamesUncased},
		"caseless ext4": {func(name, other string) result {
			return result{name, other != "" && strings.Contains(other, "aa")}
		}, metainfo.NamesUncased},
		"FAT": {func(name, _ string) result {
			if strings.ContainsAny(name, `:*?"<>|\`) {
				return result{}
			}
			return result{name, true}
		}, metainfo.NamesPortable},
		"a driver that drops dots and blanks": {func(name, _ string) result {
			return result{strings.TrimRight(name, ". "), true}
		}, metainfo.NamesPortable},
		"a full disk": {func(string, string) result { return result{} }, metainfo.NamesNative},
	} {
		got := ruleOf(func(name, other string) (string, bool) {
			r := tt.try(name, other)
			return r.as, r.seen
		})
		if got != tt.want {
			t.Errorf("%s: rule %d, want %d", name, got, tt.want)
		}
	}
}

// TestProbeLeavesNothing tries the folder of the test, which tells all names apart
// or not, and finds the same each time.
func TestProbeLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		d, err := openDisk(dir, useThere)
		if err != nil {
			t.Fatal(err)
		}
		defer d.close()
		want := metainfo.NamesNative
		if err := os.WriteFile(filepath.Join(dir, "Case"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "cASE")); err == nil {
			want = metainfo.NamesUncased
		}
		if err := os.Remove(filepath.Join(dir, "Case")); err != nil {
			t.Fatal(err)
		}
		if got := d.names(); got != want {
			t.Errorf("rule %d, want %d", got, want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v is left, %v", entries, err)
	}
}

// TestNamesChangedForFileSystem: who fetches to such a folder is told.
func TestNamesChangedForFileSystem(t *testing.T) {
	for _, tt := range []struct {
		names []string
		told  int
	}{{[]string{"plain", "other"}, 0}, {[]string{"What?", "other"}, 1}} {
		l, _ := oddLayout(t, "t", tt.names...)
		d := newMemDisk(1)
		d.rule = metainfo.NamesPortable
		var told []string
		s, err := openOn(Config{Layout: l, Workers: NewWorkers(1), Warn: func(err error) {
			told = append(told, err.Error())
		}}, d)
		if err != nil {
			t.Fatal(err)
		}
		defer s.workers.Close()
		defer s.Close()
		if len(told) != tt.told || tt.told > 0 && !strings.Contains(told[0],
			"cannot hold some names") {
			t.Errorf("%q: told %q", tt.names, told)
		}
		if got, want := s.FileName(0), byRule(l, metainfo.NamesPortable)(0); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
