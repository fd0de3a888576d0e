package metainfo

import "fmt"

// outsideBytes is room in a .torrent file for keys other than the info dictionary and
// the piece layers.
const outsideBytes = 64 << 10

// An InfoSizeError says that a torrent would have an info dictionary of more than
// InfoBytesMax bytes, or a .torrent file, with the piece layers, of more than
// TorrentBytesMax. Build returns it before anything is hashed.
type InfoSizeError struct {
	Bytes int  // of the info dictionary, or of the file
	File  bool // it is the file that is too large
	// Kind and PieceLength would make a torrent of the same files small enough. If
	// nothing does, PieceLength is 0: there are too many files, or their names are too
	// long.
	Kind        Kind
	PieceLength int
	// OtherKind and LargerPieces say how that differs from the options.
	OtherKind, LargerPieces bool
}

func (e *InfoSizeError) Error() string {
	if e.File {
		return fmt.Sprintf("the .torrent file would have %d bytes, more than the %d that are read",
			e.Bytes, TorrentBytesMax)
	}
	return fmt.Sprintf("the info dictionary would have %d bytes, more than the %d that peers take",
		e.Bytes, InfoBytesMax)
}

// checkInfoBytes fails with an *InfoSizeError if the info dictionary of l would be too
// large, or the .torrent file, if one is made.
func checkInfoBytes(opt *BuildOptions, src *sources, l *Layout) error {
	e := excess(opt, l)
	if e == nil {
		return nil
	}
	hashes := 0
	if l.kind.HasV1() {
		hashes = l.pieces * len(Hash{})
	}
	if e.File {
		hashes += layersBytes(l)
	}
	kinds := []Kind{l.kind}
	for _, kind := range []Kind{V1, V2} {
		if kind != l.kind {
			kinds = append(kinds, kind)
		}
	}
	lengths := []int{l.PieceLength}
	for length := 2 * l.PieceLength; length <= PieceLengthMax; length *= 2 {
		lengths = append(lengths, length)
	}
	// One change is better than two, and the change with the largest effect comes first.
	tries := [][2]int{}
	if hashes <= e.Bytes/2 {
		tries = appendPairs(tries, kinds[1:], lengths[:1])
		tries = appendPairs(tries, kinds[:1], lengths[1:])
	} else {
		tries = appendPairs(tries, kinds[:1], lengths[1:])
		tries = appendPairs(tries, kinds[1:], lengths[:1])
	}
	hopeless := make(map[Kind]bool) // whatever the length of pieces
	for _, kind := range kinds {
		hopeless[kind] = !fits(opt, src, kind, PieceLengthMax)
	}
	for _, try := range appendPairs(tries, kinds[1:], lengths[1:]) {
		kind, length := Kind(try[0]), try[1]
		if !hopeless[kind] && fits(opt, src, kind, length) {
			e.Kind, e.PieceLength = kind, length
			e.OtherKind, e.LargerPieces = kind != l.kind, length != l.PieceLength
			break
		}
	}
	return e
}

// excess returns what is too large in a torrent with the layout l, nil if nothing is.
func excess(opt *BuildOptions, l *Layout) *InfoSizeError {
	n := infoLength(opt, l)
	if n > InfoBytesMax {
		return &InfoSizeError{Bytes: n}
	}
	if n += layersBytes(l); opt.Output != "" && n > TorrentBytesMax-outsideBytes {
		return &InfoSizeError{Bytes: n, File: true}
	}
	return nil
}

// layersBytes returns an upper bound, close to the truth, of the length of the piece
// layers of l.
func layersBytes(l *Layout) (n int) {
	if !l.kind.HasV2() {
		return 0
	}
	const perFile = 48 // the root, and the lengths before both
	for i := range l.Files {
		if first, end := l.FilePieces(i); !l.Files[i].Pad && end-first > 1 {
			n += perFile + (end-first)*len(Hash256{})
		}
	}
	return n
}

// fits reports whether a torrent of that kind and length of pieces is small enough.
func fits(opt *BuildOptions, src *sources, kind Kind, pieceLength int) bool {
	other := *opt
	other.Kind, other.PieceLength = kind, pieceLength
	l, err := plan(&other, src)
	return err == nil && excess(&other, l) == nil
}

func appendPairs(to [][2]int, kinds []Kind, lengths []int) [][2]int {
	for _, kind := range kinds {
		for _, length := range lengths {
			to = append(to, [2]int{int(kind), length})
		}
	}
	return to
}

// infoLength returns the length of the info dictionary of l: exactly if that may be too
// large, and otherwise an upper bound.
func infoLength(opt *BuildOptions, l *Layout) int {
	if n := infoBytes(opt, l); n <= InfoBytesMax {
		return n
	}
	var v1 []byte
	if l.kind.HasV1() {
		v1 = make([]byte, l.pieces*len(Hash{}))
	}
	return len(appendInfo(nil, opt, l, v1))
}
