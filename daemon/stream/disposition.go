package stream

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// nameBytesMax bounds the name of a file in a header.
const nameBytesMax = 255

// disposition returns the header Content-Disposition for a file (RFC 6266). Names that are not
// plain ASCII are there a second time as RFC 8187 has it.
func disposition(name string, show bool) string {
	name = cleanName(name)
	how := "attachment"
	if show {
		how = "inline"
	}
	var plain, full strings.Builder
	exact := true
	for _, c := range name {
		switch {
		case c == '"' || c == '\\' || c == '%': // browsers do not agree on what these mean
			plain.WriteByte('_')
			exact = false
		case c < 0x7f:
			plain.WriteRune(c)
		default:
			plain.WriteByte('_')
			exact = false
		}
	}
	how += `; filename="` + plain.String() + `"`
	if exact {
		return how
	}
	const digits = "0123456789ABCDEF"
	for i := range len(name) {
		if c := name[i]; isAttr(c) {
			full.WriteByte(c)
		} else {
			full.WriteByte('%')
			full.WriteByte(digits[c>>4])
			full.WriteByte(digits[c&15])
		}
	}
	return how + "; filename*=UTF-8''" + full.String()
}

// isAttr reports whether a byte stands for itself in RFC 8187.
func isAttr(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}

// cleanName returns the name of a file without what could mislead: slashes, control characters
// and those that turn the direction of writing become underscores. A name that is too long loses
// its middle, so that it keeps its end.
func cleanName(name string) string {
	name = strings.Map(func(c rune) rune {
		switch {
		case c == '/' || c == '\\' || c == utf8.RuneError || unicode.IsControl(c),
			unicode.Is(unicode.Bidi_Control, c), c == '\u2028' || c == '\u2029':
			return '_'
		}
		return c
	}, strings.ToValidUTF8(name, "_"))
	if strings.Trim(name, ". ") == "" {
		return "file"
	}
	if len(name) <= nameBytesMax {
		return name
	}
	head, tail := nameBytesMax-33, len(name)-32
	for head > 0 && !utf8.RuneStart(name[head]) {
		head--
	}
	for tail < len(name) && !utf8.RuneStart(name[tail]) {
		tail++
	}
	return name[:head] + "_" + name[tail:]
}
