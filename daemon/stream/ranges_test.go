package stream

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestRanges(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		// RFC 9110, section 14.1.2.
		{"bytes=0-499", "0-500"},
		{"bytes=500-999", "500-1000"},
		{"bytes=-500", "500-1000"},
		{"bytes=500-", "500-1000"},
		{"bytes=0-0,-1", "0-1 999-1000"},
		{"bytes= 0-0 ,	-1", "0-1 999-1000"},
		{"bytes=500-600,601-999", "500-1000"},
		{"bytes=500-700,601-999", "500-1000"},
		{"bytes=900-,0-9", "0-10 900-1000"},
		{"BYTES=0-0", "0-1"},
		{"bytes=0-0,,", "0-1"},
		{"bytes=-1000", "0-1000"},
		{"bytes=-5000", "0-1000"},
		{"bytes=999-5000", "999-1000"},
		{"bytes=2000-,5-6", "5-7"}, // one can be satisfied
		{"bytes=0-99999999999999999999", "0-1000"},
		{"bytes=0-9223372036854775807", "0-1000"},
		{"bytes=-99999999999999999999", "0-1000"},
		{"bytes=000000000000000000000000-1", "0-2"},
		// Cannot be satisfied.
		{"bytes=1000-", "none"},
		{"bytes=1000-2000,5000-", "none"},
		{"bytes=-0", "none"},
		{"bytes=99999999999999999999-", "none"},
		{"bytes=" + strings.Repeat("0-0,", spansMax+1), "none"},
		// Not understood, and so ignored.
		{"bytes=", ""}, {"bytes", ""}, {"", ""}, {"items=0-1", ""}, {"bytes=1", ""},
		{"bytes=5-4", ""}, {"bytes=-", ""}, {"bytes=a-b", ""}, {"bytes=0-1,x", ""},
		{"bytes=0x1-2", ""}, {"bytes=+1-2", ""}, {"bytes=0 - 1", ""}, {"bytes=--1", ""},
		{"bytes=1-2-3", ""}, {"0-1", ""}, {"bytes=0-1;2-3", ""}, {"bytes=,", ""},
	} {
		if got := rangeText(parseRange(c.header, 1000)); got != c.want {
			t.Errorf("%q: %q, want %q", c.header, got, c.want)
		}
	}
	if got := rangeText(parseRange("bytes=0-", 0)); got != "" {
		t.Errorf("of an empty file: %q", got)
	}
}

// rangeText writes spans as ends that are not included, or "none".
func rangeText(spans []span, ok bool) string {
	if !ok {
		return "none"
	}
	var list []string
	for _, s := range spans {
		list = append(list, fmt.Sprintf("%d-%d", s.from, s.end))
	}
	return strings.Join(list, " ")
}

func FuzzRange(f *testing.F) {
	for _, header := range []string{"bytes=0-0,-1", "bytes=5-,7-9", "bytes=-0", "items=1-2",
		"bytes=99999999999999999999-1"} {
		f.Add(header, int64(1000))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			size = -(size + 1)
		}
		spans, ok := parseRange(header, size)
		if !ok && len(spans) > 0 || len(spans) > spansMax {
			t.Errorf("%d spans, ok %v", len(spans), ok)
		}
		last := int64(-1)
		for _, s := range spans {
			if s.from <= last || s.end <= s.from || s.end > size {
				t.Errorf("%q of %d bytes: %v", header, size, spans)
			}
			last = s.end
		}
		if ok && len(spans) > 0 && total(spans) > size {
			t.Error("more is sent than there is")
		}
	})
}

// total returns how many bytes spans have.
func total(spans []span) (n int64) {
	for _, s := range spans {
		n += s.length()
	}
	return n
}

func TestPositionsAreNumbers(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "007": 7, "9223372036854775808": math.MaxInt64} {
		if n, ok := parsePosition(s); !ok || n != want {
			t.Errorf("%q: %d, %v", s, n, ok)
		}
	}
}
