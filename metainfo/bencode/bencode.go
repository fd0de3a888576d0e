// Package bencode reads and writes the encoding of BEP 3, "bencoding".
//
// Reading is a walk over bytes that are already in memory: nothing is copied
// and nothing is allocated, so the cost of a document is bounded by its size.
// Depth and number of values are bounded by Limits. The walk is
// strict: integers and string lengths must be canonical, and a dictionary may
// not hold a key twice. Keys out of order are accepted, because torrents in
// the wild have them and the info-hash is taken over the bytes as received.
// Documents that no hash covers are read by a lenient Reader, see NewLenient.
//
// Its nouns: a Reader walks one document; a value is an integer, a string, a
// list or a dictionary.
package bencode

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math"
)

// Limits bound the work that one document can cause. Zero fields mean the
// defaults.
type Limits struct {
	DepthMax  int // containers open at once; 32 when zero
	ValuesMax int // values in the whole document; 4 million when zero
}

const (
	defaultDepthMax  = 32
	defaultValuesMax = 4 << 20
	noValue          = -1
)

// Kind is the type of the next value of a Reader.
type Kind uint8

// The kinds of value. None means the end of the input or of the container.
const (
	None Kind = iota
	Integer
	String
	List
	Dict
)

func (k Kind) String() string {
	return [...]string{"nothing", "integer", "string", "list", "dictionary"}[k]
}

// ErrLimit is wrapped by the errors for documents that exceed their Limits.
var ErrLimit = errors.New("bencode: limit exceeded")

// A SyntaxError says where a document stops being canonical bencoding, or
// where it holds another kind of value than the caller asked for.
type SyntaxError struct {
	Offset int // bytes from the start of the document
	What   string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("bencode: offset %d: %s", e.Offset, e.What)
}

// A Reader walks one document from its start. Its methods read the next
// value; the first error sticks, after which every method returns zero values
// and Err returns the error. Slices that it returns are views of the
// document. A Reader is for one goroutine.
type Reader struct {
	buf    []byte
	pos    int
	depth  int
	values int
	limits Limits
	err    error
	// lenient makes the walk that of NewLenient; once makes it refuse repeated keys
	// all the same.
	lenient, once bool
}

// NewReader returns a Reader at the first value of doc.
func NewReader(doc []byte, limits Limits) *Reader {
	r := new(Reader)
	r.Reset(doc, limits)
	return r
}

// Reset makes r start again at the first value of doc, so that one Reader can
// serve many documents.
func (r *Reader) Reset(doc []byte, limits Limits) {
	if limits.DepthMax == 0 {
		limits.DepthMax = defaultDepthMax
	}
	if limits.ValuesMax == 0 {
		limits.ValuesMax = defaultValuesMax
	}
	*r = Reader{buf: doc, limits: limits}
}

// Err returns the first error, or nil.
func (r *Reader) Err() error { return r.err }

// Offset returns the number of bytes read so far.
func (r *Reader) Offset() int { return r.pos }

// Left returns the number of bytes not read yet.
func (r *Reader) Left() int { return len(r.buf) - r.pos }

// Close reports the first error, or an error when bytes follow the values
// read so far.
func (r *Reader) Close() error {
	if r.err == nil && r.pos != len(r.buf) {
		r.fail(r.pos, "trailing bytes")
	}
	return r.err
}

// Kind returns the kind of the next value, without reading it.
func (r *Reader) Kind() Kind {
	if r.err != nil || r.pos >= len(r.buf) {
		return None
	}
	switch c := r.buf[r.pos]; {
	case c == 'i':
		return Integer
	case c >= '0' && c <= '9':
		return String
	case c == 'l':
		return List
	case c == 'd':
		return Dict
	}
	return None
}

// Int reads an integer.
func (r *Reader) Int() int64 {
	n, _ := r.scanInt()
	return n
}

// scanInt reads an integer. ok is false if it is not a number; only a lenient
// Reader goes on after that.
func (r *Reader) scanInt() (n int64, ok bool) {
	if !r.expect(Integer) {
		return 0, false
	}
	if r.lenient {
		return r.scanLooseInt()
	}
	n, end := parseInt(r.buf, r.pos+1, 'e')
	if end < 0 {
		r.fail(r.pos, "integer is not canonical or does not fit 64 bits")
		return 0, false
	}
	r.pos = end
	return n, true
}

// Bytes reads a string and returns a view of it, not nil even if it is empty.
func (r *Reader) Bytes() []byte {
	if !r.expect(String) {
		return nil
	}
	return r.scanString()
}

// Dict ranges over the keys of a dictionary. The body of the loop reads the value of the
// key; a value that it does not read is skipped. If the body leaves the loop early, r
// still moves to the end of the dictionary.
func (r *Reader) Dict() iter.Seq[[]byte] {
	return func(yield func(key []byte) bool) { r.walkDict(yield) }
}

// List ranges over the indices of a list, as Dict does over keys.
func (r *Reader) List() iter.Seq[int] {
	return func(yield func(i int) bool) { r.walkList(yield) }
}

// Skip passes over the next value, and checks it.
func (r *Reader) Skip() { r.Raw() }

// Raw passes over the next value, checks it, and returns its bytes.
func (r *Reader) Raw() []byte {
	start := r.pos
	switch r.Kind() {
	case Integer:
		r.Int()
	case String:
		r.Bytes()
	case List:
		r.walkList(nil)
	case Dict:
		r.walkDict(nil)
	default:
		r.fail(r.pos, "expected a value")
	}
	if r.err != nil {
		return nil
	}
	return r.buf[start:r.pos:r.pos]
}

