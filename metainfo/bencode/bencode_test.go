package bencode

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestStrictness(t *testing.T) {
	for _, tt := range []struct {
		doc string
		ok  bool
	}{
		{"i0e", true},
		{"i-1e", true},
		{"i9223372036854775807e", true},
		{"i-9223372036854775808e", true},
		{"i9223372036854775808e", false},
		{"i-9223372036854775809e", false},
		{"i99999999999999999999e", false},
		{"i-0e", false},
		{"i007e", false},
		{"ie", false},
		{"i-e", false},
		{"i1", false},
		{"i 1e", false},
		{"i+1e", false},
		{"0:", true},
		{"3:abc", true},
		{"03:abc", false},
		{"4:abc", false},
		{"-1:a", false},
		{"120000000:a", false},
		{"99999999999999999999:a", false},
		{"3abc", false},
		{"le", true},
		{"l", false},
		{"li1e3:abce", true},
		{"de", true},
		{"d1:ai1ee", true},
		{"d1:a", false},
		{"d1:ae", false},
		{"di1e1:ae", false},
		{"d1:bi1e1:ai2ee", true},
		{"d1:ai1e1:ai2ee", false},
		{"d1:bi1e1:ai2e1:bi3ee", false},
		{"d1:ci1e1:ai2e1:bi3e1:ai4ee", false},
		{"d0:i1e0:i2ee", false},
		{"", false},
		{"e", false},
		{"x", false},
		{"i1ei2e", false},
	} {
		r := NewReader([]byte(tt.doc), Limits{})
		r.Skip()
		if err := r.Close(); (err == nil) != tt.ok {
			t.Errorf("%q: error %v, want ok %v", tt.doc, err, tt.ok)
		}
	}
}

func TestWalk(t *testing.T) {
	r := NewReader([]byte("d1:ai7e1:bl1:x1:ye1:cd1:k1:ve1:di1ee"), Limits{})
	var got []string
	for key := range r.Dict() {
		switch string(key) {
		case "a":
			got = append(got, fmt.Sprint("a=", r.Int()))
		case "b":
			for i := range r.List() {
				got = append(got, fmt.Sprint(i, "=", string(r.Bytes())))
			}
		case "d":
			got = append(got, "d left alone")
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if want := "a=7 0=x 1=y d left alone"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStopEarlyLeavesReaderBehindContainer(t *testing.T) {
	r := NewReader([]byte("ll1:a1:b1:cei5ee"), Limits{})
	for range r.List() {
		for range r.List() {
			r.Bytes()
			break
		}
		if kind := r.Kind(); kind != Integer {
			t.Errorf("behind the inner list: got %v, want an integer", kind)
		}
		break
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWrongKindSticks(t *testing.T) {
	r := NewReader([]byte("d1:a1:xe"), Limits{})
	for range r.Dict() {
		r.Int()
	}
	var syntax *SyntaxError
	if !errors.As(r.Close(), &syntax) || syntax.Offset != 4 {
		t.Errorf("got %v, want a SyntaxError at offset 4", r.Err())
	}
}

func TestTry(t *testing.T) {
	r := NewReader([]byte("d1:a1:x1:bi2e1:cle1:d1:ye"), Limits{})
	for key := range r.Dict() {
		if n, ok := r.TryInt(); ok != (string(key) == "b") {
			t.Errorf("%s: got %d, %v", key, n, ok)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	deep := strings.Repeat("l", 33) + strings.Repeat("e", 33)
	for _, tt := range []struct {
		doc    string
		limits Limits
	}{
		{deep, Limits{}},
		{"li1ei2ee", Limits{ValuesMax: 2}},
		{strings.Repeat("l", 1_000_000), Limits{}},
	} {
		r := NewReader([]byte(tt.doc), tt.limits)
		r.Skip()
		if !errors.Is(r.Err(), ErrLimit) {
			t.Errorf("%.20q...: got %v, want ErrLimit", tt.doc, r.Err())
		}
	}
}

func TestWalkDoesNotAllocate(t *testing.T) {
	doc := []byte("d2:abl1:a1:be3:abci-5e4:zzzzd1:xi1eee")
	var r Reader
	sum := int64(0)
	if n := testing.AllocsPerRun(100, func() {
		r.Reset(doc, Limits{})
		for key := range r.Dict() {
			if string(key) == "abc" {
				sum += r.Int()
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
	if r.Err() != nil || sum == 0 {
		t.Error(r.Err(), sum)
	}
}

func TestAppend(t *testing.T) {
	doc := AppendDict(nil, func(b []byte) []byte {
		b = AppendInt(AppendString(b, "a"), math.MinInt64)
		return AppendList(AppendString(b, "b"), func(b []byte) []byte {
			return AppendString(b, []byte("x"))
		})
	})
	if want := "d1:ai-9223372036854775808e1:bl1:xee"; string(doc) != want {
		t.Errorf("got %s, want %s", doc, want)
	}
}

// FuzzReader checks that any input is walked within bounds, and that what is
// accepted has only one reading: written again value by value it is the same.
func FuzzReader(f *testing.F) {
	for _, doc := range []string{"i0e", "d1:ai1ee", "l0:lee", "d1:bi1e1:ai2ee", "5:hello", "i-0e"} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		r := NewReader(doc, Limits{})
		again := rewrite(r, nil)
		if r.Close() == nil && !bytes.Equal(again, doc) {
			t.Errorf("read %q, wrote %q", doc, again)
		}
	})
}

func rewrite(r *Reader, dst []byte) []byte {
	switch r.Kind() {
	case Integer:
		return AppendInt(dst, r.Int())
	case String:
		return AppendString(dst, r.Bytes())
	case List:
		return AppendList(dst, func(dst []byte) []byte {
			for range r.List() {
				dst = rewrite(r, dst)
			}
			return dst
		})
	case Dict:
		return AppendDict(dst, func(dst []byte) []byte {
			for key := range r.Dict() {
				dst = rewrite(r, AppendString(dst, key))
			}
			return dst
		})
	}
	r.Skip() // sticks the error
	return dst
}
