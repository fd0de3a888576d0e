package storage

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
)

// Finish makes complete content final, as far as it is wanted: it makes the
// files that are empty, looks whether every file still has the size and the time of the
// last change that the Store left it with, and removes the suffix of unfinished
// content. From then on the files are only read. If nothing is wanted, it does nothing:
// unfinished content keeps its name.
//
// When a file has changed, the error is an *Error with ErrChanged. The pieces of
// all such files are no longer in Have until Check has found them, or Verify
// has been asked for each. Finish may then be called again.
func (s *Store) Finish() error {
	if err := s.takeTurn(context.Background()); err != nil {
		return err
	}
	defer s.giveTurn()
	if s.wanted.none() {
		return nil
	}
	changed, err := s.finishFiles()
	if err != nil {
		return err
	}
	if err := s.parts.finish(); err != nil {
		changed = cmp.Or(changed, err)
	}
	if changed != nil {
		return changed
	}
	if err := s.known.syncFault(); err != nil {
		return err
	}
	if err := s.place.finish(); err != nil {
		return err
	}
	s.workers.rooms.release(&s.room)
	return nil
}

// finishFiles makes the empty files, and looks whether the others are as the Store left
// them. It returns the error of the first that has changed, and any other error.
func (s *Store) finishFiles() (changed, err error) {
	for i := range s.layout.Files {
		if !hasPlace(s.layout, i) || !s.wanted.wants(i) {
			continue
		}
		var err error
		switch {
		case s.layout.Files[i].Length > 0:
			err = s.unchanged(i)
		case !s.place.isReadOnly():
			err = s.files.makeEmpty(i)
		}
		if errors.Is(err, ErrChanged) && !s.place.isReadOnly() {
			changed = cmp.Or(changed, err)
			err = s.restart(i)
		}
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// unchanged reports by its error whether file i is as the Store left it.
func (s *Store) unchanged(i int) error {
	st, err := s.files.stat(i)
	if err == nil {
		err = kindError(st.mode, false)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wrap("open", s.files.path(i), err)
	}
	if err != nil || !s.known.finished(i, st) {
		return &Error{"open", s.files.path(i), ErrChanged}
	}
	return nil
}

// restart makes nothing known of file i, which another program has changed. If the file
// is missing or too short it gets its length back, so that hashing it shows which
// pieces are missing.
func (s *Store) restart(i int) error {
	s.known.forgetFile(i)
	s.files.closeAll() // it may be another file by now
	return s.files.touch(i)
}
