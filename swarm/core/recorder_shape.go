package core

import (
	"fmt"
	"strconv"
	"strings"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/wire"
)

// dictionaryName is the length of the longest name that a made-up dictionary gets to have the
// size of the real one.
const dictionaryName = 9

// runsMax bounds the runs of files and padding in a dump.
const runsMax = 1 << 16

// A shape is what a dump says of the content of a torrent.
type shape struct {
	known       bool
	pieceLength int
	infoSize    int // bytes of the info dictionary
	pieces      int
	kind        string
	runs        []int64 // bytes of files and of padding, in turn
}

// take takes the line about the shape.
func (s *shape) take(f *fields) {
	s.known = true
	s.pieceLength, s.infoSize = int(f.number("piece", 31)), int(f.number("info", 31))
	s.pieces, s.kind = int(f.number("pieces", 31)), f.values["kind"]
	var sum int64
	for _, v := range f.list("runs") {
		n, err := strconv.ParseInt(v, 10, 50)
		if err != nil || n < 0 || sum > 1<<50 {
			f.bad = true
			return
		}
		sum += n
		s.runs = append(s.runs, n)
	}
	f.bad = f.bad || len(s.runs) == 0 || len(s.runs) > runsMax || s.pieceLength == 0 ||
		s.pieces > wire.PiecesMax || (sum-1)/int64(s.pieceLength)+1 != int64(s.pieces)
}

// info returns made-up metadata of that shape. The dictionary has as many bytes as the real
// one, unless that is impossible.
func (s *shape) info() (*metainfo.Info, error) {
	raw := s.sized()
	info, err := metainfo.ParseInfo(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: content of that shape cannot be: %w", ErrDump, err)
	}
	return info, nil
}

// sized returns a dictionary of that shape, with the size of the real one if possible.
func (s *shape) sized() []byte {
	bare := len(s.dictionary("", -1))
	for name := 1; name <= dictionaryName; name++ {
		// the key and the length of the filling take up to twelve bytes
		fill := max(0, s.infoSize-bare-name-12)
		for n := fill - 1; n < fill+7; n++ {
			if raw := s.dictionary(strings.Repeat("x", name), n); len(raw) == s.infoSize {
				return raw
			}
		}
	}
	return s.dictionary("x", -1)
}

// dictionary returns an info dictionary of v1 with that name and, if fill is not negative,
// with as many more bytes under a key that means nothing.
func (s *shape) dictionary(name string, fill int) []byte {
	return bencode.AppendDict(nil, func(b []byte) []byte {
		if len(s.runs) == 1 {
			b = bencode.AppendInt(bencode.AppendString(b, "length"), s.runs[0])
		} else {
			b = append(bencode.AppendString(b, "files"), 'l')
			for k, n := range s.runs {
				b = bencode.AppendDict(b, func(b []byte) []byte {
					if k%2 == 1 {
						b = bencode.AppendString(bencode.AppendString(b, "attr"), "p")
					}
					b = bencode.AppendInt(bencode.AppendString(b, "length"), n)
					b = append(bencode.AppendString(b, "path"), 'l')
					return append(bencode.AppendString(b, strconv.Itoa(k)), 'e')
				})
			}
			b = append(b, 'e')
		}
		b = bencode.AppendString(bencode.AppendString(b, "name"), name)
		b = bencode.AppendInt(bencode.AppendString(b, "piece length"), int64(s.pieceLength))
		b = bencode.AppendString(bencode.AppendString(b, "pieces"),
			strings.Repeat("0", 20*s.pieces))
		if fill >= 0 {
			b = bencode.AppendString(bencode.AppendString(b, "z"), strings.Repeat("0", fill))
		}
		return b
	})
}
