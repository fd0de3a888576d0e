package weburl

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	for raw, want := range map[string]string{
		"http://x/announce":                        "http://x/announce",
		" http://x/announce\r\n":                   "http://x/announce",
		"http://x/a b/announce":                    "http://x/a%20b/announce",
		"http://x/a%20b/announce":                  "http://x/a%20b/announce",
		"http://x/über/a":                          "http://x/%C3%BCber/a",
		"http://x/\xfcber/a":                       "http://x/%FCber/a",
		"http://x/100% legal":                      "http://x/100%25%20legal",
		"http://x/a%2":                             "http://x/a%252",
		"http://x/a%zz%2F%":                        "http://x/a%25zz%2F%25",
		"http://x/a?key=a b&q=ü#f g":               "http://x/a?key=a%20b&q=%C3%BC#f%20g",
		"http://x?a b":                             "http://x?a%20b",
		"udp://x:1/a\\b\"<>^`{|}":                  "udp://x:1/a%5Cb%22%3C%3E%5E%60%7B%7C%7D",
		"http://me:a b@x:80/":                      "http://me:a%20b@x:80/",
		"http://bücher.example/a b":                "http://bücher.example/a%20b",
		"http://[2001:db8::1]:80/a b":              "http://[2001:db8::1]:80/a%20b",
		"HTTP://X/a+b":                             "HTTP://X/a+b",
		"http://x/a?to=http://y/c d":               "http://x/a?to=http://y/c%20d",
		"http://x/\u202ea":                         "http://x/%E2%80%AEa",
		"http://x/\u00a0":                          "http://x/",
		"http://x/" + strings.Repeat("a", 8000):    "http://x/" + strings.Repeat("a", 8000),
		"http://x/{info}/$&'()*+,;=:@!~_-.":        "http://x/%7Binfo%7D/$&'()*+,;=:@!~_-.",
		"http://user@name@host.example/p@th a":     "http://user@name@host.example/p@th%20a",
		"http://127.0.0.1:8080/f\u00f6\u00f6/a?b=": "http://127.0.0.1:8080/f%C3%B6%C3%B6/a?b=",
	} {
		got, err := Clean(raw)
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", raw, got, err, want)
		}
		if again, err := Clean(got); err != nil || again != got {
			t.Errorf("%q: cleaned again %q, %v", got, again, err)
		}
		if u, err := Parse(raw); err != nil || strings.ContainsAny(u.RequestURI(), " \"<>\u00fc") {
			t.Errorf("%q: parsed as %v, %v", raw, u, err)
		}
	}
	for raw, want := range map[string]error{
		"": ErrScheme, "x": ErrScheme, "://x": ErrScheme, "http://": ErrScheme,
		"http:/x": ErrScheme, "a b://x/": ErrScheme,
		"1a://x": ErrScheme, "magnet:?xt=x": ErrScheme,
		"http://x/a\nb": ErrControl, "http://x/a\x00": ErrControl, "http://x/\x1b[31m": ErrControl,
		"http://x/\x7fa":   ErrControl,
		"http://exa mple/": ErrHost, "http://ex\xffmple/": ErrHost, "http://ex\u202emple/": ErrHost,
		"http://a<b/": ErrHost, `http://x\y/`: ErrHost,
		"http://ex\u00a0mple/":                        ErrHost,
		"http://x/" + strings.Repeat("a", BytesMax):   ErrLong,
		"http://x/" + strings.Repeat(" ", BytesMax/2): ErrScheme, // replaced below
	} {
		if strings.HasSuffix(raw, " ") {
			raw, want = raw+"x", ErrLong
		}
		if got, err := Clean(raw); !errors.Is(err, want) {
			t.Errorf("%.40q: got %q, %v, want %v", raw, got, err, want)
		}
	}
}

func TestResolve(t *testing.T) {
	base, err := url.Parse("http://x/a/b?c")
	if err != nil {
		t.Fatal(err)
	}
	for reference, want := range map[string]string{
		"/d e?f g":           "http://x/d%20e?f%20g",
		"ü":                  "http://x/a/%C3%BC",
		"?q=a b":             "http://x/a/b?q=a%20b",
		"//y/a b":            "http://y/a%20b",
		"https://y/\xfc":     "https://y/%FC",
		"c//d e":             "http://x/a/c//d%20e",
		"http://me@y/100% a": "http://me@y/100%25%20a",
	} {
		if u, err := Resolve(base, reference); err != nil || u.String() != want {
			t.Errorf("%q: got %v, %v, want %s", reference, u, err, want)
		}
	}
	for reference, want := range map[string]string{
		"magnet:?xt=x": "magnet", " MAGNET:?a b": "magnet", "/a:b": "", "a": "", "http://x": "http",
		"?x=a:b": "", ":a": "",
	} {
		if got := Scheme(reference); got != want {
			t.Errorf("%q: scheme %q, want %q", reference, got, want)
		}
	}
}

// FuzzClean checks that whatever comes out can be parsed and sent, and stays as it
// is when it is cleaned again.
func FuzzClean(f *testing.F) {
	for _, raw := range []string{"http://x/a b", "udp://ü:1", "http://x/%zz%20?a b#c",
		"http://a b@c d/", "x://[::1]:80/\xff", "http://x\\y"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		s, err := Clean(raw)
		if err != nil {
			return
		}
		if again, err := Clean(s); err != nil || again != s {
			t.Errorf("%q became %q, then %q, %v", raw, s, again, err)
		}
		for i := range len(s) {
			if s[i] <= ' ' || s[i] == 0x7f {
				t.Errorf("%q became %q", raw, s)
			}
		}
		if u, err := Parse(raw); err == nil && strings.ContainsAny(u.RequestURI(), " \t\r\n") {
			t.Errorf("%q is asked for as %q", raw, u.RequestURI())
		}
	})
}
