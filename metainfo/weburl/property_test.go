package weburl

import (
	"errors"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// A URL that Clean returns has no blank, no control character and no unescaped byte outside
// of the host. Cleaning it again changes nothing, and the standard library reads it as Parse
// does.
func TestCleanIsClean(t *testing.T) {
	parts := []string{"http", "HTTPS", "udp", "://", ":", "/", "//", "?", "#", "@", "%", "%20",
		"%zz", " ", "a", "b.example", "[::1]", "80", "\u00fc", "\xff", "\u202e", "<", "\\", "\n",
		"{", "..", "=", "&", "+"}
	taken, refused := 0, 0
	for seed := range uint64(20000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		raw := []string{"http://h", "https://h:8/", "", "udp://a@"}[rng.IntN(4)]
		for range rng.IntN(8) {
			raw += parts[rng.IntN(len(parts))]
		}
		got, err := Clean(raw)
		if err != nil {
			refused++
			if got != "" || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q: %q, %v", raw, got, err)
			}
			continue
		}
		taken++
		host, path := split(got)
		for i, c := range []byte(got) {
			if c <= ' ' || c == 0x7f || (i < host || i >= path) && c >= 0x80 {
				t.Fatalf("%q became %q, with %q in it", raw, got, c)
			}
		}
		if again, err := Clean(got); err != nil || again != got {
			t.Fatalf("%q became %q, and then %q, %v", raw, got, again, err)
		}
		u, err := Parse(raw)
		if err != nil {
			continue // the standard library may be stricter
		}
		if want, err := url.Parse(got); err != nil || want.Path != u.Path || want.Host != u.Host {
			t.Fatalf("%q: parsed as %v, and %q as %v (%v)", raw, u, got, want, err)
		}
	}
	if taken < 1000 || refused < 1000 {
		t.Errorf("%d taken, %d refused: too few to tell", taken, refused)
	}
}

// Each kind of text that is not a URL has its error. The error does not repeat the text.
func TestParseErrors(t *testing.T) {
	const secret = "s3cret"
	for raw, want := range map[string]error{
		secret:                                         ErrScheme,
		"http://x/\x1b" + secret:                       ErrControl,
		"http://a b" + secret + "/":                    ErrHost,
		"http://x:port" + secret + "/":                 errRead,
		"http://[::1" + secret + "/":                   errRead,
		"http://x/" + strings.Repeat(secret, BytesMax): ErrLong,
	} {
		_, err := Parse(raw)
		if !errors.Is(err, want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%.40q: %v, want %v", raw, err, want)
		}
	}
}

// A reference is resolved as RFC 3986 has it, section 5.4.1, also if it is not escaped.
func TestResolveAsInTheRFC(t *testing.T) {
	base, err := Parse("http://a/b/c/d;p?q")
	if err != nil {
		t.Fatal(err)
	}
	for reference, want := range map[string]string{
		"g": "http://a/b/c/g", "./g": "http://a/b/c/g", "g/": "http://a/b/c/g/",
		"/g": "http://a/g", "//g": "http://g", "?y": "http://a/b/c/d;p?y",
		"g?y": "http://a/b/c/g?y", "#s": "http://a/b/c/d;p?q#s", "g;x": "http://a/b/c/g;x",
		".": "http://a/b/c/", "..": "http://a/b/", "../g": "http://a/b/g",
		"../../g": "http://a/g", "": "http://a/b/c/d;p?q", "g h": "http://a/b/c/g%20h",
	} {
		got, err := Resolve(base, reference)
		if err != nil || got.String() != want {
			t.Errorf("%q: %v, %v; want %s", reference, got, err, want)
		}
	}
	for reference, want := range map[string]string{
		"HTTP://x": "http", "mailto:a": "mailto", "a+b-c.d:x": "a+b-c.d", "1a:x": "", "a b:x": "",
		":x": "", "x": "", "": "", " https://x ": "https",
	} {
		if got := Scheme(reference); got != want {
			t.Errorf("scheme of %q: %q, want %q", reference, got, want)
		}
	}
}
