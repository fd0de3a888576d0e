package metainfo

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"sort"
	"strconv"

	"swarmnode/metainfo/bencode"
)

// findRoot returns the first file with the given root, or noFile.
func (l *Layout) findRoot(root []byte) int {
	at := l.searchRoot(root)
	if !l.isRoot(at, root) {
		return noFile
	}
	return int(l.roots[at])
}

// searchRoot returns the first index of l.roots with the given root, or the index where
// it would be.
func (l *Layout) searchRoot(root []byte) int {
	return sort.Search(len(l.roots), func(i int) bool {
		return bytes.Compare(l.Files[l.roots[i]].Root[:], root) >= 0
	})
}

// isRoot reports whether l.roots has the given root at an index, which may be beyond its
// end.
func (l *Layout) isRoot(at int, root []byte) bool {
	return at < len(l.roots) && bytes.Equal(l.trees[l.roots[at]].hash[:], root)
}

const noFile = -1

// readLayers reads the "piece layers" of a .torrent file (BEP 52): by root of
// a file larger than one piece, the hashes of its pieces. Layers may be
// missing, since peers can supply them, but not wrong.
func (l *Layout) readLayers(raw []byte) error {
	r := bencode.NewReader(raw, documentLimits)
	// of all layers, one after the other
	hashes := make([]Hash256, 0, min(l.pieces, len(raw)/sha256.Size))
	rows := make([][]Hash256, len(l.roots)) // each layer
	at := 0
	for key := range r.Dict() {
		layer := r.Bytes()
		if r.Err() != nil || l.kind == V1 {
			continue
		}
		if !l.isRoot(at, key) { // layers are sorted as roots are, but some files have none
			at = l.searchRoot(key)
		}
		if !l.isRoot(at, key) {
			return errors.New("holds a root that no file has")
		}
		t := l.trees[l.roots[at]]
		if len(layer) != t.pieces*sha256.Size {
			return fmt.Errorf("file %d: has %d bytes instead of %d", l.roots[at], len(layer),
				t.pieces*sha256.Size)
		}
		for ; len(layer) > 0; layer = layer[sha256.Size:] {
			hashes = append(hashes, Hash256(layer))
		}
		rows[at] = hashes[len(hashes)-t.pieces : len(hashes) : len(hashes)]
		t.rows = rows[at : at+1 : at+1]
		at++
	}
	if err := r.Close(); err != nil {
		return err
	}
	return inParts(len(rows), layersPart, func(from, to int) error {
		var hasher rootHasher
		for at := from; at < to; at++ {
			if t := l.trees[l.roots[at]]; rows[at] != nil && !t.leads(rows[at], &hasher) {
				return fmt.Errorf("file %d: %w", l.roots[at], errLayer)
			}
		}
		return nil
	})
}

// layersPart is how many layers are worth a goroutine, which costs as much as a few
// of them.
const layersPart = 64

// appendLayers appends the dictionary of the piece layers that are wholly
// known. It returns nil for v1 torrents, which have none.
func (l *Layout) appendLayers(dst []byte) []byte {
	if l.kind == V1 {
		return nil
	}
	return bencode.AppendDict(dst, func(dst []byte) []byte {
		var last *tree
		for _, f := range l.roots {
			t := l.trees[f]
			if t == last || t.height == 0 || !t.complete() {
				continue
			}
			last = t
			dst = bencode.AppendString(dst, t.hash[:])
			dst = bencode.AppendString(dst, t.layer())
		}
		return dst
	})
}

// writesLayers reports whether appendLayers would write exactly raw.
func (l *Layout) writesLayers(raw []byte) bool {
	rest := raw
	cut := func(b []byte) (same bool) {
		rest, same = bytes.CutPrefix(rest, b)
		return same
	}
	var scratch []byte
	same := l.kind != V1 && cut([]byte("d"))
	var last *tree
	for _, f := range l.roots {
		t := l.trees[f]
		if !same || t == last || t.height == 0 || !t.complete() {
			continue
		}
		last = t
		scratch = bencode.AppendString(scratch[:0], t.hash[:])
		scratch = append(strconv.AppendInt(scratch, int64(t.pieces)*sha256.Size, 10), ':')
		same = cut(scratch)
		t.mu.RLock()
		for i := 0; same && i < len(t.rows[0]); i++ {
			same = cut(t.rows[0][i][:])
		}
		t.mu.RUnlock()
	}
	return same && string(rest) == "e"
}

// layersKnown returns how many piece layers are known.
func (l *Layout) layersKnown() (n int) {
	for _, f := range l.roots {
		if t := l.trees[f]; t.height > 0 && t.complete() {
			n++
		}
	}
	return n
}

// HashesKnown reports whether the piece layers of all files are known, as they are
// after reading a whole .torrent file. It is always true for v1.
func (l *Layout) HashesKnown() bool {
	for _, f := range l.roots {
		if !l.trees[f].complete() {
			return false
		}
	}
	return true
}

// complete reports whether the whole piece layer is known.
func (t *tree) complete() bool {
	if t.height == 0 {
		return true
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.rows != nil && t.missing == 0
}

// layer returns the whole piece layer, encoded.
func (t *tree) layer() []byte {
	t.mu.RLock()
	defer t.mu.RUnlock()
	b := make([]byte, 0, t.pieces*sha256.Size)
	for i := range t.rows[0] {
		b = append(b, t.rows[0][i][:]...)
	}
	return b
}
