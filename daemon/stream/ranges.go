package stream

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// spansMax is how many ranges a request may ask for.
const spansMax = 16

// A span is a range of bytes of a file.
//
//	0 <= from < end <= size of the file
type span struct{ from, end int64 }

// length returns how many bytes a span has.
func (s span) length() int64 { return s.end - s.from }

// contentRange returns the header Content-Range of a span.
func (s span) contentRange(size int64) string {
	return "bytes " + strconv.FormatInt(s.from, 10) + "-" + strconv.FormatInt(s.end-1, 10) + "/" +
		strconv.FormatInt(size, 10)
}

// parseRange returns the spans that the header Range asks for (RFC 9110, section 14), in the order
// of the file; those that overlap or touch are one. It returns none if the header says nothing
// that is understood, so that all of the file is meant. ok is false if none of the ranges can be
// satisfied, or there are too many of them.
func parseRange(header string, size int64) (spans []span, ok bool) {
	unit, list, found := strings.Cut(header, "=")
	if !found || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || size == 0 {
		return nil, true
	}
	count := 0
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.Trim(part, " \t"); part == "" {
			continue // RFC 9110, section 5.6.1.2
		}
		s, good := parseSpan(part, size)
		if !good {
			return nil, true
		}
		if count++; count > spansMax {
			return nil, false
		}
		if s.from < s.end {
			spans = append(spans, s)
		}
	}
	if count == 0 {
		return nil, true
	}
	return merge(spans), len(spans) > 0
}

// parseSpan parses one range. An empty span is one that cannot be satisfied. good is false if it
// is no range.
func parseSpan(s string, size int64) (found span, good bool) {
	first, last, cut := strings.Cut(s, "-")
	if !cut {
		return span{}, false
	}
	if first == "" { // the last bytes
		n, good := parsePosition(last)
		return span{size - min(n, size), size}, good
	}
	from, good := parsePosition(first)
	if !good {
		return span{}, false
	}
	end := size
	if last != "" {
		to, good := parsePosition(last)
		if !good || to < from {
			return span{}, false
		}
		end = min(size, to) // to may be the largest number
		if to < size {
			end = to + 1
		}
	}
	return span{min(from, end), end}, true
}

// parsePosition parses digits. A number that is too large is the largest one.
func parsePosition(s string) (n int64, good bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return math.MaxInt64, true
	}
	return n, true
}

// merge sorts spans, and makes one of those that overlap or touch.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		if a.from < b.from {
			return -1
		}
		return 1
	})
	merged := spans[:0]
	for _, s := range spans {
		if n := len(merged); n > 0 && s.from <= merged[n-1].end {
			merged[n-1].end = max(merged[n-1].end, s.end)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}
