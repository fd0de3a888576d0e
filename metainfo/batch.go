package metainfo

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"runtime"

	"swarmnode/metainfo/lanes"
)

const (
	// laneBytes is how much of each piece is read and hashed at a time: with
	// sixteen pieces, what stays in a core's second cache.
	laneBytes = 32 << 10
	// laneGap keeps lanes apart, because the first cache has one place for all
	// addresses that are a multiple of a page apart.
	laneGap = lanes.BlockBytes
	// laneWorkersMax bounds the files that are open: each lane has its own, and
	// its folder. 16 x 16 x 2 is half of what a process commonly may have.
	laneWorkersMax = 16
	// laneLeavesMin is how many blocks are worth hashing as sixteen: the price
	// is that of six or seven.
	laneLeavesMin = 7
)

// These are changed by tests alone.
var (
	useLanes = lanes.Available()
	laneGain = lanes.Gain()
)

// worthLanes tells whether pieces are to be hashed in lanes. They are not with so
// few pieces that too many cores would have nothing to do, nor when no hash gains
// by it.
func worthLanes(l *Layout) bool {
	return useLanes && (l.kind.HasV1() || laneGain > 1) && l.pieces >= lanes.Count*runtime.GOMAXPROCS(0)/laneGain
}

// A batch hashes lanes.Count pieces side by side. What is shorter than the
// longest of them counts as followed by zeros, which is what padding is.
type batch struct {
	*hasher
	sha1    lanes.SHA1
	roots   [lanes.Count]rootHasher
	readers [lanes.Count]reader // each piece has its own, which reads on
	buf     []byte
	chunk   int // bytes of each piece at a time
	stride  int // bytes from lane to lane in buf
}

func newBatch(h *hasher) *batch {
	b := &batch{hasher: h, chunk: min(laneBytes, h.layout.PieceLength)}
	b.stride = b.chunk + laneGap
	b.buf = make([]byte, lanes.Count*b.stride)
	for i := range b.readers {
		b.readers[i].src = h.src
	}
	return b
}

// takes tells whether the pieces from p on, up to end, are enough, and all of one
// length to SHA-1.
func (b *batch) takes(p, end int) bool {
	last := p + lanes.Count - 1
	return last < end && (b.v1 == nil || b.layout.PieceSizePadded(last) == b.layout.PieceLength)
}

// hash hashes the pieces from p on.
func (b *batch) hash(ctx context.Context, p int) error {
	b.sha1.Reset()
	longest := 0
	for i := range lanes.Count {
		b.roots[i].n = 0
		longest = max(longest, b.layout.PieceSize(p+i))
	}
	done := 0
	for ; done < longest; done += b.chunk {
		if ctx.Err() != nil {
			return nil
		}
		if err := b.fill(p, done); err != nil {
			return err
		}
		if b.v1 != nil {
			b.sha1.Write(b.buf, b.stride, b.chunk)
		}
		if b.v2 != nil {
			b.addLeaves(p, done)
		}
	}
	if b.v1 != nil {
		b.sha1.WriteZeros(b.layout.PieceLength - done)
		for i, sum := range b.sha1.Sum() {
			copy(b.v1[(p+i)*sha1.Size:], sum[:])
		}
	}
	if b.v2 != nil {
		for i := range b.roots {
			b.v2[p+i] = b.roots[i].root(levels(b.layout.pieceWidth(p+i)), 0)
		}
	}
	return nil
}

// left returns how many bytes of piece p+i there are from done on, at most a
// chunk.
func (b *batch) left(p, i, done int) int {
	return max(0, min(b.chunk, b.layout.PieceSize(p+i)-done))
}

// fill reads the next chunk of each piece.
func (b *batch) fill(p, done int) error {
	for i := range b.readers {
		lane := b.buf[i*b.stride:][:b.chunk]
		n := b.left(p, i, done)
		if n > 0 {
			if err := b.read(&b.readers[i], lane[:n], b.layout.PieceOffset(p+i)+int64(done)); err != nil {
				return err
			}
		}
		if b.v1 != nil {
			clear(lane[n:])
		}
	}
	return nil
}

// addLeaves hashes the blocks of the chunk into the trees of the pieces.
func (b *batch) addLeaves(p, done int) {
	for at := 0; at < b.chunk; at += BlockLength {
		var whole [lanes.Count]bool
		count := 0
		for i := range whole {
			if whole[i] = b.left(p, i, done)-at >= BlockLength; whole[i] {
				count++
			}
		}
		var sums [lanes.Count][sha256.Size]byte
		together := count == lanes.Count || laneGain > 1 && count >= laneLeavesMin
		if together {
			sums = lanes.Sum256(b.buf[at:], b.stride, BlockLength)
		}
		for i := range sums {
			n := min(BlockLength, b.left(p, i, done)-at)
			switch {
			case n <= 0:
			case together && whole[i]:
				b.roots[i].add(sums[i])
			default:
				b.roots[i].add(sha256.Sum256(b.buf[i*b.stride+at:][:n]))
			}
		}
	}
}

// close closes the files; check asks for a look whether they changed.
func (b *batch) close(check bool) error {
	var err error
	for i := range b.readers {
		err = errors.Join(err, b.readers[i].close(check))
	}
	return err
}
