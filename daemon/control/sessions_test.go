package control

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A browser is one client of a Gate, with its cookies.
type browser struct {
	t       *testing.T
	gate    *Gate
	host    string
	origin  string // of pages
	cookies map[string]string
}

// browserOf returns a browser that names the host of a daemon on this machine.
func browserOf(t *testing.T, g *Gate) *browser {
	return &browser{t: t, gate: g, host: "127.0.0.1:8080", origin: "http://127.0.0.1:8080",
		cookies: make(map[string]string)}
}

// request returns a request of a page, with the cookies.
func (b *browser) request(method, path string) *http.Request {
	r := httptest.NewRequest(method, "http://"+b.host+path, nil)
	r.RemoteAddr = "127.0.0.1:5"
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method != "GET" {
		r.Header.Set("Origin", b.origin)
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// keep takes the cookies of an answer, and returns the last one.
func (b *browser) keep(w *httptest.ResponseRecorder) (last *http.Cookie) {
	for _, c := range w.Result().Cookies() {
		if last = c; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return last
}

// signIn logs in, and returns the status and the cookie.
func (b *browser) signIn(name, password string) (int, *http.Cookie) {
	w := httptest.NewRecorder()
	_, err := b.gate.SignIn(w, b.request("POST", "/login"), name, password)
	if err != nil {
		return err.(*Refusal).Status, b.keep(w)
	}
	return http.StatusOK, b.keep(w)
}

// ask returns the status and the body of the answer to a request.
func (b *browser) ask(change func(*http.Request)) (int, string) {
	r := b.request("GET", "/")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	b.gate.Protect(http.HandlerFunc(whoAmI), nil).ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

// want fails the test unless requests are answered with the status.
func (b *browser) want(what string, status int) {
	b.t.Helper()
	if got, body := b.ask(nil); got != status {
		b.t.Errorf("%s: %d %q, want %d", what, got, body, status)
	}
}

// A login gives a cookie that pages of others cannot read or send, and a logout ends it.
func TestSession(t *testing.T) {
	token, hash := NewToken()
	g := gateOf(t, GateConfig{Passwords: passwordFile(t, "phone:read:"+hash)})
	b := browserOf(t, g)
	b.want("before", 401)
	for _, wrong := range [][2]string{{"admin", "look"}, {"nobody", "secret"}, {"", "secret"},
		{"phone", token}, {"", ""}} {
		if status, cookie := b.signIn(wrong[0], wrong[1]); status != 401 || cookie != nil {
			t.Errorf("%q: %d, %v", wrong, status, cookie)
		}
	}
	status, cookie := b.signIn("admin", "secret")
	if status != 200 || cookie.Name != "swarmnode-8080" || !cookie.HttpOnly || cookie.Secure ||
		cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" {
		t.Fatalf("%d, %v", status, cookie)
	}
	if status, who := b.ask(nil); status != 200 || who != "admin admin" {
		t.Errorf("%d %q", status, who)
	}
	w := httptest.NewRecorder()
	g.SignOut(w, b.request("POST", "/logout"))
	b.keep(w)
	if len(b.cookies) != 0 {
		t.Errorf("cookies after the logout: %v", b.cookies)
	}
	b.cookies[cookie.Name] = cookie.Value
	b.want("with the cookie of before", 401)
	if status, _ := b.signIn("", token); status != 200 {
		t.Errorf("a token: %d", status)
	}
	if status, who := b.ask(nil); status != 200 || who != "phone read" {
		t.Errorf("a token: %d %q", status, who)
	}
}

// A session ends without use, after a while in any case, and with the password.
func TestSessionEnds(t *testing.T) {
	path := passwordFile(t)
	g := gateOf(t, GateConfig{Passwords: path})
	now := time.Now()
	g.now = func() time.Time { return now }
	b := browserOf(t, g)
	b.signIn("admin", "secret")
	now = now.Add(sessionIdle - time.Second)
	b.want("used seldom", 200)
	now = now.Add(sessionIdle)
	b.want("not used", 401)
	b.signIn("admin", "secret")
	for range int(sessionMax/sessionIdle) + 1 {
		b.want("used", 200)
		now = now.Add(sessionMax / (sessionMax/sessionIdle + 1))
	}
	b.want("old", 401)
	b.signIn("admin", "secret")
	id, err := g.Login(b.request("GET", "/"))
	if err != nil || !g.Still(id) {
		t.Fatalf("%+v, %v", id, err)
	}
	other := Entry{Name: "admin", Scope: Admin, Hash: cheapHash("other").String()}
	if err := SetPassword(path, other); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * rereadEvery)
	if g.Still(id) {
		t.Error("it goes on although the password changed")
	}
	b.want("another password", 401)
	b.signIn("admin", "other")
	b.want("the other password", 200)
	id, _ = g.Login(b.request("GET", "/"))
	g.SignOut(httptest.NewRecorder(), b.request("POST", "/logout"))
	if g.Still(id) {
		t.Error("it goes on after the logout")
	}
}

// A page gets no dialog of the browser; somebody who opens an address does.
func TestChallenge(t *testing.T) {
	g := gateOf(t, GateConfig{Passwords: passwordFile(t)})
	for _, c := range []struct {
		what    string
		headers string
		want    bool
	}{
		{"a program", "", true},
		{"a program that says what it takes", "Accept: */*", true},
		{"an address", "Sec-Fetch-Mode: navigate, Accept: text/html", true},
		{"a page", "Sec-Fetch-Mode: cors", false},
		{"a film", "Sec-Fetch-Mode: no-cors", false},
		{"an address, elsewhere",
			"User-Agent: Mozilla/5.0, Accept-Language: de, Accept: text/html", true},
		{"our page, elsewhere", "Accept: application/problem+json", false},
		{"the feed, elsewhere", "Accept: text/event-stream", false},
		{"a film, elsewhere", "User-Agent: Mozilla/5.0, Accept-Language: de, Accept: */*",
			false},
		{"a player", "User-Agent: VLC/3.0.21 LibVLC/3.0.21, Accept-Language: de, Accept: */*",
			true},
	} {
		r := httptest.NewRequest("GET", "http://127.0.0.1/", nil)
		r.RemoteAddr = "127.0.0.1:5"
		for header := range strings.SplitSeq(c.headers, ", ") {
			if name, value, ok := strings.Cut(header, ": "); ok {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		g.Protect(http.HandlerFunc(whoAmI), nil).ServeHTTP(w, r)
		if got := w.Header().Get("WWW-Authenticate") != ""; w.Code != 401 || got != c.want {
			t.Errorf("%s: %d, a challenge: %v", c.what, w.Code, got)
		}
	}
}

// Sessions are bounded, for each entry and for all: those not used for the longest time go, and
// those that are over.
func TestSessionsAreBounded(t *testing.T) {
	var l sessions
	now := time.Now()
	alive := func(k *key) bool { return k.entry.Name != "removed" }
	keyOf := func(name string) *key { return &key{entry: Entry{Name: name}} }
	alice := keyOf("alice")
	_, first := l.begin(now, alice, alive)
	_, second := l.begin(now.Add(1), alice, alive)
	for i := range entrySessionsMax - 1 {
		l.find(now.Add(time.Duration(i+2)), first)
		l.begin(now.Add(time.Duration(i+2)), alice, alive)
	}
	now = now.Add(time.Minute)
	if l.count() != entrySessionsMax || l.find(now, first) == nil || l.find(now, second) != nil {
		t.Errorf("%d sessions, or another one than the oldest is gone", l.count())
	}
	if l.find(now, "") != nil || l.find(now, first+"A") != nil {
		t.Error("a session of no secret")
	}
	for i := range sessionsMax {
		l.begin(now.Add(1), keyOf(strconv.Itoa(i)), alive)
	}
	if l.count() != sessionsMax || l.find(now, first) != nil {
		t.Errorf("%d sessions, or the oldest of all is there", l.count())
	}
	_, gone := l.begin(now, keyOf("removed"), alive)
	l.begin(now, alice, alive)
	if l.find(now, gone) != nil {
		t.Error("a session of a removed entry is kept")
	}
	l.begin(now.Add(sessionIdle+1), alice, alive)
	if l.count() != 1 {
		t.Errorf("%d sessions after all others are over", l.count())
	}
}
