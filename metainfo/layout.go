package metainfo

import (
	"iter"
	"sort"
	"strings"
)

// A Kind says which of the two formats a torrent has.
type Kind uint8

// The kinds of torrent. A Hybrid is both at once, over the same content.
const (
	V1     Kind = iota // BEP 3
	V2                 // BEP 52, "meta version" 2 without v1 keys
	Hybrid             // BEP 52, "upgrade path"
)

func (k Kind) String() string { return [...]string{"v1", "v2", "hybrid"}[k] }

// HasV1 reports whether pieces have SHA-1 hashes.
func (k Kind) HasV1() bool { return k != V2 }

// HasV2 reports whether files have hash trees.
func (k Kind) HasV2() bool { return k != V1 }

// Layout maps pieces to files and knows the hashes of the pieces. Offsets
// count bytes of content: the files one after the other, with the padding
// that the torrent has between them. The exported fields must not be
// changed. It is safe for concurrent use: nothing in it changes except that
// the hash trees of v2 files become known, and their roots fix what they can become.
//
// Invariants: 0 < Length; 0 < PieceLength <= PieceLengthMax; 0 < Pieces() <=
// PiecesMax; Files[i].Offset+Files[i].Length <= Files[i+1].Offset, with
// equality unless the torrent is V2, where files start at piece boundaries.
type Layout struct {
	Name        string // name of the file, or of the folder that holds all files; clean
	Multi       bool   // whether Name is a folder
	PieceLength int    // bytes of every piece but one before an end or padding
	Length      int64  // bytes of content, padding included
	Files       []File // in the order of the torrent, padding included

	// The names as received, from which Names makes others.
	raw     []byte // the info dictionary
	rawName string // the torrent's name in raw, or the name of the only file of a file tree
	title   string // the torrent's name, if rawName is the name of a file
	varied  bool   // some rule gives other names

	kind   Kind
	pieces int
	hashes []byte  // v1: SHA-1 of each piece, one after the other
	sizes  []int32 // PieceSize of each piece; nil when only the last differs
	parts  []int32 // ContentSize of each piece; nil when it is PieceSize
	trees  []*tree // v2: by file; nil for files without content
	roots  []int32 // v2: files with content, sorted by root
}

// File is one file of a Layout.
type File struct {
	// Path holds the elements below Layout.Name, clean; none if Name is the
	// file itself.
	Path   []string
	Offset int64 // bytes of content before the file
	Length int64 // bytes
	// Pad marks zero bytes that only align the next file (BEP 47). They
	// are neither written to disk nor requested.
	Pad        bool
	Executable bool // BEP 47, attribute "x"
	Hidden     bool // BEP 47, attribute "h"
	// Link is not empty exactly for a symbolic link (BEP 47): the
	// elements of its target, below Layout.Name, clean, or its
	// own Path if the target is not inside the folder. The Length of a link is 0. The
	// node makes no links.
	Link []string
	// Root is the root of the file's hash tree (BEP 52, "pieces root"); zero
	// for empty files and in v1 torrents.
	Root Hash256
}

// Span is a run of bytes within one file.
type Span struct {
	File   int   // index in Layout.Files
	Offset int64 // bytes from the start of the file
	Length int   // bytes, > 0
}

// Kind returns the kind of the torrent.
func (l *Layout) Kind() Kind { return l.kind }

// Pieces returns the number of pieces.
func (l *Layout) Pieces() int { return l.pieces }

// PieceSize returns the bytes of piece i that are transferred and
// stored: up to the end of the content, of the file (v2), or of the data
// before the padding that ends the piece. It is never 0: a piece of
// padding alone, which no known program makes, counts as data.
func (l *Layout) PieceSize(i int) int {
	if l.sizes != nil {
		return int(l.sizes[i])
	}
	return l.paddedSize(i)
}

// ContentSize returns the bytes of piece i that belong to files, without any
// padding. Figures for people count it. It is at most PieceSize, and 0 for
// a piece of padding alone.
func (l *Layout) ContentSize(i int) int {
	if l.parts != nil {
		return int(l.parts[i])
	}
	return l.PieceSize(i)
}

// PieceSizePadded returns the bytes of piece i with the zeros that follow its
// data. Its SHA-1 covers them, and a peer may ask for them. In a v1 torrent the zeros
// are the padding that ends the piece. In a V2 torrent they fill the whole PieceLength:
// by BEP 52 requests end with the file, but libtorrent asks for as much as if
// padding followed even the last one.
func (l *Layout) PieceSizePadded(i int) int {
	if l.kind == V2 {
		return l.PieceLength
	}
	return l.paddedSize(i)
}

