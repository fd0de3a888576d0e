package guard

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"swarmnode/internal/rawhttp"
)

func compress(t testing.TB, kind, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch kind {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "flate":
		bare, err := flate.NewWriter(&b, flate.DefaultCompression)
		if err != nil {
			t.Fatal(err)
		}
		w = bare
	default:
		return []byte(text)
	}
	io.WriteString(w, text)
	w.Close()
	return b.Bytes()
}

// head makes an answer of HTTP/1.1 whose body is as long as said, or unknown.
func head(length int, fields ...string) []byte {
	b := []byte("HTTP/1.1 200 OK\r\n")
	for _, f := range fields {
		b = append(b, f+"\r\n"...)
	}
	if length >= 0 {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", length)
	}
	return append(b, "\r\n"...)
}

func TestBodies(t *testing.T) {
	text := "d8:completei1e8:intervali1800e5:peers0:e" + strings.Repeat(" ", 300)
	gz, twice := compress(t, "gzip", text), compress(t, "gzip", string(compress(t, "gzip", text)))
	deflate := "Content-Encoding: deflate"
	answer := func(body []byte, fields ...string) []byte {
		return append(head(len(body), fields...), body...)
	}
	for _, tt := range []struct {
		name   string
		answer []byte
		want   string
		whole  bool // no error comes with it
	}{
		{"plain", answer([]byte(text)), text, true},
		{"gzip", answer(gz, "Content-Encoding: gzip"), text, true},
		{"x-gzip", answer(gz, "Content-Encoding: X-GZip"), text, true},
		{"gzip that is not said", answer(gz), text, true},
		{"gzip said to be of another type", answer(gz, "Content-Encoding: identity"), text, true},
		{"gzip twice", answer(twice, "Content-Encoding: gzip, gzip"), text, true},
		{"gzip twice, said once", answer(twice, "Content-Encoding: gzip"), text, true},
		{"gzip that is none", answer([]byte(text), "Content-Encoding: gzip"), text, true},
		{"deflate", answer(compress(t, "zlib", text), deflate), text, true},
		{"deflate without the header", answer(compress(t, "flate", text), deflate), text, true},
		{"deflate that is none", answer([]byte(text), deflate), text, true},
		{"unknown", answer([]byte(text), "Content-Encoding: br"), text, true},
		{"bytes behind gzip", answer(append(bytes.Clone(gz), "xyz"...), "Content-Encoding: gzip"),
			text, false},
		{"gzip without its end", answer(gz[:len(gz)-4], "Content-Encoding: gzip"), text, false},
		{"longer than said", append(head(len(text)), text+"more"...), text, true},
		{"shorter than said", append(head(len(text)+100), text...), text, false},
		{"gzip shorter than said", append(head(len(gz)+100, "Content-Encoding: gzip"), gz...), text,
			false},
		{"no length", append(head(-1, "Connection: close"), text...), text, true},
		{"chunks without an end", append(head(-1, "Transfer-Encoding: chunked"),
			fmt.Sprintf("%x\r\n%s\r\n", len(text), text)...), text, false},
		{"cut off in a chunk", append(head(-1, "Transfer-Encoding: chunked"),
			fmt.Sprintf("%x\r\n%s", len(text)+10, text)...), text, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.Parse(rawhttp.Serve(t, tt.answer, false) + "/")
			if err != nil {
				t.Fatal(err)
			}
			a, err := client(t, Config{}).Get(t.Context(), Target{URL: u}, Any, Compressed())
			if err != nil {
				t.Fatal(err)
			}
			defer a.Body.Close()
			r := BodyReader{Max: 1 << 20}
			body, err := r.Read(&a)
			if string(body) != tt.want || (err == nil) != tt.whole {
				t.Errorf("got %q, %v, want %q, whole %v", body, err, tt.want, tt.whole)
			}
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	long := strings.Repeat("x", 5000)
	twice := compress(t, "gzip", string(compress(t, "gzip", strings.Repeat("x", 1<<20))))
	for name, answer := range map[string][]byte{
		"plain": append(head(-1, "Connection: close"), long...),
		"gzip":  append(head(-1, "Connection: close"), compress(t, "gzip", long)...),
		"twice": append(head(-1, "Connection: close"), twice...),
		"deflate": append(head(-1, "Connection: close", "Content-Encoding: deflate"),
			compress(t, "flate", long)...),
	} {
		u, err := url.Parse(rawhttp.Serve(t, answer, false) + "/")
		if err != nil {
			t.Fatal(err)
		}
		a, err := client(t, Config{}).Get(t.Context(), Target{URL: u}, Any, Compressed())
		if err != nil {
			t.Fatal(err)
		}
		r := BodyReader{Max: len(long) - 1}
		if body, err := r.Read(&a); !errors.Is(err, ErrTooLong) || body != nil {
			t.Errorf("%s: %d bytes, %v, want ErrTooLong", name, len(body), err)
		}
		a.Body.Close()
	}
}

// A server that announces more than it has, and goes on listening, does not keep
// the document that came for long.
func TestWholeBodiesDoNotWait(t *testing.T) {
	u, err := url.Parse(rawhttp.Serve(t, append(head(1000), "document"...), true) + "/")
	if err != nil {
		t.Fatal(err)
	}
	a, err := client(t, Config{}).Get(t.Context(), Target{URL: u}, Any, Compressed())
	if err != nil {
		t.Fatal(err)
	}
	given := make(chan struct{})
	r := BodyReader{
		Max:    1000,
		Whole:  func(b []byte) bool { return string(b) == "document" },
		GiveUp: func() { close(given); a.Body.Close() },
	}
	body, err := r.Read(&a)
	if string(body) != "document" || err == nil {
		t.Errorf("got %q, %v", body, err)
	}
	select {
	case <-given:
	default:
		t.Error("the request ended by itself")
	}
}

// The cookie that a redirect sets is sent where it leads, and nowhere else.
func TestRedirectsSetCookies(t *testing.T) {
	seen := make(chan string, 10)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen <- "other:" + r.Header.Get("Cookie")
	}))
	defer other.Close()
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/away":
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "2", Path: "/"})
			http.Redirect(w, r, elsewhere+"/", http.StatusFound)
		case r.Header.Get("Cookie") == "":
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "1", Path: "/"})
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		default:
			seen <- "self:" + r.Header.Get("Cookie")
		}
	}))
	defer server.Close()
	c := client(t, Config{})
	for _, tt := range []struct{ path, want string }{{"/x", "self:session=1"},
		{"/x", "self:session=1"}, {"/away", "other:"}} {
		a, err := c.Get(t.Context(), target(t, server.URL+tt.path), Any, nil)
		if err != nil {
			t.Errorf("%s: %v", tt.path, err)
			continue
		}
		a.Body.Close()
		if got := <-seen; got != tt.want {
			t.Errorf("%s: the server saw %q, want %q", tt.path, got, tt.want)
		}
	}
}

// What a redirect names is taken as people write it; what is no HTTP is handed back.
func TestRedirectsAsTheyAre(t *testing.T) {
	const link = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a b\xfc"
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{"/blank": "/ü b?q=a b", "/magnet": link,
			"/relative": "end here"}[r.URL.Path]
		if to == "" {
			asked <- r.RequestURI
			return
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	c := client(t, Config{})
	for path, want := range map[string]string{"/blank": "/%C3%BC%20b?q=a%20b",
		"/relative": "/end%20here"} {
		a, err := c.Get(t.Context(), target(t, server.URL+path), Any, nil)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if got := <-asked; got != want {
			t.Errorf("%s: asked for %s, want %s", path, got, want)
		}
	}
	_, err := c.Get(t.Context(), target(t, server.URL+"/magnet"), Any, nil)
	var scheme *SchemeError
	if !errors.As(err, &scheme) || scheme.Location != link || !errors.Is(err, ErrRefused) {
		t.Errorf("a redirect to a magnet link: %v", err)
	}
}
