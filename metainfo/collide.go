package metainfo

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// resolveCollisions renames the files whose paths, under rule, equal the path of another
// file or of a folder. With rules that fold, paths that differ only in case or in
// Unicode normal form are equal. One file keeps its name, the others get a number;
// folders keep their names. The choice of that file depends on the names alone and not on
// the order of the files, so that the two versions of one content, or two torrents of
// it, find the same names on disk. It is the first by original, the path as it was
// received, of the files that cleaning has not changed, or else of all. Only files with
// one original path are distinguished by their order. resolveCollisions calls renamed for
// each file whose path it is about to change, and reports whether the outcome may depend
// on the rule.
func resolveCollisions(
	files []File, rule NameRule, original func(i int) (path string, changed bool),
	renamed func(i int),
) (varied bool) {
	if !mayCollide(files) {
		return false
	}
	key := exactPath
	if rule.folds() {
		key = foldPath
	}
	newNamer(files, key).run(original, renamed)
	return true
}

// mayCollide looks for equal folded paths by their hashes, without storing the
// paths: nearly all torrents have none.
func mayCollide(files []File) bool {
	// in the last bit of a hash, not of a folder
	const file = 1
	hashes := make([]uint64, 0, len(files)+len(files)/8) // and some for folders
	seed := maphash.MakeSeed()
	var last []string // path of the file before
	var folded []byte // the same, folded, with a slash after each element
	ends := []int{0}  // the length of folded before each element, and at the end
	for i := range files {
		path := files[i].Path
		if files[i].Pad || len(path) == 0 {
			continue
		}
		known := 0 // folders of the file before
		for known < min(len(path), len(last))-1 && path[known] == last[known] {
			known++
		}
		ends = ends[:known+1]
		folded = folded[:ends[known]]
		for _, element := range path[known:] {
			folded = append(appendFolded(folded, element), '/')
			ends = append(ends, len(folded))
			hashes = append(hashes, maphash.Bytes(seed, folded)&^file)
		}
		hashes[len(hashes)-1] |= file
		last = path
	}
	slices.Sort(hashes)
	for i := 1; i < len(hashes); i++ {
		if hashes[i]&file != 0 && hashes[i]&^file == hashes[i-1]&^file {
			return true
		}
	}
	return false
}

func appendFolded(dst []byte, element string) []byte {
	start := len(dst)
	for i := range len(element) {
		c := element[i]
		if c >= 0x80 {
			return append(dst[:start], fold(element)...)
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// folder does full case folding. It has no state.
var folder = cases.Fold()

// FoldName maps all spellings of a name, or of a path with slashes, that are the same
// to some file system to one spelling.
func FoldName(name string) string { return fold(name) }

// fold maps all spellings of a name that are the same to some file system to
// one spelling: canonical decomposition and full case folding.
func fold(name string) string {
	if isASCII(name) {
		return strings.ToLower(name)
	}
	return norm.NFD.String(folder.String(norm.NFD.String(name)))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// A namer gives each file a path of its own. Equal paths have equal keys.
type namer struct {
	files   []File
	key     func(path []string) string
	keys    []string // by file
	folders map[string]bool
	wanted  map[string]bool // paths that files have by themselves
	taken   map[string]bool // paths that files got
	next    map[string]int  // the number to try next, by path
}

func newNamer(files []File, key func(path []string) string) *namer {
	n := &namer{
		files:   files,
		key:     key,
		keys:    make([]string, len(files)),
		folders: make(map[string]bool),
		wanted:  make(map[string]bool, len(files)),
		taken:   make(map[string]bool, len(files)),
		next:    make(map[string]int),
	}
	for i := range files {
		if files[i].Pad || len(files[i].Path) == 0 {
			continue
		}
		key := n.key(files[i].Path)
		n.keys[i] = key
		n.wanted[key] = true
		for j, c := range key {
			if c == '/' {
				n.folders[key[:j]] = true
			}
		}
	}
	return n
}

func exactPath(path []string) string { return strings.Join(path, "/") }

func foldPath(path []string) string {
	folded := make([]string, len(path))
	for i, element := range path {
		folded[i] = fold(element)
	}
	return strings.Join(folded, "/")
}

func (n *namer) run(original func(i int) (path string, changed bool), renamed func(i int)) {
	order := make([]int, 0, len(n.files))
	for i := range n.files {
		if n.keys[i] != "" {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		if c := strings.Compare(n.keys[a], n.keys[b]); c != 0 {
			return c
		}
		pathA, changedA := original(a)
		pathB, changedB := original(b)
		if changedA != changedB {
			return cmp.Compare(truth(changedA), truth(changedB))
		}
		return cmp.Or(strings.Compare(pathA, pathB), a-b)
	})
	for _, i := range order {
		f, key := &n.files[i], n.keys[i]
		if n.folders[key] || n.taken[key] {
			renamed(i)
			f.Path, key = n.number(f.Path, key)
		}
		n.taken[key] = true
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// number returns path with the lowest number in its last element, from 2, that
// makes it unique. Each number is tried once per path, so that the work is
// linear in the number of files.
func (n *namer) number(path []string, key string) ([]string, string) {
	path = slices.Clone(path)
	last := path[len(path)-1]
	for i := max(n.next[key], 2); ; i++ {
		path[len(path)-1] = shorten(last, " ("+strconv.Itoa(i)+")")
		k := n.key(path)
		if !n.folders[k] && !n.taken[k] && !n.wanted[k] {
			n.next[key] = i + 1
			return path, k
		}
	}
}
