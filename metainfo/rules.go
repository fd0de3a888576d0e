package metainfo

import (
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// A NameRule says which names of a torrent are changed, and to what. All rules
// refuse the same names, and none leads out of the folder.
type NameRule uint8

// The rules.
const (
	// NamesNative keeps what this system can hold: on Unix all characters but
	// the slash, those that control the screen or turn text around, and bytes
	// that are no UTF-8. Files whose names differ only in case, or in Unicode
	// normal form, are distinct. On macOS this is NamesUncased; on Windows and
	// Android it is NamesPortable.
	NamesNative NameRule = iota
	// NamesUncased keeps the same characters, for a file system that does not
	// tell upper from lower case: such files are numbered.
	NamesUncased
	// NamesPortable makes names that every system can hold.
	NamesPortable
	// NamesRaw are the names in the torrent, byte for byte except for slashes.
	// Nothing is made under them, but content of another program can have them.
	// On Windows, where a name could mean a device or a stream, and on Android
	// this is NamesPortable.
	NamesRaw
)

// resolve returns the rule that r stands for on this system.
func (r NameRule) resolve() NameRule { return r.on(runtime.GOOS) }

// on is resolve for a system by its name in Go.
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

// Names are what the content of a torrent is called by one rule. They hold little:
// what a rule makes of a name is found out when it is asked for.
type Names struct {
	Top    string // of the file, or of the folder that holds all files
	layout *Layout
	rule   NameRule
	// raw has the paths as they are in the torrent, and numbered those that the rule
	// gives for more reasons than one name alone, where they are not as expected.
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

// cleanPath returns path with its elements clean by rule. All of them have been
// clean by some rule.
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

// Differ yields the files whose path below Top is not that of the Layout, in order.
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

// NamesVary reports whether some rule gives other names than another, which is so
// for few torrents.
func (l *Layout) NamesVary() bool { return l.varied }

// NamesCost estimates the bytes of memory that Names takes for a moment.
func (l *Layout) NamesCost() int64 {
	if !l.varied {
		return 0
	}
	return ParseCost(l.raw)
}

// Names returns what the content is called by rule. Those of NamesNative are in the
// Layout. For others, when names vary, it reads the info dictionary again, which
// takes time, rather than memory for all.
func (l *Layout) Names(rule NameRule) *Names { return l.NamesBy(rule)[0] }

// NamesBy is Names for several rules, which is less work.
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

// Folder returns what a folder with the content may be called by rule, of a torrent
// of a single file that has another name than the torrent: the folder that the
// torrent was made of, or one that a program made which takes the name for that of
// a folder. It is empty for all other torrents.
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

// OnlyFile returns the name of the only file of a folder that a torrent of version 2
// alone was made of by Build: whoever reads that torrent sees the file without the
// folder (BEP 52, "Interpreting paths"). ok is false for all other torrents.
func (l *Layout) OnlyFile() (name string, ok bool) {
	if l.kind != V2 || !l.Multi || len(l.Files) != 1 || len(l.Files[0].Path) != 1 {
		return "", false
	}
	return l.Files[0].Path[0], true
}

// Renamed returns which names rule changes, in the order of the torrent.
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

// renames lists what cleaning changed, in the order of the torrent.
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
