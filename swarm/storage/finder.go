package storage

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// A finder looks for the files of a torrent below its folder, under the names of
// every rule. A folder may be found by one rule and the file in it by another.
type finder struct {
	names *naming
	top   string
	made  *metainfo.Names
	all   []*metainfo.Names // made, and those of the other rules
	// some files have names that are one name to some file system
	folding bool
	varied  *bits.Set                      // the files whose paths differ by rule
	folders map[string][]string            // the paths that a folder is found as, by its names
	entries map[string]map[string]struct{} // of a folder on disk, folded; nil if they are not known
	// paths of the files whose names differ from the rule for new files
	chosen  map[int]string
	instead map[int]string   // paths for new files, of files found under other names
	owners  map[string][]int // the files by their folded paths; nil until needed
}

func newFinder(n *naming, top string) *finder {
	all := n.layout.NamesBy(append([]metainfo.NameRule{n.rule}, otherRules[:]...)...)
	f := &finder{
		names: n, top: top, made: all[0], all: all, varied: bits.New(len(n.layout.Files)),
		folders: make(map[string][]string), entries: make(map[string]map[string]struct{}),
		chosen: make(map[int]string), instead: make(map[int]string),
	}
	for _, names := range f.all {
		for i := range names.Differ() {
			if hasPlace(n.layout, i) {
				f.varied.Add(i)
			}
		}
	}
	for range all[1+slices.Index(otherRules[:], metainfo.NamesUncased)].Differ() {
		f.folding = true
		break
	}
	return f
}

// madePath returns the path that a new file i would get.
func (f *finder) madePath(i int) string { return strings.Join(f.made.Path(i), "/") }

// path returns the path that was chosen for file i.
func (f *finder) path(i int) string {
	if path, ok := f.chosen[i]; ok {
		return path
	}
	return f.madePath(i)
}

// entriesMax bounds the entries of a folder that are kept. In a larger folder, files are
// looked for one by one.
const entriesMax = 100_000

// stat returns the state of a file or folder. Most do not exist, and for nearly all of
// those one look at their folder is enough.
func (f *finder) stat(path string) (fileStat, error) {
	folder, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		folder, name = path[:i], path[i+1:]
	}
	seen, listed := f.entries[folder]
	if !listed {
		seen = f.list(folder)
		f.entries[folder] = seen
	}
	if _, ok := seen[metainfo.FoldName(name)]; seen != nil && !ok {
		return fileStat{}, fs.ErrNotExist
	}
	return f.names.disk.stat(f.top + "/" + path)
}

// list returns the folded names in a folder, which may be missing; nil if they are not
// known.
func (f *finder) list(folder string) map[string]struct{} {
	entries, err := f.names.disk.list(strings.TrimSuffix(f.top+"/"+folder, "/"), entriesMax+1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || len(entries) > entriesMax {
		return nil
	}
	seen := make(map[string]struct{}, len(entries))
	for _, e := range entries {
		seen[metainfo.FoldName(e.Name())] = struct{}{}
	}
	return seen
}

// A spot says what lies at the path that a new file would get.
type spot uint8

const (
	spotFree  spot = iota // nothing, or another file of the torrent
	spotOther             // something with another length than the file
	spotTaken             // the file
)

// spot looks at the path that a new file i would get.
func (f *finder) spot(i int) spot {
	path := f.madePath(i)
	st, err := f.stat(path)
	switch {
	case err != nil || f.folding && f.isOthers(i, path, st):
		return spotFree
	case kindError(st.mode, false) != nil || st.size != f.names.layout.Files[i].Length:
		return spotOther
	}
	return spotTaken
}

// findAll chooses the paths of the files that are not in their places, and reports
// whether some are missing. It begins with the files in whose places something else
// lies, since that may be another of these files.
func (f *finder) findAll() (missing bool) {
	var free []int
	for i := range f.varied.Members() {
		switch f.spot(i) {
		case spotFree:
			free = append(free, i)
		case spotOther:
			if path, ok := f.file(i); ok {
				f.choose(i, path)
			}
		}
	}
	for _, i := range free {
		path := f.besideOthers(i)
		if found, ok := f.file(i); ok {
			f.instead[i], path = path, found
		} else {
			missing = true
		}
		f.choose(i, path)
	}
	return missing
}

func (f *finder) choose(i int, path string) {
	if path == f.madePath(i) {
		return
	}
	f.chosen[i] = path
	if f.owners != nil {
		key := metainfo.FoldName(path)
		f.owners[key] = append(f.owners[key], i)
	}
}

// file returns the path of file i, if the file exists. A file of the right length is
// preferred; content that is only read may have another.
func (f *finder) file(i int) (path string, ok bool) {
	depth := len(f.made.Path(i)) - 1
	for _, folder := range f.folder(i, depth) {
		for _, names := range f.all {
			candidate := join(folder, names.Path(i)[depth])
			st, err := f.stat(candidate)
			if err != nil || !f.names.mayBe(i, st) || f.isOthers(i, candidate, st) {
				continue
			}
			if st.size == f.names.layout.Files[i].Length {
				return candidate, true
			}
			if !ok {
				path, ok = candidate, true
			}
		}
	}
	return path, ok
}

// besideOthers returns the path at which to make file i, which is missing. If its folder
// exists under another name, the file goes there.
func (f *finder) besideOthers(i int) string {
	made := f.made.Path(i)
	for depth := len(made) - 1; depth > 0; depth-- {
		if folders := f.folder(i, depth); len(folders) > 0 {
			path := join(folders[0], strings.Join(made[depth:], "/"))
			if f.isOthers(i, path, fileStat{}) {
				break
			}
			return path
		}
	}
	return f.madePath(i)
}

// folder returns the paths under which the folder of the first depth elements of the path
// of file i is found, best first.
func (f *finder) folder(i, depth int) []string {
	if depth == 0 {
		return []string{""}
	}
	var key strings.Builder // the folder under all its names
	for _, names := range f.all {
		for _, element := range names.Path(i)[:depth] {
			key.WriteString(element)
			key.WriteByte('/')
		}
		key.WriteByte('/')
	}
	if known, ok := f.folders[key.String()]; ok {
		return known
	}
	var list []string
	for _, parent := range f.folder(i, depth-1) {
		for _, names := range f.all {
			path := join(parent, names.Path(i)[depth-1])
			if st, err := f.stat(path); err == nil && st.mode.IsDir() && len(list) < foldersMax {
				list = appendNew(list, path)
			}
		}
	}
	f.folders[key.String()] = list
	return list
}

func join(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}

// isOthers reports whether path, which has the state st, belongs to another file of the
// torrent, also on a file system to which both names are one.
func (f *finder) isOthers(i int, path string, st fileStat) bool {
	if f.owners == nil {
		f.index()
	}
	for _, j := range f.owners[metainfo.FoldName(path)] {
		if j == i {
			continue
		}
		other := f.path(j)
		if other == path {
			return true
		}
		if theirs, err := f.stat(other); err == nil && st.info != nil && theirs.info != nil &&
			os.SameFile(st.info, theirs.info) {
			return true
		}
	}
	return false
}

// index lists which file has which path.
func (f *finder) index() {
	f.owners = make(map[string][]int)
	for i := range f.names.layout.Files {
		if hasPlace(f.names.layout, i) {
			key := metainfo.FoldName(f.path(i))
			f.owners[key] = append(f.owners[key], i)
		}
	}
}
