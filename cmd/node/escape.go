package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// escape makes text that came from the network or from a file safe to show:
// control characters could move the cursor or set the title, bidirectional
// ones could turn a name round, and a line break could forge a second line.
func escape(s string) string {
	if !strings.ContainsFunc(s, unsafeRune) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unsafeRune(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// unsafeRune reports whether r is neither a letter, mark, number, punctuation or symbol,
// nor a plain space.
func unsafeRune(r rune) bool { return !unicode.IsPrint(r) }

// escapeJSON makes JSON safe to show without changing its meaning. What escape would
// replace becomes \u and four digits, which every parser reads as the character itself.
// Package json escapes only what JSON demands, so DEL, C1 and bidirectional characters
// would pass through it.
func escapeJSON(line []byte) []byte {
	unsafe := func(r rune) bool { return r >= utf8.RuneSelf && unsafeRune(r) || r == 0x7f }
	if !bytes.ContainsFunc(line, unsafe) {
		return line
	}
	safe := make([]byte, 0, len(line)+len(line)/4)
	for _, r := range string(line) {
		switch high, low := utf16.EncodeRune(r); {
		case !unsafe(r):
			safe = utf8.AppendRune(safe, r)
		case r <= 0xffff:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		default:
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		}
	}
	return safe
}

// A jsonWriter makes the JSON that is written to it safe to show.
type jsonWriter struct{ io.Writer }

// Write writes one or more whole lines.
func (w jsonWriter) Write(lines []byte) (int, error) {
	if _, err := w.Writer.Write(escapeJSON(lines)); err != nil {
		return 0, err
	}
	return len(lines), nil
}
