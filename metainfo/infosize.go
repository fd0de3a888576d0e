package metainfo

import "fmt"

// An InfoSizeError says that a torrent would have an info dictionary of more than
// InfoBytesMax bytes. It is known before anything is hashed.
type InfoSizeError struct {
	Bytes int // of the info dictionary
	// Kind and PieceLength make a torrent of the same files that is small enough, or
	// PieceLength is 0: there are too many files, or their names are too long.
	Kind        Kind
	PieceLength int
	// OtherKind and LargerPieces tell in what that differs from what was asked for.
	OtherKind, LargerPieces bool
}

func (e *InfoSizeError) Error() string {
	return fmt.Sprintf("the info dictionary would have %d bytes, more than the %d that peers take", e.Bytes, InfoBytesMax)
}

// checkInfoBytes fails with an *InfoSizeError if the info dictionary of l would be too
// large.
func checkInfoBytes(opt *BuildOptions, src *sources, l *Layout) error {
	n := infoLength(opt, l)
	if n <= InfoBytesMax {
		return nil
	}
	e := &InfoSizeError{Bytes: n}
	hashes := 0
	if l.kind.HasV1() {
		hashes = l.pieces * len(Hash{})
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
	// One change is better than two, and that of what takes most room comes first.
	tries := [][2]int{}
	if hashes <= n/2 {
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

// fits reports whether a torrent of that kind and length of pieces has an info
// dictionary that peers take.
func fits(opt *BuildOptions, src *sources, kind Kind, pieceLength int) bool {
	other := *opt
	other.Kind, other.PieceLength = kind, pieceLength
	l, err := plan(&other, src)
	return err == nil && infoLength(&other, l) <= InfoBytesMax
}

func appendPairs(to [][2]int, kinds []Kind, lengths []int) [][2]int {
	for _, kind := range kinds {
		for _, length := range lengths {
			to = append(to, [2]int{int(kind), length})
		}
	}
	return to
}

// infoLength returns the length of the info dictionary of l, exactly if it may be too
// large.
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
