package metainfo

import (
	"crypto/sha256"
	"errors"
	"iter"
	"math/bits"
)

const (
	// HashRangeMax is the largest number of hashes of one layer that a request asks
	// for: BEP 52 names it as the number that should be answered.
	HashRangeMax = 512
	// hashAnswerMax is the largest number that is answered: libtorrent asks for all
	// blocks of a piece of up to 128 MiB at once.
	hashAnswerMax = 8192
)

// HashRange names a run of hashes of one layer of a file's hash tree, with
// their proof: the subject of "hash request", "hashes" and "hash reject" (BEP
// 52). Proof counts the layers above Base from which an uncle is wanted; layers inside
// the run need none, since they follow from it.
type HashRange struct {
	Root   [32]byte // pieces root of the file
	Base   uint32   // layer; layer 0 is that of the blocks
	Index  uint32   // first hash, a multiple of Length
	Length uint32   // number of hashes, a power of two
	Proof  uint32   // layers of proof
}

// uncles returns the number of hashes that follow the run as its proof.
func (r HashRange) uncles() int {
	return max(0, int(r.Proof)-r.levels()+1)
}

// levels returns the height of the tree over the run.
func (r HashRange) levels() int { return bits.TrailingZeros32(r.Length) }

// The faults of ranges and of answers.
var (
	errRange      = errors.New("hash range: not part of this torrent")
	errHashCount  = errors.New("hashes: another number than requested")
	errHashProof  = errors.New("hashes: the proof does not lead to a known hash")
	errHashAnchor = errors.New("hashes: the requested range leads to no known hash")
)

// find returns the tree that r is about, after it has checked that r lies in it.
func (l *Layout) find(r HashRange) (t *tree, file int, err error) {
	file = l.findRoot(r.Root[:])
	if file == noFile {
		return nil, noFile, errRange
	}
	t = l.trees[file]
	height := t.base + t.height
	switch {
	case r.Length == 0 || r.Length > hashAnswerMax || bits.OnesCount32(r.Length) != 1,
		r.Index%max(r.Length, 1) != 0,
		int64(r.Base) >= int64(height),
		uint64(r.Index)+uint64(r.Length) > 1<<(height-int(r.Base)),
		int64(r.Proof) >= int64(height)-int64(r.Base):
		return nil, noFile, errRange
	}
	return t, file, nil
}

// HasHashRange reports whether r belongs to this torrent: a file has its root, and r
// lies within the tree.
func (l *Layout) HasHashRange(r HashRange) bool {
	_, _, err := l.find(r)
	return err == nil
}

// AppendHashes appends the answer to r, the hashes and then the uncles from the lowest
// up, to dst. Layers below the piece layer are not kept; they are
// computed from the BlockHashes that leaves returns for a whole and verified piece. If
// ok is false, the request must be rejected: r does not belong to this torrent, or
// the hashes are not known.
func (l *Layout) AppendHashes(dst []byte, r HashRange,
	leaves func(piece int) ([]Hash256, bool)) (answer []byte, ok bool) {
	t, file, err := l.find(r)
	if err != nil {
		return dst, false
	}
	n := nodes{layout: l, tree: t, file: file, leaves: leaves}
	base := int(r.Base)
	if base < t.base && int(r.Length)<<base > max(HashRangeMax, 1<<t.base) {
		return dst, false // one answer would need many pieces to be read
	}
	start := len(dst)
	for i := range int(r.Length) {
		h, ok := n.at(base, int(r.Index)+i)
		if !ok {
			return dst[:start], false
		}
		dst = append(dst, h[:]...)
	}
	for k := r.levels(); k <= int(r.Proof); k++ {
		h, ok := n.at(base+k, int(r.Index)>>k^1)
		if !ok {
			return dst[:start], false
		}
		dst = append(dst, h[:]...)
	}
	return dst, true
}

// nodes looks up the nodes of one tree, of every level, for one answer.
type nodes struct {
	layout *Layout
	tree   *tree
	file   int
	leaves func(piece int) ([]Hash256, bool)
	piece  int         // of the file, whose tree below the piece layer is in rows
	rows   [][]Hash256 // by level; the missing ones at the end left out
}

