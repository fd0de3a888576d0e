package core

import (
	"encoding/binary"
	"time"
)

const (
	// recordedMax bounds the memory of a recorder, in bytes: some seconds of a quick
	// download, some days of a quiet one. A block takes about 12 bytes.
	recordedMax = 160 << 10
	// recordedChunk is the size of the pieces in which the oldest entries are forgotten.
	recordedChunk = 16 << 10
	// recordedBody bounds what an entry keeps of a message or a set of pieces. Of what is
	// longer, only the length is kept.
	recordedBody = 8 << 10
	// entryHead is more than an entry takes without its body.
	entryHead = 128
)

// A recorder remembers the last events of a torrent, and the commands between them, for
// bug reports. It takes memory as it grows, and none beyond recordedMax.
type recorder struct {
	chunks []recorded // oldest first
	events uint64     // in all, since New
	last   time.Duration
}

// A recorded is a row of encoded entries. The first of them counts its time from 0, so
// that it can be read when the earlier rows are forgotten.
type recorded struct {
	bytes []byte
	count int
}

// add records e.
func (r *recorder) add(e *entry) {
	n := len(r.chunks)
	if n == 0 || len(r.chunks[n-1].bytes)+entryHead+len(e.body) > recordedChunk {
		r.chunks = append(r.chunks, r.chunk())
		r.last = 0
		n = len(r.chunks)
	}
	c := &r.chunks[n-1]
	c.bytes = e.append(c.bytes, r.last)
	c.count++
	r.last = e.at
	r.events++
}

// chunk returns an empty row: the memory of the oldest one if there are enough.
func (r *recorder) chunk() recorded {
	if len(r.chunks) < recordedMax/recordedChunk {
		return recorded{}
	}
	oldest := r.chunks[0]
	r.chunks = r.chunks[:copy(r.chunks, r.chunks[1:])]
	return recorded{bytes: oldest.bytes[:0]}
}

// lost returns how many entries were forgotten.
func (r *recorder) lost() uint64 {
	n := r.events
	for i := range r.chunks {
		n -= uint64(r.chunks[i].count)
	}
	return n
}

// entries returns what is remembered, oldest first.
func (r *recorder) entries() []entry {
	list := make([]entry, 0, r.events-r.lost())
	for i := range r.chunks {
		var last time.Duration
		for b := r.chunks[i].bytes; len(b) > 0; {
			var e entry
			b = e.parse(b, last)
			last = e.at
			list = append(list, e)
		}
	}
	return list
}

// Which fields of an entry are encoded. The most frequent ones come first, so that the mask
// of a block takes a byte.
const (
	hasPeer = 1 << iota
	hasPiece
	hasBegin
	hasBlock // the length is that of a whole block
	hasCount
	hasMsg
	hasBody
	hasLength
	hasMarks
	hasSource
	hasAt
	hasMet
)

// append appends e to b. Its time is encoded as the difference from last.
func (e *entry) append(b []byte, last time.Duration) []byte {
	b = append(b, byte(e.kind), e.digest)
	b = binary.AppendUvarint(b, uint64(e.at-last))
	mask := e.mask()
	b = binary.AppendUvarint(b, mask)
	b = appendField(b, mask&hasPeer, uint64(e.peer))
	b = appendField(b, mask&hasPiece, uint64(e.ref.Piece))
	b = appendField(b, mask&hasBegin, uint64(e.ref.Begin))
	b = appendField(b, mask&hasCount, uint64(e.count))
	b = appendField(b, mask&hasMsg, uint64(e.msg)<<8|uint64(e.ext))
	b = appendField(b, mask&hasLength, uint64(e.ref.Length))
	b = appendField(b, mask&hasMarks, uint64(e.marks))
	b = appendField(b, mask&hasSource, uint64(e.source)<<8|uint64(e.fault))
	b = appendField(b, mask&hasMet, zigzag(e.met))
	if mask&hasAt != 0 {
		b = appendEndpoint(b, e.endpoint)
	}
	if mask&hasBody != 0 {
		b = append(binary.AppendUvarint(b, uint64(len(e.body))), e.body...)
	}
	return b
}

// appendField appends v, unless its bit of the mask is 0.
func appendField(b []byte, bit, v uint64) []byte {
	if bit == 0 {
		return b
	}
	return binary.AppendUvarint(b, v)
}

// parse reads what append wrote, and returns the rest of b. The bytes are our own.
func (e *entry) parse(b []byte, last time.Duration) []byte {
	e.kind, e.digest = EventKind(b[0]), b[1]
	b = b[2:]
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		b = b[n:]
		return v
	}
	e.at = last + time.Duration(next())
	mask := next()
	has := func(bit uint64) uint64 {
		if mask&bit == 0 {
			return 0
		}
		return next()
	}
	e.peer, e.ref.Piece = PeerRef(has(hasPeer)), uint32(has(hasPiece))
	e.ref.Begin, e.count = uint32(has(hasBegin)), int(has(hasCount))
	e.setMsg(has(hasMsg))
	e.ref.Length = uint32(has(hasLength))
	if mask&hasBlock != 0 {
		e.ref.Length = wholeBlock
	}
	e.marks = marks(has(hasMarks))
	e.setSource(has(hasSource))
	e.met = unzigzag(has(hasMet))
	if mask&hasAt != 0 {
		e.endpoint, b = parseEndpoint(b)
	}
	if mask&hasBody != 0 {
		n := next()
		e.body, b = b[:n:n], b[n:]
	}
	return b
}
