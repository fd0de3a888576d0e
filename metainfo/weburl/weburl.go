// Package weburl reads URLs as people and programs write them: with blanks,
// umlauts, bytes of other encodings and lone percent signs. A URL carries all of
// these escaped (RFC 3986, section 2.1).
//
// What it returns is printable, has no blank, and holds nothing but ASCII outside
// of the name of the host. It neither looks up hosts nor asks them, and has no
// opinion on schemes.
package weburl

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// BytesMax bounds a URL, escaped: what servers commonly take.
const BytesMax = 8 << 10

// The reasons for which a text is no URL.
var (
	ErrScheme  = errors.New("no URL: it does not begin with a scheme such as https://")
	ErrLong    = errors.New("the URL is longer than 8 KiB")
	ErrControl = errors.New("the URL holds a control character")
	ErrHost    = errors.New("the URL has no host that there could be")
	errRead    = errors.New("the URL cannot be read")
)

// Clean returns the URL that raw stands for, escaped where it has to be. What is
// escaped already stays. Its errors do not repeat the URL.
func Clean(raw string) (string, error) {
	raw = strings.TrimSpace(raw)
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || !isScheme(scheme) || rest == "" {
		return "", ErrScheme
	}
	return clean(raw)
}

// Parse returns the URL that raw stands for, parsed.
func Parse(raw string) (*url.URL, error) {
	s, err := Clean(raw)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, errRead
	}
	return u, nil
}

// Resolve returns what a reference, which may be relative, means at base, as in the
// Location of a redirect.
func Resolve(base *url.URL, reference string) (*url.URL, error) {
	s, err := clean(strings.TrimSpace(reference))
	if err != nil {
		return nil, err
	}
	u, err := base.Parse(s)
	if err != nil {
		return nil, errRead
	}
	return u, nil
}

// Scheme returns the scheme of a reference in lower case, "" if it is relative.
func Scheme(reference string) string {
	scheme, _, ok := strings.Cut(strings.TrimSpace(reference), ":")
	if !ok || !isScheme(scheme) {
		return ""
	}
	return strings.ToLower(scheme)
}

// isScheme reports whether s may be a scheme (RFC 3986, section 3.1).
func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(s[i]))) {
			return false
		}
	}
	return s != ""
}

// clean escapes a reference without blanks around it.
func clean(s string) (string, error) {
	if len(s) > BytesMax {
		return "", ErrLong
	}
	if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "", ErrControl
	}
	host, path := split(s)
	if !isHost(s[host:path]) {
		return "", ErrHost
	}
	b := make([]byte, 0, len(s)+16)
	b = appendEscaped(b, s[:host])
	b = append(b, s[host:path]...)
	b = appendEscaped(b, s[path:])
	if len(b) > BytesMax {
		return "", ErrLong
	}
	return string(b), nil
}

// split returns where the host begins in a reference, behind any password, and
// where it ends, behind the port. Without a host both are where one would be.
func split(s string) (host, path int) {
	slashes := strings.Index(s, "//")
	if slashes < 0 || slashes > 0 && (s[slashes-1] != ':' || !isScheme(s[:slashes-1])) {
		return 0, 0
	}
	host = slashes + len("//")
	path = len(s)
	if i := strings.IndexAny(s[host:], "/?#\\"); i >= 0 {
		path = host + i
	}
	if at := strings.LastIndexByte(s[host:path], '@'); at >= 0 {
		host += at + 1
	}
	return host, path
}

// isHost reports whether s may be a host with a port: what could never be looked up,
// or would be shown as something else, is not. A name may have any letters.
func isHost(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c < utf8.RuneSelf && strings.ContainsRune(" \"<>\\^`{|}", c) ||
			c >= utf8.RuneSelf && !unicode.IsGraphic(c) {
			return false
		}
		if c >= utf8.RuneSelf && unicode.IsSpace(c) {
			return false
		}
	}
	return true
}

// appendEscaped appends s, which is no host, with every byte escaped that cannot
// stand in a URL, and every percent sign that does not escape anything.
func appendEscaped(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]),
			c > ' ' && c < 0x7f && !strings.ContainsRune("\"%<>\\^`{|}", rune(c)):
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}
