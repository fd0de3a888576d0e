package bencode

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// show writes what a Reader finds, such that each reading looks different.
func show(r *Reader) string {
	switch r.Kind() {
	case Integer:
		n, ok := r.TryInt()
		return fmt.Sprintf("%d/%v", n, ok)
	case String:
		return fmt.Sprintf("%q", r.Bytes())
	case List:
		var all []string
		for range r.List() {
			all = append(all, show(r))
		}
		return "[" + strings.Join(all, " ") + "]"
	case Dict:
		var all []string
		for key := range r.Dict() {
			all = append(all, fmt.Sprintf("%s=%s", key, show(r)))
		}
		return "{" + strings.Join(all, " ") + "}"
	}
	r.Skip() // sticks the error
	return "?"
}

// Each document is refused by a strict Reader, and read by a lenient one.
func TestLenientReads(t *testing.T) {
	for _, tt := range []struct{ doc, want string }{
		{"d1:ai1e1:ai2ee", "{a=1/true}"}, // the first, as libtorrent
		{"d1:bi1e1:ai2e1:bi3e1:ai4ee", "{b=1/true a=2/true}"},
		{"d1:bi1e1:ai2e1:ale1:cdee", "{b=1/true a=2/true c={}}"},
		{"d1:b d1:xi1e1:xi2ee 1:ai2e 1:b0:e", "{b={x=1/true} a=2/true}"},
		{"i007e", "7/true"},
		{"i-0e", "0/true"},
		{"i-007e", "-7/true"},
		{"i+5e", "5/true"},
		{"i 5 e", "5/true"},
		{"i1800.5e", "1800/true"},
		{"i1800.e", "1800/true"},
		{"i.5e", "0/false"},
		{"ie", "0/false"},
		{"i-e", "0/false"},
		{"i12x3e", "0/false"},
		{"i1.2.3e", "0/false"},
		{"i9223372036854775808e", "9223372036854775807/true"},
		{"i-99999999999999999999e", "-9223372036854775808/true"},
		{"l i9223372036854775801e i-9223372036854775808ee",
			"[9223372036854775801/true -9223372036854775808/true]"},
		{"003:abc", `"abc"`},
		{"\xef\xbb\xbf\r\n\t d1:ai1ee", "{a=1/true}"},
		{"\nd 1:a i1e\n1:bl i1e\r\n2:xy e }", ""},
		{"\nd 1:a i1e\n1:bl i1e\r\n2:xy e\n}", ""},
		{"\nd 1:a i1e\n1:bl i1e\r\n2:xy e\ne", `{a=1/true b=[1/true "xy"]}`},
		{"di0e1:xi1e1:ye", `{i0e="x" i1e="y"}`},
	} {
		strict := NewReader([]byte(tt.doc), Limits{})
		strict.Skip()
		if strict.Close() == nil {
			t.Errorf("%q: a strict reader takes it", tt.doc)
		}
		r := NewLenient([]byte(tt.doc), Limits{})
		got := show(r)
		if tt.want == "" {
			if r.Close() == nil {
				t.Errorf("%q: read as %s", tt.doc, got)
			}
			continue
		}
		if err := r.Close(); err != nil || got != tt.want {
			t.Errorf("%q: got %s, %v, want %s", tt.doc, got, err, tt.want)
		}
	}
}

// What is cut off or out of bounds stays an error.
func TestLenientRefuses(t *testing.T) {
	for _, doc := range []string{
		"", " ", "\xef\xbb\xbf", "d", "d1:a", "d1:ai1e", "d1:ai1", "l", "i1", "5:abc",
		"99999999999999999999:abc", "-1:a",
		"+1:a", "1 :a", ":", "x", "<html>", "dlei1ee",
		"i" + strings.Repeat("0", looseBytesMax) + "1e",
	} {
		r := NewLenient([]byte(doc), Limits{})
		r.Skip()
		if r.Close() == nil {
			t.Errorf("%q was read", doc)
		}
	}
	for _, doc := range []string{strings.Repeat("l ", 1_000_000),
		"l" + strings.Repeat("i1e ", 100) + "e"} {
		r := NewLenient([]byte(doc), Limits{ValuesMax: 100})
		r.Skip()
		if !errors.Is(r.Err(), ErrLimit) {
			t.Errorf("%.20q...: got %v, want ErrLimit", doc, r.Err())
		}
	}
}

func TestTryNumber(t *testing.T) {
	for _, tt := range []struct {
		doc  string
		want int64
		ok   bool
	}{
		{"4:1800", 1800, true}, {"2:-1", -1, true}, {"4: 7\r\n", 7, true}, {"3:010", 10, true},
		{"6:1800.5", 1800, true},
		{"8:1800.5e3", 0, false}, {"8:1800.500", 1800, true}, {"4:none", 0, false},
		{"le", 0, false}, {"de", 0, false}, {"0:", 0, false},
		{"i3e", 3, true}, {"19:9223372036854775808", math.MaxInt64, true},
	} {
		r := NewLenient([]byte(tt.doc), Limits{})
		if n, ok := r.TryNumber(); n != tt.want || ok != tt.ok {
			t.Errorf("%q: got %d, %v, want %d, %v", tt.doc, n, ok, tt.want, tt.ok)
		}
	}
}

// FuzzLenient checks that a lenient Reader reads what a strict one reads, in the
// same way, and that it never reads a document as a strict one cannot write it.
func FuzzLenient(f *testing.F) {
	for _, doc := range []string{
		"i0e", "d1:ai1ee", "d1:bi1e1:ai2e1:bi3ee", "i9223372036854775801e",
		"i-9223372036854775808e", "\nd1:a i-0e e", "003:abc", "i1800.5e", "di0e1:xe", "d1:ai1e",
		"i99999999999999999999e",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		lenient := NewLenient(doc, Limits{})
		got := show(lenient)
		strict := NewReader(doc, Limits{})
		if want := show(strict); strict.Err() == nil && (got != want || lenient.Err() != nil ||
			lenient.Offset() != strict.Offset()) {
			t.Errorf("%q: got %s, %v, want %s", doc, got, lenient.Err(), want)
		}
		if lenient.Err() != nil {
			return
		}
		again := NewLenient(doc, Limits{})
		plain := rewrite(again, nil)
		reader := NewReader(plain, Limits{})
		if reader.Skip(); reader.Close() != nil {
			t.Errorf("%q: written as %q: %v", doc, plain, reader.Err())
		}
		skipped := NewLenient(doc, Limits{})
		if skipped.Skip(); skipped.Err() != nil || skipped.Offset() != lenient.Offset() {
			t.Errorf("%q: read to %d, skipped to %d, %v", doc, lenient.Offset(), skipped.Offset(),
				skipped.Err())
		}
	})
}
