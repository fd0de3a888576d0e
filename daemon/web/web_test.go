package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ask sends a request to the handler of the page.
func ask(method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, answer *http.Response) []byte {
	t.Helper()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestPageWeight(t *testing.T) {
	sum, packed := 0, 0
	for name, a := range pages() {
		if name == "/" {
			continue // index.html, by its other name
		}
		sum += len(a.plain)
		packed += len(a.compressed)
		if a.media == "" {
			t.Errorf("%s has no content type", name)
		}
	}
	t.Logf("%d bytes, compressed %d", sum, packed)
	if packed > WeightMax {
		t.Errorf("the page has %d bytes, at most %d are allowed", packed, WeightMax)
	}
}

func TestHeaders(t *testing.T) {
	for _, target := range []string{"/", "/index.html", "/base.css", "/js/app.js", "/none"} {
		answer := ask("GET", target)
		for _, want := range []struct{ name, value string }{
			{"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "no-referrer"},
			{"Cross-Origin-Opener-Policy", "same-origin"},
			{"Cross-Origin-Resource-Policy", "same-origin"}, {"Cache-Control", "no-cache"},
		} {
			if got := answer.Header.Get(want.name); got != want.value {
				t.Errorf("%s: %s is %q, want %q", target, want.name, got, want.value)
			}
		}
		csp := answer.Header.Get("Content-Security-Policy")
		for _, rule := range []string{"default-src 'none'", "script-src 'self'",
			"style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'",
			"require-trusted-types-for 'script'", "trusted-types 'none'"} {
			if !strings.Contains(csp, rule) {
				t.Errorf("%s: the policy lacks %q: %s", target, rule, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%s: the policy is open: %s", target, csp)
		}
		if len(answer.Header.Values("Access-Control-Allow-Origin")) > 0 {
			t.Errorf("%s lets other origins in", target)
		}
	}
}

func TestStatusAndType(t *testing.T) {
	for _, c := range []struct {
		method, target string
		status         int
		media          string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/js/app.js", 200, "text/javascript; charset=utf-8"},
		{"HEAD", "/base.css", 200, "text/css; charset=utf-8"},
		{"GET", "/icon.svg", 200, "image/svg+xml"},
		{"GET", "/js", 404, ""}, {"GET", "/js/", 404, ""}, {"GET", "/js/../base.css", 404, ""},
		{"GET", "/page/index.html", 404, ""}, {"GET", "//", 404, ""},
		{"GET", "/web.go", 404, ""}, {"GET", "/%2e%2e/web.go", 404, ""},
		{"POST", "/", 405, ""}, {"OPTIONS", "/", 405, ""}, {"DELETE", "/none", 405, ""},
	} {
		answer := ask(c.method, c.target)
		if answer.StatusCode != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.target, answer.StatusCode, c.status)
		}
		if got := answer.Header.Get("Content-Type"); c.media != "" && got != c.media {
			t.Errorf("%s %s: type %q, want %q", c.method, c.target, got, c.media)
		}
		if c.status == 405 && answer.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s: Allow is %q", c.method, c.target, answer.Header.Get("Allow"))
		}
	}
}

func TestHeadHasNoBody(t *testing.T) {
	full, head := ask("GET", "/js/app.js"), ask("HEAD", "/js/app.js")
	content := body(t, full)
	if got := body(t, head); len(got) > 0 {
		t.Errorf("HEAD has a body of %d bytes", len(got))
	}
	for _, answer := range []*http.Response{full, head} {
		if got := answer.Header.Get("Content-Length"); got != strconv.Itoa(len(content)) {
			t.Errorf("Content-Length is %s of %d", got, len(content))
		}
	}
}

func TestGzip(t *testing.T) {
	plain := ask("GET", "/js/app.js")
	content := body(t, plain)
	if plain.Header.Get("Content-Encoding") != "" || plain.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("plain: %v", plain.Header)
	}
	packed := ask("GET", "/js/app.js", "Accept-Encoding", "br, GZIP;q=0.5")
	if packed.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("not compressed: %v", packed.Header)
	}
	if packed.Header.Get("ETag") == plain.Header.Get("ETag") {
		t.Error("two representations have one entity tag")
	}
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, content) {
		t.Errorf("unpacked %d bytes, want %d: %v", len(got), len(content), err)
	}
}

