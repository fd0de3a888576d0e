package bencode

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// plain reads a document in the simplest way that obeys BEP 3: integers without leading
// zeros and minus zero, strings with their length before a colon, no repeated keys. It
// returns the value as text, and the rest; ok is false if the document is not bencoding.
func plain(doc string, depth int) (value, rest string, ok bool) {
	if doc == "" || depth > 32 {
		return "", "", false
	}
	switch c := doc[0]; {
	case c == 'i':
		number, rest, ended := strings.Cut(doc[1:], "e")
		n, isNumber := new(big.Int).SetString(number, 10)
		if !ended || !isNumber || n.String() != number || !n.IsInt64() {
			return "", "", false
		}
		return number, rest, true
	case c >= '0' && c <= '9':
		return plainString(doc)
	case c == 'l':
		value, doc = "[", doc[1:]
		for doc != "" && doc[0] != 'e' {
			item, rest, ok := plain(doc, depth+1)
			if !ok {
				return "", "", false
			}
			value, doc = value+item+" ", rest
		}
		if doc == "" {
			return "", "", false
		}
		return value + "]", doc[1:], true
	case c == 'd':
		return plainDict(doc[1:], depth)
	}
	return "", "", false
}

func plainString(doc string) (value, rest string, ok bool) {
	length, rest, found := strings.Cut(doc, ":")
	n, isNumber := new(big.Int).SetString(length, 10)
	if !found || !isNumber || n.String() != length || n.Sign() < 0 ||
		n.Cmp(big.NewInt(int64(len(rest)))) > 0 {
		return "", "", false
	}
	return fmt.Sprintf("%q", rest[:n.Int64()]), rest[n.Int64():], true
}

func plainDict(doc string, depth int) (value, rest string, ok bool) {
	value = "{"
	seen := make(map[string]bool)
	for doc != "" && doc[0] != 'e' {
		if doc[0] < '0' || doc[0] > '9' {
			return "", "", false
		}
		key, rest, ok := plainString(doc)
		if !ok || seen[key] {
			return "", "", false
		}
		seen[key] = true
		item, rest, ok := plain(rest, depth+1)
		if !ok {
			return "", "", false
		}
		value, doc = value+key+"="+item+" ", rest
	}
	if doc == "" {
		return "", "", false
	}
	return value + "}", doc[1:], true
}

// walked reads the same with a Reader.
func walked(r *Reader) string {
	switch r.Kind() {
	case Integer:
		return fmt.Sprint(r.Int())
	case String:
		return fmt.Sprintf("%q", r.Bytes())
	case List:
		text := "["
		for range r.List() {
			text += walked(r) + " "
		}
		return text + "]"
	case Dict:
		text := "{"
		for key := range r.Dict() {
			text += fmt.Sprintf("%q=", key) + walked(r) + " "
		}
		return text + "}"
	}
	r.Skip() // records the error
	return ""
}

// randomValue appends a random value.
func randomValue(dst []byte, rng *rand.Rand, depth int) []byte {
	switch kind := rng.IntN(4 - 2*min(depth/4, 1)); kind {
	case 0:
		if rng.IntN(20) == 0 {
			odd := []string{"i-0e", "i00e", "i-01e", "ie", "i-e", "i--1e", "i+1e", "i1.5e",
				"i9223372036854775808e", "i-9223372036854775808e", "i-9223372036854775809e"}
			return append(dst, odd[rng.IntN(len(odd))]...)
		}
		return AppendInt(dst, int64(rng.Uint64())>>rng.IntN(64))
	case 1:
		b := make([]byte, rng.IntN(12))
		for i := range b {
			b[i] = "deil0123:-\x00\xff"[rng.IntN(12)]
		}
		return AppendString(dst, b)
	case 2:
		return AppendList(dst, func(dst []byte) []byte {
			for range rng.IntN(4) {
				dst = randomValue(dst, rng, depth+1)
			}
			return dst
		})
	}
	return AppendDict(dst, func(dst []byte) []byte {
		for i := range rng.IntN(4) {
			dst = AppendString(dst, fmt.Sprint((i*7)%5, rng.IntN(4)))
			dst = randomValue(dst, rng, depth+1)
		}
		return dst
	})
}

