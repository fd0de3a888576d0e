package transmission

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
)

// do sends any request, without the id.
func (b *bench) do(method, url, body string, headers ...string) *http.Response {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	response, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { response.Body.Close() })
	return response
}

// Every request without the id is answered with it, whatever its method.
func TestSessionID(t *testing.T) {
	b := newBench(t)
	const body = `{"method":"session-get","arguments":{"fields":["version"]}}`
	for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "PUT"} {
		for _, given := range []string{"", "wrong", b.h.id + "x"} {
			r := b.do(method, b.url, body, idHeader, given)
			if r.StatusCode != http.StatusConflict || r.Header.Get(idHeader) != b.h.id ||
				r.Header.Get(versionHeader) != "6.0.0" {
				t.Errorf("%s with the id %q: %s, %v", method, given, r.Status, r.Header)
			}
			for name := range r.Header {
				if strings.HasPrefix(name, "Access-Control") {
					t.Errorf("%s: the header %s lets pages of other sites in", method, name)
				}
			}
		}
	}
	if r := b.do("GET", b.url, "", idHeader, b.h.id); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %s", r.Status)
	}
	for _, kind := range []string{"", "json", "text/html", "application/x-www-form-urlencoded"} {
		r := b.do("POST", b.url+"/", body, idHeader, b.h.id, "Content-Type", kind)
		doc, _ := io.ReadAll(r.Body)
		if r.StatusCode != http.StatusOK || !bytes.Contains(doc, []byte(`"4.1.0 (swarmnode `)) {
			t.Errorf("the content type %q: %s, %s", kind, r.Status, doc)
		}
	}
	other := newBench(t)
	if other.h.id == b.h.id {
		t.Error("two daemons have the same id")
	}
}

func TestPaths(t *testing.T) {
	web := t.TempDir()
	for name, text := range map[string]string{"index.html": "the page", "a/b.js": "a script",
		"secret/x": "hidden"} {
		path := filepath.Join(web, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(t.TempDir(), "outside")
	os.WriteFile(outside, []byte("outside"), 0o644)
	os.Symlink(outside, filepath.Join(web, "link"))
	for _, base := range []string{"", "/", "x", "/deep/path/", "/transmission"} {
		b := newBench(t, func(_ *daemon.Config, c *Config) { c.Base, c.Web = base, web })
		top := strings.TrimSuffix(b.h.Base(), "/")
		for path, want := range map[string]string{
			"/": "301 " + top + "/web/", top + "/web": "301 " + top + "/web/",
			top + "/web/": "200 the page", top + "/web/a/b.js": "200 a script",
			top + "/web/a/": "404", top + "/web/nothing": "404", top + "/web/link": "404",
			top + "/web/../../x": "404", "/nothing": "404", top + "/rpc": "409",
			top + "/rpc/": "409", top + "/rpc/x": "404", top + "/upload": "404",
		} {
			r := b.do("GET", b.server.URL+path, "")
			doc, _ := io.ReadAll(r.Body)
			got := strings.Join([]string{r.Status[:3], r.Header.Get("Location"), string(doc)}, " ")
			if want = strings.Replace(want, " ", "  ", 1); strings.HasPrefix(want, "301") {
				want = strings.Replace(want, "  ", " ", 1)
			}
			if !strings.HasPrefix(got, want) {
				t.Errorf("base %q: %s: %q, want %q", base, path, got, want)
			}
		}
	}
	b := newBench(t)
	if r := b.do("GET", b.server.URL+"/transmission/", ""); r.StatusCode != 301 {
		t.Errorf("the base path: %s", r.Status)
	}
	if r := b.do("GET", b.server.URL+"/transmission/web/", ""); r.StatusCode != 404 {
		t.Errorf("without a web client: %s", r.Status)
	}
}

func TestNewFails(t *testing.T) {
	b := newBench(t)
	for _, base := range []string{"/a b/", "/a%20/", "/a?b", "/\x00/", "/ü/"} {
		if _, err := New(Config{Daemon: b.daemon, Base: base}); !isType[*BaseError](err) {
			t.Errorf("the base %q: %v", base, err)
		}
	}
	if _, err := New(Config{Daemon: b.daemon, Web: "/no/such/folder"}); err == nil {
		t.Error("a web client that is not there is taken")
	}
}

// The checks come in the order of Transmission: address, password, name of the host, id.
func TestOrderOfChecks(t *testing.T) {
	passwords := filepath.Join(t.TempDir(), "passwords")
	hash, err := control.HashPassword("right")
	if err != nil {
		t.Fatal(err)
	}
	for name, scope := range map[string]control.Scope{"me": control.Admin, "look": control.Read,
		"use": control.Control} {
		if err := control.SetPassword(passwords, control.Entry{Name: name, Scope: scope,
			Hash: hash}); err != nil {
			t.Fatal(err)
		}
	}
	locked := func(_ *daemon.Config, c *Config) {
		var err error
		if c.Gate, err = control.NewGate(control.GateConfig{Passwords: passwords}); err != nil {
			t.Fatal(err)
		}
	}
	away := func(_ *daemon.Config, c *Config) {
		c.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	}
	b := newBench(t, locked, away)
	if r := b.do("GET", b.url, "", "Host", "evil.example"); r.StatusCode != 403 {
		t.Errorf("an address that is not allowed: %s", r.Status)
	}
	b = newBench(t, locked)
	r := b.do("GET", b.url, "", "Host", "evil.example")
	if r.StatusCode != 401 || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Basic realm=") {
		t.Errorf("without a password: %s, %v", r.Status, r.Header)
	}
	const right = "Basic bWU6cmlnaHQ="
	if r := b.do("GET", b.url, "", "Authorization", right); r.StatusCode != 409 {
		t.Errorf("with the password: %s", r.Status)
	}
	for login, want := range map[string]string{
		right:                    "success success success",
		"Basic bG9vazpyaWdodA==": "success scope scope",   // look
		"Basic dXNlOnJpZ2h0":     "success success scope", // use
	} {
		var got []string
		for _, body := range []string{`{"method":"torrent-get","arguments":{"fields":["id"]}}`,
			`{"method":"torrent-start"}`, `{"method":"session-set","arguments":{"dht-enabled":false}}`} {
			_, doc := b.post(body, "Authorization", login)
			var a answer
			if err := json.Unmarshal(doc, &a); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(a.Result, "scope") {
				a.Result = "scope"
			}
			got = append(got, a.Result)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s may %v, want %s", login, got, want)
		}
	}
	b = newBench(t)
	if r := b.do("GET", b.url, "", "Host", "evil.example"); r.StatusCode != 421 {
		t.Errorf("another name of the host: %s", r.Status)
	}
	for _, host := range []string{"localhost:9091", "127.0.0.1", "[::1]:1", "192.168.1.1"} {
		r := b.do("GET", b.url, "", "Host", host, "Authorization", "Basic Og==")
		if r.StatusCode != 409 {
			t.Errorf("the host %s: %s", host, r.Status)
		}
	}
}

// Ten wrong passwords lock an address out, also for the right one.
func TestLockout(t *testing.T) {
	passwords := filepath.Join(t.TempDir(), "passwords")
	hash, err := control.HashPassword("right")
	if err != nil {
		t.Fatal(err)
	}
	err = control.SetPassword(passwords, control.Entry{Name: "me", Scope: control.Admin,
		Hash: hash})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(_ *daemon.Config, c *Config) {
		if c.Gate, err = control.NewGate(control.GateConfig{Passwords: passwords}); err != nil {
			t.Fatal(err)
		}
	})
	var got []int
	for range 11 {
		r := b.do("GET", b.url, "", "Authorization", "Basic bWU6d3Jvbmc=")
		got = append(got, r.StatusCode)
	}
	if got[0] != 401 || got[10] == 401 {
		t.Errorf("wrong passwords are answered with %v", got)
	}
	if r := b.do("GET", b.url, "", "Authorization", "Basic bWU6cmlnaHQ="); r.StatusCode == 409 {
		t.Error("the right password is taken during a lockout")
	}
}

