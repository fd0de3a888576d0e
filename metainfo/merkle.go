package metainfo

import (
	"crypto/sha256"
	"errors"
	"hash"
	"math/bits"
	"sync"
)

// treeLevelsMax is above the height of any hash tree: PiecesMax pieces of
// PieceLengthMax bytes have 2^36 leaves.
const treeLevelsMax = 40

// zeroHashes holds, by level, the root of a tree whose leaves are all missing.
// A missing leaf is 32 zero bytes, not the hash of zeros (BEP 52, "pieces
// root").
var zeroHashes = func() (z [treeLevelsMax]Hash256) {
	for i := 1; i < len(z); i++ {
		z[i] = join(&z[i-1], &z[i-1])
	}
	return z
}()

// join returns the parent of two nodes.
func join(left, right *Hash256) Hash256 {
	var pair [2 * sha256.Size]byte
	copy(pair[:sha256.Size], left[:])
	copy(pair[sha256.Size:], right[:])
	return sha256.Sum256(pair[:])
}

// levels returns the height of a tree of n leaves: the least h with 2^h >= n.
func levels(n int) int { return bits.Len(uint(n - 1)) }

// rootHasher takes nodes of one level from left to right and yields the root
// above them. It keeps one node per level: stack[i] is complete if bit i of n
// is set.
type rootHasher struct {
	n     int
	stack [treeLevelsMax]Hash256
}

func (r *rootHasher) add(h Hash256) {
	level := 0
	for ; r.n>>level&1 == 1; level++ {
		h = join(&r.stack[level], &h)
	}
	r.stack[level] = h
	r.n++
}

// root returns the root of the tree of 2^height nodes. Missing nodes count as
// roots of empty trees of height base. At least one node was added,
// and at most 2^height.
func (r *rootHasher) root(height, base int) Hash256 {
	if r.n == 1<<height {
		return r.stack[height]
	}
	level := bits.TrailingZeros(uint(r.n))
	h := join(&r.stack[level], &zeroHashes[base+level])
	for level++; level < height; level++ {
		if r.n>>level&1 == 1 {
			h = join(&r.stack[level], &h)
		} else {
			h = join(&h, &zeroHashes[base+level])
		}
	}
	return h
}

// leafHasher hashes the data of a file or piece as it comes, into leaves of
// BlockLength bytes and on to the root.
type leafHasher struct {
	rootHasher
	block hash.Hash // the started block
	fill  int       // bytes in it
	sum   [sha256.Size]byte
}

func (t *leafHasher) reset() { t.n, t.fill = 0, 0 }

func (t *leafHasher) write(p []byte) {
	for len(p) > 0 {
		if t.fill == 0 && len(p) >= BlockLength {
			t.add(sha256.Sum256(p[:BlockLength]))
			p = p[BlockLength:]
			continue
		}
		if t.block == nil {
			t.block = sha256.New()
		}
		if t.fill == 0 {
			t.block.Reset()
		}
		n := min(len(p), BlockLength-t.fill)
		t.block.Write(p[:n])
		t.fill += n
		p = p[n:]
		if t.fill == BlockLength {
			t.flush()
		}
	}
}

func (t *leafHasher) flush() {
	t.block.Sum(t.sum[:0])
	t.add(t.sum)
	t.fill = 0
}

// root returns the root over width leaves, a power of two.
func (t *leafHasher) root(width int) Hash256 {
	if t.fill > 0 {
		t.flush()
	}
	return t.rootHasher.root(levels(width), 0)
}

// A tree is the known part of the hash tree of one file, from the piece layer up.
// It is safe for concurrent use.
type tree struct {
	hash    Hash256 // the root
	pieces  int     // nodes of the piece layer that have data
	base    int     // level of the piece layer; of the root if there is one piece
	height  int     // levels from the piece layer to the root
	mu      sync.RWMutex
	rows    [][]Hash256 // by level above the piece layer; zero is unknown. nil: nothing known
	missing int         // unknown nodes of the piece layer, when rows is not nil
}

// plant makes t the tree of a file of length > 0 bytes. Only the root is known.
func (t *tree) plant(root Hash256, length int64, pieceLength int) {
	t.hash, t.pieces = root, 1
	if length <= int64(pieceLength) {
		t.base = levels(blocks(length))
		return
	}
	t.pieces = int((length-1)/int64(pieceLength)) + 1
	t.base = levels(blocks(int64(pieceLength)))
	t.height = levels(t.pieces)
}

// blocks returns the number of blocks that n > 0 bytes take.
func blocks(n int64) int { return int((n-1)/BlockLength) + 1 }

// piece returns the node of the piece layer over piece i of the file. ok is false
// if the node is not known, or lies beyond the file's end.
func (t *tree) piece(i int) (h Hash256, ok bool) {
	if i >= t.pieces {
		return Hash256{}, false
	}
	if t.height == 0 {
		return t.hash, true
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.rows == nil {
		return Hash256{}, false
	}
	h = t.rows[0][i]
	return h, h != Hash256{}
}

var errLayer = errors.New("does not lead to the file's root")

// setRow keeps row, the whole piece layer, if it leads to the root.
func (t *tree) setRow(row []Hash256) error {
	if len(row) != t.pieces || !t.leads(row, new(rootHasher)) {
		return errLayer
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows, t.missing = [][]Hash256{row}, 0
	return nil
}

// leads reports whether a row of t.pieces nodes is the piece layer of t. r is scratch.
func (t *tree) leads(row []Hash256, r *rootHasher) bool {
	r.n = 0
	for _, h := range row {
		r.add(h)
	}
	return r.root(t.height, t.base) == t.hash
}

// pieceRoot returns the root of the hash tree over the data of piece i, and
// the number of leaves that the tree has.
func (l *Layout) pieceRoot(i int) (root Hash256, width int, ok bool) {
	if l.trees == nil {
		return Hash256{}, 0, false
	}
	off := l.PieceOffset(i)
	f := l.FileAt(off)
	t := l.trees[f]
	if t == nil {
		return Hash256{}, 0, false
	}
	root, ok = t.piece(int((off - l.Files[f].Offset) / int64(l.PieceLength)))
	return root, 1 << t.base, ok
}