// A Reader accepts the same random documents as the plain reading, with the same values,
// even if some bytes are wrong.
func TestReaderAgreesWithPlainReading(t *testing.T) {
	taken, refused := 0, 0
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		doc := randomValue(nil, rng, 0)
		for range rng.IntN(3) { // damage it
			switch at := rng.IntN(len(doc)); rng.IntN(3) {
			case 0:
				doc[at] = "deil0123456789:-"[rng.IntN(16)]
			case 1:
				doc = append(doc[:at:at], doc[min(at+1, len(doc)):]...)
			default:
				doc = append(doc[:at:at], append([]byte{doc[at]}, doc[at:]...)...)
			}
			if len(doc) == 0 {
				doc = []byte("e")
			}
		}
		want, rest, ok := plain(string(doc), 0)
		ok = ok && rest == ""
		r := NewReader(doc, Limits{})
		got := walked(r)
		if err := r.Close(); (err == nil) != ok || ok && got != want {
			t.Fatalf("seed %d: %q: read as %s, %v; want %s, taken %v", seed, doc, got, err, want,
				ok)
		}
		r.Reset(doc, Limits{})
		if raw := r.Raw(); r.Close() == nil != ok || ok && string(raw) != string(doc) {
			t.Fatalf("seed %d: %q: raw %q, %v", seed, doc, raw, r.Err())
		}
		if ok {
			taken++
		} else {
			refused++
		}
	}
	if taken < 500 || refused < 500 {
		t.Errorf("%d taken, %d refused: too few to tell", taken, refused)
	}
}

// A lenient Reader reads every document that a strict one reads, with the same values.
func TestLenientReadsStrictDocumentsAlike(t *testing.T) {
	for seed := range uint64(1000) {
		doc := randomValue(nil, rand.New(rand.NewPCG(seed, 2)), 0)
		strict := NewReader(doc, Limits{})
		want := walked(strict)
		if strict.Close() != nil {
			continue // a key twice, or an odd integer
		}
		lenient := NewLenient(doc, Limits{})
		if got := walked(lenient); got != want || lenient.Close() != nil {
			t.Fatalf("seed %d: %q: lenient %s, %v; strict %s", seed, doc, got, lenient.Err(), want)
		}
	}
}

// Strictly reads one value of a lenient document strictly, and then goes on leniently.
func TestStrictlyIsForOneValue(t *testing.T) {
	for _, tt := range []struct {
		doc string
		ok  bool
	}{
		{"d1:a i007e1:bi7e1:c i08ee", true},
		{"d1:ai007e1:bi007e1:ci8ee", false},
		{"d1:ai7e1:bli7e i8ee1:ci8ee", false},
		{"d1:ai7e1:bd1:xi1e1:xi2ee1:ci8ee", false},
		{"d1:ad1:xi1e1:xi2ee1:bi1e1:ci8ee", true},
	} {
		r := NewLenient([]byte(tt.doc), Limits{})
		keys := ""
		for key := range r.Dict() {
			keys += string(key)
			if string(key) == "b" {
				r.Strictly(r.Skip)
			}
		}
		if err := r.Close(); (err == nil) != tt.ok || tt.ok && keys != "abc" {
			t.Errorf("%q: keys %s, %v; want taken %v", tt.doc, keys, err, tt.ok)
		}
	}
}

// Offset and Left follow the walk, and an error leaves all values zero.
func TestReaderAfterAnError(t *testing.T) {
	r := NewReader([]byte("i5e3:abcx"), Limits{})
	if r.Int() != 5 || r.Offset() != 3 || r.Left() != 6 {
		t.Errorf("offset %d, left %d", r.Offset(), r.Left())
	}
	if string(r.Bytes()) != "abc" || r.Offset() != 8 {
		t.Errorf("offset %d", r.Offset())
	}
	if r.Int() != 0 || r.Err() == nil {
		t.Error("x is taken for an integer")
	}
	first := r.Err()
	n, okInt := r.TryInt()
	b, okBytes := r.TryBytes()
	if n != 0 || okInt || b != nil || okBytes || r.Raw() != nil || r.Kind() != None ||
		r.Err() != first || r.Close() != first {
		t.Errorf("after an error: %d, %q, %v", n, b, r.Err())
	}
	for range r.Dict() {
		t.Error("after an error there are keys")
	}
}
