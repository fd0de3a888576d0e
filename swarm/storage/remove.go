package storage

import (
	"errors"
	"io/fs"
	"path"
	"slices"

	"swarmnode/swarm/bits"
)

// Remove removes the files of the content from disk, and the folders that are empty then,
// up to the folder that holds the content. The Store has been closed. A file that does not
// exist is no error, so Remove can be called again.
//
// Only files of the torrent are removed: at their names, no longer than in the torrent, and
// either written by this Store, or wanted, or holding a sound piece. A Store with ReadOnly,
// or that found nothing to write to, has no other reason than the last one. Files for which
// inUse returns true stay; inUse gets an absolute path and may be nil. No symbolic link is
// followed or removed.
//
// The error is an *Error with ErrInUse if another node writes to the content, with ErrLink
// if the content lies where a symbolic link leads, or that of the system for the files that
// could not be removed.
func (s *Store) Remove(inUse func(path string) bool) error {
	if linked := s.names.link(); linked != "" {
		return &Error{"remove", linked, ErrLink}
	}
	d, err := openDisk(s.Dir(), useThere)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.close()
	r := removal{s: s, disk: d, inUse: inUse, have: s.Have(), folders: make(map[string]bool)}
	tops := []string{s.names.topName()}
	for _, name := range [...]int{ownName, mergeName} { // nothing else has these
		if top := s.names.all[name]; top != s.names.all[finalName] {
			tops = append(tops, top)
		}
	}
	slices.Sort(tops)
	for _, top := range slices.Compact(tops) {
		err = errors.Join(err, r.run(top))
	}
	return err
}

// A removal removes the files of a Store.
type removal struct {
	s       *Store
	disk    disk
	inUse   func(path string) bool
	have    *bits.Set
	folders map[string]bool // that held files of the content
}

// run removes the content that is called top.
func (r *removal) run(top string) error {
	st, err := r.disk.stat(top)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrLink) ||
		err == nil && st.mode&fs.ModeSymlink != 0 {
		return nil
	}
	if err != nil {
		return err
	}
	lock, err := r.disk.lock(top, lockWrite)
	if err != nil {
		return err
	}
	defer lock.Close()
	var errs []error
	for i := range r.s.layout.Files {
		if hasPlace(r.s.layout, i) {
			errs = append(errs, r.file(i, r.s.names.nameIn(top, i)))
		}
	}
	for name := range r.folders {
		if st, err := r.disk.stat(name); err != nil || !st.mode.IsDir() {
			delete(r.folders, name)
		}
	}
	removeFolders(r.disk, r.folders)
	_ = r.disk.syncFolder(".") // what comes back after a power cut can be removed again
	return errors.Join(errs...)
}

// file removes file i if it is the torrent's. It has this name.
func (r *removal) file(i int, name string) error {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		r.folders[dir] = true
	}
	st, err := r.disk.stat(name)
	if err != nil || kindError(st.mode, false) != nil || st.link || !r.isOurs(i, st) {
		return nil
	}
	if r.inUse != nil && r.inUse(r.disk.path(name)) {
		return nil
	}
	if err := r.disk.remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// isOurs reports whether the file in the place of file i, whose state is st, is the
// torrent's.
func (r *removal) isOurs(i int, st fileStat) bool {
	s, have := r.s, r.have
	if st.size > s.layout.Files[i].Length {
		return false
	}
	if s.wanted.isOpened(i) ||
		s.wanted.wants(i) && !s.cfg.ReadOnly && !s.place.isLooking() {
		return true
	}
	if st.size == 0 { // it was made and not written to, or has no content in the torrent
		return s.layout.Files[i].Length > 0 || s.wanted.wants(i) && !have.None()
	}
	first, end := s.layout.FilePieces(i)
	for p := first; p < end; p++ {
		if have.Has(p) && !s.parts.holds(i, p) {
			return true
		}
	}
	return false
}
