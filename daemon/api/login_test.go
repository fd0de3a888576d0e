package api

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/daemon/control"
)

// A browser logs in, asks with its cookie, and logs out.
func TestLogin(t *testing.T) {
	r := newLockedRig(t)
	page := []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin"}
	login := func(who any) (int, string) {
		t.Helper()
		a := r.remote("POST", "/login", who, page...)
		if a.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%v: a challenge for a page", who)
		}
		cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
		return a.status, cookie
	}
	for _, c := range []struct {
		body   any
		status int
	}{
		{Login{Name: "admin", Password: "wrong"}, 401}, {Login{}, 401}, {object{"x": 1}, 422},
		{strings.NewReader("["), 400}, {strings.NewReader(""), 400},
		{Login{Password: strings.Repeat("x", loginBodyMax)}, 413},
	} {
		if status, cookie := login(c.body); status != c.status || cookie != "" {
			t.Errorf("%.50v: %d with the cookie %q, want %d", c.body, status, cookie, c.status)
		}
	}
	for scope, token := range r.tokens {
		status, cookie := login(Login{Password: token})
		if status != http.StatusNoContent || cookie == "" {
			t.Fatalf("a token: %d %q", status, cookie)
		}
		var s Session
		r.want(r.remote("GET", "/session", nil, append(page, "Cookie", cookie)...), 200, &s)
		if s.Scope != scope.String() {
			t.Errorf("the scope %s, want %v", s.Scope, scope)
		}
		a := r.remote("POST", "/shutdown", nil, "Cookie", cookie, "Sec-Fetch-Site", "cross-site")
		if a.status != 403 {
			t.Errorf("a page of another site: %d", a.status)
		}
		r.want(r.remote("POST", "/logout", nil, append(page, "Cookie", cookie)...), 204, nil)
		r.want(r.remote("GET", "/session", nil, append(page, "Cookie", cookie)...), 401, nil)
	}
	if a := r.remote("GET", "/login", nil); a.status != 405 || a.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d, %q", a.status, a.header.Get("Allow"))
	}
	if a := r.remote("POST", "/login", Login{}, "Origin", "http://evil.example"); a.status != 403 {
		t.Errorf("a login by another site: %d", a.status)
	}
	r.want(r.do("POST", "/login", Login{}), 204, nil)
}

// Every answer, an error too, says that a browser runs nothing of it, and is of a type that it
// takes for no page.
func TestAnswersAreNoPages(t *testing.T) {
	r := newRig(t, nil)
	const markup = "<script>alert(1)</script>"
	doc, hash := torrentOf(t, "<b>x", map[string]int{"a": 10})
	r.want(r.do("POST", "/torrents", Add{Metainfo: doc}), 201, nil)
	for _, path := range []string{"/torrents", "/torrents/" + hash, "/openapi.json", "/log",
		"/torrents/" + hash + "/torrent", "/torrents/" + url.PathEscape(markup),
		"/torrents?sort=" + markup, "/" + markup, "/torrents?" + markup + "=1"} {
		a := r.remote("GET", path, nil)
		kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
		if !slices.Contains([]string{"application/json", problemType, torrentType}, kind) ||
			a.header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.HasPrefix(a.header.Get("Content-Security-Policy"), "default-src 'none'") ||
			a.header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
}

// A feed ends soon after the logout of its session, or a change of its password; the feed of
// another session of the same user goes on after a logout.
func TestFeedEndsWithItsSession(t *testing.T) {
	r := newLockedRig(t)
	r.api.heartbeat, r.api.every = 10*time.Millisecond, 10*time.Millisecond
	follow := func() (*sse, string) {
		t.Helper()
		a := r.remote("POST", "/login", Login{Password: r.tokens[control.Admin]})
		r.want(a, http.StatusNoContent, nil)
		cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
		return r.followWith("Cookie", cookie), cookie
	}
	first, cookie := follow()
	second, _ := follow()
	r.want(r.remote("POST", "/logout", nil, "Cookie", cookie), http.StatusNoContent, nil)
	if _, err := io.Copy(io.Discard, first.lines); err != nil {
		t.Errorf("after the logout: %v", err)
	}
	if _, err := second.lines.ReadString('\n'); err != nil {
		t.Errorf("the other session: %v", err)
	}
	r.addToken(t, control.Admin, time.Time{})
	if _, err := io.Copy(io.Discard, second.lines); err != nil {
		t.Errorf("after another token: %v", err)
	}
}