func TestUnchangedIsNotSentAgain(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		first := ask("GET", "/base.css", "Accept-Encoding", encoding)
		tag := first.Header.Get("ETag")
		again := ask("GET", "/base.css", "Accept-Encoding", encoding, "If-None-Match", `"x", `+tag)
		if got := body(t, again); again.StatusCode != 304 || len(got) > 0 {
			t.Errorf("%s: %d with %d bytes", encoding, again.StatusCode, len(got))
		}
		other := ask("GET", "/base.css", "Accept-Encoding", encoding, "If-None-Match", `"x"`)
		if other.StatusCode != 200 {
			t.Errorf("%s: %d for another tag", encoding, other.StatusCode)
		}
	}
}

func TestPartsAreNotServed(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		answer := ask("GET", "/base.css", "Range", "bytes=0-9", "Accept-Encoding", encoding)
		length := strconv.Itoa(len(body(t, answer)))
		if answer.StatusCode != 200 || answer.Header.Get("Content-Length") != length {
			t.Errorf("%s: %d with %s bytes", encoding, answer.StatusCode, length)
		}
	}
}

// The page names what it loads without the policy's help: everything that a module imports and the
// document refers to is there.
func TestReferencesExist(t *testing.T) {
	reference := regexp.MustCompile(`(?:from |import\(|href=|src=)"([^"#?:]+)"`)
	for name, a := range pages() {
		if strings.HasSuffix(name, ".svg") {
			continue
		}
		for _, m := range reference.FindAllSubmatch(a.plain, -1) {
			target := resolve(name, string(m[1]))
			if pages()[target] == nil {
				t.Errorf("%s refers to %s, which is missing", name, target)
			}
		}
	}
}

// resolve returns the path that a relative reference means.
func resolve(from, reference string) string {
	dir := from[:strings.LastIndexByte(from, '/')+1]
	return dir + strings.TrimPrefix(reference, "./")
}

// The policy refuses what stands in markup; the page must not try.
func TestNothingInline(t *testing.T) {
	index := string(pages()["/index.html"].plain)
	inline := regexp.MustCompile(`(?i)<style|style=|\son\w+=|javascript:|<script[^>]*>[^<]`)
	if found := inline.FindString(index); found != "" {
		t.Errorf("index.html has %q", found)
	}
	forbidden := regexp.MustCompile(
		`\.(innerHTML|outerHTML|insertAdjacentHTML|srcdoc)|document\.write|\beval\(|new Function`)
	for name, a := range pages() {
		if found := forbidden.Find(a.plain); strings.HasSuffix(name, ".js") && found != nil {
			t.Errorf("%s uses %s", name, found)
		}
	}
}

// The browser learns at once what the page needs, and not from module to module.
func TestModulesArePreloaded(t *testing.T) {
	imports := regexp.MustCompile(`(?m)^(?:import|export) [^"();]*"\./([^"]+)"|^} from "\./([^"]+)"`)
	needed := map[string]bool{}
	next := []string{"app.js"}
	for len(next) > 0 {
		name := next[0]
		next = next[1:]
		if needed[name] {
			continue
		}
		needed[name] = true
		for _, m := range imports.FindAllSubmatch(pages()["/js/"+name].plain, -1) {
			next = append(next, string(m[1])+string(m[2]))
		}
	}
	delete(needed, "app.js")
	links := regexp.MustCompile(`<link rel="modulepreload" href="js/([^"]+)">`)
	index := pages()["/index.html"].plain
	named := map[string]bool{}
	for _, m := range links.FindAllSubmatch(index, -1) {
		named[string(m[1])] = true
	}
	if !maps.Equal(named, needed) {
		var want strings.Builder
		for _, name := range slices.Sorted(maps.Keys(needed)) {
			want.WriteString(`<link rel="modulepreload" href="js/` + name + "\">\n")
		}
		t.Errorf("index.html names other modules than app.js imports; want\n%s", want.String())
	}
}