func (n *nodes) at(level, i int) (Hash256, bool) {
	t := n.tree
	if level >= t.base && t.height > 0 {
		return t.node(level-t.base, i)
	}
	piece := i >> (t.base - level)
	if piece >= t.pieces {
		return zeroHashes[level], true
	}
	if n.rows == nil || n.piece != piece {
		if !n.load(piece) {
			return Hash256{}, false
		}
	}
	i -= piece << (t.base - level)
	if row := n.rows[level]; i < len(row) {
		return row[i], true
	}
	return zeroHashes[level], true
}

// load computes the tree over one piece. Files of one root have the same content, so
// any of them serves.
func (n *nodes) load(piece int) bool {
	root, _ := n.tree.piece(piece)
	for f := range n.layout.twins(n.file) {
		first, _ := n.layout.FilePieces(f)
		leaves, ok := n.leaves(first + piece)
		if !ok || len(leaves) == 0 || len(leaves) > 1<<n.tree.base {
			continue
		}
		rows := growRows(leaves, n.tree.base, 0)
		if root != (Hash256{}) && rows[n.tree.base][0] != root {
			continue
		}
		n.piece, n.rows = piece, rows
		return true
	}
	return false
}

// twins yields file, which is the first of its root, and the others of that
// root.
func (l *Layout) twins(file int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, f := range l.roots[l.searchRoot(l.Files[file].Root[:]):] {
			if l.trees[f] != l.trees[file] || !yield(int(f)) {
				return
			}
		}
	}
}

// growRows computes the rows of a tree from its lowest, of level base, up to
// the root, height levels above.
func growRows(row []Hash256, height, base int) [][]Hash256 {
	rows := make([][]Hash256, 1, height+1)
	rows[0] = row
	for level := range height {
		next := make([]Hash256, (len(row)+1)/2)
		for i := range next {
			right := &zeroHashes[base+level]
			if 2*i+1 < len(row) {
				right = &row[2*i+1]
			}
			next[i] = join(&row[2*i], right)
		}
		rows = append(rows, next)
		row = next
	}
	return rows
}

// node returns node i of the level that is row levels above the piece layer.
func (t *tree) node(row, i int) (Hash256, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i >= rowLength(t.pieces, row) {
		return zeroHashes[t.base+row], true
	}
	if t.rows == nil {
		return Hash256{}, false
	}
	if len(t.rows) == 1 {
		t.rows = growRows(t.rows[0], t.height, t.base) // on the first request only
	}
	h := t.rows[row][i]
	return h, h != Hash256{}
}

// rowLength returns the number of nodes with data in the row that is row
// levels above one of n nodes.
func rowLength(n, row int) int { return (n-1)>>row + 1 }

// NeedsHashes yields the ranges that are missing from the piece layer of
// file i; nothing if the layer is known. Each answer is for AddHashes.
func (l *Layout) NeedsHashes(i int) iter.Seq[HashRange] {
	return func(yield func(HashRange) bool) {
		if l.trees == nil || l.trees[i] == nil {
			return
		}
		t := l.trees[i]
		if t.height == 0 {
			return
		}
		for at := 0; at < t.pieces; at += HashRangeMax {
			n := max(2, 1<<levels(min(HashRangeMax, t.pieces-at)))
			r := HashRange{
				Root: t.hash, Base: uint32(t.base), Index: uint32(at), Length: uint32(n),
				Proof: uint32(t.height - 1),
			}
			if !t.knows(at, min(at+n, t.pieces)) && !yield(r) {
				return
			}
		}
	}
}

// knows reports whether the nodes from first up to end of the piece layer are
// known.
func (t *tree) knows(first, end int) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.rows == nil {
		return false
	}
	for _, h := range t.rows[0][first:end] {
		if h == (Hash256{}) {
			return false
		}
	}
	return true
}

// AddHashes takes an answer to a range of NeedsHashes: hashes of pieces, and
// a proof up to the root. An error means that the sender lies.
func (l *Layout) AddHashes(r HashRange, hashes []byte) error {
	t, _, err := l.find(r)
	switch {
	case err != nil:
		return err
	case t.height == 0 || int(r.Base) != t.base || int(r.Proof) != t.height-1:
		return errHashAnchor
	}
	run, uncles, err := r.split(hashes)
	if err != nil {
		return err
	}
	rows := growRows(run, r.levels(), t.base)
	path := climb(rows[r.levels()][0], int(r.Index)>>r.levels(), uncles)
	if path[len(path)-1] != t.hash {
		return errHashProof
	}
	t.store(r, rows, path, uncles)
	return nil
}

