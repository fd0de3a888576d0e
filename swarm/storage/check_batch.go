package storage

import (
	"context"

	"swarmnode/metainfo"
)

const (
	// laneAhead is how many bytes of each piece of a batch the system is asked
	// to read before they are needed: so much that a disk seldom moves from one
	// piece to the next, and so little that all pieces of a batch, twice, since
	// one part is hashed while the next is read, are 32 MiB a core.
	laneAhead = 1 << 20
	// batchPieceMax is the longest piece that is hashed in a batch: of that
	// length a batch is 256 MiB, which a slow disk takes seconds for, and what
	// is shown of the progress goes on when it is done. Few torrents have longer
	// ones.
	batchPieceMax = 16 << 20
)

// batchChunk returns chunk, or a longer one, to hash a batch with.
func batchChunk(chunk []byte) []byte {
	if len(chunk) < metainfo.BatchBytes {
		return make([]byte, max(checkChunk, metainfo.BatchBytes))
	}
	return chunk
}

// batches reports whether the pieces from first on are hashed as a batch: all of
// them are to be hashed, and no more of them in vain than may be. c.mu is held.
func (c *check) batches(first int) bool {
	layout := c.s.layout
	if layout.PieceLength > batchPieceMax ||
		c.spare < metainfo.BatchPieces*int64(layout.PieceLength) {
		return false
	}
	for p := first + 1; p < first+metainfo.BatchPieces; p++ {
		if !c.todo.Has(p) {
			return false
		}
	}
	return layout.Batches(first, c.left, cap(c.s.workers.chunks))
}

// hashBatch checks the pieces of t side by side; one after the other if some of
// them cannot be read.
func (c *check) hashBatch(ctx context.Context, t turn, chunk []byte, batch *metainfo.BatchVerifier,
	verifier *metainfo.Verifier) {
	if t.unasked {
		c.willReadBatch(t.first)
	}
	c.willReadBatch(t.end)
	err := batch.Verify(c.s.layout, t.first, chunk, func(p []byte, offset int64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.keepAhead(offset)
		return c.s.pieces.read(p, offset)
	})
	switch {
	case ctx.Err() != nil: // Check fails
	case err != nil:
		c.hashSingly(ctx, t.first, t.end, chunk[:checkChunk], verifier)
	default:
		for i := range metainfo.BatchPieces {
			c.result(t.first+i, batch.OK(i), batch.Conflict(i))
		}
	}
}

// willReadBatch asks for the first part of each piece of the batch that begins
// with first, as far as they are to be hashed.
func (c *check) willReadBatch(first int) {
	layout := c.s.layout
	for p := first; p < min(first+metainfo.BatchPieces, layout.Pieces()); p++ {
		if c.todo.Has(p) {
			c.s.pieces.willRead(layout.PieceOffset(p), int64(min(laneAhead, layout.PieceSize(p))))
		}
	}
}

// keepAhead asks for the part of a piece that follows that which begins at
// offset, if one begins there.
func (c *check) keepAhead(offset int64) {
	layout := c.s.layout
	p := int(offset / int64(layout.PieceLength))
	begin := int(offset - layout.PieceOffset(p))
	if next := begin + laneAhead; begin%laneAhead == 0 && next < layout.PieceSize(p) {
		c.s.pieces.willRead(layout.PieceOffset(p)+int64(next),
			int64(min(laneAhead, layout.PieceSize(p)-next)))
	}
}
