package swarm

import (
	"context"
	"errors"
	"io"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/core"
	"swarmnode/swarm/storage"
)

const (
	// replanWaiting is how often a read that waits lets the plan follow the rate of the
	// download, and looks whether the disk can be read again.
	replanWaiting = time.Second
	// replanReading is how often reads do so at most that begin no wait of their own: those
	// that need not wait, and those that wait while other pieces come.
	replanReading = 100 * time.Millisecond
)

// readPiece fills p from byte off of the file, up to the end of the piece or of the file at
// most. It waits until the piece is verified.
func (r *Reader) readPiece(p []byte, off int64) (int, error) {
	if err := r.ended(); err != nil {
		return 0, err
	}
	if off >= r.file.Length {
		return 0, io.EOF
	}
	at := r.file.Offset + off
	index, begin := at/r.piece, at%r.piece
	n := int(min(int64(len(p)), r.piece-begin, r.file.Length-off))
	if n == 0 {
		return 0, nil
	}
	if r.store.Has(int(index)) && r.t.readers.isStale(time.Now()) {
		r.t.replan()
	}
	changed := r.t.readers.watch()
	done, err := r.tryPiece(p[:n], uint32(index), uint32(begin))
	if err == nil && !done {
		err = r.awaitPiece(p[:n], uint32(index), uint32(begin), changed)
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// tryPiece fills p from a piece if that is verified, and reports whether it was.
func (r *Reader) tryPiece(p []byte, piece, begin uint32) (done bool, err error) {
	if r.store.Has(int(piece)) {
		err := r.store.ReadAt(p, piece, begin)
		if err == nil {
			return true, nil
		}
		if err = r.lost(piece, err); err != nil {
			return false, err
		}
	}
	if r.t.spec.Complete {
		return false, &storage.Error{Op: "read", Path: r.store.FilePath(r.index), Err: ErrChanged}
	}
	return false, nil
}

// awaitPiece fills p from a piece once that is verified. changed is closed at the next
// change of the pieces.
func (r *Reader) awaitPiece(p []byte, piece, begin uint32, changed <-chan struct{}) error {
	plan := r.t.readers.wait(int(piece))
	defer r.t.readers.leave(plan, int(piece))
	r.t.replan()
	for {
		if err := r.await(changed); err != nil {
			return err
		}
		changed = r.t.readers.watch()
		if done, err := r.tryPiece(p, piece, begin); done || err != nil {
			return err
		}
		if r.t.readers.isStale(time.Now()) {
			r.t.replan()
		}
	}
}

// lost tells the torrent that a verified piece could not be read, so that it is hashed and
// fetched again. It returns an error if that cannot be.
func (r *Reader) lost(piece uint32, err error) error {
	if ended := r.ended(); ended != nil {
		return ended
	}
	if r.t.spec.Complete || errors.Is(err, storage.ErrRange) {
		return err
	}
	r.t.post(core.Event{Kind: core.ReadFailed, Ref: block.Ref{Piece: piece}, Err: err})
	return nil
}

// await waits for a change of the pieces, for a while at most.
func (r *Reader) await(changed <-chan struct{}) error {
	timer := time.NewTimer(replanWaiting)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	case <-r.t.ctx.Done():
		return r.t.stopped()
	}
	return nil
}
