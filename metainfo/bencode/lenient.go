package bencode

import (
	"bytes"
	"strconv"
)

// NewLenient returns a Reader of a document that no hash covers, such as the
// answer of a tracker or the extension handshake of a peer. It goes on where a strict
// Reader stops:
//
//   - a byte order mark and blanks before the document, and blanks between values,
//     are skipped;
//   - integers and the lengths of strings may begin with zeros;
//   - an integer may be -0, or have a plus sign or a fraction, which is cut off. An
//     integer beyond 64 bits becomes the nearest of 64 bits. Anything else between
//     i and e reads as 0, or as not ok;
//   - the first value of a repeated key counts, as in libtorrent;
//   - the key of a dictionary may be an integer.
//
// A truncated document is an error all the same, and so is one beyond the limits.
func NewLenient(doc []byte, limits Limits) *Reader {
	r := NewReader(doc, limits)
	r.lenient = true
	if bytes.HasPrefix(doc, byteOrderMark) {
		r.pos = len(byteOrderMark)
	}
	r.passBlanks()
	return r
}

// RefuseRepeats makes a lenient Reader refuse repeated keys. It is for documents that
// must mean the same to every reader.
func (r *Reader) RefuseRepeats() { r.once = true }

// Strictly makes a lenient Reader strict while read runs. It is for a value that a hash
// covers, inside a document that none covers.
func (r *Reader) Strictly(read func()) {
	lenient := r.lenient
	r.lenient = false
	read()
	r.lenient = lenient
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// looseBytesMax bounds the bytes between the i and the e of a lenient integer. No
// number needs as many.
const looseBytesMax = 64

// TryNumber reads an integer, or a string that holds one: trackers written in languages
// without types send those. For any other value, which is skipped, ok is false.
func (r *Reader) TryNumber() (n int64, ok bool) {
	if r.Kind() != String {
		return r.TryInt()
	}
	return parseLoose(r.Bytes())
}

// passBlanks skips blanks, where a lenient Reader looks for a value.
func (r *Reader) passBlanks() {
	for r.lenient && r.pos < len(r.buf) && isBlank(r.buf[r.pos]) {
		r.pos++
	}
}

// key reads the key of a dictionary.
func (r *Reader) key() []byte {
	if r.lenient && r.Kind() == Integer {
		return r.Raw()
	}
	return r.Bytes()
}

// scanLooseInt reads the integer at r.pos.
func (r *Reader) scanLooseInt() (n int64, ok bool) {
	body := r.buf[r.pos+1:]
	body = body[:min(len(body), looseBytesMax)]
	end := bytes.IndexByte(body, 'e')
	if end < 0 {
		r.fail(r.pos, "integer without an end")
		return 0, false
	}
	r.pos += 1 + end + 1
	return parseLoose(body[:end])
}

// parseLoose reads a decimal number, with blanks around it, a sign or a fraction. ok is
// false if the digits are missing, or anything but a fraction follows them.
func parseLoose(b []byte) (n int64, ok bool) {
	b = bytes.TrimFunc(b, func(c rune) bool { return c < 0x80 && isBlank(byte(c)) })
	digits := b
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		digits = b[1:]
	}
	whole, fraction, _ := bytes.Cut(digits, []byte("."))
	if len(whole) == 0 || !allDigits(whole) || !allDigits(fraction) {
		return 0, false
	}
	// For a number that does not fit, the nearest comes with the error.
	n, _ = strconv.ParseInt(string(b[:len(b)-len(digits)+len(whole)]), 10, 64)
	return n, true
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// parseLooseLength reads the length of a string, which may begin with zeros. It
// returns the offset after the colon, or noValue.
func parseLooseLength(b []byte, at int) (n int64, end int) {
	colon := bytes.IndexByte(b[at:min(len(b), at+looseBytesMax)], ':')
	if colon < 0 || colon > digitsMax || !allDigits(b[at:at+colon]) {
		return 0, noValue
	}
	n, _ = parseLoose(b[at : at+colon])
	return n, at + colon + 1
}
