package storage

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

const (
	// sideSuffix ends the name of a side file.
	sideSuffix = ".parts"
	// sideTemporary begins the name of the folder of a side file that has no
	// other place.
	sideTemporary = "swarmnode-"
)

// A side is the side file of a Store. Folder and file are opened when they are
// first needed; most torrents never need them. It is safe for concurrent use.
type side struct {
	name    string
	workers *Workers
	frozen  bool // the folder is only read

	mu        sync.Mutex
	dir       string // "": a temporary one is still to be made
	temporary bool   // dir is ours, and goes with Close
	disk      disk   // nil until it is needed
	lock      io.Closer
}

func (x *side) init(cfg *Config, stem string) {
	x.name, x.dir, x.workers, x.disk = stem+sideSuffix, cfg.StateDir, cfg.Workers, cfg.sideDisk
	x.frozen = cfg.StateReadOnly
}

// folder returns the folder of the side file, which create makes if need be.
// Without it the error is fs.ErrNotExist if there is none.
func (x *side) folder(create bool) (disk, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if create && x.frozen && !x.temporary {
		x.leaveFrozen()
	}
	if x.disk != nil {
		return x.disk, nil
	}
	if !create && x.dir == "" {
		return nil, fs.ErrNotExist
	}
	if x.dir == "" {
		dir, err := os.MkdirTemp("", sideTemporary)
		if err != nil {
			return nil, wrap("create", os.TempDir(), err)
		}
		x.dir, x.temporary = dir, true
	}
	if create {
		if err := os.MkdirAll(x.dir, 0o700); err != nil {
			return nil, wrap("create", x.dir, err)
		}
	}
	d, err := x.workers.disks.open(x.dir, useThere)
	if err != nil {
		return nil, err
	}
	x.disk = d
	return d, nil
}

// leaveFrozen has a side file made in a temporary folder when there is none in the
// one for state, where nothing can be made. x.mu is held.
func (x *side) leaveFrozen() {
	if x.disk != nil {
		if _, err := x.disk.stat(x.name); err == nil {
			return
		}
		x.disk.close()
	}
	x.dir, x.disk = "", nil
}

// path returns the name for messages.
func (x *side) path() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.disk != nil {
		return x.disk.path(x.name)
	}
	return filepath.Join(x.dir, x.name)
}

// place is where the side file is, or will be.
func (x *side) place() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dir == "" {
		return os.TempDir()
	}
	return x.dir
}

// stat tells about the side file; there is false if there is none.
func (x *side) stat() (st fileStat, there bool, err error) {
	d, err := x.folder(false)
	if err == nil {
		st, err = d.stat(x.name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fileStat{}, false, nil
	}
	if err == nil {
		err = kindError(st.mode, false)
	}
	if err != nil {
		return fileStat{}, false, wrap("open", x.path(), err)
	}
	return st, true, nil
}

// open opens the file; size >= 0 says to make it, at least so many bytes long,
// and to lock it.
func (x *side) open(size int64) (file, error) {
	write := size >= 0
	d, err := x.folder(write)
	if err != nil {
		return nil, err
	}
	if !write {
		return d.open(x.name, openRead)
	}
	f, err := d.open(x.name, openCreate)
	if err != nil {
		return nil, err
	}
	err = x.take()
	var st fileStat
	if err == nil {
		st, err = f.stat()
	}
	if err == nil && st.size < size {
		err = f.resize(size)
	}
	if err != nil {
		f.close()
		return nil, wrap("open", x.path(), err)
	}
	return f, nil
}

// take locks the file, which is there, unless it is locked by this Store.
func (x *side) take() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lock != nil {
		return nil
	}
	lock, err := x.disk.lock(x.name, lockWrite)
	if err == nil {
		x.lock = lock
	}
	return err
}

func (x *side) syncFolder() error {
	d, err := x.folder(false)
	if err != nil {
		return err
	}
	return d.syncFolder(".")
}

// remove removes the file, of which no handle is open.
func (x *side) remove() error {
	d, err := x.folder(false)
	if err != nil {
		return err
	}
	err = d.remove(x.name)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lock != nil {
		x.lock.Close()
		x.lock = nil
	}
	return err
}