// split decodes the hashes of an answer into those of the range and uncles.
func (r HashRange) split(hashes []byte) (run, uncles []Hash256, err error) {
	n := int(r.Length) + r.uncles()
	if len(hashes) != n*sha256.Size {
		return nil, nil, errHashCount
	}
	all := make([]Hash256, n)
	for i := range all {
		all[i] = Hash256(hashes[i*sha256.Size:])
	}
	return all[:r.Length:r.Length], all[r.Length:], nil
}

// climb returns the ancestors of node h of index i, h itself first.
func climb(h Hash256, i int, uncles []Hash256) []Hash256 {
	path := append(make([]Hash256, 0, len(uncles)+1), h)
	for u := range uncles {
		if i&1 == 0 {
			h = join(&h, &uncles[u])
		} else {
			h = join(&uncles[u], &h)
		}
		path = append(path, h)
		i >>= 1
	}
	return path
}

// store keeps proven nodes: the rows over the run, the path from its root to
// the root of the file, and the uncles along the path.
func (t *tree) store(r HashRange, rows [][]Hash256, path, uncles []Hash256) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows == nil {
		t.rows = make([][]Hash256, t.height+1)
		for row := range t.rows {
			t.rows[row] = make([]Hash256, rowLength(t.pieces, row))
		}
		t.missing = t.pieces
	}
	if t.missing == 0 {
		return
	}
	put := func(row, i int, h Hash256) {
		if i >= len(t.rows[row]) {
			return
		}
		if row == 0 && t.rows[0][i] == (Hash256{}) && h != (Hash256{}) {
			t.missing--
		}
		t.rows[row][i] = h
	}
	for row := range rows {
		for i, h := range rows[row] {
			put(row, int(r.Index)>>row+i, h)
		}
	}
	for k, h := range path {
		row := r.levels() + k
		put(row, int(r.Index)>>row, h)
		if k < len(uncles) {
			put(row, int(r.Index)>>row^1, uncles[k])
		}
	}
}

// BlockHash returns the leaf hash of a block: SHA-256 of its bytes. Every block but the
// last of a file has BlockLength bytes.
func BlockHash(block []byte) Hash256 { return sha256.Sum256(block) }

// BlockHashes returns the leaf hashes of data, which starts at a block.
func BlockHashes(data []byte) []Hash256 {
	if len(data) == 0 {
		return nil
	}
	leaves := make([]Hash256, 0, blocks(int64(len(data))))
	for len(data) > 0 {
		n := min(len(data), BlockLength)
		leaves = append(leaves, BlockHash(data[:n]))
		data = data[n:]
	}
	return leaves
}

// NeedsBlockHashes yields the ranges whose answers, proven by CheckHashes, are
// the hashes of the blocks of piece i, in order. With them each block of the piece can
// be checked alone. It yields nothing for a piece of one block,
// of a v1 torrent or of an unknown hash.
func (l *Layout) NeedsBlockHashes(i int) iter.Seq[HashRange] {
	return func(yield func(HashRange) bool) {
		_, width, ok := l.pieceRoot(i)
		if !ok || width == 1 {
			return
		}
		off := l.PieceOffset(i)
		f := &l.Files[l.FileAt(off)]
		first := int((off - f.Offset) / BlockLength)
		n := min(width, HashRangeMax)
		for at := 0; at < blocks(int64(l.PieceSize(i))); at += n {
			r := HashRange{
				Root: f.Root, Index: uint32(first + at), Length: uint32(n),
				Proof: uint32(levels(width) - 1),
			}
			if !yield(r) {
				return
			}
		}
	}
}

// CheckHashes reports by its error whether the hash of the piece proves an answer to a
// range of NeedsBlockHashes. An error means that the sender lies, unless it says that
// the range itself is wrong.
func (l *Layout) CheckHashes(r HashRange, hashes []byte) error {
	t, _, err := l.find(r)
	switch {
	case err != nil:
		return err
	case r.Base != 0 || int(r.Proof) != t.base-1 || r.levels() > t.base:
		return errHashAnchor
	}
	root, ok := t.piece(int(r.Index) >> t.base)
	if !ok {
		return errHashAnchor
	}
	run, uncles, err := r.split(hashes)
	if err != nil {
		return err
	}
	var sub rootHasher
	for _, h := range run {
		sub.add(h)
	}
	path := climb(sub.root(r.levels(), 0), int(r.Index)>>r.levels(), uncles)
	if path[len(path)-1] != root {
		return errHashProof
	}
	return nil
}