func (l *Layout) paddedSize(i int) int {
	return int(min(int64(l.PieceLength), l.Length-l.PieceOffset(i)))
}

// PieceOffset returns the bytes of content before piece i.
func (l *Layout) PieceOffset(i int) int64 { return int64(i) * int64(l.PieceLength) }

// Size returns the bytes of the files, without padding.
func (l *Layout) Size() int64 {
	var n int64
	for i := range l.Files {
		if !l.Files[i].Pad {
			n += l.Files[i].Length
		}
	}
	return n
}

// FilePath returns the path of file i below the download folder: Name and the
// elements of its Path, joined by slashes.
func (l *Layout) FilePath(i int) string {
	if len(l.Files[i].Path) == 0 {
		return l.Name
	}
	return l.Name + "/" + strings.Join(l.Files[i].Path, "/")
}

// FilePieces returns the pieces that hold bytes of file i: first up to, not
// including, end. They are equal for an empty file.
func (l *Layout) FilePieces(i int) (first, end int) {
	f := &l.Files[i]
	first = int(f.Offset / int64(l.PieceLength))
	if f.Length == 0 {
		return first, first
	}
	return first, int((f.Offset+f.Length-1)/int64(l.PieceLength)) + 1
}

// FileAt returns the index of the file that holds the byte at off. If off lies between
// two files of a v2 torrent, that is the file before it.
func (l *Layout) FileAt(off int64) int {
	i := sort.Search(len(l.Files), func(i int) bool { return l.Files[i].Offset > off }) - 1
	for i > 0 && l.Files[i].Length == 0 {
		i--
	}
	return max(i, 0)
}

// Spans yields the parts of files that the n bytes of content from off cover,
// padding included, in order. Bytes outside the content are left out, and so are
// the gaps of a V2 torrent, which belong to no piece.
func (l *Layout) Spans(off int64, n int) iter.Seq[Span] {
	return func(yield func(Span) bool) { l.walkSpans(off, n, yield) }
}

func (l *Layout) walkSpans(off int64, n int, yield func(Span) bool) {
	if n <= 0 || off < 0 || off >= l.Length {
		return
	}
	end := off + min(int64(n), l.Length-off)
	for i := l.FileAt(off); i < len(l.Files) && l.Files[i].Offset < end; i++ {
		f := &l.Files[i]
		from, to := max(off, f.Offset), min(end, f.Offset+f.Length)
		if from < to && !yield(Span{i, from - f.Offset, int(to - from)}) {
			return
		}
	}
}

// setPieces computes the number and the sizes of the pieces from Length and
// Files.
func (l *Layout) setPieces() {
	pl := int64(l.PieceLength)
	l.pieces = int((l.Length + pl - 1) / pl)
	special := l.kind == V2
	for i := range l.Files {
		special = special || l.Files[i].Pad
	}
	if !special {
		return
	}
	l.sizes = make([]int32, l.pieces)
	for i := range l.Files { // the last file with data in a piece decides
		f := &l.Files[i]
		if f.Pad || f.Length == 0 {
			continue
		}
		first, end := l.FilePieces(i)
		for p := first; p < end; p++ {
			l.sizes[p] = int32(min(pl, f.Offset+f.Length-l.PieceOffset(p)))
		}
	}
	var sum int64
	for p, n := range l.sizes {
		if n == 0 {
			l.sizes[p] = int32(l.paddedSize(p))
		}
		sum += int64(l.sizes[p])
	}
	// Padding may lie before data of the same piece, or fill a whole one: programs
	// align the next file to a piece, but nothing says that they must.
	if sum != l.Size() {
		l.parts = l.Parts(nil)
	}
}

// Parts returns how many bytes of each piece belong to wanted files, without any
// padding. If wanted is nil, all files are wanted.
func (l *Layout) Parts(wanted []bool) []int32 {
	pl := int64(l.PieceLength)
	parts := make([]int32, l.pieces)
	for i := range l.Files {
		f := &l.Files[i]
		if f.Pad || wanted != nil && !wanted[i] {
			continue
		}
		first, end := l.FilePieces(i)
		for p := first; p < end; p++ {
			start := l.PieceOffset(p)
			parts[p] += int32(min(start+pl, f.Offset+f.Length) - max(start, f.Offset))
		}
	}
	return parts
}
