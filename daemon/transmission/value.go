package transmission

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// A value is one JSON value of a request, still encoded, and nil if it is missing. json.Valid
// holds for it. Nothing is decoded before a method asks for it: what a request costs besides
// its own bytes is up to the methods and their bounds.
type value []byte

// parseValue returns the only JSON value in doc.
func parseValue(doc []byte) (v value, ok bool) {
	if !json.Valid(doc) {
		return nil, false
	}
	return value(bytes.Trim(doc, " \t\r\n")), true
}

// kind returns the first byte of v: '{', '[', '"', 't', 'f', 'n', or '0' for any number. It is
// 0 if v is missing.
func (v value) kind() byte {
	if len(v) == 0 {
		return 0
	}
	if c := v[0]; c != '-' && (c < '0' || c > '9') {
		return c
	}
	return '0'
}

// missing reports whether v is not there, or null.
func (v value) missing() bool { return v.kind() == 0 || v.kind() == 'n' }

// text returns the string that v is.
func (v value) text() (s string, ok bool) {
	if v.kind() != '"' {
		return "", false
	}
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), true
	}
	err := json.Unmarshal(v, &s)
	return s, err == nil
}

// number returns the number that v is, or that its digits spell. True is 1, false is 0.
func (v value) number() (n float64, ok bool) {
	switch v.kind() {
	case 't':
		return 1, true
	case 'f':
		return 0, true
	case '0':
		n, err := strconv.ParseFloat(string(v), 64)
		return n, err == nil
	case '"':
		s, _ := v.text()
		n, err := strconv.ParseFloat(s, 64)
		return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
	}
	return 0, false
}

// integer returns the number that v is without its fraction. Numbers that are out of range
// become the nearest that are not.
func (v value) integer() (n int64, ok bool) {
	if v.kind() == '0' {
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n, true
		}
	}
	f, ok := v.number()
	switch {
	case !ok:
		return 0, false
	case f >= math.MaxInt64:
		return math.MaxInt64, true
	case f <= math.MinInt64:
		return math.MinInt64, true
	}
	return int64(f), true
}

// truth returns the truth value that v is. Numbers are true unless they are 0, and the words
// "true" and "false" mean what they say.
func (v value) truth() (is, ok bool) {
	if v.kind() == '"' {
		s, _ := v.text()
		return s == "true", s == "true" || s == "false"
	}
	n, ok := v.number()
	return ok && n != 0, ok
}

// elements yields the elements of v if it is an array.
func (v value) elements() iter.Seq[value] {
	return func(yield func(value) bool) {
		if v.kind() != '[' {
			return
		}
		for i := v.skipSpace(1); v[i] != ']'; {
			end := v.end(i)
			if !yield(v[i:end]) {
				return
			}
			if i = v.skipSpace(end); v[i] == ',' {
				i = v.skipSpace(i + 1)
			}
		}
	}
}

// members yields the members of v, their names decoded, if it is an object.
func (v value) members() iter.Seq2[string, value] {
	return func(yield func(string, value) bool) {
		if v.kind() != '{' {
			return
		}
		for i := v.skipSpace(1); v[i] != '}'; {
			end := v.end(i)
			name, _ := v[i:end].text()
			i = v.skipSpace(v.skipSpace(end) + 1) // behind the colon
			end = v.end(i)
			if !yield(name, v[i:end]) {
				return
			}
			if i = v.skipSpace(end); v[i] == ',' {
				i = v.skipSpace(i + 1)
			}
		}
	}
}

// skipSpace returns the place of the first byte from i that is no white space.
func (v value) skipSpace(i int) int {
	for v[i] == ' ' || v[i] == '\t' || v[i] == '\n' || v[i] == '\r' {
		i++
	}
	return i
}

// end returns the place behind the value that begins at i.
func (v value) end(i int) int {
	for depth := 0; ; {
		switch c := v[i]; c {
		case '"':
			i = v.endString(i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\r', '\n':
			i++
		default:
			for i < len(v) && inWord(v[i]) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
}

// inWord reports whether c is part of a number, or of true, false or null.
func inWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' ||
		c == 'E'
}

// endString returns the place behind the string that begins at i.
func (v value) endString(i int) int {
	for i++; v[i] != '"'; i++ {
		if v[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// paramsMax bounds the parameters of a request. The longest request has about 60.
const paramsMax = 256

// params are the parameters of a request: its members by their names, the last one of a name
// last.
type params []param

type param struct {
	name string
	v    value
}

// parseParams returns the members of an object. Anything else has none.
func parseParams(v value) (params, error) {
	var p params
	for name, v := range v.members() {
		if len(p) == paramsMax {
			return nil, invalid("too many parameters")
		}
		p = append(p, param{name, v})
	}
	return p, nil
}

// get returns the parameter with one of the names, or nil. It may be null.
func (p params) get(names ...string) value {
	for i := len(p) - 1; i >= 0; i-- {
		if slices.Contains(names, p[i].name) {
			return p[i].v
		}
	}
	return nil
}

// text returns the string parameter with one of the names, or "".
func (p params) text(names ...string) string {
	s, _ := p.get(names...).text()
	return s
}
