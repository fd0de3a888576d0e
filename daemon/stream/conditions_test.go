package stream

import (
	"net/http"
	"strings"
	"testing"
)

// One sentence of RFC 9110 each: which answer conditions lead to.
func TestConditions(t *testing.T) {
	const tag = `"abc-1"`
	for _, c := range []struct {
		what, method, header string
		status               int
	}{
		{"nothing is asked", "GET", "", 200},
		{"14.2: a range that can be satisfied", "GET", "Range: bytes=0-1", 206},
		{"14.2: a range that cannot", "GET", "Range: bytes=100-", 416},
		{"14.2: a unit that is not known is ignored", "GET", "Range: lines=1-2", 200},
		{"14.2: Range counts for GET alone", "HEAD", "Range: bytes=0-1", 200},
		{"13.1.1: the tag is there", "GET", `If-Match: "x", "abc-1"`, 200},
		{"13.1.1: it is not", "GET", `If-Match: "x"`, 412},
		{"13.1.1: a weak one does not count", "GET", `If-Match: W/"abc-1"`, 412},
		{"13.1.1: any will do", "GET", `If-Match: *`, 200},
		{"13.1.2: the tag is there", "GET", `If-None-Match: "abc-1"`, 304},
		{"13.1.2: a weak one counts", "HEAD", `If-None-Match: W/"abc-1"`, 304},
		{"13.1.2: with a comma in a tag", "GET", `If-None-Match: "a,b","abc-1"`, 304},
		{"13.1.2: it is not", "GET", `If-None-Match: "abc-2"`, 200},
		{"13.1.2: any will do", "GET", `If-None-Match: *`, 304},
		{"13.1.2: no list", "GET", `If-None-Match: abc-1`, 200},
		{"13.1.2: not closed", "GET", `If-None-Match: "abc-1`, 200},
		{"13.1.3: a date is not known", "GET", "If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT",
			200},
		{"13.1.5: the tag is the same", "GET", "If-Range: \"abc-1\"\nRange: bytes=0-1", 206},
		{"13.1.5: it is another one", "GET", "If-Range: \"abc-2\"\nRange: bytes=0-1", 200},
		{"13.1.5: a weak one does not count", "GET", "If-Range: W/\"abc-1\"\nRange: bytes=0-1",
			200},
		{"13.1.5: a date is not known", "GET",
			"If-Range: Mon, 02 Jan 2006 15:04:05 GMT\nRange: bytes=0-1", 200},
		{"13.2.2: If-Match first", "GET", "If-Match: \"x\"\nIf-None-Match: \"abc-1\"", 412},
		{"13.2.2: If-None-Match before Range", "GET",
			"If-None-Match: \"abc-1\"\nRange: bytes=0-1", 304},
	} {
		h := make(http.Header)
		for line := range strings.Lines(c.header) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			h.Add(name, value)
		}
		if got := planFor(c.method, h, tag, 100); got.status != c.status {
			t.Errorf("%s: %d, want %d", c.what, got.status, c.status)
		}
	}
}

func FuzzConditions(f *testing.F) {
	f.Add(`"a", W/"b"`, `"abc-1"`, `"abc-1"`, "bytes=0-1")
	f.Add(`*`, `W/"abc-1`, ``, "bytes=-")
	f.Fuzz(func(t *testing.T, match, none, same, asked string) {
		h := http.Header{"If-Match": {match}, "If-None-Match": {none}, "If-Range": {same},
			"Range": {asked}}
		p := planFor("GET", h, `"abc-1"`, 100)
		if (p.status == http.StatusPartialContent) != (len(p.spans) > 0) {
			t.Errorf("status %d with %d spans", p.status, len(p.spans))
		}
	})
}
