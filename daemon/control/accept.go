package control

import (
	"net/http"
	"strconv"
	"strings"
)

// TakesGzip reports whether whoever sends a header takes answers that are packed by gzip: the
// header Accept-Encoding names gzip, or else everything, and does not refuse it by the weight 0
// (RFC 9110, section 12.5.3).
func TakesGzip(head http.Header) bool {
	all := false
	for _, line := range head.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(line, ",") {
			name, weight, weighed := strings.Cut(coding, ";")
			takes := true
			if weighed {
				_, q, _ := strings.Cut(weight, "=")
				n, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
				takes = err == nil && n > 0
			}
			switch name = strings.TrimSpace(name); {
			case strings.EqualFold(name, "gzip"):
				return takes
			case name == "*":
				all = takes
			}
		}
	}
	return all
}
