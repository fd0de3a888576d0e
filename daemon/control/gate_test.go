package control

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/limit"
)

// deadline is when something must have happened.
func deadline() time.Time { return time.Now().Add(within) }

// Without a password, programs of this machine may do everything, and pages of others
// nothing.
func TestWithoutPassword(t *testing.T) {
	s, url := serve(t, gateOf(t, GateConfig{Hosts: []string{"nas.example"}}), nil)
	port := strconv.Itoa(int(s.Addrs()[0].Port()))
	for _, c := range []struct {
		name   string
		method string
		host   string
		header string // Name: value
		status int
	}{
		{"a program", "POST", "", "", 200},
		{"an empty login", "GET", "", "Authorization: Basic Og==", 200},
		{"localhost", "GET", "localhost:" + port, "", 200},
		{"IPv6", "GET", "[::1]:" + port, "", 200},
		{"a name of ours", "GET", "NAS.example.", "", 200},
		{"rebinding", "GET", "evil.example:" + port, "", 421},
		{"rebinding by a name that looks good", "GET", "localhost.evil.example", "", 421},
		{"rebinding by a number", "GET", "127.0.0.1.evil.example", "", 421},
		{"our own page", "POST", "", "Sec-Fetch-Site: same-origin", 200},
		{"a form elsewhere", "POST", "", "Sec-Fetch-Site: cross-site", 403},
		{"a form on another port", "POST", "", "Sec-Fetch-Site: same-site", 403},
		{"a picture elsewhere", "GET", "", "Sec-Fetch-Site: cross-site", 403},
		{"a form in an old browser", "POST", "", "Origin: http://evil.example", 403},
		{"a page from a file", "POST", "", "Origin: null", 403},
	} {
		status, body, header := ask(t, overTCP(), c.method, url, func(r *http.Request) {
			if c.host != "" {
				r.Host = c.host
			}
			if name, value, ok := strings.Cut(c.header, ": "); ok {
				r.Header.Set(name, value)
			}
		})
		if status != c.status {
			t.Errorf("%s: %d %q, want %d", c.name, status, body, c.status)
		}
		for name := range header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: a header %s", c.name, name)
			}
		}
	}
	status, _, _ := ask(t, overTCP(), "GET", url, func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
	})
	if status != 200 {
		t.Errorf("a link elsewhere that the user follows: %d", status)
	}
}

// Strangers are not served while there is no password, even if a listener let them in.
func TestStrangersNeedPassword(t *testing.T) {
	g := gateOf(t, GateConfig{})
	for from, want := range map[string]int{"127.0.0.1:5": 200, "[::1]:5": 200,
		"[::ffff:127.0.0.1]:5": 200, "192.0.2.1:5": 403, "[2001:db8::1]:5": 403, "nonsense": 403} {
		r := httptest.NewRequest("GET", "http://localhost/", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		g.Protect(http.HandlerFunc(whoAmI), nil).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", from, w.Code, want)
		}
	}
}

// With a password file each request needs a password or a token.
func TestLogin(t *testing.T) {
	token, hash := NewToken()
	old, oldHash := NewToken()
	g := gateOf(t, GateConfig{Passwords: passwordFile(t, "backup:control:"+hash,
		"old:admin:"+oldHash+":2020-01-01T00:00:00Z")})
	_, url := serve(t, g, nil)
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	for _, c := range []struct {
		name   string
		login  func(*http.Request)
		status int
		who    string
	}{
		{"nothing", nil, 401, ""},
		{"a user", basic("admin", "secret"), 200, "admin admin"},
		{"a user again", basic("admin", "secret"), 200, "admin admin"},
		{"another user", basic("guest", "look"), 200, "guest read"},
		{"a wrong password", basic("admin", "look"), 401, ""},
		{"nobody", basic("root", "secret"), 401, ""},
		{"an empty login", basic("", ""), 401, ""},
		{"a token", bearer(token), 200, "backup control"},
		{"an old token", bearer(old), 401, ""},
		{"no token", bearer(token + "x"), 401, ""},
		{"a token as a password", basic("backup", token), 401, ""},
		{"a long password", basic("admin", strings.Repeat("x", 2*passwordMax)), 401, ""},
		{"nonsense", func(r *http.Request) { r.Header.Set("Authorization", "Basic !") }, 401, ""},
		{"another method", func(r *http.Request) { r.Header.Set("Authorization", "Digest x") },
			401, ""},
	} {
		status, who, header := ask(t, overTCP(), "GET", url, c.login)
		if status != c.status || status == 200 && who != c.who {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, who, c.status, c.who)
		}
		if challenge := header.Get("WWW-Authenticate"); (status == 401) != (challenge != "") {
			t.Errorf("%s: %d with the challenge %q", c.name, status, challenge)
		}
	}
	// A password is what a page whose name leads here does not have, so any name is good.
	status, _, _ := ask(t, overTCP(), "GET", url, func(r *http.Request) {
		basic("admin", "secret")(r)
		r.Host = "nas.example"
	})
	if status != 200 {
		t.Errorf("another name, with a password: %d", status)
	}
}

