package transmission

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// A dialect is one of the two protocols, as far as it concerns names.
type dialect uint8

// The dialects.
const (
	legacy dialect = iota // names with hyphens, or in camel case
	modern                // names in snake case
	dialects
)

// names are what something is called in the dialects.
type names [dialects]string

// keyed is a name as the key of an object: quoted, and with its colon.
type keyed [dialects]string

// keys returns the keys of n.
func (n names) keys() keyed {
	return keyed{`"` + n[legacy] + `":`, `"` + n[modern] + `":`}
}

// is reports whether s is the name in one of the dialects. A client may use those of the
// other one.
func (n names) is(s string) bool { return s == n[legacy] || s == n[modern] }

// A writer builds a JSON document. Its methods append a value each, with the comma that it
// needs. It does not check that the document has a sensible form.
type writer struct {
	turn bool // it is the one answer that is made while memory is short
	b    []byte
	d    dialect

	to   func(part []byte) error // sends the first part of the answer, or the next one; may be nil
	sent bool                    // a part was sent
}

// partBytes is how much of a long answer is collected before it is sent.
const partBytes = 128 << 10

// pass sends what has been collected if that is much. Its last byte stays, by which sep knows
// where the document is. The error is errCut.
func (w *writer) pass() error {
	last := len(w.b) - 1
	if w.to == nil || last < partBytes {
		return nil
	}
	w.sent = true
	if err := w.to(w.b[:last]); err != nil {
		return errCut
	}
	w.b = append(w.b[:0], w.b[last])
	return nil
}

// sep appends the comma between two values.
func (w *writer) sep() {
	if len(w.b) == 0 {
		return
	}
	switch w.b[len(w.b)-1] {
	case '{', '[', ':', '\n':
	default:
		w.b = append(w.b, ',')
	}
}

// open begins an object or an array, shut ends it.
func (w *writer) open(c byte) {
	w.sep()
	w.b = append(w.b, c)
}

func (w *writer) shut(c byte) { w.b = append(w.b, c) }

// key appends the key of a member. The name needs no escapes.
func (w *writer) key(name string) {
	w.sep()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

// name appends the key of a member in the dialect of w.
func (w *writer) name(legacyName, modernName string) {
	w.key(names{legacyName, modernName}[w.d])
}

// keyed appends the key of a member that was made before.
func (w *writer) keyed(k *keyed) {
	w.sep()
	w.b = append(w.b, k[w.d]...)
}

func (w *writer) int(n int64) {
	w.sep()
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *writer) bool(is bool) {
	w.sep()
	w.b = strconv.AppendBool(w.b, is)
}

// bit appends 1 or 0.
func (w *writer) bit(is bool) {
	w.sep()
	if is {
		w.b = append(w.b, '1')
		return
	}
	w.b = append(w.b, '0')
}

// float appends a number with at most four digits behind the point. One that JSON cannot
// show becomes -1.
func (w *writer) float(f float64) {
	w.sep()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		f = -1
	}
	rounded := math.Round(f*1e4) / 1e4
	if math.IsInf(rounded, 0) {
		rounded = f
	}
	w.b = strconv.AppendFloat(w.b, rounded, 'f', -1, 64)
}

// time appends the seconds of the Unix time of t; 0 if it is zero.
func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.int(0)
		return
	}
	w.int(t.Unix())
}

// raw appends a value that is encoded already.
func (w *writer) raw(v []byte) {
	w.sep()
	w.b = append(w.b, v...)
}

// base64 appends a string of bytes.
func (w *writer) base64(p []byte) {
	w.sep()
	w.b = append(w.b, '"')
	w.b = base64.StdEncoding.AppendEncode(w.b, p)
	w.b = append(w.b, '"')
}

// hex appends a string with bytes in hexadecimal digits.
func (w *writer) hex(p []byte) {
	w.sep()
	w.b = append(w.b, '"')
	w.b = hex.AppendEncode(w.b, p)
	w.b = append(w.b, '"')
}

const hexDigits = "0123456789abcdef"

// text appends a string. Bytes that are no UTF-8 become replacement characters; control
// characters are escaped, DEL and those of C1 included, so that the document can be shown.
func (w *writer) text(s string) {
	w.sep()
	b := append(w.b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= 0xa0 && r != utf8.RuneError && r != '\u2028' && r != '\u2029' {
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15],
				hexDigits[r>>4&15], hexDigits[r&15])
		}
		i += size
		start = i
	}
	b = append(b, s[start:]...)
	w.b = append(b, '"')
}

// texts appends an array of strings.
func (w *writer) texts(list []string) {
	w.open('[')
	for _, s := range list {
		w.text(s)
	}
	w.shut(']')
}

// A member is one member of the objects that describe values of type T.
type member[T any] struct {
	keys keyed
	put  func(w *writer, v *T)
}

// m returns a member.
func m[T any](legacyName, modernName string, put func(w *writer, v *T)) member[T] {
	return member[T]{names{legacyName, modernName}.keys(), put}
}

// objects appends an array with an object for each value of the list.
func objects[T any](w *writer, members []member[T], list []T) {
	w.open('[')
	for i := range list {
		object(w, members, &list[i])
	}
	w.shut(']')
}

// object appends an object.
func object[T any](w *writer, members []member[T], v *T) {
	w.open('{')
	for i := range members {
		w.keyed(&members[i].keys)
		members[i].put(w, v)
	}
	w.shut('}')
}
