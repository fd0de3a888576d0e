package storage

import (
	"cmp"
	"errors"
	"io/fs"
)

// A stamp is how the Store left a file, or found it.
type stamp struct {
	mtime int64 // nanoseconds since 1970; 0 if the file is not known to be there
	size  int64 // bytes
	ctime int64 // time of the last change of anything; 0 if the system tells none
	ours  bool  // the Store has written to it
	open  bool  // the Store has written to it since it last looked
	wrong bool  // after a write it did not have its length: somebody else was there
	again bool  // Finish found it changed: its pieces are to be verified again
	// doubted: it was complete when ReadAt found it changed. Its pieces are
	// hashed one by one before they are read from, and all of them by the next
	// Check or after the next Finish.
	doubted bool
}

// state returns x as it is recorded.
func (x *stamp) state() FileState {
	if x.mtime == 0 || x.wrong || x.doubted {
		return FileState{Size: -1}
	}
	return FileState{x.size, x.mtime, x.ctime}
}

// found notes how file i is before anything is written to it, and tells
// whether that is how it was left. After a crash a file that is not complete
// may have been written to until shortly after the record was made.
func (s *Store) found(i int, st fileStat) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.stamps[i]
	s.stamps[i] = stamp{mtime: st.mtime, ctime: st.ctime, size: st.size}
	if x.wrong || x.open {
		return false
	}
	if x.mtime == 0 {
		return st.mtime == 0
	}
	if x.mtime == st.mtime && x.size == st.size && (x.ctime == st.ctime || x.ctime == 0) {
		return true
	}
	if i == s.sideIndex() { // it grows, and is never complete
		return st.size >= x.size && s.writtenSince(x, st)
	}
	first, end := s.layout.FilePieces(i)
	missing := s.have.NextMissing(first)
	return missing >= 0 && missing < end && (st.size == x.size ||
		st.size == s.layout.Files[i].Length) &&
		s.writtenSince(x, st)
}

// writtenSince reports whether a file that was left as x may have become st by
// what this Store wrote before it crashed.
func (s *Store) writtenSince(x stamp, st fileStat) bool {
	return x.mtime <= st.mtime && max(st.mtime, st.ctime) <= s.writtenUntil
}

// left notes how file i is after a write. Workers may come here in another
// order than they wrote in, so the latest time counts.
func (s *Store) left(i int, st fileStat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := &s.stamps[i]
	if !x.ours {
		x.mtime, x.ctime = 0, 0
	}
	x.mtime = max(x.mtime, st.mtime)
	x.ours, x.open, x.size, x.ctime = true, false, st.size, max(x.ctime, st.ctime)
	if i != s.sideIndex() && st.size != s.layout.Files[i].Length {
		x.wrong = true
	}
}

// Finish makes complete content final, as far as it is wanted: it makes the
// files that are empty, looks whether every file still has the size and the time of the last change
// that the Store left it with, and takes the suffix of unfinished content
// away. From then on the files are only read.
//
// When a file has changed, the error is an *Error with ErrChanged. The pieces of
// all such files are no longer in Have until Check has found them, or Verify
// has been asked for each. Finish may then be called again.
func (s *Store) Finish() error {
	var changed error
	for i := range s.layout.Files {
		f := &s.layout.Files[i]
		if f.Pad || len(f.Link) > 0 || !s.wanted.file(i) {
			continue
		}
		var err error
		switch {
		case f.Length > 0:
			err = s.unchanged(i)
		case !s.isReadOnly():
			err = s.makeEmpty(i)
		}
		if errors.Is(err, ErrChanged) && !s.isReadOnly() {
			changed = cmp.Or(changed, err)
			err = s.forgetFile(i)
		}
		if err != nil {
			return err
		}
	}
	if err := s.finishSide(); err != nil {
		changed = cmp.Or(changed, err)
	}
	if changed != nil {
		return changed
	}
	s.mu.Lock()
	err := s.fault
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.settle()
}

// makeEmpty makes file i, which has no content.
func (s *Store) makeEmpty(i int) error {
	st, err := s.disk.stat(s.fileName(i))
	if err == nil && kindError(st.mode, false) == nil && st.size == 0 { // it need not be writable
		return nil
	}
	f, err := s.openFile(i, true)
	if err != nil {
		return err
	}
	return f.close()
}

// unchanged reports whether file i is as the Store left it.
func (s *Store) unchanged(i int) error {
	name := s.fileName(i)
	st, err := s.disk.stat(name)
	if err == nil {
		err = kindError(st.mode, false)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wrap("open", s.disk.path(name), err)
	}
	s.mu.Lock()
	x := s.stamps[i]
	first, end := s.layout.FilePieces(i)
	missing := s.have.NextMissing(first)
	verified := !x.again || missing < 0 || missing >= end
	s.mu.Unlock()
	same := err == nil && !x.wrong && !x.doubted && verified && st.size == s.layout.Files[i].Length
	if x.mtime != 0 {
		same = same && st.mtime == x.mtime && st.size == x.size
	}
	if !same {
		return &Error{"open", s.disk.path(name), ErrChanged}
	}
	return nil
}

// forgetFile makes nothing known of file i, which somebody else has changed. If
// it is gone or too short it gets its length back, so that hashing it tells
// what is missing.
func (s *Store) forgetFile(i int) error {
	s.mu.Lock()
	s.stamps[i] = stamp{again: true}
	for p, end := s.layout.FilePieces(i); p < end; p++ {
		s.have.Remove(p)
		s.durable.Remove(p)
	}
	s.mu.Unlock()
	s.workers.files.closeAll(s, false) // it may be another file by now
	f, err := s.openFile(i, true)
	if err != nil {
		return err
	}
	return f.close()
}

// settle gives the content its own name and lets go of it.
func (s *Store) settle() error {
	s.mu.Lock()
	if s.looking && s.top == s.names[finalName] {
		s.looking, s.readOnly = false, true
	}
	readOnly := s.readOnly
	s.mu.Unlock()
	if readOnly {
		return nil
	}
	if err := s.writable(); err != nil {
		return err
	}
	if err := s.takeName(); err != nil {
		return err
	}
	s.workers.files.closeAll(s, false) // they are open for writing
	s.workers.rooms.claim(s, nil)
	s.unlock()
	return nil
}

// writable makes sure that the files may be written to: before the first write, and
// after Finish again when a piece has to be replaced that another program has destroyed;
// then Finish comes again, too.
func (s *Store) writable() error {
	s.settling.Lock()
	defer s.settling.Unlock()
	if s.isLooking() {
		return s.begin()
	}
	if !s.isReadOnly() {
		return nil
	}
	if s.cfg.ReadOnly || s.wanted.none {
		return &Error{"open", s.path(), ErrReadOnly}
	}
	there, err := s.exists(s.cfg.Name)
	if err == nil && !there {
		err = s.makeTop()
	}
	if err != nil {
		return err
	}
	lock, err := s.disk.lock(s.cfg.Name, lockWrite)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lock, s.readOnly = lock, false
	return nil
}

func (s *Store) isReadOnly() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readOnly
}
