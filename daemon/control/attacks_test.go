package control

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// Nobody can plant a session: a login never takes over a value that the browser sends, and each
// login has a value of its own.
func TestSessionFixation(t *testing.T) {
	g := gateOf(t, GateConfig{Passwords: passwordFile(t)})
	b := browserOf(t, g)
	planted := strings.Repeat("A", 43)
	b.cookies["swarmnode-8080"] = planted
	b.want("a planted value", 401)
	_, cookie := b.signIn("admin", "secret")
	first := cookie.Value
	if first == planted || len(first) != len(planted) {
		t.Errorf("the value %q", first)
	}
	b.want("after the login", 200)
	if _, cookie = b.signIn("guest", "look"); cookie.Value == first {
		t.Error("another login has the value of the one before")
	}
	b.cookies["swarmnode-8080"] = first
	b.want("the session before another login", 401)
	if n := g.sessions.count(); n != 1 {
		t.Errorf("%d sessions", n)
	}
	// A login that fails ends nothing.
	b.cookies["swarmnode-8080"] = cookie.Value
	b.signIn("admin", "wrong")
	b.want("after a wrong password", 200)
}

// Programs on other ports of the host can add cookies of the name. They neither end a session
// nor put another user's in its place.
func TestCookieTossing(t *testing.T) {
	g := gateOf(t, GateConfig{Passwords: passwordFile(t)})
	signIn := func(name, password string) string {
		_, cookie := browserOf(t, g).signIn(name, password)
		return cookie.Value
	}
	own, other := signIn("admin", "secret"), signIn("guest", "look")
	again := signIn("admin", "secret")
	junk := strings.Repeat("A", len(own))
	for _, c := range []struct {
		what    string
		cookies string
		who     string
	}{
		{"rubbish before", "swarmnode-8080=" + junk + "; swarmnode-8080=" + own, "admin admin"},
		{"rubbish behind", "swarmnode-8080=" + own + "; swarmnode-8080=", "admin admin"},
		{"quotes", `swarmnode-8080="` + own + `"`, "admin admin"},
		{"two of one user", "swarmnode-8080=" + again + "; swarmnode-8080=" + own, "admin admin"},
		{"two users", "swarmnode-8080=" + other + "; swarmnode-8080=" + own, ""},
		{"two users by prefix", "__Host-swarmnode-8080=" + own + "; swarmnode-8080=" + other, ""},
		{"another port", "swarmnode-8081=" + own, ""},
		{"no port", "swarmnode=" + own, ""},
		{"another case", "Swarmnode-8080=" + own, ""},
		{"many", strings.Repeat("swarmnode-8080="+junk+"; ", cookiesMax) + "swarmnode-8080=" +
			own, ""},
		{"many others", strings.Repeat("a=b; ", 1000) + "swarmnode-8080=" + own, "admin admin"},
		{"no value", "swarmnode-8080; =; ;;" + own, ""},
	} {
		status, who := browserOf(t, g).ask(func(r *http.Request) {
			r.Header.Set("Cookie", c.cookies)
		})
		if c.who == "" && status != 401 || c.who != "" && who != c.who {
			t.Errorf("%s: %d %q, want %q", c.what, status, who, c.who)
		}
	}
}

// A cookie over TLS is Secure and has the prefix that other ports cannot set.
func TestSecureCookie(t *testing.T) {
	g := gateOf(t, GateConfig{Passwords: passwordFile(t)})
	b := browserOf(t, g)
	b.host, b.origin = "nas.example", "https://nas.example"
	status, cookie := b.signIn("admin", "secret")
	if status != 200 || cookie.Name != "__Host-swarmnode" || !cookie.Secure ||
		cookie.Path != "/" || cookie.Domain != "" {
		t.Fatalf("%d, %v", status, cookie)
	}
	b.want("by a proxy with TLS", 200)
	w := httptest.NewRecorder()
	g.SignOut(w, b.request("POST", "/logout"))
	if b.keep(w); len(b.cookies) != 0 {
		t.Errorf("cookies after the logout: %v", b.cookies)
	}
}

