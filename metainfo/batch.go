package metainfo

import (
	"cmp"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"runtime"

	"swarmnode/metainfo/lanes"
)

const (
	// laneBytes is how much of each piece is read and hashed at a time. As much of
	// sixteen pieces stays in a core's second cache.
	laneBytes = 32 << 10
	// laneGap keeps lanes apart, because the first cache has one place for all
	// addresses that are a multiple of a page apart.
	laneGap = lanes.BlockBytes
	// laneWorkersMax bounds the files that are open: each lane has its own, and
	// its folder. 16 x 16 x 2 is half of what a process commonly may have.
	laneWorkersMax = 16
	// laneLeavesMin is how many blocks are worth hashing as sixteen, which takes as
	// long as hashing six or seven one after the other.
	laneLeavesMin = 7
)

// These are changed by tests alone.
var (
	useLanes = lanes.Available()
	laneGain = lanes.Gain()
)

// worthLanes reports whether hashing in lanes pays for that number of pieces and
// workers. It does not pay if there are so few pieces that too many workers would be
// idle, nor if no hash becomes faster.
func (l *Layout) worthLanes(pieces, workers int) bool {
	return useLanes && (l.kind.HasV1() || laneGain > 1) && pieces >= lanes.Count*workers/laneGain
}

// fitLanes reports whether the pieces from first on can be hashed in lanes: they
// are enough, and all of one length to SHA-1.
func (l *Layout) fitLanes(first int) bool {
	last := first + lanes.Count - 1
	return last < l.pieces && (!l.kind.HasV1() || l.PieceSizePadded(last) == l.PieceLength)
}

// A laneHasher hashes lanes.Count pieces side by side. Pieces that are shorter than the
// longest of them count as followed by zeros, as padding is.
type laneHasher struct {
	layout *Layout
	useV1  bool // sums is wanted
	useV2  bool // roots is wanted
	sha1   lanes.SHA1
	roots  [lanes.Count]rootHasher
	buf    []byte
	chunk  int // bytes of each piece at a time
	stride int // bytes from lane to lane in buf
}

// reset readies h for a layout that fits lanes, with a buffer of BatchBytes.
func (h *laneHasher) reset(l *Layout, useV1, useV2 bool, buf []byte) {
	h.layout, h.useV1, h.useV2, h.buf = l, useV1, useV2, buf
	h.chunk = min(laneBytes, l.PieceLength)
	h.stride = h.chunk + laneGap
}

// hash hashes the pieces from first on. read fills p from the content at offset,
// which is in the piece of that lane; each call goes on where the one before ended.
func (h *laneHasher) hash(first int, read func(lane int, p []byte, offset int64) error) error {
	h.sha1.Reset()
	longest := 0
	for i := range lanes.Count {
		h.roots[i].n = 0
		longest = max(longest, h.layout.PieceSize(first+i))
	}
	done := 0
	for done < longest {
		n := min(h.chunk, h.layout.PieceLength-done)
		for i := range lanes.Count {
			lane, left := h.buf[i*h.stride:][:n], h.left(first+i, done)
			if left > 0 {
				if err := read(i, lane[:left], h.layout.PieceOffset(first+i)+
					int64(done)); err != nil {
					return err
				}
			}
			if h.useV1 {
				clear(lane[left:])
			}
		}
		if h.useV1 {
			h.sha1.Write(h.buf, h.stride, n)
		}
		if h.useV2 {
			h.addLeaves(first, done)
		}
		done += n
	}
	if h.useV1 {
		h.sha1.WriteZeros(h.layout.PieceLength - done)
	}
	return nil
}

// left returns how many bytes of piece p there are from done on, at most a
// chunk.
func (h *laneHasher) left(p, done int) int {
	return max(0, min(h.chunk, h.layout.PieceSize(p)-done))
}

// addLeaves hashes the blocks of the chunk into the trees of the pieces.
func (h *laneHasher) addLeaves(first, done int) {
	for at := 0; at < h.chunk; at += BlockLength {
		var whole [lanes.Count]bool
		count := 0
		for i := range whole {
			if whole[i] = h.left(first+i, done)-at >= BlockLength; whole[i] {
				count++
			}
		}
		var sums [lanes.Count][sha256.Size]byte
		together := count == lanes.Count || laneGain > 1 && count >= laneLeavesMin
		if together {
			sums = lanes.Sum256(h.buf[at:], h.stride, BlockLength)
		}
		for i := range sums {
			n := min(BlockLength, h.left(first+i, done)-at)
			switch {
			case n <= 0:
			case together && whole[i]:
				h.roots[i].add(sums[i])
			default:
				h.roots[i].add(sha256.Sum256(h.buf[i*h.stride+at:][:n]))
			}
		}
	}
}

// A batch is a laneHasher for a worker of a hasher.
type batch struct {
	hasher  *hasher
	lanes   laneHasher
	readers [lanes.Count]reader // each piece has its own, which reads on
}

// worthLanes reports whether hashing the pieces of l in lanes pays.
func worthLanes(l *Layout) bool { return l.worthLanes(l.pieces, runtime.GOMAXPROCS(0)) }

func newBatch(h *hasher) *batch {
	b := &batch{hasher: h}
	b.lanes.reset(h.layout, h.v1 != nil, h.v2 != nil, make([]byte, BatchBytes))
	for i := range b.readers {
		b.readers[i].src = h.src
	}
	return b
}

// takes reports whether b can hash the pieces from p on, up to end.
func (b *batch) takes(p, end int) bool {
	return p+lanes.Count <= end && b.hasher.layout.fitLanes(p)
}

// hash hashes the pieces from p on.
func (b *batch) hash(ctx context.Context, p int) error {
	err := b.lanes.hash(p, func(lane int, buf []byte, offset int64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return b.hasher.read(&b.readers[lane], buf, offset)
	})
	if err != nil {
		return err
	}
	if b.hasher.v1 != nil {
		for i, sum := range b.lanes.sha1.Sum() {
			copy(b.hasher.v1[(p+i)*sha1.Size:], sum[:])
		}
	}
	if b.hasher.v2 != nil {
		for i := range b.lanes.roots {
			b.hasher.v2[p+i] = b.lanes.roots[i].root(levels(b.hasher.layout.pieceWidth(p+i)), 0)
		}
	}
	return nil
}

// close closes the files; with check it first looks whether they changed.
func (b *batch) close(check bool) error {
	var err error
	for i := range b.readers {
		err = cmp.Or(err, b.readers[i].close(check))
	}
	return err
}
