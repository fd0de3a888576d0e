package storage

import (
	"errors"

	"swarmnode/metainfo"
)

// contentPieces is the content of one Store as a row of pieces, wherever its bytes lie. It
// is safe for concurrent use, except that a piece is written by one goroutine at a time.
type contentPieces struct {
	layout *metainfo.Layout
	wanted *selection
	files  *contentFiles
	parts  *partfile
	known  *ledger
	place  *place
	chunks chan []byte // of the Workers: whoever has one may hash
}

// A stretch is a part of a range of content that lies in one file, or in none:
// padding, and the gaps of v2.
type stretch struct {
	file int // index in contentFiles; -1 for none
	at   int64
	n    int
}

// stretches walks over n bytes of content from offset on. Unlike Layout.Spans it
// counts the bytes that lie in no file, knows the partfile, and allocates nothing.
type stretches struct {
	layout *metainfo.Layout
	parts  *partfile
	table  *partTable
	offset int64
	left   int
	file   int
}

func (c *contentPieces) stretches(offset int64, n int) stretches {
	return stretches{c.layout, c.parts, c.parts.table.Load(), offset, n, c.layout.FileAt(offset)}
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
			if w.table != nil {
				w.parts.divert(w.table, &x, w.offset)
			}
		}
	}
	w.offset += int64(x.n)
	w.left -= x.n
	return x, true
}

// changesMax is how often ReadAt starts over because another program has
// changed the file meanwhile.
const changesMax = 10

// readProven fills p from byte begin of a piece. Before, it hashes the piece if it is
// not proven; afterwards, it looks whether the files have changed meanwhile.
func (c *contentPieces) readProven(p []byte, piece int, begin int64) error {
	offset := c.layout.PieceOffset(piece) + begin
	for range changesMax {
		doubts, err := c.prove(piece)
		if err != nil {
			return err
		}
		if err := c.read(p, offset); err != nil {
			return err
		}
		c.lookForChanges(offset, len(p))
		if c.known.doubtsSoFar() == doubts { // other goroutines look for changes, too
			return nil
		}
	}
	return &Error{"read", c.place.names.path(), ErrChanged}
}

// lookForChanges looks whether the files with n bytes of content from offset on, which
// were just read, are still as they were when they were verified. Otherwise it counts a
// doubt, and every piece of the file is hashed again before it is next read from. It
// comes after the reading, so that no byte that was read is newer. Files that this Store
// writes to change all the time; Finish looks at them.
func (c *contentPieces) lookForChanges(offset int64, n int) {
	if !c.place.isReadOnly() {
		return
	}
	walk := c.stretches(offset, n)
	for x, ok := walk.next(); ok; x, ok = walk.next() {
		if x.file < 0 {
			continue
		}
		if st, err := c.files.statOpen(x.file); err == nil {
			c.known.doubt(x.file, st)
		} // it could be read just now
	}
}

// prove hashes a piece that this process knows from a record alone, or that has
// come into doubt. It returns the number of doubts until then.
func (c *contentPieces) prove(piece int) (doubts int, err error) {
	for range changesMax {
		var unproven bool
		if unproven, doubts = c.known.isUnproven(piece); !unproven {
			return doubts, nil
		}
		ok, err := c.hashOne(piece)
		if err != nil {
			return doubts, err
		}
		c.known.proved(piece, ok, doubts)
		if !ok {
			break
		}
	}
	return doubts, &Error{"read", c.place.names.path(), ErrChanged}
}

// hashOne reads a piece and reports whether it is right. It waits for its turn among
// other hashing.
func (c *contentPieces) hashOne(piece int) (bool, error) {
	chunk := <-c.chunks
	if chunk == nil {
		chunk = make([]byte, checkChunk)
	}
	var verifier metainfo.Verifier
	ok, err := c.hash(piece, chunk[:checkChunk], &verifier)
	c.chunks <- chunk
	return ok, err
}