// TryInt reads an integer. For a value of another kind, which is skipped, ok is false.
// The methods named Try are for messages whose bad fields are ignored.
func (r *Reader) TryInt() (n int64, ok bool) {
	if r.Kind() != Integer {
		r.Skip()
		return 0, false
	}
	return r.scanInt()
}

// TryBytes reads a string. For a value of another kind, which is skipped, ok is false.
func (r *Reader) TryBytes() (b []byte, ok bool) {
	if r.Kind() != String {
		r.Skip()
		return nil, false
	}
	b = r.Bytes()
	return b, r.err == nil
}

func (r *Reader) fail(offset int, what string) {
	if r.err == nil {
		r.err = &SyntaxError{offset, what}
	}
}

// expect counts the next value and checks its kind.
func (r *Reader) expect(want Kind) bool {
	if got := r.Kind(); got != want {
		if got == None && r.pos >= len(r.buf) {
			r.fail(r.pos, "unexpected end")
		} else {
			r.fail(r.pos, "expected "+want.String()+", found "+got.String())
		}
		return false
	}
	if r.values++; r.values > r.limits.ValuesMax {
		r.err = fmt.Errorf("%w: more than %d values", ErrLimit, r.limits.ValuesMax)
		return false
	}
	return true
}

func (r *Reader) scanString() []byte {
	parse := parseLength
	if r.lenient {
		parse = parseLooseLength
	}
	n, at := parse(r.buf, r.pos)
	if at < 0 || n < 0 {
		r.fail(r.pos, "string length is not canonical")
		return nil
	}
	if n > int64(len(r.buf)-at) {
		r.fail(r.pos, "string is longer than the input")
		return nil
	}
	end := at + int(n)
	s := r.buf[at:end:end]
	r.pos = end
	return s
}

// open enters a container; atEnd leaves it.
func (r *Reader) open(kind Kind) bool {
	if !r.expect(kind) {
		return false
	}
	if r.depth++; r.depth > r.limits.DepthMax {
		r.err = fmt.Errorf("%w: deeper than %d", ErrLimit, r.limits.DepthMax)
		return false
	}
	r.pos++
	return true
}

// atEnd reports whether the open container ends here, and leaves it if so.
func (r *Reader) atEnd() bool {
	if r.err != nil {
		return true
	}
	r.passBlanks()
	if r.pos >= len(r.buf) {
		r.fail(r.pos, "unexpected end")
		return true
	}
	if r.buf[r.pos] != 'e' {
		return false
	}
	r.pos++
	r.depth--
	return true
}

// skipUnread skips the value at offset at, in a container at depth, unless the
// body of the loop has read it.
func (r *Reader) skipUnread(at, depth int) {
	if r.err == nil && r.depth != depth {
		panic("bencode: a loop body left a container open")
	}
	if r.pos == at {
		r.Skip()
	}
}

func (r *Reader) walkList(yield func(int) bool) {
	if !r.open(List) {
		return
	}
	depth := r.depth
	for i := 0; !r.atEnd(); i++ {
		at := r.pos
		if yield != nil && !yield(i) {
			yield = nil
		}
		r.skipUnread(at, depth)
	}
}

func (r *Reader) walkDict(yield func([]byte) bool) {
	if !r.open(Dict) {
		return
	}
	depth, start := r.depth, r.pos
	var last []byte
	var seen map[string]struct{} // keys so far, once a key was out of order
	for !r.atEnd() {
		at := r.pos
		key := r.key()
		if r.err != nil {
			return
		}
		order := 1
		if last != nil {
			order = bytes.Compare(key, last)
		}
		if order < 0 && seen == nil {
			seen = r.keysBetween(start, at)
		}
		dup := order == 0
		if seen != nil {
			_, dup = seen[string(key)]
			seen[string(key)] = struct{}{}
		}
		if dup && (!r.lenient || r.once) {
			r.fail(at, "dictionary holds a key twice")
			return
		}
		r.passBlanks()
		last, at = key, r.pos
		if !dup && yield != nil && !yield(key) {
			yield = nil
		}
		r.skipUnread(at, depth)
	}
}

// keysBetween collects the keys of a run of key-value pairs. The run was walked
// before, so it is known to be sound.
func (r *Reader) keysBetween(start, end int) map[string]struct{} {
	keys := make(map[string]struct{})
	limits := Limits{DepthMax: math.MaxInt, ValuesMax: math.MaxInt}
	pairs := Reader{buf: r.buf[:end], pos: start, limits: limits, lenient: r.lenient}
	for pairs.passBlanks(); pairs.pos < end && pairs.err == nil; pairs.passBlanks() {
		keys[string(pairs.key())] = struct{}{}
		pairs.passBlanks()
		pairs.Skip()
	}
	return keys
}

// digitsMax is the number of digits of the largest integer of 64 bits. Every number
// with that many digits fits 64 bits without a sign.
const digitsMax = 19

// parseLength reads the canonical length of a string.
func parseLength(b []byte, at int) (n int64, end int) { return parseInt(b, at, ':') }

// parseInt reads a canonical decimal that ends with stop. It returns the
// offset after stop, or noValue.
func parseInt(b []byte, at int, stop byte) (n int64, end int) {
	negative := at < len(b) && b[at] == '-'
	if negative {
		at++
	}
	first, size := at, uint64(0)
	for ; at < len(b) && b[at]-'0' <= 9; at++ {
		size = size*10 + uint64(b[at]-'0')
	}
	digits := at - first
	switch {
	case digits == 0, digits > digitsMax, at >= len(b), b[at] != stop:
	case b[first] == '0' && (digits > 1 || negative):
	case negative && size <= -math.MinInt64:
		return -int64(size), at + 1
	case !negative && size <= math.MaxInt64:
		return int64(size), at + 1
	}
	return 0, noValue
}
