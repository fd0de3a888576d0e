package metainfo

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"sort"

	"swarmnode/metainfo/bencode"
)

// findRoot returns the first file with the given root, or noFile.
func (l *Layout) findRoot(root []byte) int {
	at := l.searchRoot(root)
	if at < len(l.roots) && bytes.Equal(l.Files[l.roots[at]].Root[:], root) {
		return int(l.roots[at])
	}
	return noFile
}

// searchRoot returns where in l.roots the given root stands or would stand.
func (l *Layout) searchRoot(root []byte) int {
	return sort.Search(len(l.roots), func(i int) bool {
		return bytes.Compare(l.Files[l.roots[i]].Root[:], root) >= 0
	})
}

const noFile = -1

// readLayers takes the "piece layers" of a .torrent file (BEP 52): by root of
// a file larger than one piece, the hashes of its pieces. Layers may be
// missing, since peers can supply them, but not wrong.
func (l *Layout) readLayers(raw []byte) error {
	r := bencode.NewReader(raw, documentLimits)
	for key := range r.Dict() {
		layer := r.Bytes()
		if r.Err() != nil || l.kind == V1 {
			continue
		}
		f := l.findRoot(key)
		if f == noFile {
			return errors.New("holds the root of no file")
		}
		if err := l.trees[f].setLayer(layer); err != nil {
			return fmt.Errorf("file %d: %w", f, err)
		}
	}
	return r.Close()
}

// appendLayers appends the dictionary of the piece layers that are known
// whole; nil when there are none to be had.
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

// HashesKnown tells whether the piece layers of all files are known, as they are
// in a whole .torrent file. It is always so for v1.
func (l *Layout) HashesKnown() bool {
	for _, f := range l.roots {
		if !l.trees[f].complete() {
			return false
		}
	}
	return true
}

// complete tells whether the whole piece layer is known.
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