// Ten wrong passwords lock an address out, even with the right one; then the time grows.
func TestLockout(t *testing.T) {
	g := gateOf(t, GateConfig{Passwords: passwordFile(t)})
	now := time.Now()
	g.now = func() time.Time { return now }
	_, url := serve(t, g, nil)
	login := func(password string) (int, http.Header) {
		t.Helper()
		status, _, header := ask(t, overTCP(), "GET", url, basic("admin", password))
		return status, header
	}
	if status, _ := login("secret"); status != 200 {
		t.Fatalf("the right password: %d", status)
	}
	for i := range wrongMax - 1 {
		if status, _ := login("wrong"); status != 401 {
			t.Fatalf("wrong password %d: %d", i+1, status)
		}
	}
	status, header := login("wrong")
	if status != 429 || header.Get("Retry-After") != "60" {
		t.Errorf("the tenth: %d, %q", status, header.Get("Retry-After"))
	}
	if status, _ := login("secret"); status != 429 {
		t.Errorf("the right one while locked out: %d", status)
	}
	now = now.Add(lockFirst)
	if status, header := login("wrong"); status != 429 || header.Get("Retry-After") != "120" {
		t.Errorf("wrong again: %d, %q", status, header.Get("Retry-After"))
	}
	now = now.Add(2 * lockFirst)
	if status, _ := login("secret"); status != 200 {
		t.Errorf("the right one later: %d", status)
	}
	if status, _ := login("wrong"); status != 401 {
		t.Errorf("it begins again: %d", status)
	}
}

// A flood of guesses waits for one hash at a time and takes no more memory than that.
func TestHashesAreBounded(t *testing.T) {
	g := gateOf(t, GateConfig{Passwords: passwordFile(t)})
	g.hash <- struct{}{} // somebody's password is being hashed
	results := make(chan int, hashWaiting+1)
	handler := g.Protect(http.HandlerFunc(whoAmI), nil)
	for i := range hashWaiting + 1 {
		go func() {
			r := httptest.NewRequest("GET", "http://localhost/", nil)
			r.RemoteAddr = fmt.Sprintf("192.0.2.%d:5", i)
			r.SetBasicAuth("admin", "guess")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			results <- w.Code
		}()
	}
	if status := <-results; status != 503 {
		t.Errorf("one too many: %d", status)
	}
	<-g.hash
	for range hashWaiting {
		if status := <-results; status != 401 && status != 503 {
			t.Errorf("one that waited: %d", status)
		}
	}
}

// A body is bounded, for each request and for all together, and one that is cut off is told.
func TestBodies(t *testing.T) {
	g := gateOf(t, GateConfig{})
	const most = 100 << 10
	s, url := serve(t, g, g.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, release, err := g.ReadBody(w, r, most)
		if err != nil {
			refusal, _ := errors.AsType[*Refusal](err)
			w.WriteHeader(refusal.Status)
			return
		}
		defer release()
		fmt.Fprint(w, len(body))
	}), nil))
	post := func(body io.Reader) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", url, body)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := overTCP().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		got, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(got)
	}
	for _, n := range []int{0, 1, bodyChunk, bodyChunk + 1, most} {
		if status, got := post(bytes.NewReader(make([]byte, n))); status != 200 ||
			got != strconv.Itoa(n) {
			t.Errorf("%d bytes: %d %q", n, status, got)
		}
		chunked := io.MultiReader(bytes.NewReader(make([]byte, n)))
		if status, got := post(chunked); status != 200 || got != strconv.Itoa(n) {
			t.Errorf("%d bytes in chunks: %d %q", n, status, got)
		}
	}
	if status, _ := post(bytes.NewReader(make([]byte, most+1))); status != 413 {
		t.Errorf("one byte too many: %d", status)
	}
	if status, _ := post(io.MultiReader(bytes.NewReader(make([]byte, most+1)))); status != 413 {
		t.Errorf("one byte too many in chunks: %d", status)
	}
	g.bodies.Add(bodiesMax)
	if status, _ := post(strings.NewReader("x")); status != 503 {
		t.Errorf("beside other bodies: %d", status)
	}
	g.bodies.Add(-bodiesMax)
	g.memory = limit.NewMemory(func() (taken, ceiling int64) { return 100, 100 })
	if status, _ := post(strings.NewReader("x")); status != 200 {
		t.Errorf("a short body while memory is short: %d", status)
	}
	g.bodies.Add(bodiesReserve)
	if status, _ := post(strings.NewReader("x")); status != 503 {
		t.Errorf("beside others while memory is short: %d", status)
	}
	g.bodies.Add(-bodiesReserve)
	c, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf")
	c.(*net.TCPConn).CloseWrite()
	c.SetReadDeadline(deadline())
	if answer, err := io.ReadAll(c); err != nil || !bytes.Contains(answer, []byte(" 400 ")) {
		t.Errorf("half a body: %q, %v", answer, err)
	}
	c.Close()
	await(t, "all bodies to be released", func() bool { return g.bodies.Load() == 0 })
}