func TestBodies(t *testing.T) {
	b := newBench(t)
	tooLong := strings.Repeat(" ", BodyBytesMax) + `{"method":"session-stats"}`
	if r := b.do("POST", b.url, tooLong, idHeader, b.h.id); r.StatusCode != 413 {
		t.Errorf("a body that is too long: %s", r.Status)
	}
	whole := strings.Repeat(" ", BodyBytesMax-26) + `{"method":"session-stats"}`
	if r := b.do("POST", b.url, whole, idHeader, b.h.id); r.StatusCode != 200 {
		t.Errorf("a body of %d bytes: %s", len(whole), r.Status)
	}
	// Without a length, the body comes in chunks.
	request, err := http.NewRequestWithContext(t.Context(), "POST", b.url,
		io.MultiReader(strings.NewReader(`{"method":`), strings.NewReader(`"session-get"}`)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(idHeader, b.h.id)
	request.Header.Set("Accept-Encoding", "deflate, gzip;q=1.0, *;q=0.5")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("the answer is not compressed: %v", response.Header)
	}
	z, err := gzip.NewReader(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := io.ReadAll(z)
	if err != nil || !json.Valid(doc) || !bytes.Contains(doc, []byte(`"result":"success"`)) {
		t.Errorf("%s, %v", doc, err)
	}
}

// session-close ends the daemon after the answer, for those who may.
func TestSessionClose(t *testing.T) {
	closed := make(chan struct{})
	b := newBench(t, func(_ *daemon.Config, c *Config) { c.Shutdown = func() { close(closed) } })
	b.call("session-close", nil)
	<-closed
	b = newBench(t)
	if got := b.fails("session-close", nil); !strings.Contains(got, "cannot be ended") {
		t.Errorf("without a way: %s", got)
	}
}