// close gives up lock and folder, and removes what is temporary.
func (x *side) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var err error
	if x.lock != nil {
		x.lock.Close()
		x.lock = nil
	}
	if x.disk != nil {
		err = x.disk.close()
		x.disk = nil
	}
	if x.temporary {
		err = errors.Join(err, os.RemoveAll(x.dir))
		x.dir, x.temporary = "", false
	}
	return err
}

// openSide opens the side file; write makes it first, with room for every piece
// that this selection can put into it.
func (s *Store) openSide(write bool) (file, error) {
	if !write {
		return s.side.open(-1)
	}
	if err := s.writable(); err != nil {
		return nil, err
	}
	size := int64(0)
	a := s.aside.Load()
	for slot := len(a.slots) - 1; slot >= 0 && size == 0; slot-- {
		if s.wanted.piece(int(a.slots[slot])) {
			size = s.layout.PieceOffset(slot + 1)
		}
	}
	return s.side.open(size)
}

// checkSide finds out what is of use in the side file, before Check looks at
// the files: what lies there of files that are wanted by now is moved to them.
// unsure says that no record knows exactly what is there. same tells that the
// side file is as it was left.
func (s *Store) checkSide(unsure bool) (same bool, err error) {
	s.mu.Lock()
	s.diverted.Clear()
	s.mu.Unlock()
	st, there, err := s.side.stat()
	if err == nil && there && !s.isReadOnly() {
		err = s.side.take()
	}
	a := s.aside.Load()
	if a == nil && (!there || err != nil) { // nor is any needed
		return true, nil
	}
	if err != nil {
		return false, wrap("open", s.side.path(), err)
	}
	if a == nil {
		a = newAside(s.layout)
		s.aside.Store(a)
	}
	same = s.found(s.sideIndex(), st)
	s.mu.Lock()
	for _, x := range s.asideParts() {
		if x.side+int64(x.n) > st.size {
			s.forgetPart(a, x)
		}
	}
	s.mu.Unlock()
	if there && unsure {
		s.guess(a, st)
	}
	if s.isReadOnly() {
		return same, nil
	}
	if err := s.adopt(a, same); err != nil {
		return false, err
	}
	s.mu.Lock()
	none := a.none()
	s.mu.Unlock()
	if there && none {
		err = s.removeSide()
	}
	if none && s.wanted.files == nil && err == nil {
		s.aside.Store(nil)
	}
	return same, err
}

// forgetPart makes nothing known of a part that lay aside and is lost. Store.mu
// is held.
func (s *Store) forgetPart(a *aside, x part) {
	a.end(s.layout, x.file, x.piece).Remove(x.file)
	s.lost(x.piece)
}

// lost notes that piece p is not there, or not sound. Store.mu is held.
func (s *Store) lost(p int) {
	s.have.Remove(p)
	s.durable.Remove(p)
	if s.unproven != nil {
		s.unproven.Remove(p)
	}
}

// removeSide removes the side file, in which is nothing of use.
func (s *Store) removeSide() error {
	s.workers.files.closeAll(s, false)
	if err := s.side.remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stamps[s.sideIndex()] = stamp{}
	delete(s.dirty, s.sideIndex())
	return nil
}

// finishSide is the part of Finish about the side file: when that has changed,
// its pieces are no longer in Have.
func (s *Store) finishSide() error {
	s.mu.Lock()
	parts := s.asideParts()
	x := s.stamps[s.sideIndex()]
	needed, missing := false, false
	for _, part := range parts {
		if s.wanted.piece(part.piece) {
			needed = true
			missing = missing || !s.have.Has(part.piece)
		}
	}
	s.mu.Unlock()
	if !needed {
		return nil
	}
	st, there, err := s.side.stat()
	if err != nil {
		return err
	}
	same := there && !(x.again && missing) && (x.mtime == 0 ||
		st.mtime == x.mtime && st.size == x.size)
	if same {
		return nil
	}
	s.mu.Lock()
	s.stamps[s.sideIndex()] = stamp{again: true}
	for _, part := range parts {
		s.lost(part.piece)
	}
	s.mu.Unlock()
	if !s.isReadOnly() {
		s.workers.files.closeAll(s, false) // it may be another file by now
		f, err := s.openSide(true)         // with its length, so that hashing tells what is missing
		if err != nil {
			return err
		}
		f.close()
	}
	return &Error{"open", s.side.path(), ErrChanged}
}
