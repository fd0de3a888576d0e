package metainfo

import (
	"bytes"
	"crypto/sha1"

	"swarmnode/metainfo/lanes"
)

const (
	// BatchPieces is how many pieces a BatchVerifier checks side by side.
	BatchPieces = lanes.Count
	// BatchBytes is the length of the buffer that a BatchVerifier works in.
	BatchBytes = lanes.Count * (laneBytes + laneGap)
)

// BatchVerifier checks BatchPieces consecutive pieces side by side, where the
// processor is several times as fast at that as at one after the other. Its
// answers are the same as those of a Verifier for each piece. The zero value is ready;
// it is for one goroutine.
type BatchVerifier struct {
	lanes laneHasher
	known [lanes.Count]bool    // a root of the piece is known
	want  [lanes.Count]Hash256 // that root
	width [lanes.Count]int     // leaves of the tree below it
	okV1  [lanes.Count]bool
	okV2  [lanes.Count]bool
}

// Batches reports whether a BatchVerifier can check the BatchPieces pieces from first
// on, and is faster. left is the number of pieces that are not checked yet; if they are
// few for that number of workers, each worker had better take one. Batches is false on
// processors without the instructions, for odd piece lengths, for the shorter piece at
// the end of a v1 torrent, and if no hash of a piece is known (see CanVerify).
func (l *Layout) Batches(first, left, workers int) bool {
	if left < lanes.Count || first < 0 || !l.worthLanes(left, workers) || !l.fitLanes(first) ||
		l.PieceLength < BlockLength || l.PieceLength%lanes.BlockBytes != 0 {
		return false
	}
	if l.kind == V2 {
		for i := range lanes.Count {
			if !l.CanVerify(first + i) {
				return false
			}
		}
	}
	return true
}

// Verify hashes the pieces from first on, for which Batches was true, in buf,
// which holds BatchBytes. read fills all of p with the content at offset, or
// fails; it is called for a part of each piece in turn, and then for the next
// part of each. Verify returns an error of read at once; then no piece is checked.
func (v *BatchVerifier) Verify(l *Layout, first int, buf []byte,
	read func(p []byte, offset int64) error) error {
	v.okV1, v.okV2 = [lanes.Count]bool{}, [lanes.Count]bool{}
	anyKnown := false
	for i := range lanes.Count {
		v.want[i], v.width[i], v.known[i] = l.pieceRoot(first + i)
		anyKnown = anyKnown || v.known[i]
	}
	v.lanes.reset(l, l.kind.HasV1(), anyKnown, buf)
	err := v.lanes.hash(first, func(_ int, p []byte, offset int64) error { return read(p, offset) })
	if err != nil {
		return err
	}
	if v.lanes.useV1 {
		for i, sum := range v.lanes.sha1.Sum() {
			v.okV1[i] = bytes.Equal(sum[:], l.hashes[(first+i)*sha1.Size:][:sha1.Size])
		}
	}
	for i := range lanes.Count {
		v.okV2[i] = v.known[i] && v.lanes.roots[i].root(levels(v.width[i]), 0) == v.want[i]
	}
	return nil
}

// OK reports, after Verify, whether every known hash of piece first+i agrees; i is less
// than BatchPieces.
func (v *BatchVerifier) OK(i int) bool {
	return (v.lanes.useV1 || v.known[i]) && (!v.lanes.useV1 || v.okV1[i]) && (!v.known[i] ||
		v.okV2[i])
}

// Conflict reports, after Verify, whether exactly one of the two hashes of piece first+i
// agrees; see Verifier.Conflict.
func (v *BatchVerifier) Conflict(i int) bool {
	return v.lanes.useV1 && v.known[i] && v.okV1[i] != v.okV2[i]
}
