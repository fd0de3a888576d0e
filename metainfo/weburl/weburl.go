// Package weburl reads URLs as people and programs write them: with blanks,
// umlauts, bytes of other encodings and lone percent signs. In a URL all of
// these are escaped (RFC 3986, section 2.1).
//
// The URLs that it returns are printable, have no blanks, and hold only ASCII outside
// of the name of the host. The package neither looks up hosts nor connects to them, and
// accepts any scheme.
package weburl

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// BytesMax bounds an escaped URL. Servers commonly accept as many bytes.
const BytesMax = 8 << 10

// The reasons why a text is not a URL.
var (
	ErrScheme  = errors.New("not a URL: it does not begin with a scheme such as https://")
	ErrLong    = errors.New("the URL is longer than 8 KiB")
	ErrControl = errors.New("the URL holds a control character")
	ErrHost    = errors.New("the URL has no valid host")
	errRead    = errors.New("the URL cannot be read")
)

// Clean returns the URL that raw stands for, escaped where it must be. Escapes in raw
// stay. The errors do not repeat the URL.
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

// Resolve returns the URL that a reference, which may be relative, means at base, such
// as the Location of a redirect.
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

// split returns where the host begins in a reference, after any password, and
// where it ends, after the port. Without "//" both are 0.
func split(s string) (host, path int) {
	slashes := strings.Index(s, "//")
	if slashes < 0 || slashes > 0 && (s[slashes-1] != ':' || !isScheme(s[:slashes-1])) {
		return 0, 0
	}
	host = slashes + len("//")
	path = len(s)
	if i := strings.IndexAny(s[host:], "/?#"); i >= 0 {
		path = host + i
	}
	if at := strings.LastIndexByte(s[host:path], '@'); at >= 0 {
		host += at + 1
	}
	return host, path
}

// isHost reports whether s may be a host with a port. A name may have any letters, but
// no characters that cannot be looked up or would be shown as something else.
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

// appendEscaped appends s, which is not a host. It escapes every byte that a URL cannot
// contain, and every percent sign that does not begin an escape.
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
