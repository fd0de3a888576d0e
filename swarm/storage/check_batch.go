package storage

import (
	"context"

	"swarmnode/metainfo"
)

const (
	// laneAhead is how many bytes of each piece of a batch the system is asked
	// to read ahead. A disk then seldom moves from one piece to the next. For all
	// pieces of a batch, twice, since one part is hashed while the next is read, that
	// is 32 MiB a core.
	laneAhead = 1 << 20
	// batchPieceMax is the longest piece that is hashed in a batch. A batch of such
	// pieces has 256 MiB, which a slow disk reads for seconds, and the progress shown
	// stands still meanwhile. Few torrents have longer pieces.
	batchPieceMax = 16 << 20
)

// batchChunk returns chunk, or a longer one, to hash a batch with.
func batchChunk(chunk []byte) []byte {
	if len(chunk) < metainfo.BatchBytes {
		return make([]byte, max(checkChunk, metainfo.BatchBytes))
	}
	return chunk
}

// batches reports whether the pieces from first on are hashed as a batch: if all of
// them need hashing, and not too many bytes were wrong so far. c.mu is held.
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

// hashBatch checks the pieces of t side by side, or one after the other if some of
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

// willReadBatch asks for the first part of each piece that needs hashing, of the batch
// that begins with first.
func (c *check) willReadBatch(first int) {
	layout := c.s.layout
	for p := first; p < min(first+metainfo.BatchPieces, layout.Pieces()); p++ {
		if c.todo.Has(p) {
			c.s.pieces.willRead(layout.PieceOffset(p), int64(min(laneAhead, layout.PieceSize(p))))
		}
	}
}

// keepAhead asks for the next part of a piece, if a part begins at offset.
func (c *check) keepAhead(offset int64) {
	layout := c.s.layout
	p := int(offset / int64(layout.PieceLength))
	begin := int(offset - layout.PieceOffset(p))
	if next := begin + laneAhead; begin%laneAhead == 0 && next < layout.PieceSize(p) {
		c.s.pieces.willRead(layout.PieceOffset(p)+int64(next),
			int64(min(laneAhead, layout.PieceSize(p)-next)))
	}
}
