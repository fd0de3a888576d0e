package metainfo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// readTree reads one level of the "file tree" of BEP 52: a dictionary of
// names, in which a file is a dictionary with only the empty name. path is the path of
// the folder.
func (p *infoParser) readTree(path [][]byte) {
	if len(path) > PathDepthMax {
		p.fail("file tree: %w", errNameDepth)
		return
	}
	var before []byte
	entries := 0
	for key := range p.r.Dict() {
		if entries++; entries > 1 && (len(before) == 0 || bytes.Compare(key, before) < 0) {
			// Pieces are numbered in this order: readers must agree on it.
			p.fail("file tree: names are not sorted, or a file is a folder too")
		}
		before = key
		switch {
		case p.failed():
		case len(key) > 0:
			p.readTree(append(path, key))
		case len(path) == 0:
			p.fail("file tree: %w", errNameEmpty)
		case p.tree.count == FilesMax:
			p.fail("more than %d files", FilesMax)
		default:
			if err := p.readTreeFile(path); err != nil {
				p.fail("file tree: file %d: %w", p.tree.count, err)
			}
		}
		if p.failed() {
			return
		}
	}
}

// A leaf is a file of the file tree. It is small, since a hybrid has all files a second
// time, and only the names of its leaves are kept.
type leaf struct {
	path   []string
	length int64
	root   int32 // offset of the root in doc
	attr   uint8
}

// The attributes of a leaf.
const (
	leafExecutable = 1 << iota
	leafHidden
)

// leaves is a list that grows without being copied.
type leaves struct {
	chunks [][]leaf // each but the last has leavesChunk elements
	count  int
}

const leavesChunk = 512

func (l *leaves) at(i int) *leaf { return &l.chunks[i/leavesChunk][i%leavesChunk] }

func (l *leaves) add(t leaf) {
	switch {
	case l.count == 0:
		l.chunks = [][]leaf{nil} // most torrents have few files
	case l.count%leavesChunk == 0:
		l.chunks = append(l.chunks, make([]leaf, 0, leavesChunk))
	}
	last := &l.chunks[len(l.chunks)-1]
	*last = append(*last, t)
	l.count++
}

// leafFile returns leaf i as a file.
func (p *infoParser) leafFile(i int) File {
	t := p.tree.at(i)
	f := File{
		Path: t.path, Length: t.length, Link: p.treeLinks[i],
		Executable: t.attr&leafExecutable != 0, Hidden: t.attr&leafHidden != 0,
	}
	if t.length > 0 {
		f.Root = p.leafRoot(t)
	}
	return f
}

// leafRoot returns the root of a leaf that is not empty.
func (p *infoParser) leafRoot(t *leaf) Hash256 { return Hash256(p.doc[t.root:]) }

// noteLeaf adds a file to the tree.
func (p *infoParser) noteLeaf(f *File, root int) {
	t := leaf{path: f.Path, length: f.Length, root: int32(root)}
	if f.Executable {
		t.attr |= leafExecutable
	}
	if f.Hidden {
		t.attr |= leafHidden
	}
	if f.Link != nil {
		if p.treeLinks == nil {
			p.treeLinks = make(map[int][]string)
		}
		p.treeLinks[p.tree.count] = f.Link
	}
	p.tree.add(t)
}

func (p *infoParser) readTreeFile(path [][]byte) error {
	var f File
	var hasLength, link bool
	var root []byte
	rootAt := 0
	p.scratch = p.scratch[:0]
	for key := range p.r.Dict() {
		switch string(key) {
		case "length":
			f.Length, hasLength = p.r.Int(), true
		case "pieces root":
			root, _ = p.r.TryBytes()
			rootAt = p.r.Offset() - len(root)
		case "attr":
			link = p.readAttributes(&f)
		case "symlink path":
			f.Link = p.cleanLink(p.tryPath())
		}
		if p.failed() {
			return nil
		}
	}
	if !link {
		f.Link = nil
	} else {
		f.Length, hasLength = 0, true
	}
	f.Pad = false // v2 aligns files by itself and has no padding
	switch {
	case !hasLength:
		return errors.New("has no length")
	case f.Length < 0 || f.Length > LengthMax:
		return fmt.Errorf("length %d is out of range", f.Length)
	case f.Length > 0 && len(root) != len(f.Root):
		return fmt.Errorf("pieces root has %d bytes instead of %d", len(root), len(f.Root))
	}
	if err := p.setPath(&f, p.tree.count, path); err != nil {
		return err
	}
	if link && len(f.Link) == 0 {
		f.Link = f.Path
	}
	p.noteLeaf(&f, rootAt)
	return nil
}

// layoutV2 fills in l from the keys of BEP 52 alone.
func (p *infoParser) layoutV2(l *Layout) error {
	l.Files, l.Multi = make([]File, p.tree.count), true
	for i := range l.Files {
		l.Files[i] = p.leafFile(i)
	}
	if p.isSingle() {
		l.Multi = false
		l.Files[0].Path = nil
		p.originals = nil
		l.title = p.title
	}
	pl := p.pieceLength
	for i := range l.Files {
		f := &l.Files[i]
		f.Offset = l.Length
		if f.Length == 0 {
			continue
		}
		f.Offset = (l.Length + pl - 1) / pl * pl
		if f.Offset > LengthMax-f.Length {
			return errors.New("the lengths of the files add up to too much")
		}
		l.Length = f.Offset + f.Length
	}
	return p.checkPieces(l)
}

