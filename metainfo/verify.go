package metainfo

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"hash"
	"sync"
)

// Verifier checks the data of one piece as it comes, in order, against every
// known hash of the piece: SHA-1 (v1), hash tree (v2), both (hybrid). It is
// for one goroutine. Reset makes it check another piece.
type Verifier struct {
	layout *Layout
	piece  int
	left   int // bytes of the piece not written yet; below 0 when too many came
	sha1   hash.Hash
	leaves leafHasher
	want   Hash256 // root of the piece's hash tree
	width  int     // leaves of that tree
	sum    [sha1.Size]byte
	useV1  bool
	useV2  bool
	done   bool // okV1 and okV2 are set
	okV1   bool
	okV2   bool
}

// errTooMuch is returned for writes beyond the end of the piece.
var errTooMuch = errors.New("more data than the piece holds")

// Verifier returns a Verifier for piece i.
func (l *Layout) Verifier(i int) *Verifier {
	v := new(Verifier)
	v.Reset(l, i)
	return v
}

// Reset makes v check piece i of l from its start. It allocates nothing.
func (v *Verifier) Reset(l *Layout, i int) {
	v.layout, v.piece, v.left = l, i, l.PieceSize(i)
	v.useV1 = l.kind.HasV1()
	v.want, v.width, v.useV2 = l.pieceRoot(i)
	v.done = false
	if v.useV1 {
		if v.sha1 == nil {
			v.sha1 = sha1.New()
		} else {
			v.sha1.Reset()
		}
	}
	v.leaves.reset()
}

// Write takes the next bytes of the piece.
func (v *Verifier) Write(p []byte) (int, error) {
	if len(p) > v.left {
		v.left = -1
		return 0, errTooMuch
	}
	v.left -= len(p)
	if v.useV1 {
		v.sha1.Write(p)
	}
	if v.useV2 {
		v.leaves.write(p)
	}
	return len(p), nil
}

// OK reports whether the whole piece was written and every known hash of it
// agrees. It is false while no hash is known (see CanVerify). Nothing may be
// written after it.
func (v *Verifier) OK() bool {
	v.finish()
	return (v.useV1 || v.useV2) && (!v.useV1 || v.okV1) && (!v.useV2 || v.okV2)
}

// Conflict reports, after OK, whether exactly one of the two hashes of a
// hybrid's piece agrees with the data. Then the torrent itself is wrong, and
// no data can ever satisfy it.
func (v *Verifier) Conflict() bool {
	v.finish()
	return v.useV1 && v.useV2 && v.okV1 != v.okV2
}

// zeros feeds the padding at the end of a piece to its SHA-1.
var zeros [BlockLength]byte

func (v *Verifier) finish() {
	if v.done {
		return
	}
	v.done, v.okV1, v.okV2 = true, false, false
	complete := v.left == 0
	v.left = -1
	if complete && v.useV1 {
		l := v.layout
		for n := l.PieceSizePadded(v.piece) - l.PieceSize(v.piece); n > 0; n -= len(zeros) {
			v.sha1.Write(zeros[:min(n, len(zeros))])
		}
		v.okV1 = bytes.Equal(v.sha1.Sum(v.sum[:0]), l.hashes[v.piece*sha1.Size:][:sha1.Size])
	}
	if complete && v.useV2 {
		v.okV2 = v.leaves.root(v.width) == v.want
	}
}

// CanVerify reports whether a hash of piece i is known. It is always true for v1
// and hybrid torrents; v2 torrents that came by magnet link get their layers from
// peers (see AddHashes).
func (l *Layout) CanVerify(i int) bool {
	if l.kind.HasV1() {
		return true
	}
	_, _, ok := l.pieceRoot(i)
	return ok
}

// KnowsTree reports whether the hash of piece i in the hash tree of its file is
// known, so that a hybrid's data is compared with both of its hashes.
func (l *Layout) KnowsTree(i int) bool {
	_, _, ok := l.pieceRoot(i)
	return ok
}

// verifiers keeps Verifiers for VerifyPiece.
var verifiers = sync.Pool{New: func() any { return new(Verifier) }}

// VerifyPiece reports whether data is the whole of piece i, PieceSize bytes.
func (l *Layout) VerifyPiece(i int, data []byte) bool {
	v := verifiers.Get().(*Verifier)
	defer verifiers.Put(v)
	v.Reset(l, i)
	_, err := v.Write(data)
	ok := err == nil && v.OK()
	v.layout = nil
	return ok
}
