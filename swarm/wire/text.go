package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable makes a stranger's text fit for a terminal: at most ClientMax
// bytes of printable UTF-8, everything else dropped.
func printable(b []byte) string {
	var s strings.Builder
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		b = b[n:]
		if c == utf8.RuneError && n <= 1 || !unicode.IsPrint(c) {
			continue
		}
		if s.Len()+n > ClientMax {
			break
		}
		s.WriteRune(c)
	}
	return s.String()
}
