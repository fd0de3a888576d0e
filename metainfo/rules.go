package metainfo

import (
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// A NameRule says which names of a torrent are changed, and how. All rules
// refuse the same names, and none leads out of the folder.
type NameRule uint8

// The rules.
const (
	// NamesNative keeps all characters that this system allows: on Unix every
	// character but the slash, characters that control the screen or turn text around,
	// and bytes that are not UTF-8. Files whose names differ only in case, or in Unicode
	// normal form, are distinct. On macOS this is NamesUncased; on Windows and
	// Android it is NamesPortable.
	NamesNative NameRule = iota
	// NamesUncased keeps the same characters, for a file system that does not
	// distinguish upper from lower case: files whose names would be one are numbered.
	NamesUncased
	// NamesPortable makes names that every system allows.
	NamesPortable
	// NamesRaw are the names in the torrent, byte for byte except for slashes.
	// Nothing is made under them, but content of another program can have them.
	// On Windows, where a name could mean a device or a stream, and on Android
	// this is NamesPortable.
	NamesRaw
)

// resolve returns the rule that r means on this system.
func (r NameRule) resolve() NameRule { return r.on(runtime.GOOS) }

// on returns the rule that r means on a system, by its name in Go.
func (r NameRule) on(system string) NameRule {
	switch system {
	case "windows", "android", "plan9", "js", "wasip1":
		return NamesPortable
	case "darwin", "ios":
		if r == NamesNative {
			return NamesUncased
		}
	}
	return r
}

// keeps reports whether the rule leaves a character in a name. invalid marks a
// byte that is not part of valid UTF-8.
func (r NameRule) keeps(c rune, invalid bool) bool {
	switch {
	case c == '/':
		return false
	case r == NamesRaw:
		return true
	case r == NamesPortable:
		return !isForbidden(c)
	}
	return !invalid && !isMisleading(c)
}

// folds reports whether files are numbered that differ only in case or in Unicode
// normal form.
func (r NameRule) folds() bool { return r == NamesUncased || r == NamesPortable }

// Renamed says that a path of a torrent was changed by a rule. Both are joined by
// slashes, with the torrent's name in front.
type Renamed struct {
	From string // as in the torrent; may hold anything
	To   string
}

// Names are the names of the content of a torrent by one rule. They take little memory:
// most names are made when they are asked for.
type Names struct {
	Top    string // of the file, or of the folder that holds all files
	layout *Layout
	rule   NameRule
	// raw has the paths as they are in the torrent, and numbered the paths that do not
	// follow from each name alone; both only where they are not as expected.
	raw, numbered map[int][]string
}

// Path returns the elements of the path of file i below Top.
func (n *Names) Path(i int) []string {
	if path, ok := n.numbered[i]; ok {
		return path
	}
	path := n.layout.Files[i].Path
	if raw, ok := n.raw[i]; ok {
		path = raw
	}
	if n.rule == NamesNative || n.rule == NamesRaw {
		return path
	}
	return cleanPath(path, n.rule)
}

// cleanPath returns path with its elements cleaned by rule. All of them are clean by
// some rule already.
func cleanPath(path []string, rule NameRule) []string {
	if !slices.ContainsFunc(path, func(e string) bool { return !isPlain(e) && !isPortable(e) }) {
		return path
	}
	clean := make([]string, len(path))
	for i, element := range path {
		var err error
		if clean[i], err = cleanElement(element, rule); err != nil || clean[i] == "" {
			clean[i] = element
		}
	}
	return clean
}

// Differ yields the files whose path below Top differs from the path in the Layout, in
// order.
func (n *Names) Differ() iter.Seq[int] {
	return func(yield func(int) bool) {
		if !n.layout.varied || n.rule == NamesNative {
			return
		}
		for i := range n.layout.Files {
			if path := n.layout.Files[i].Path; !slices.Equal(path, n.Path(i)) && !yield(i) {
				return
			}
		}
	}
}

// NamesVary reports whether some rule gives other names than another. Few torrents have
// such names.
func (l *Layout) NamesVary() bool { return l.varied }

// NamesCost estimates the bytes of memory that Names takes while it runs.
func (l *Layout) NamesCost() int64 {
	if !l.varied {
		return 0
	}
	return ParseCost(l.raw)
}

// Names returns the names of the content by rule. The names by NamesNative are in the
// Layout. For other rules, when names vary, Names reads the info dictionary again: that
// takes time, but the names of all rules would take memory.
func (l *Layout) Names(rule NameRule) *Names { return l.NamesBy(rule)[0] }

// NamesBy returns the names by several rules, with less work than Names for each.
func (l *Layout) NamesBy(rules ...NameRule) []*Names {
	all := make([]*Names, len(rules))
	var raw map[int][]string
	known := false
	for i, rule := range rules {
		n := &Names{Top: l.TopName(rule), layout: l, rule: rule}
		all[i] = n
		if !l.varied || rule == NamesNative {
			continue
		}
		n.rule = rule.resolve()
		if !known {
			raw, known = l.differing(NamesRaw, n), true
		}
		n.raw = raw
		if n.rule != NamesRaw {
			n.numbered = l.differing(n.rule, n)
		}
	}
	return all
}

// differing returns the paths by rule that n does not give.
func (l *Layout) differing(rule NameRule, n *Names) map[int][]string {
	other, _, err := parseNames(l.raw, rule)
	if err != nil || len(other.Files) != len(l.Files) {
		return nil // the halves of a hybrid differ in names that another rule changes
	}
	var paths map[int][]string
	for i := range other.Files {
		want := other.Files[i].Path
		got := l.Files[i].Path
		if rule != NamesRaw {
			got = n.Path(i)
		}
		if len(want) != len(got) || slices.Equal(want, got) {
			continue
		}
		if paths == nil {
			paths = make(map[int][]string)
		}
		paths[i] = make([]string, len(want))
		for j, element := range want { // which is a part of a large text
			paths[i][j] = strings.Clone(element)
		}
	}
	return paths
}

// TopName returns the Top of Names(rule), at once.
func (l *Layout) TopName(rule NameRule) string {
	if l.varied && rule != NamesNative {
		if name, err := cleanElement(l.rawName, rule.resolve()); err == nil && name != "" {
			return name
		}
	}
	return l.Name
}

// Folder returns the name by rule that a folder with the content may have, if the torrent
// has a single file with another name than the torrent: the folder that the
// torrent was made of, or a folder made by a program to which the torrent's name means
// one. It is empty for all other torrents.
func (l *Layout) Folder(rule NameRule) string {
	if l.title == "" {
		return ""
	}
	name, err := cleanElement(l.title, rule.resolve())
	if err != nil {
		return ""
	}
	return name
}

// OnlyFile returns the name of the only file of the folder from which Build made a V2
// torrent: readers of that torrent see the file without the
// folder (BEP 52, "Interpreting paths"). ok is false for all other torrents.
func (l *Layout) OnlyFile() (name string, ok bool) {
	if l.kind != V2 || !l.Multi || len(l.Files) != 1 || len(l.Files[0].Path) != 1 {
		return "", false
	}
	return l.Files[0].Path[0], true
}

// Renamed returns the names that rule changes, in the order of the torrent.
func (i *Info) Renamed(rule NameRule) []Renamed {
	if rule.resolve() == NamesNative.resolve() || !i.layout.varied {
		return i.renamed
	}
	l, p, err := parseNames(i.raw, rule)
	if err != nil {
		return nil
	}
	if l.Name == "" {
		l.Name = i.layout.Name
	}
	return p.renames(l)
}

// renames returns the names that cleaning changed, in the order of the torrent.
func (p *infoParser) renames(l *Layout) []Renamed {
	var list []Renamed
	if p.name != l.Name {
		list = append(list, Renamed{p.name, l.Name})
	}
	for _, i := range slices.Sorted(maps.Keys(p.originals)) {
		list = append(list, Renamed{p.name + "/" + p.originals[i], l.FilePath(i)})
	}
	return list
}
