package stream

import (
	"net/http"
	"strings"
)

// A plan is what a request gets.
type plan struct {
	status int
	spans  []span // for 206, one or more
}

// planFor decides what a request for a file gets (RFC 9110, section 13.2.2). Dates count for
// nothing: the file has none that is true.
func planFor(method string, h http.Header, tag string, size int64) plan {
	if match := field(h, "If-Match"); match != "" && !matches(match, tag, true) {
		return plan{status: http.StatusPreconditionFailed}
	}
	if none := field(h, "If-None-Match"); none != "" && matches(none, tag, false) {
		return plan{status: http.StatusNotModified}
	}
	asked := field(h, "Range")
	if method != http.MethodGet || asked == "" {
		return plan{status: http.StatusOK}
	}
	if same := field(h, "If-Range"); same != "" && strings.Trim(same, " \t") != tag {
		return plan{status: http.StatusOK}
	}
	spans, ok := parseRange(asked, size)
	switch {
	case !ok:
		return plan{status: http.StatusRequestedRangeNotSatisfiable}
	case len(spans) == 0:
		return plan{status: http.StatusOK}
	}
	return plan{http.StatusPartialContent, spans}
}

// field returns the value of a field that may be there several times.
func field(h http.Header, name string) string { return strings.Join(h.Values(name), ",") }

// matches reports whether a list of entity tags has a tag, or is *. Weak tags match only if the
// comparison need not be strong (RFC 9110, section 8.8.3.2). What is no list matches nothing.
func matches(list, tag string, strong bool) bool {
	rest := strings.Trim(list, " \t")
	if rest == "*" {
		return true
	}
	for rest != "" {
		rest = strings.TrimLeft(rest, " \t,")
		opaque, weak := strings.CutPrefix(rest, "W/")
		if !strings.HasPrefix(opaque, `"`) {
			return false
		}
		end := strings.IndexByte(opaque[1:], '"')
		if end < 0 {
			return false
		}
		if opaque[:end+2] == tag && !(weak && strong) {
			return true
		}
		rest = opaque[end+2:]
	}
	return false
}
