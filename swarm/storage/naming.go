package storage

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"swarmnode/metainfo"
)

// Names are chosen here and nowhere else. New files are named by one rule: the
// native one, as far as the file system can hold its names, or Config.Names.
// Existing files are found under other names too: the names in the torrent, which
// its maker or another program used, and the names of the other rules, which this
// program used on another system or in an earlier release.

const (
	// foldersMax bounds the folders that one folder of a torrent is found as.
	foldersMax = 4
	// filesTriedMax bounds the files that are looked for to see whether a folder
	// holds some of a torrent.
	filesTriedMax = 1000
	// namesCosts is the memory that a search takes, in multiples of
	// Layout.NamesCost: the search makes the names of one rule at a time, and keeps
	// what it finds.
	namesCosts = 2
	// nameMax is the longest name that the file systems in use take, in bytes.
	nameMax = 255
)

// The names that content may have, as indices of contentNames.
const (
	finalName = iota
	partName  // unfinished
	ownName   // unfinished, where something else has the name of the unfinished
	mergeName // complete, and being moved into the folder with the final name
)

// contentNames returns the names of content whose final name is name. A name that
// would be too long is replaced by the final one. Some of the names contain the
// info-hash, so that nothing else has them.
func contentNames(name string, hash metainfo.Hash) (all [4]string) {
	own := name + "." + hash.Short()
	all = [...]string{name, name + PartSuffix, own + PartSuffix, own + mergeSuffix}
	for i := range all {
		if len(all[i]) > nameMax {
			all[i] = name
		}
	}
	return all
}

// A naming says what the content of a Store is called on disk. It looks at the
// download folder, and never changes it. It is safe for concurrent use, except
// that fitRule and findFiles come before any other goroutine uses it.
type naming struct {
	cfg    *Config
	layout *metainfo.Layout
	disk   disk

	// all are the names of contentNames. They change while nothing else uses them: see
	// Store.switchTo.
	all [4]string

	rule metainfo.NameRule // names new files

	mu sync.Mutex
	// made has the names by the rule; nil if they are the names of the Layout.
	made   *metainfo.Names
	linked string // path of a symbolic link to the content, which is then only read; or ""
	top    string // name of the content in Config.Dir now: one of all
	// renamed has the paths below the top of the files that the user renamed; nil if none.
	renamed map[int]string
	// paths has the paths below the top of the files with another name than the
	// rule gives them.
	paths   map[int]string
	foundIn string // the top that paths are below
	// instead has the paths that the rule gives to files in paths, for those files
	// that turn out to be something else.
	instead map[int]string
}

// init makes n the naming of cfg.Layout on d, and chooses the final name.
func (n *naming) init(cfg *Config, d disk) {
	n.cfg, n.layout, n.disk, n.rule = cfg, cfg.Layout, d, cfg.Names
	if cfg.Names != metainfo.NamesNative && cfg.Layout.NamesVary() {
		n.made = cfg.Layout.Names(cfg.Names)
	}
	n.all = contentNames(n.findTop(), cfg.Hash)
	n.top = n.all[finalName]
	if cfg.given != nil {
		n.renamed = cfg.given.files
	}
}

// otherRules are the rules by which content is looked for, in order, after the rule
// that names new files.
var otherRules = [...]metainfo.NameRule{
	metainfo.NamesRaw, metainfo.NamesNative, metainfo.NamesUncased, metainfo.NamesPortable,
}

// topNames returns the names that content may have at the top. The name that new
// content would get comes first.
func topNames(l *metainfo.Layout, made metainfo.NameRule) []string {
	names := []string{l.TopName(made)}
	if !l.NamesVary() {
		return names
	}
	for _, rule := range otherRules {
		names = appendNew(names, l.TopName(rule))
	}
	return names
}

func appendNew(names []string, name string) []string {
	for _, n := range names {
		if n == name {
			return names
		}
	}
	return append(names, name)
}

// followTop returns cfg for the file or folder that a symbolic link leads to, if
// such a link lies where the content belongs. The user has put the link there, and
// wherever it leads, nothing is written.
func followTop(cfg Config) (_ Config, linked string) {
	names := []string{cfg.topName()}
	if names[0] == "" {
		names = topNames(cfg.Layout, cfg.Names)
	}
	for _, name := range names {
		link := filepath.Join(cfg.Dir, name)
		info, err := os.Lstat(link)
		if err != nil || !isName(name) {
			continue
		}
		if info.Mode()&os.ModeSymlink == 0 {
			break
		}
		real, err := filepath.EvalSymlinks(link)
		if err != nil {
			break // it leads nowhere, and is in the way
		}
		cfg.given = &givenNames{asked: cfg.askedName()}
		cfg.Dir, cfg.Name = filepath.Dir(real), filepath.Base(real)
		return cfg, link
	}
	return cfg, ""
}