// A cookie does not help a page of another site, nor another method than the one that is
// written in the first line.
func TestCookieElsewhere(t *testing.T) {
	g := gateOf(t, GateConfig{Passwords: passwordFile(t)})
	b := browserOf(t, g)
	b.signIn("admin", "secret")
	for _, c := range []struct {
		method, site, mode, dest string
		status                   int
	}{
		{"GET", "same-origin", "cors", "empty", 200},
		{"POST", "same-origin", "cors", "empty", 200},
		{"GET", "none", "navigate", "document", 200},
		{"GET", "cross-site", "navigate", "document", 200},
		{"GET", "cross-site", "navigate", "iframe", 403},
		{"GET", "cross-site", "navigate", "object", 403},
		{"GET", "same-site", "navigate", "embed", 403},
		{"GET", "cross-site", "no-cors", "image", 403},
		{"GET", "cross-site", "no-cors", "video", 403},
		{"GET", "same-site", "no-cors", "script", 403},
		{"GET", "cross-site", "cors", "empty", 403},
		{"HEAD", "cross-site", "cors", "empty", 403},
		{"GET", "cross-site", "websocket", "websocket", 403},
		{"POST", "cross-site", "navigate", "document", 403},
		{"POST", "same-site", "navigate", "document", 403},
		{"DELETE", "cross-site", "cors", "empty", 403},
		{"PATCH", "nonsense", "cors", "empty", 403},
	} {
		r := b.request(c.method, "/?_method=GET")
		r.Header.Del("Origin")
		r.Header.Set("X-HTTP-Method-Override", "GET")
		r.Header.Set("Sec-Fetch-Site", c.site)
		r.Header.Set("Sec-Fetch-Mode", c.mode)
		r.Header.Set("Sec-Fetch-Dest", c.dest)
		w := httptest.NewRecorder()
		g.Protect(http.HandlerFunc(whoAmI), nil).ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
}

// A head that is longer than heads may be is refused, whatever its cookies are.
func TestHugeCookies(t *testing.T) {
	s, _ := serve(t, gateOf(t, GateConfig{Passwords: passwordFile(t)}), nil)
	c, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(deadline())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: %s\r\n\r\n",
			strings.Repeat("swarmnode=x; ", headMax/4))
	}()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s", answer.Status)
	}
	c.Close()
	<-sent
}

// A thousand logins at once are let in or told to come back, and leave no more sessions than an
// entry has.
func TestManyLogins(t *testing.T) {
	g := gateOf(t, GateConfig{Passwords: passwordFile(t)})
	var wait sync.WaitGroup
	var mu sync.Mutex
	statuses := make(map[int]int)
	for range 1000 {
		wait.Go(func() {
			status, _ := browserOf(t, g).signIn("admin", "secret")
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	wait.Wait()
	if n := g.sessions.count(); statuses[200] == 0 || statuses[200]+statuses[503] != 1000 ||
		n > entrySessionsMax || n != min(statuses[200], entrySessionsMax) {
		t.Errorf("%v, and %d sessions", statuses, n)
	}
}

// The clock of the machine may jump by years: what sessions, lockouts and tickets go by has the
// monotonic clock, which Go then compares in place of the other one.
func TestClockJumps(t *testing.T) {
	g := gateOf(t, GateConfig{Passwords: passwordFile(t)})
	b := browserOf(t, g)
	b.signIn("admin", "wrong")
	from := netip.MustParseAddr("127.0.0.1")
	failed := g.locked.sources[from].Value.(*wrong).last
	b.signIn("admin", "secret")
	session := g.sessions.find(g.now(), b.cookies["swarmnode-8080"])
	for what, at := range map[string]time.Time{"begin of a session": session.made,
		"last use of a session": session.used, "wrong password": failed, "gate": g.began} {
		if !strings.Contains(at.String(), " m=") {
			t.Errorf("the time of the %s is %v, without the monotonic clock", what, at)
		}
	}
}