// hash reads a piece and reports whether it is right.
func (c *contentPieces) hash(piece int, chunk []byte, verifier *metainfo.Verifier) (bool, error) {
	verifier.Reset(c.layout, piece)
	size := c.layout.PieceSize(piece)
	for at := 0; at < size; at += len(chunk) {
		data := chunk[:min(len(chunk), size-at)]
		if err := c.read(data, c.layout.PieceOffset(piece)+int64(at)); err != nil {
			return false, err
		}
		verifier.Write(data)
	}
	return verifier.OK(), nil
}

// read fills p from the content at offset.
func (c *contentPieces) read(p []byte, offset int64) error {
	walk := c.stretches(offset, len(p))
	for x, ok := walk.next(); ok; x, ok = walk.next() {
		part := p[:x.n]
		p = p[x.n:]
		if x.file < 0 {
			clear(part)
			continue
		}
		err := c.files.read(x.file, part, x.at)
		if err != nil && !errors.Is(err, ErrClosed) && !c.isKept(x.file) {
			return goneError(err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isKept reports whether the Store keeps file i: the partfile and wanted files.
func (c *contentPieces) isKept(i int) bool { return c.files.isPartfile(i) || c.wanted.file(i) }

// goneError makes the error of reading a file that is not wanted one with
// ErrChanged. Nobody promised that the file stays, so its data is missing, and the disk
// has no fault.
func goneError(err error) error {
	if own := (*Error)(nil); errors.As(err, &own) {
		return &Error{own.Op, own.Path, gone{own.Err}}
	}
	return err
}

type gone struct{ error }

func (e gone) Unwrap() []error { return []error{e.error, ErrChanged} }

// willRead tells the system that n bytes of content from offset on are read
// next.
func (c *contentPieces) willRead(offset, n int64) {
	left := min(n, c.layout.Length-offset)
	if left <= 0 {
		return
	}
	walk := c.stretches(offset, int(left))
	for x, ok := walk.next(); ok; x, ok = walk.next() {
		if x.file < 0 {
			continue
		}
		if h, err := c.files.pin(x.file, toRead); err == nil {
			h.file.willRead(x.at, int64(x.n))
			c.files.unpin(h)
		}
		return
	}
}

// write writes bufs one after the other to the content at offset, within
// one piece. It may change bufs.
func (c *contentPieces) write(offset int64, bufs [][]byte, scratch *scratch) error {
	if err := c.parts.prepare(int(offset / int64(c.layout.PieceLength))); err != nil {
		return err
	}
	total := 0
	for _, b := range bufs {
		total += len(b)
	}
	walk := c.stretches(offset, total)
	for x, ok := walk.next(); ok; x, ok = walk.next() {
		parts := bufs
		if x.n < total {
			parts, bufs = cut(scratch.parts[:0], bufs, x.n)
			scratch.parts = parts
		}
		if x.file < 0 {
			continue
		}
		if err := c.files.write(x.file, parts, x.at); err != nil {
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

// writeZeros fills piece p with zeros.
func (c *contentPieces) writeZeros(p int) error {
	var scratch scratch
	zeros := make([]byte, min(checkChunk, c.layout.PieceLength))
	size := c.layout.PieceSize(p)
	for at := 0; at < size; at += len(zeros) {
		data := zeros[:min(len(zeros), size-at)]
		offset := c.layout.PieceOffset(p) + int64(at)
		if err := c.write(offset, [][]byte{data}, &scratch); err != nil {
			return err
		}
	}
	return nil
}

// verified records that piece p is on disk and right, and how its files were left.
func (c *contentPieces) verified(p int) error {
	walk := c.stretches(c.layout.PieceOffset(p), c.layout.PieceSize(p))
	for x, ok := walk.next(); ok; x, ok = walk.next() {
		if x.file < 0 || !c.isKept(x.file) {
			continue
		}
		st, err := c.files.statOpen(x.file)
		if err != nil {
			return wrap("read", c.files.path(x.file), err)
		}
		c.known.left(x.file, st)
	}
	c.known.verified(p)
	return nil
}