// isName reports whether name is one element of a path.
func isName(name string) bool {
	return name == filepath.Base(name) && filepath.IsLocal(name) && name != "."
}

// findTop chooses the final name of the content.
func (n *naming) findTop() string {
	if given := n.cfg.topName(); given != "" {
		return given
	}
	names := topNames(n.layout, n.rule)
	inside, found := n.inFolder(names)
	for i, name := range names {
		if found && strings.HasPrefix(inside, name+"/") {
			return inside
		}
		if n.topIsThere(name) && (i == 0 || n.isContent(name)) {
			return name
		}
	}
	if found {
		return inside
	}
	if n.layout.NamesVary() && !n.cfg.ReadOnly {
		n.fitRule()
	}
	return n.layout.TopName(n.rule)
}

// topIsThere reports whether complete or unfinished content of that final name, or
// something in its way, exists.
func (n *naming) topIsThere(name string) bool {
	for _, top := range n.topForms(name) {
		if _, err := n.disk.stat(top); err == nil {
			return true
		}
	}
	return false
}

// topForms returns the names of complete and unfinished content whose final name is
// name.
func (n *naming) topForms(name string) []string {
	all := contentNames(name, n.cfg.Hash)
	if !n.cfg.Part {
		return all[:finalName+1]
	}
	return all[:]
}

// isContent reports whether something called name, which is not the name that new
// content would get, seems to be the content. Anything else that has the name by
// chance is left alone.
func (n *naming) isContent(name string) bool {
	if n.layout.Multi && !n.maySearch() {
		return false
	}
	for _, top := range n.topForms(name) {
		st, err := n.disk.stat(top)
		switch {
		case err != nil || kindError(st.mode, n.layout.Multi) != nil:
		case n.layout.Multi:
			if n.holdsFile(top) {
				return true
			}
		case n.mayBe(0, st):
			return true
		}
	}
	return false
}

// holdsFile reports whether a folder holds a file that may be one of the torrent.
func (n *naming) holdsFile(top string) bool {
	f := newFinder(n, top)
	tried := 0
	for i := range n.layout.Files {
		if !hasPlace(n.layout, i) || n.layout.Files[i].Length == 0 {
			continue
		}
		if _, ok := f.file(i); ok {
			return true
		}
		if tried++; tried == filesTriedMax {
			break
		}
	}
	return false
}

// hasPlace reports whether file i lies on disk under a name of its own: it is
// neither padding nor a symbolic link of the torrent (BEP 47).
func hasPlace(l *metainfo.Layout, i int) bool {
	return !l.Files[i].Pad && len(l.Files[i].Link) == 0
}

// mayBe reports whether something found under another name than new file i would
// get may be the file. A file that is written to has its whole length from the
// first byte on.
func (n *naming) mayBe(i int, st fileStat) bool {
	return kindError(st.mode, false) == nil && (st.size == n.layout.Files[i].Length ||
		n.cfg.ReadOnly)
}

// inFolder looks for content of a single file in the folder that the torrent was
// made of: see metainfo.Layout.Folder. That folder may have the name of the file.
func (n *naming) inFolder(names []string) (name string, ok bool) {
	if n.layout.Multi {
		return "", false
	}
	for _, rule := range append(otherRules[:], n.rule) {
		folder := cmp.Or(n.layout.Folder(rule), n.layout.TopName(rule))
		for _, name := range names {
			name = folder + "/" + name
			if st, err := n.disk.stat(name); err == nil && n.mayBe(0, st) {
				return name, true
			}
		}
	}
	return "", false
}

// fitRule makes the rule one whose names the file system can hold.
func (n *naming) fitRule() {
	if n.rule != metainfo.NamesNative {
		return
	}
	n.rule = n.disk.names()
	if n.rule == metainfo.NamesNative {
		return
	}
	made := n.layout.Names(n.rule)
	n.mu.Lock()
	n.made = made
	n.mu.Unlock()
	some := n.layout.TopName(n.rule) != n.layout.Name
	for range made.Differ() {
		some = true
		break
	}
	if some {
		n.cfg.warn(&Error{"name files in", n.disk.path("."), errNamesChanged})
	}
}