// isSingle reports whether the file tree describes a single file: it has one file,
// at its root (BEP 52, "file tree": "a single-file torrent").
func (p *infoParser) isSingle() bool { return p.tree.count == 1 && len(p.tree.at(0).path) == 1 }

// takeSingleName names the only file at the root of a file tree by its key in the tree,
// whatever the torrent's name is, as libtorrent does.
func (p *infoParser) takeSingleName() {
	if !p.isSingle() {
		return
	}
	name, changed := p.treeOriginals[0]
	if !changed {
		name = p.tree.at(0).path[0]
	}
	if p.hasName && p.name != name {
		p.title = p.name
	}
	p.name = name
}

// joinHalves checks that the v1 files of a hybrid are the files of its file tree,
// with padding that aligns them (BEP 52, "upgrade path"), and gives them their
// roots. Padding after the last file is optional: programs differ.
func (p *infoParser) joinHalves(l *Layout) error {
	next, end := 0, int64(0) // end is the end of the files so far, by the file tree
	align := func(n int64) int64 { return (n + p.pieceLength - 1) / p.pieceLength * p.pieceLength }
	for i := range l.Files {
		f := &l.Files[i]
		if f.Pad {
			continue
		}
		if next == p.tree.count {
			return errors.New("files has more files than the file tree")
		}
		t := p.tree.at(next)
		next++
		path := f.Path
		if !l.Multi {
			path = []string{l.Name}
		}
		switch {
		case !slices.Equal(path, t.path):
			return fmt.Errorf("file %d has two names", i)
		case f.Length != t.length:
			return fmt.Errorf("file %d has two lengths, %d and %d", i, f.Length, t.length)
		case f.Length > 0 && f.Offset%p.pieceLength != 0:
			return fmt.Errorf("file %d does not start at a piece", i)
		case f.Length > 0 && f.Offset != align(end):
			return fmt.Errorf("file %d does not start at the piece at which the file tree has it",
				i)
		}
		if f.Length > 0 {
			f.Root, end = p.leafRoot(t), f.Offset+f.Length
		}
	}
	if next != p.tree.count {
		return errors.New("the file tree has more files than files")
	}
	if l.Length > align(end) {
		return errors.New("the padding at the end is longer than a piece")
	}
	return nil
}

// plantTrees makes the hash trees of all files with content.
func (l *Layout) plantTrees() error {
	l.trees = make([]*tree, len(l.Files))
	count := 0
	for i := range l.Files {
		if f := &l.Files[i]; f.Length > 0 && !f.Pad {
			count++
		}
	}
	l.roots = make([]int32, 0, count)
	for i := range l.Files {
		if f := &l.Files[i]; f.Length > 0 && !f.Pad {
			l.roots = append(l.roots, int32(i))
		}
	}
	l.sortRoots()
	all := make([]tree, count)
	for i, at := range l.roots {
		f := &l.Files[at]
		if i > 0 { // files of equal content are one to the hash tree
			before := l.roots[i-1]
			if t := l.trees[before]; t.hash == f.Root {
				if l.Files[before].Length != f.Length {
					return fmt.Errorf("files %d and %d have one root and two lengths", before, at)
				}
				l.trees[at] = t
				continue
			}
		}
		l.trees[at] = &all[i]
		all[i].plant(f.Root, f.Length, l.PieceLength)
	}
	return nil
}

// sortRoots sorts l.roots, which are in the order of the files: by the first bytes of
// each root, from the last of these to the first, and then the roots that share them.
func (l *Layout) sortRoots() {
	type entry struct{ start, file uint32 }
	entries, sorted := make([]entry, len(l.roots)), make([]entry, len(l.roots))
	for i, f := range l.roots {
		entries[i] = entry{binary.BigEndian.Uint32(l.Files[f].Root[:]), uint32(f)}
	}
	for shift := 0; shift < 32; shift += 8 {
		var next [257]int // where the next entry of each byte goes
		for _, e := range entries {
			next[e.start>>shift&0xff+1]++
		}
		for b := range 256 {
			next[b+1] += next[b]
		}
		for _, e := range entries {
			b := e.start >> shift & 0xff
			sorted[next[b]] = e
			next[b]++
		}
		entries, sorted = sorted, entries
	}
	for i, e := range entries {
		l.roots[i] = int32(e.file)
	}
	for from, to := 0, 0; from < len(entries); from = to {
		for to = from + 1; to < len(entries) && entries[to].start == entries[from].start; to++ {
		}
		slices.SortStableFunc(l.roots[from:to], func(a, b int32) int {
			return bytes.Compare(l.Files[a].Root[:], l.Files[b].Root[:])
		})
	}
}
