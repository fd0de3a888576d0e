package swarm

import (
	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/core"
	"swarmnode/swarm/storage"
)

// examineChunk is how many bytes of a piece are read at a time to hash its blocks. It is a
// multiple of a block, and small for a piece of any length.
const examineChunk = 16 * block.Size

// eachChunk reads a piece from its start and calls f with some blocks at a time.
func (l *loop) eachChunk(piece uint32, f func(chunk []byte)) error {
	size := l.t.Info().Layout().PieceSize(int(piece))
	buf := make([]byte, min(examineChunk, size))
	for at := 0; at < size; at += len(buf) {
		chunk := buf[:min(len(buf), size-at)]
		if err := l.store.ReadAt(chunk, piece, uint32(at)); err != nil {
			return err
		}
		f(chunk)
	}
	return l.t.ctx.Err()
}

// hashBlocks tells the core the hashes of the blocks of a piece.
func (l *loop) hashBlocks(piece uint32) {
	var hashes []metainfo.Hash256
	err := l.eachChunk(piece, func(chunk []byte) {
		hashes = append(hashes, metainfo.BlockHashes(chunk)...)
	})
	if err != nil {
		l.t.log.Info("cannot hash the blocks of a piece", "piece", piece, "err", err)
		hashes = nil
	}
	l.t.post(core.Event{Kind: core.Hashed, Ref: block.Ref{Piece: piece}, Hashes: hashes})
}

// examine returns the hashes of the blocks of a piece with a wrong hash, as far as the
// piece can be read. They show which of its blocks are wrong. The error says that the
// torrent itself is at fault.
func (l *loop) examine(piece uint32) ([]metainfo.Hash256, error) {
	verifier := l.t.Info().Layout().Verifier(int(piece))
	var hashes []metainfo.Hash256
	err := l.eachChunk(piece, func(chunk []byte) {
		verifier.Write(chunk)
		hashes = append(hashes, metainfo.BlockHashes(chunk)...)
	})
	if err != nil {
		return nil, nil
	}
	if verifier.Conflict() {
		return nil, storage.ErrConflict
	}
	return hashes, nil
}