// findFiles chooses the name of each file below the top, before anything is read
// or written there. It does so once for each name of the content. there says that
// something had the name before the Store was opened.
func (n *naming) findFiles(there bool) {
	n.mu.Lock()
	top := n.top
	done := n.foundIn == top
	if !done {
		n.foundIn, n.paths, n.instead = top, nil, nil
	}
	n.mu.Unlock()
	if done || !there || !n.layout.NamesVary() || !n.layout.Multi || !n.maySearch() {
		return
	}
	f := newFinder(n, top)
	missing := f.findAll()
	if missing && n.rule == metainfo.NamesNative && !n.cfg.ReadOnly {
		if n.fitRule(); n.rule != metainfo.NamesNative {
			f = newFinder(n, top)
			f.findAll()
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.paths, n.instead = f.chosen, f.instead
}

// maySearch reports whether memory allows a search for content under other names.
// The search takes much only for a torrent of very many files.
func (n *naming) maySearch() bool {
	return n.cfg.Room == nil || n.cfg.Room(namesCosts*n.layout.NamesCost())
}

// topName returns the name of the content in Config.Dir now.
func (n *naming) topName() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.top
}

// setTop gives the content another of its names.
func (n *naming) setTop(name int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.top = n.all[name]
}

// hasName reports whether the content has that one of its names now.
func (n *naming) hasName(name int) bool { return n.topName() == n.all[name] }

// path returns the path of the content now.
func (n *naming) path() string { return n.disk.path(n.topName()) }

// finalPath returns the path that complete content has.
func (n *naming) finalPath() string { return n.disk.path(n.all[finalName]) }

// link returns the path of the symbolic link that leads to the content; "" if none does.
func (n *naming) link() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.linked
}

// fileName returns the name of file i on the disk.
func (n *naming) fileName(i int) string { return n.nameIn(n.topName(), i) }

// nameIn returns the name of file i when the content is called top.
func (n *naming) nameIn(top string, i int) string {
	n.mu.Lock()
	other, is := n.renamed[i]
	if !is {
		other, is = n.paths[i]
	}
	made := n.made
	n.mu.Unlock()
	if is {
		return top + "/" + other
	}
	below := n.layout.Files[i].Path
	if made != nil {
		below = made.Path(i)
	}
	size := len(top)
	for _, element := range below {
		size += 1 + len(element)
	}
	name := append(make([]byte, 0, size), top...)
	for _, element := range below {
		name = append(append(name, '/'), element...)
	}
	return string(name)
}

// exists reports whether a file or folder, whichever the torrent has at the top,
// has this name. Anything else under the name is an error.
func (n *naming) exists(name string) (bool, error) {
	st, err := n.disk.stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = kindError(st.mode, n.layout.Multi)
	}
	return err == nil, wrap("open", n.disk.path(name), err)
}

// noneIn reports whether the folder name holds no file of this torrent.
func (n *naming) noneIn(name string) bool {
	for i := range n.layout.Files {
		if !hasPlace(n.layout, i) {
			continue
		}
		if _, err := n.disk.stat(n.nameIn(name, i)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return !n.layout.NamesVary() || !n.maySearch() || !n.holdsFile(name)
}

// moreInPart reports whether the download goes on in the folder of the unfinished
// content, and not in the folder with the final name.
func (n *naming) moreInPart() bool {
	return n.noneIn(n.all[finalName]) || n.filesIn(n.all[partName]) > n.filesIn(n.all[finalName])
}

// filesIn returns how many files the folder name has under the names of this torrent.
func (n *naming) filesIn(name string) (count int) {
	for i := range n.layout.Files {
		if !hasPlace(n.layout, i) {
			continue
		}
		if _, err := n.disk.stat(n.nameIn(name, i)); err == nil {
			count++
		}
	}
	return count
}

// renounce gives up the files that were found under other names than new files
// would get, of which some piece is wrong and none is right: something else has the
// name by chance, and must not be overwritten. It returns those files. It comes
// before the first write.
func (n *naming) renounce(c *check) (files []int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cfg.ReadOnly || strings.HasSuffix(n.top, PartSuffix) { // unfinished content is our own
		return nil
	}
	for i, path := range n.instead {
		right, wrong := false, false
		first, end := n.layout.FilePieces(i)
		for p := first; p < end; p++ {
			right = right || c.have.Has(p)
			wrong = wrong || !c.have.Has(p) && c.data.Has(p)
		}
		if wrong && !right {
			n.paths[i] = path
			files = append(files, i)
		}
	}
	n.instead = nil
	return files
}
