package storage

import (
	"errors"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// A stretch is a part of a range of content that lies in one file, or in none:
// padding, and the gaps of v2.
type stretch struct {
	file int // index in the Layout, or sideIndex; -1 for none
	at   int64
	n    int
}

// stretches walks over n bytes of content from offset on. It is what
// Layout.Spans is, but counts what lies in no file, and allocates nothing.
type stretches struct {
	store  *Store
	layout *metainfo.Layout
	aside  *aside
	offset int64
	left   int
	file   int
}

func (s *Store) stretches(offset int64, n int) stretches {
	return stretches{s, s.layout, s.aside.Load(), offset, n, s.layout.FileAt(offset)}
}

// next returns the next stretch; ok is false at the end.
func (w *stretches) next() (x stretch, ok bool) {
	if w.left == 0 {
		return x, false
	}
	files := w.layout.Files
	for w.file < len(files) && files[w.file].Offset+files[w.file].Length <= w.offset {
		w.file++
	}
	x = stretch{file: -1, n: w.left}
	if w.file < len(files) {
		f := &files[w.file]
		switch {
		case f.Offset > w.offset:
			x.n = int(min(int64(w.left), f.Offset-w.offset))
		case f.Pad:
			x.n = int(min(int64(w.left), f.Offset+f.Length-w.offset))
		default:
			x.n = int(min(int64(w.left), f.Offset+f.Length-w.offset))
			x.file, x.at = w.file, w.offset-f.Offset
			if w.aside != nil {
				w.lookAside(&x)
			}
		}
	}
	w.offset += int64(x.n)
	w.left -= x.n
	return x, true
}

// lookAside cuts x at the end of its piece, and leads it to the side file if
// that is where it lies.
func (w *stretches) lookAside(x *stretch) {
	length := int64(w.layout.PieceLength)
	p := int(w.offset / length)
	x.n = int(min(int64(x.n), w.layout.PieceOffset(p)+length-w.offset))
	if slot, ok := w.aside.slot(p); ok && w.store.isAside(w.aside, x.file, p) {
		x.file, x.at = w.store.sideIndex(), w.layout.PieceOffset(slot)+w.offset%length
	}
}

// ReadAt fills p from the content, from byte begin of the piece on; p lies
// within the piece, padding at its end included. Padding reads as zeros. A
// file that is missing or too short, or cannot be read, is an *Error.
//
// A piece that was only taken from a record is hashed before it is first read
// from, and so is one in a complete file that has changed since; when it is not
// right, the error is an *Error with ErrChanged and the piece is no longer in
// Have.
func (s *Store) ReadAt(p []byte, piece, begin uint32) error {
	if int64(piece) >= int64(s.layout.Pieces()) ||
		int64(begin)+int64(len(p)) > int64(s.layout.PieceSizePadded(int(piece))) {
		return &Error{"read", s.path(), ErrRange}
	}
	offset := s.layout.PieceOffset(int(piece)) + int64(begin)
	for range changesMax {
		doubts, err := s.prove(int(piece))
		if err != nil {
			return err
		}
		if err := s.readContent(p, offset); err != nil {
			return err
		}
		s.lookForChanges(offset, len(p))
		if s.doubtsSoFar() == doubts { // others look for changes, too
			return nil
		}
	}
	return &Error{"read", s.path(), ErrChanged}
}

// changesMax is how often ReadAt begins anew because another program has
// changed the file meanwhile.
const changesMax = 10

// lookForChanges looks whether a file with some of n bytes of content from
// offset on, which were just read, is still as it was when they were verified,
// and otherwise counts a doubt and has every piece of it hashed again before it
// is next read from. It comes after the reading, so that what was read is not
// newer. Files that this Store writes to change all the time; they are looked at
// by Finish.
func (s *Store) lookForChanges(offset int64, n int) {
	if !s.isReadOnly() {
		return
	}
	walk := s.stretches(offset, n)
	for x, ok := walk.next(); ok; x, ok = walk.next() {
		if x.file < 0 {
			continue
		}
		h, err := s.workers.files.pin(s, x.file, false)
		if err != nil {
			continue // it could be read just now
		}
		st, err := h.file.stat()
		s.workers.files.unpin(h)
		if err == nil {
			s.doubt(x.file, st)
		}
	}
}

// doubtsSoFar counts how often a file was found changed.
func (s *Store) doubtsSoFar() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doubts
}

