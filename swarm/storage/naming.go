package storage

import (
	"cmp"
	"os"
	"path"
	"path/filepath"
	"strings"

	"swarmnode/metainfo"
)

// Names are chosen here and nowhere else. What is made is called by one rule: the
// native one as far as the file system can hold its names, or that of
// Config.Names. What is there already is found under other names, too: those in the
// torrent, which another program or the maker of the torrent used, and those of the
// other rules, which this program used on another system or in an earlier release.

const (
	// foldersMax bounds the folders that one folder of a torrent is found as.
	foldersMax = 4
	// filesTriedMax bounds the files that are looked for to see whether a folder
	// holds some of a torrent.
	filesTriedMax = 1000
	// namesCosts is how many times Layout.NamesCost looking takes: the names of one
	// rule are made at a time, and what is found is kept.
	namesCosts = 2
)

// naming is what the content of a Store is called on disk.
type naming struct {
	rule metainfo.NameRule // by which names are made
	// made are the names by that rule; nil if they are those of the Layout.
	made *metainfo.Names
	// paths has the paths below the top of the files that are called otherwise.
	// Guarded by Store.mu.
	paths map[int]string
	// foundIn is the top that paths are below. Guarded by Store.mu.
	foundIn string
	// instead has the paths that files in paths are to be made by, should they turn
	// out to be something else. Guarded by Store.mu.
	instead map[int]string
	// linked is the path of a symbolic link to the content, empty if there is none:
	// then the content is only read.
	linked string
}

// rules are those by which content is looked for, in order: that by which it would
// be made comes before them.
var rules = [...]metainfo.NameRule{
	metainfo.NamesRaw, metainfo.NamesNative, metainfo.NamesUncased, metainfo.NamesPortable,
}

