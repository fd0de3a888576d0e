package storage

import (
	"errors"
	"io/fs"
)

// divert makes piece p ready to be written to: from now on its bytes in files
// that are not wanted lie in the side file. What is on disk of them already is
// copied there, since only a part of the piece may be written anew.
func (s *Store) divert(p int) error {
	a := s.aside.Load()
	if s.wanted.files == nil || a == nil {
		return nil
	}
	if _, shared := a.slot(p); !shared {
		return nil
	}
	s.mu.Lock()
	done := s.diverted.Has(p)
	s.mu.Unlock()
	if done {
		return nil
	}
	var parts, there []part
	all := s.parts(a, p)
	s.mu.Lock()
	for _, x := range all {
		if !s.wanted.file(x.file) && !a.end(s.layout, x.file, p).Has(x.file) {
			parts = append(parts, x)
			if s.stamps[x.file].size > x.at {
				there = append(there, x)
			}
		}
	}
	s.mu.Unlock()
	for _, x := range there {
		err := s.copyPart(x.file, x.at, s.sideIndex(), x.side, x.n)
		if failed := (*writeError)(nil); errors.As(err, &failed) {
			return failed.error // what cannot be read, on the other hand, is not there
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range parts {
		a.end(s.layout, x.file, p).Add(x.file)
	}
	s.diverted.Add(p)
	return nil
}

// writeError is an error of writing in copyPart, and not of reading.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

// copyPart copies n bytes from one file to another.
func (s *Store) copyPart(from int, fromAt int64, to int, toAt int64, n int) error {
	chunk := make([]byte, min(n, checkChunk))
	for n > 0 {
		data := chunk[:min(n, len(chunk))]
		if err := s.readFile(from, data, fromAt); err != nil {
			return err
		}
		if err := s.writeFile(to, [][]byte{data}, toAt); err != nil {
			return &writeError{err}
		}
		n -= len(data)
		fromAt += int64(len(data))
		toAt += int64(len(data))
	}
	return nil
}

// adopt moves what lies aside to those of the files that are wanted by now, as
// far as it belongs to a sound piece; so nothing is written over with what is
// wrong. Only when it is on stable storage there, and the record knows, it no
// longer counts as lying aside; so a crash leads to no more than copying it
// again. An error is one of writing; nothing is lost by it. sideSame tells that
// the side file is as it was left.
func (s *Store) adopt(a *aside, sideSame bool) error {
	sound := s.soundParts(a)
	if len(sound) == 0 {
		return nil
	}
	files := make(map[int]struct{})
	same := make(map[int]bool)
	for _, x := range sound {
		if _, ok := files[x.file]; !ok {
			files[x.file] = struct{}{}
			same[x.file] = sideSame && s.asLeft(x.file)
		}
		if err := s.copyPart(s.sideIndex(), x.side, x.file, x.at, x.n); err != nil {
			return err
		}
	}
	for i := range files {
		if same[i] { // and was changed by nobody else, so that its pieces need no hashing
			s.stampFile(i)
		}
	}
	if s.record != nil {
		if _, err := s.syncFiles(files); err != nil {
			return err
		}
	}
	s.mu.Lock()
	for _, x := range sound {
		a.end(s.layout, x.file, x.piece).Remove(x.file)
	}
	s.mu.Unlock()
	if s.record == nil {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.replaceRecord(false, true)
}

// soundParts returns the parts of wanted files that lie aside and belong to a
// sound piece. Of the others nothing is known after it.
func (s *Store) soundParts(a *aside) (sound []part) {
	s.mu.Lock()
	parts := s.asideParts()
	s.mu.Unlock()
	hashed := make(map[int]bool)
	for _, x := range parts {
		if !s.wanted.file(x.file) {
			continue
		}
		ok, known := hashed[x.piece]
		if !known {
			var err error
			if ok, err = s.hashOne(x.piece); err != nil && !errors.Is(err, fs.ErrNotExist) &&
				!errors.Is(err, ErrShort) {
				s.warn(err)
			}
			hashed[x.piece] = ok
		}
		s.mu.Lock()
		if ok {
			sound = append(sound, x)
			s.have.Add(x.piece)
		} else {
			s.forgetPart(a, x)
		}
		s.mu.Unlock()
	}
	return sound
}

// asLeft reports whether file i is exactly as it was left.
func (s *Store) asLeft(i int) bool {
	st, err := s.disk.stat(s.fileName(i))
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.stamps[i]
	if x.mtime == 0 {
		return err != nil && !x.open && !x.wrong
	}
	return err == nil && !x.open && !x.wrong && x.mtime == st.mtime && x.size == st.size &&
		(x.ctime == st.ctime || x.ctime == 0)
}

// stampFile notes how file i was left.
func (s *Store) stampFile(i int) {
	h, err := s.workers.files.pin(s, i, false)
	if err != nil {
		return // the stamp does not fit, so the file will be checked
	}
	if st, err := h.file.stat(); err == nil {
		s.left(i, st)
	}
	s.workers.files.unpin(h)
}

// guess finds out what may be of use in the side file, whose state is st, when
// there is no record that knows exactly: what has data there, and none in its
// own file. It is hashed before it counts.
func (s *Store) guess(a *aside, st fileStat) {
	h, err := s.workers.files.pin(s, s.sideIndex(), false)
	if err != nil {
		s.warn(wrap("open", s.side.path(), err))
		return
	}
	defer s.workers.files.unpin(h)
	for slot, piece := range a.slots {
		p := int(piece)
		start := s.layout.PieceOffset(slot)
		if start >= st.size {
			return
		}
		s.mu.Lock()
		have := s.have.Has(p)
		s.mu.Unlock()
		end := min(start+int64(s.layout.PieceLength), st.size)
		if have || h.file.nextData(start, st.size) >= end {
			continue
		}
		for _, x := range s.parts(a, p) {
			sideEnd := x.side + int64(x.n)
			if sideEnd <= st.size && h.file.nextData(x.side, sideEnd) < sideEnd && !s.inPlace(x) {
				s.mu.Lock()
				a.end(s.layout, x.file, p).Add(x.file)
				s.mu.Unlock()
			}
		}
	}
}

// inPlace reports whether there is data of x in the file that it belongs to.
func (s *Store) inPlace(x part) bool {
	st, err := s.disk.stat(s.fileName(x.file))
	end := x.at + int64(x.n)
	if err != nil || st.size < end || kindError(st.mode, false) != nil {
		return false
	}
	if !st.sparse {
		return true
	}
	h, err := s.workers.files.pin(s, x.file, false)
	if err != nil {
		return false
	}
	defer s.workers.files.unpin(h)
	return h.file.nextData(x.at, end) < end
}

// takeSide takes over what a record says of the side file. What it says of
// parts that cannot lie there is passed over. Store.mu is held.
func (s *Store) takeSide(r *SideState) {
	if r == nil {
		return
	}
	a := s.aside.Load()
	if a == nil {
		a = newAside(s.layout)
	}
	take := func(file, p int) {
		f := &s.layout.Files[file]
		if _, shared := a.slot(p); shared && !f.Pad && f.Length > 0 {
			a.end(s.layout, file, p).Add(file)
		}
	}
	for i := range r.Head.Members() {
		first, _ := s.layout.FilePieces(i)
		take(i, first)
	}
	for i := range r.Tail.Members() {
		_, end := s.layout.FilePieces(i)
		take(i, end-1)
	}
	if r.Size >= 0 {
		s.stamps[s.sideIndex()] = stamp{mtime: r.Mtime, ctime: r.Ctime, size: r.Size}
	}
	s.aside.Store(a)
}