// doubt notes how file i is. If that differs from how it was left, its pieces are
// to be hashed before they are read from.
func (s *Store) doubt(i int, st fileStat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := &s.stamps[i]
	if x.mtime == st.mtime && x.size == st.size {
		return
	}
	changed := x.mtime != 0
	*x = stamp{mtime: st.mtime, ctime: st.ctime, size: st.size, doubted: changed}
	if !changed { // content that is known to be whole, seen for the first time
		return
	}
	s.doubts++
	if s.unproven == nil {
		s.unproven = bits.New(s.layout.Pieces())
	}
	for p := range s.piecesOf(i) {
		s.unproven.Add(p)
	}
}

// prove hashes a piece that this process knows from a record alone, or that has
// come into doubt. It returns the number of doubts until then.
func (s *Store) prove(piece int) (doubts int, err error) {
	for range changesMax {
		s.mu.Lock()
		unproven := s.unproven != nil && s.unproven.Has(piece)
		doubts = s.doubts
		s.mu.Unlock()
		if !unproven {
			return doubts, nil
		}
		ok, err := s.hashOne(piece)
		if err != nil {
			return doubts, err
		}
		s.mu.Lock()
		switch {
		case !ok:
			s.have.Remove(piece) // but not from unproven: more of it may have been asked for
			s.durable.Remove(piece)
			s.mu.Unlock()
			return doubts, &Error{"read", s.path(), ErrChanged}
		case s.doubts == doubts: // and not what was there before another change
			s.unproven.Remove(piece)
		}
		s.mu.Unlock()
	}
	return doubts, &Error{"read", s.path(), ErrChanged}
}

// hashOne is hashPiece when its turn has come beside other hashing.
func (s *Store) hashOne(piece int) (bool, error) {
	chunk := <-s.workers.chunks
	if chunk == nil {
		chunk = make([]byte, checkChunk)
	}
	var verifier metainfo.Verifier
	ok, err := s.hashPiece(piece, chunk[:checkChunk], &verifier)
	s.workers.chunks <- chunk
	return ok, err
}

// hashPiece reads a piece and reports whether it is right.
func (s *Store) hashPiece(p int, chunk []byte, verifier *metainfo.Verifier) (bool, error) {
	verifier.Reset(s.layout, p)
	size := s.layout.PieceSize(p)
	for at := 0; at < size; at += len(chunk) {
		data := chunk[:min(len(chunk), size-at)]
		if err := s.readContent(data, s.layout.PieceOffset(p)+int64(at)); err != nil {
			return false, err
		}
		verifier.Write(data)
	}
	return verifier.OK(), nil
}