// topNames returns the names that content may have at the top, that by which it
// would be made first.
func topNames(l *metainfo.Layout, made metainfo.NameRule) []string {
	names := []string{l.TopName(made)}
	if !l.NamesVary() {
		return names
	}
	for _, rule := range rules {
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
// that is what lies where the content belongs. The user has put it there, and
// wherever it leads, nothing is written.
func followTop(cfg Config) (_ Config, linked string) {
	names := []string{cfg.Name}
	if cfg.Name == "" {
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
		cfg.Dir, cfg.Name = filepath.Dir(real), filepath.Base(real)
		return cfg, link
	}
	return cfg, ""
}

// isName reports whether name is one element of a path.
func isName(name string) bool {
	return name == filepath.Base(name) && filepath.IsLocal(name) && name != "."
}

// findTop chooses what the content is called in Dir in the end.
func (s *Store) findTop() string {
	if s.cfg.Name != "" {
		return s.cfg.Name
	}
	names := topNames(s.layout, s.rule)
	inside, found := s.inFolder(names)
	for i, name := range names {
		if found && strings.HasPrefix(inside, name+"/") {
			return inside
		}
		if s.topIsThere(name) && (i == 0 || s.isContent(name)) {
			return name
		}
	}
	if found {
		return inside
	}
	if s.layout.NamesVary() && !s.cfg.ReadOnly {
		s.fitRule()
	}
	return s.layout.TopName(s.rule)
}

// topIsThere reports whether there is complete or unfinished content of that name,
// or something in its way.
func (s *Store) topIsThere(name string) bool {
	for _, top := range s.topForms(name) {
		if _, err := s.disk.stat(top); err == nil {
			return true
		}
	}
	return false
}

// topForms returns the names of complete and unfinished content that is called name
// in the end.
func (s *Store) topForms(name string) []string {
	all := contentNames(name, s.cfg.Hash)
	if !s.cfg.Part {
		return all[:finalName+1]
	}
	return all[:]
}

// isContent reports whether what is called name, which is not what the content
// would be called now, seems to be that: what has the name by chance is left alone.
func (s *Store) isContent(name string) bool {
	if s.layout.Multi && !s.mayFind() {
		return false
	}
	for _, top := range s.topForms(name) {
		st, err := s.disk.stat(top)
		switch {
		case err != nil || kindError(st.mode, s.layout.Multi) != nil:
		case s.layout.Multi:
			if s.holdsFile(top) {
				return true
			}
		case s.mayBe(0, st):
			return true
		}
	}
	return false
}

// holdsFile reports whether a folder holds a file that may be one of the torrent.
func (s *Store) holdsFile(top string) bool {
	f := newFinder(s, top)
	tried := 0
	for i := range s.layout.Files {
		if !s.hasPlace(i) || s.layout.Files[i].Length == 0 {
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

// hasPlace reports whether file i lies on disk under a name of its own.
func (s *Store) hasPlace(i int) bool {
	return !s.layout.Files[i].Pad && len(s.layout.Files[i].Link) == 0
}

// mayBe reports whether something found under another name than that by which file
// i would be made may be the file. What is written to has the length of the file
// from the first byte on.
func (s *Store) mayBe(i int, st fileStat) bool {
	return kindError(st.mode, false) == nil && (st.size == s.layout.Files[i].Length ||
		s.cfg.ReadOnly)
}

// inFolder looks for content of a single file in the folder that the torrent was
// made of: see metainfo.Layout.Folder. That may have the name of the file.
func (s *Store) inFolder(names []string) (name string, ok bool) {
	if s.layout.Multi {
		return "", false
	}
	for _, rule := range append(rules[:], s.rule) {
		folder := cmp.Or(s.layout.Folder(rule), s.layout.TopName(rule))
		for _, name := range names {
			name = folder + "/" + name
			if st, err := s.disk.stat(name); err == nil && s.mayBe(0, st) {
				return name, true
			}
		}
	}
	return "", false
}

// fitRule makes the rule one whose names the file system can hold.
func (s *Store) fitRule() {
	if s.rule != metainfo.NamesNative {
		return
	}
	s.rule = s.disk.names()
	if s.rule == metainfo.NamesNative {
		return
	}
	s.made = s.layout.Names(s.rule)
	some := s.layout.TopName(s.rule) != s.layout.Name
	for range s.made.Differ() {
		some = true
		break
	}
	if some {
		s.tellChanged()
	}
}

func (s *Store) tellChanged() {
	s.warn(&Error{"name files in", s.disk.path("."), errNamesChanged})
}

// findFiles chooses what each file is called below the top, before anything is read
// or written there. It does so once for each name of the content.
func (s *Store) findFiles() {
	s.mu.Lock()
	top, there := s.top, s.readOnly || s.wasThere
	done := s.foundIn == top
	if !done {
		s.foundIn, s.paths, s.instead = top, nil, nil
	}
	s.mu.Unlock()
	if done || !there || !s.layout.NamesVary() || !s.layout.Multi || !s.mayFind() {
		return
	}
	f := newFinder(s, top)
	missing := f.findAll()
	if missing && s.rule == metainfo.NamesNative && !s.cfg.ReadOnly {
		if s.fitRule(); s.rule != metainfo.NamesNative {
			f = newFinder(s, top)
			f.findAll()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paths, s.instead = f.chosen, f.instead
}

// mayFind reports whether there is memory to look for content under other names.
// Only of a torrent of very many files that would take much.
func (s *Store) mayFind() bool {
	return s.cfg.Room == nil || s.cfg.Room(namesCosts*s.layout.NamesCost())
}

// below returns the path of file i below the top as it would be made.
func (n *naming) below(l *metainfo.Layout, i int) []string {
	if n.made != nil {
		return n.made.Path(i)
	}
	return l.Files[i].Path
}

// renounce gives up the files that were found under other names than those by which
// they would be made, and of which some piece is wrong and none is right: something
// else has the name by chance, and is not to be overwritten. It comes before the
// first write.
func (s *Store) renounce(c *check) {
	if s.renounced(c) {
		s.workers.files.closeAll(s, false)
	}
}

func (s *Store) renounced(c *check) (some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.ReadOnly || strings.HasSuffix(s.top, PartSuffix) { // what is unfinished is our own
		return false
	}
	for i, path := range s.instead {
		right, wrong := false, false
		first, end := s.layout.FilePieces(i)
		for p := first; p < end; p++ {
			right = right || c.have.Has(p)
			wrong = wrong || !c.have.Has(p) && c.data.Has(p)
		}
		if wrong && !right {
			s.paths[i] = path
			s.stamps[i] = stamp{}
			some = true
		}
	}
	s.instead = nil
	return some
}

// FileName returns what file i of the Layout is called on disk, below Dir, with
// slashes: the name that it was found under or will be made by.
func (s *Store) FileName(i int) string {
	name := s.fileName(i)
	if s.linked == "" {
		return name
	}
	_, below, _ := strings.Cut(name, "/")
	return path.Join(filepath.Base(s.linked), below)
}

// FilePath returns the path of file i of the Layout as it is now.
func (s *Store) FilePath(i int) string {
	if s.linked == "" {
		return s.filePath(i)
	}
	return filepath.Join(filepath.Dir(s.linked), filepath.FromSlash(s.FileName(i)))
}

// FileSize returns the length of file i as it is on disk. The error is fs.ErrNotExist
// if there is nothing, or says what is wrong with what there is.
func (s *Store) FileSize(i int) (int64, error) {
	st, err := s.disk.stat(s.fileName(i))
	if err == nil {
		err = kindError(st.mode, false)
	}
	return st.size, wrap("open", s.filePath(i), err)
}

// FileReadable reports whether file i can be opened for reading.
func (s *Store) FileReadable(i int) bool {
	f, err := s.disk.open(s.fileName(i), openRead)
	if err != nil {
		return false
	}
	f.close()
	return true
}