// A password file that changes is read again; while it cannot be read, the old one is in force.
func TestPasswordsAreReread(t *testing.T) {
	path := passwordFile(t)
	g := gateOf(t, GateConfig{Passwords: path})
	now := time.Now()
	g.now = func() time.Time { return now }
	_, url := serve(t, g, nil)
	expect := func(what, name, password string, want int) {
		t.Helper()
		now = now.Add(2 * rereadEvery)
		if status, body, _ := ask(t, overTCP(), "GET", url, basic(name, password)); status != want {
			t.Errorf("%s: %d %q, want %d", what, status, body, want)
		}
	}
	expect("before", "admin", "secret", 200)
	other := Entry{Name: "admin", Scope: Control, Hash: cheapHash("other").String()}
	if err := SetPassword(path, other); err != nil {
		t.Fatal(err)
	}
	expect("the old one", "admin", "secret", 401)
	expect("the new one", "admin", "other", 200)
	if found, err := RemovePassword(path, "guest", false); !found || err != nil {
		t.Fatalf("removing: %v, %v", found, err)
	}
	expect("somebody removed", "guest", "look", 401)
	if err := os.WriteFile(path, []byte("admin:admin:nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("of a damaged file", "admin", "other", 200)
	if runtime.GOOS != "windows" {
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := NewGate(GateConfig{Passwords: path}); !errors.Is(err, ErrReadable) {
			t.Errorf("a file that others can read: %v", err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("of a file that is gone", "admin", "other", 200)
	expect("nobody", "", "", 401)
}

// basicRequest returns a request with a password.
func basicRequest(name, password string) *http.Request {
	r := httptest.NewRequest("GET", "http://localhost/", nil)
	r.SetBasicAuth(name, password)
	return r
}

// A password file that comes while the daemon runs without one counts from then on, for good.
func TestPasswordsComeLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwords")
	g := gateOf(t, GateConfig{Passwords: path, Optional: true})
	now := time.Now()
	g.now = func() time.Time { return now }
	_, url := serve(t, g, nil)
	expect := func(what string, want int, login func(*http.Request)) {
		t.Helper()
		now = now.Add(2 * rereadEvery)
		if status, body, _ := ask(t, overTCP(), "GET", url, login); status != want {
			t.Errorf("%s: %d %q, want %d", what, status, body, want)
		}
	}
	var nobody Identity
	expect("before", 200, nil)
	if g.NeedsLogin() || !g.Still(nobody) {
		t.Error("before: a login is needed")
	}
	if err := os.WriteFile(path, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("a file that cannot be read", 401, nil)
	expect("a password that is not known yet", 401, basic("admin", "secret"))
	if !g.NeedsLogin() || g.Still(nobody) || !g.Still(Identity{Name: "uid 5", Scope: Admin}) {
		t.Error("after: no login is needed over TCP, or one is on the socket")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("the file is gone", 401, nil)
	entry := Entry{Name: "admin", Scope: Admin, Hash: cheapHash("secret").String()}
	if err := SetPassword(path, entry); err != nil {
		t.Fatal(err)
	}
	expect("the password", 200, basic("admin", "secret"))
	expect("none", 401, nil)
	id, err := g.Login(basicRequest("admin", "secret"))
	if err != nil || !g.Still(id) {
		t.Errorf("the login: %+v, %v", id, err)
	}
	entry.Expires = now
	if err := SetPassword(path, entry); err != nil {
		t.Fatal(err)
	}
	if now = now.Add(2 * rereadEvery); g.Still(id) {
		t.Error("the login goes on although its time is over")
	}
	if _, err := NewGate(GateConfig{Passwords: path + "/below", Optional: true}); err != nil {
		t.Errorf("a file that cannot be there: %v", err)
	}
	link := path + ".link"
	if err := os.Symlink("nowhere", link); err != nil {
		t.Skip("no symbolic links:", err)
	}
	if _, err := NewGate(GateConfig{Passwords: link, Optional: true}); err == nil {
		t.Error("a link that leads nowhere is taken for no file")
	}
}