// readContent fills p from the content at offset.
func (s *Store) readContent(p []byte, offset int64) error {
	walk := s.stretches(offset, len(p))
	for x, ok := walk.next(); ok; x, ok = walk.next() {
		part := p[:x.n]
		p = p[x.n:]
		if x.file < 0 {
			clear(part)
			continue
		}
		err := s.readFile(x.file, part, x.at)
		if err != nil && !errors.Is(err, ErrClosed) && x.file != s.sideIndex() &&
			!s.wanted.file(x.file) {
			return goneError(err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// goneError makes the error of reading a file that is not wanted one with
// ErrChanged: nobody promised that it stays, so it is no fault of the disk, but
// data that is missing.
func goneError(err error) error {
	if own := (*Error)(nil); errors.As(err, &own) {
		return &Error{own.Op, own.Path, gone{own.Err}}
	}
	return err
}

type gone struct{ error }

func (e gone) Unwrap() []error { return []error{e.error, ErrChanged} }

// readFile fills p from byte at of file i, which may be sideIndex.
func (s *Store) readFile(i int, p []byte, at int64) error {
	h, err := s.workers.files.pin(s, i, false)
	if err == nil {
		err = h.file.pread(p, at)
		s.workers.files.unpin(h)
	}
	if err != nil {
		return wrap("read", s.filePath(i), err)
	}
	return nil
}

// writeFile writes bufs from byte at of file i on, which may be sideIndex.
func (s *Store) writeFile(i int, bufs [][]byte, at int64) error {
	s.beginWriting()
	h, err := s.workers.files.pin(s, i, true)
	if err == nil {
		n := 0
		for _, b := range bufs {
			n += len(b)
		}
		err = h.file.pwritev(bufs, at)
		s.workers.files.unpin(h)
		s.taken.Add(int64(n))
		s.wrote(i, n) // also when it failed: some of it may be there
	}
	if err != nil {
		return wrap("write", s.filePath(i), err)
	}
	return nil
}

// writeBufs writes bufs one after the other to the content at offset, within
// one piece. It may change bufs.
func (s *Store) writeBufs(offset int64, bufs [][]byte, scratch *scratch) error {
	if err := s.divert(int(offset / int64(s.layout.PieceLength))); err != nil {
		return err
	}
	total := 0
	for _, b := range bufs {
		total += len(b)
	}
	walk := s.stretches(offset, total)
	for x, ok := walk.next(); ok; x, ok = walk.next() {
		parts := bufs
		if x.n < total {
			parts, bufs = cut(scratch.parts[:0], bufs, x.n)
			scratch.parts = parts
		}
		if x.file < 0 {
			continue
		}
		if err := s.writeFile(x.file, parts, x.at); err != nil {
			return err
		}
	}
	clear(scratch.parts)
	return nil
}

// cut appends the first n bytes of bufs to dst, and returns the rest of bufs
// too, whose first element it shortens.
func cut(dst, bufs [][]byte, n int) (head, rest [][]byte) {
	for n > 0 {
		if len(bufs[0]) > n {
			dst = append(dst, bufs[0][:n])
			bufs[0] = bufs[0][n:]
			return dst, bufs
		}
		n -= len(bufs[0])
		dst = append(dst, bufs[0])
		bufs = bufs[1:]
	}
	return dst, bufs
}

// openFile opens file i; write makes it first, with the length it will have.
func (s *Store) openFile(i int, write bool) (file, error) {
	if i == s.sideIndex() {
		return s.openSide(write)
	}
	if !write {
		s.moving.RLock() // Finish may be renaming it
		defer s.moving.RUnlock()
		return s.disk.open(s.fileName(i), openRead)
	}
	if s.linked != "" {
		return nil, &Error{"open", s.linked, ErrLink}
	}
	if err := s.writable(); err != nil {
		return nil, err
	}
	name := s.fileName(i)
	if !s.wanted.file(i) {
		return nil, &Error{"open", s.disk.path(name), ErrUnwanted}
	}
	f, err := s.disk.open(name, s.makeMode(i))
	if err != nil {
		return nil, err
	}
	st, err := f.stat()
	length := s.layout.Files[i].Length
	switch {
	case err != nil:
	case st.size > length:
		err = ErrLonger
	case st.size < length && s.cfg.Reserve:
		err = f.reserve(length)
	case st.size < length:
		err = f.resize(length)
	}
	if err != nil {
		f.close()
		return nil, wrap("open", s.disk.path(name), err)
	}
	return f, nil
}

// makeMode is how file i is opened to be made: what the torrent calls executable
// may be executed (BEP 47). The attribute "hidden" has no meaning here: where
// names hide files, the name says it.
func (s *Store) makeMode(i int) openMode {
	if s.layout.Files[i].Executable {
		return openProgram
	}
	return openCreate
}

// verified notes that piece index is on disk, and how its files were left.
func (s *Store) verified(index int) error {
	walk := s.stretches(s.layout.PieceOffset(index), s.layout.PieceSize(index))
	for x, ok := walk.next(); ok; x, ok = walk.next() {
		if x.file < 0 || x.file != s.sideIndex() && !s.wanted.file(x.file) {
			continue
		}
		h, err := s.workers.files.pin(s, x.file, false)
		if err != nil {
			return err
		}
		st, err := h.file.stat()
		s.workers.files.unpin(h)
		if err != nil {
			return wrap("read", s.filePath(x.file), err)
		}
		s.left(x.file, st)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have.Add(index)
	if s.unproven != nil {
		s.unproven.Remove(index)
	}
	return nil
}

// unsound notes that piece index has been found not to be right.
func (s *Store) unsound(index int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost(index)
}

// failed notes that a piece could not be written.
func (s *Store) failed(index int) {
	s.mu.Lock()
	s.broken = index
	s.mu.Unlock()
}

// Probe tries whether the disk takes data again after a failed write: it fills
// the piece that could not be written with zeros, since what came of it is
// lost. It is nil when that works or nothing has failed.
func (s *Store) Probe() error {
	s.mu.Lock()
	index := s.broken
	s.mu.Unlock()
	if index < 0 {
		return nil
	}
	var scratch scratch
	zeros := make([]byte, min(checkChunk, s.layout.PieceLength))
	size := s.layout.PieceSize(index)
	for at := 0; at < size; at += len(zeros) {
		data := zeros[:min(len(zeros), size-at)]
		if err := s.writeBufs(s.layout.PieceOffset(index)+int64(at), [][]byte{data},
			&scratch); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.broken = -1
	s.mu.Unlock()
	w := s.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range s.open {
		switch {
		case p.busy: // err is its worker's
			p.anew = true
		case p.err != nil:
			w.forget(p)
		}
	}
	return nil
}
