package storage

import (
	"cmp"
	"errors"
	"slices"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
)

// A write is a block on its way to disk.
type write struct {
	begin int // bytes from the start of the piece
	buf   *block.Buf
}

// An openPiece is a piece whose blocks are coming in. Workers own it.
type openPiece struct {
	store *Store
	index int

	// Guarded by Workers.mu.
	pending []write
	verify  bool // the piece is hashed after pending is written
	busy    bool // in the queue, or with a worker
	revived bool // the disk works again: a failure while busy no longer counts

	// For the worker that has it.
	taken    []write
	verifier metainfo.Verifier
	hashed   int      // bytes from the start that the verifier has taken
	stored   []uint64 // bit i: block i was written
	known    bool     // the verifier has a hash to compare with
	ended    bool     // a Verify was answered, or revived was; the next block restarts the piece
	err      error    // the first write that failed; nothing is written any more
}

// scratch is memory that a worker keeps from piece to piece.
type scratch struct {
	bufs  [][]byte // of a run of blocks
	parts [][]byte // of the part of a run that lies in one file
	chunk []byte   // for reading back
}

// hasWork reports whether something has come that no worker has taken. Workers.mu is held.
func (p *openPiece) hasWork() bool { return len(p.pending) > 0 || p.verify }

// reset makes p the open piece index of s.
func (p *openPiece) reset(s *Store, index int) {
	size := s.layout.PieceSize(index)
	blocks := (size + block.Size - 1) / block.Size
	words := (blocks + 63) / 64
	p.store, p.index, p.revived = s, index, false
	p.stored = slices.Grow(p.stored[:0], words)[:words]
	p.begin()
}

// begin makes nothing known of the blocks that came before.
func (p *openPiece) begin() {
	p.err, p.ended = nil, false
	p.restart()
}

// restart forgets the hashing so far. Blocks that were written are read back in
// finish, unless they are written again before.
func (p *openPiece) restart() {
	layout := p.store.layout
	clear(p.stored)
	p.hashed = 0
	p.known = layout.CanVerify(p.index)
	p.verifier.Reset(layout, p.index)
}

// process writes the blocks that were taken and hashes as far as it can; with verify it
// hashes the whole piece. It returns the Result to post: the outcome, or the first
// failure of a write. posted is false if there is none.
func (p *openPiece) process(scratch *scratch, verify bool) (result Result, posted bool) {
	if p.ended { // more has come before it could be forgotten
		p.begin()
	}
	failedBefore := p.err != nil
	byBegin := func(a, b write) int { return cmp.Compare(a.begin, b.begin) }
	if !slices.IsSortedFunc(p.taken, byBegin) {
		slices.SortStableFunc(p.taken, byBegin)
	}
	for rest := p.taken; len(rest) > 0; {
		n := runLength(rest)
		p.writeRun(rest[:n], scratch)
		rest = rest[n:]
	}
	clear(p.taken)
	p.taken = p.taken[:0]
	if p.err != nil && !failedBefore {
		p.store.broken.Store(int64(p.index))
	}
	result = Result{Piece: uint32(p.index), Err: p.err}
	if !verify {
		return result, p.err != nil && !failedBefore
	}
	if p.err == nil {
		result.OK, result.Err = p.finish(scratch)
	}
	p.ended = true
	return result, true
}

// runLength returns how many blocks at the start of ws follow one another.
func runLength(ws []write) int {
	n := 1
	for n < len(ws) && n < iovMax && ws[n].begin == ws[n-1].begin+len(ws[n-1].buf.Bytes()) {
		n++
	}
	return n
}

// writeRun writes contiguous blocks, hashes them if it is their turn, and
// gives their buffers back.
func (p *openPiece) writeRun(run []write, scratch *scratch) {
	bufs := scratch.bufs[:0]
	for _, w := range run {
		bufs = append(bufs, w.buf.Bytes())
	}
	scratch.bufs = bufs
	if p.err == nil {
		offset := p.store.layout.PieceOffset(p.index) + int64(run[0].begin)
		p.err = p.store.pieces.write(offset, bufs, scratch)
	}
	if p.err == nil {
		p.hash(run, scratch)
	}
	clear(bufs)
	for _, w := range run {
		w.buf.Release()
	}
}

// hash records that the blocks of run are written, and feeds them to the
// verifier if they are next.
func (p *openPiece) hash(run []write, scratch *scratch) {
	if run[0].begin < p.hashed { // bytes that were hashed have been written again
		p.restart()
	}
	for _, w := range run {
		data := w.buf.Bytes()
		if w.begin == p.hashed {
			p.verifier.Write(data)
			p.hashed += len(data)
		}
		end := w.begin + len(data)
		if w.begin%block.Size == 0 && (len(data) == block.Size ||
			end == p.store.layout.PieceSize(p.index)) {
			i := w.begin / block.Size
			p.stored[i/64] |= 1 << (i % 64)
		}
	}
	p.catchUp(scratch)
}

// catchUp feeds the verifier blocks that came before their turn. An error of reading
// shows again in finish.
func (p *openPiece) catchUp(scratch *scratch) {
	size := p.store.layout.PieceSize(p.index)
	for p.hashed < size && p.hashed%block.Size == 0 {
		n := 0
		for n < checkChunk && p.hashed+n < size && p.isStored((p.hashed+n)/block.Size) {
			n += block.Size
		}
		n = min(n, size-p.hashed)
		if n == 0 || p.readBack(n, scratch) != nil {
			return
		}
	}
}

func (p *openPiece) isStored(i int) bool { return p.stored[i/64]>>(i%64)&1 != 0 }

// readBack feeds the next n bytes, at most checkChunk, from disk.
func (p *openPiece) readBack(n int, scratch *scratch) error {
	if scratch.chunk == nil {
		scratch.chunk = make([]byte, checkChunk)
	}
	data := scratch.chunk[:n]
	offset := p.store.layout.PieceOffset(p.index) + int64(p.hashed)
	if err := p.store.pieces.read(data, offset); err != nil {
		return err
	}
	p.verifier.Write(data)
	p.hashed += n
	return nil
}

// finish hashes the rest of the piece and reports whether the piece is right.
func (p *openPiece) finish(scratch *scratch) (bool, error) {
	if p.store.known.trustLate(p.index) {
		return true, nil
	}
	if !p.known { // the hashes of v2 may have come after the first block
		p.restart()
	}
	size := p.store.layout.PieceSize(p.index)
	for p.hashed < size {
		err := p.readBack(min(checkChunk, size-p.hashed), scratch)
		if errors.Is(err, ErrChanged) { // the part in a file that is not wanted
			p.store.known.unsound(p.index)
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	if !p.verifier.OK() {
		p.store.known.unsound(p.index)
		return false, p.store.answerLate(p.index)
	}
	err := p.store.pieces.verified(p.index)
	return err == nil, cmp.Or(err, p.store.answerLate(p.index))
}
