package control

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A ticket lets GET and HEAD in below its path, and nothing else.
func TestTicket(t *testing.T) {
	token, hash := NewToken()
	g := gateOf(t, GateConfig{Passwords: passwordFile(t, "phone:control:"+hash)})
	now := time.Now()
	g.now = func() time.Time { return now }
	r := httptest.NewRequest("GET", "http://localhost/", nil)
	r.RemoteAddr = "127.0.0.1:5"
	r.Header.Set("Authorization", "Bearer "+token)
	phone, err := g.Login(r)
	if err != nil {
		t.Fatal(err)
	}
	ticket := g.Ticket(phone, "/files/abc/1", now.Add(time.Hour))
	ask := func(method, path, ticket string) (int, string) {
		r := httptest.NewRequest(method, "http://nas.example"+path+"?ticket="+
			url.QueryEscape(ticket)+"&download=1", nil)
		r.RemoteAddr = "192.0.2.7:5"
		w := httptest.NewRecorder()
		g.Protect(http.HandlerFunc(whoAmI), nil).ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, path := range []string{"/files/abc/1", "/files/abc/1/", "/files/abc/1/film.mkv",
		"/files/abc/1/a%20b%28c%29.mkv", "/files/abc/1/%E2%80%AE.mkv", "/files/abc/1/..."} {
		for _, method := range []string{"GET", "HEAD"} {
			if status, who := ask(method, path, ticket); status != 200 || who != "phone read" {
				t.Errorf("%s %s: %d %q", method, path, status, who)
			}
		}
	}
	for _, path := range []string{"/", "/files/abc", "/files/abc/", "/files/abc/12",
		"/files/abc/1.m3u", "/files/abc/2/film.mkv", "/files/abc/1/../2/film.mkv",
		"/files/abc/1/%2e%2e/2/film.mkv", "/files/abc/1/%2E./2", "/files/abc/1//x",
		"/files/abc/1/./x", "/files/abc/1/x/..", "/files/abc/1%2fx", "/files/abc/1/x%2F..%2Fy",
		"//files/abc/1/x", "/files//abc/1/x", "/x/../files/abc/1/x", "/FILES/abc/1/x",
		"/api/v1/torrents", "/files/abc%2f1/x"} {
		if status, who := ask("GET", path, ticket); status != 401 {
			t.Errorf("%s: %d %q", path, status, who)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get"} {
		if status, who := ask(method, "/files/abc/1", ticket); status != 401 {
			t.Errorf("%s: %d %q", method, status, who)
		}
	}
	raw, _ := base64.RawURLEncoding.DecodeString(ticket)
	for i := range raw {
		altered := append([]byte(nil), raw...)
		altered[i] ^= 1 << (i % 8)
		other := base64.RawURLEncoding.EncodeToString(altered)
		if status, who := ask("GET", "/files/abc/1/film.mkv", other); status != 401 {
			t.Errorf("byte %d is altered: %d %q", i, status, who)
		}
	}
	for _, other := range []string{"", "x", ticket + "=", ticket + "A", ticket[1:],
		strings.Repeat("A", len(ticket)), strings.Repeat("é", len(ticket)),
		strings.Repeat("A", 1<<16)} {
		if status, who := ask("GET", "/files/abc/1/film.mkv", other); status != 401 {
			t.Errorf("%.100q: %d %q", other, status, who)
		}
	}
	if other := gateOf(t, GateConfig{Passwords: passwordFile(t)}).Ticket(phone, "/files/abc/1",
		now.Add(time.Hour)); other != "" {
		if status, _ := ask("GET", "/files/abc/1", other); status != 401 {
			t.Errorf("a ticket of another process: %d", status)
		}
	}
	if g.Stats().Wrong != 0 {
		t.Error("tickets count as passwords")
	}
	now = now.Add(time.Hour - time.Second)
	if status, _ := ask("GET", "/files/abc/1", ticket); status != 200 {
		t.Errorf("just before its end: %d", status)
	}
	now = now.Add(time.Second)
	if status, _ := ask("GET", "/files/abc/1", ticket); status != 401 {
		t.Errorf("at its end: %d", status)
	}
}

// A ticket ends with the password of the one it was given for, and gives no ticket that gives
// more.
func TestTicketsAreBound(t *testing.T) {
	path := passwordFile(t)
	g := gateOf(t, GateConfig{Passwords: path})
	now := time.Now()
	g.now = func() time.Time { return now }
	with := func(ticket string) (Identity, error) {
		r := httptest.NewRequest("GET", "http://nas.example/files/abc/1/x?ticket="+ticket, nil)
		r.RemoteAddr = "192.0.2.7:5"
		ctx, err := g.Enter(r)
		if err != nil {
			return Identity{}, err
		}
		return From(ctx), nil
	}
	guest, err := g.Login(basicRequest("guest", "look"))
	if err != nil {
		t.Fatal(err)
	}
	ticket := g.Ticket(guest, "/files/abc/", now.Add(time.Hour))
	id, err := with(ticket)
	if err != nil || id.Name != "guest" || id.Scope != Read || id.Owner || !g.Still(id) {
		t.Fatalf("%+v, %v", id, err)
	}
	for _, path := range []string{"/", "/files", "/files/ab", "/files/abcd/"} {
		if more := g.Ticket(id, path, now.Add(time.Minute)); more != "" {
			t.Errorf("a ticket for %s by one for less", path)
		}
	}
	later := g.Ticket(id, "/files/abc/1", now.Add(48*time.Hour))
	if _, err := with(later); err != nil {
		t.Errorf("a ticket by a ticket: %v", err)
	}
	now = now.Add(time.Hour)
	if _, err := with(later); err == nil || g.Still(id) {
		t.Error("a ticket by a ticket lasts longer")
	}
	if g.Ticket(guest, "/files/abc/", now.Add(-1000*time.Hour)) != "" {
		t.Error("a ticket that is over before the gate began")
	}
	long := g.Ticket(guest, "/files/abc/", now.Add(1e6*time.Hour))
	if now = now.Add(ticketMax); long == "" {
		t.Error("no ticket for long")
	} else if _, err := with(long); err == nil {
		t.Error("a ticket for longer than tickets last")
	}
	if g.Ticket(Identity{}, "/", now.Add(time.Hour)) != "" ||
		g.Ticket(guest, "/"+strings.Repeat("x", 1<<16), now.Add(time.Hour)) != "" {
		t.Error("a ticket for nobody, or for a path that is too long")
	}
	ticket = g.Ticket(guest, "/files/abc/", now.Add(time.Hour))
	other := Entry{Name: "guest", Scope: Read, Hash: cheapHash("other").String()}
	if err := SetPassword(path, other); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * rereadEvery)
	if _, err := with(ticket); err == nil {
		t.Error("it goes on although the password changed")
	}
	// Somebody on the socket has no password that could change.
	owner := Identity{Name: "uid 0", Scope: Admin, Owner: true}
	id, err = with(g.Ticket(owner, "/files/abc/", now.Add(time.Hour)))
	if err != nil || id.Owner || id.Scope != Read {
		t.Errorf("by the socket: %+v, %v", id, err)
	}
	// One that was given while no password was needed is not good any more.
	if _, err := with(g.Ticket(Identity{Scope: Admin}, "/files/abc/",
		now.Add(time.Hour))); err == nil {
		t.Error("a ticket of nobody although a password is needed")
	}
}

// A lockout does not concern tickets and cookies, which nobody can guess.
func TestLockoutSparesSessions(t *testing.T) {
	g := gateOf(t, GateConfig{Passwords: passwordFile(t)})
	b := browserOf(t, g)
	b.signIn("admin", "secret")
	for range wrongMax {
		browserOf(t, g).signIn("admin", "wrong")
	}
	if status, _ := browserOf(t, g).signIn("admin", "secret"); status != 429 {
		t.Errorf("a login while locked out: %d", status)
	}
	b.want("a session while locked out", 200)
}

// A GET that changes something is refused to pages of other sites, however they send it.
func TestCheckSame(t *testing.T) {
	g := gateOf(t, GateConfig{Passwords: passwordFile(t)})
	b := browserOf(t, g)
	b.signIn("admin", "secret")
	handler := g.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.CheckSame(r); err != nil {
			writeRefusal(w, r, err.(*Refusal))
		}
	}), nil)
	const old = "User-Agent: Mozilla/5.0 (X11), Accept-Language: de"
	for _, c := range []struct {
		what    string
		cookie  bool
		headers string
		status  int
	}{
		{"our page", true, "Sec-Fetch-Site: same-origin, Sec-Fetch-Mode: navigate", 200},
		{"the line of addresses", true, "Sec-Fetch-Site: none, Sec-Fetch-Mode: navigate", 200},
		{"a link elsewhere", true, "Sec-Fetch-Site: cross-site, Sec-Fetch-Mode: navigate", 403},
		{"another port", true, "Sec-Fetch-Site: same-site, Sec-Fetch-Mode: navigate", 403},
		{"a picture", true, "Sec-Fetch-Site: cross-site, Sec-Fetch-Mode: no-cors", 403},
		{"a cookie over HTTP", true, old, 200},
		{"a password over HTTP", false, old, 403},
		{"a program", false, "User-Agent: VLC/3.0, Accept-Language: de", 200},
	} {
		r := httptest.NewRequest("GET", "http://127.0.0.1:8080/", nil)
		r.RemoteAddr = "127.0.0.1:5"
		if c.cookie {
			for name, value := range b.cookies {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
		} else {
			r.SetBasicAuth("admin", "secret")
		}
		for header := range strings.SplitSeq(c.headers, ", ") {
			name, value, _ := strings.Cut(header, ": ")
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", c.what, w.Code, w.Body, c.status)
		}
	}
}

// A browser that reaches the socket through a tunnel must name this machine; a program may name
// what it likes that is no page's name.
func TestSocketHosts(t *testing.T) {
	s, _ := serve(t, gateOf(t, GateConfig{Hosts: []string{"nas.example"}}), nil)
	const page = "Sec-Fetch-Site: same-origin"
	for _, c := range []struct {
		host, header string
		status       int
	}{
		{"node", "", 200}, {"localhost", "", 200}, {"x:80", "", 200}, {"nas.example", "", 200},
		{"evil.example", "", 421}, {"evil.example:8080", page, 421}, {"evil", page, 421},
		{"evil", "Origin: http://evil", 421}, {"evil", "Accept-Language: de", 421},
		{"127.0.0.1:8080", page, 200}, {"localhost:8080", page, 200}, {"[::1]:8080", page, 200},
		{"nas.example:8080", page, 200}, {"evil.example", "Origin: http://evil.example", 421},
		{"localhost:8080", "Sec-Fetch-Site: cross-site", 403},
	} {
		status, body, _ := ask(t, overSocket(s), "GET", "http://"+c.host+"/",
			func(r *http.Request) {
				if name, value, ok := strings.Cut(c.header, ": "); ok {
					r.Header.Set(name, value)
				}
			})
		if status != c.status {
			t.Errorf("%s, %s: %d %q, want %d", c.host, c.header, status, body, c.status)
		}
	}
}

// FuzzTicket asks with cookies and tickets of every shape, or with the ticket of a path, for
// other paths: only that ticket lets in, and only for what stands below its path however a
// handler takes the path apart.
func FuzzTicket(f *testing.F) {
	path := filepath.Join(f.TempDir(), "passwords")
	entry := Entry{Name: "guest", Scope: Read, Hash: cheapHash("look").String()}
	if err := SetPassword(path, entry); err != nil {
		f.Fatal(err)
	}
	g, err := NewGate(GateConfig{Passwords: path})
	if err != nil {
		f.Fatal(err)
	}
	guest, err := g.Login(basicRequest("guest", "look"))
	if err != nil {
		f.Fatal(err)
	}
	good := g.Ticket(guest, "/files/abc/1", time.Now().Add(time.Hour))
	f.Add("/files/abc/1/film.mkv", "good", "")
	f.Add("/files/abc/1/%2e%2e/2", "good", "swarmnode=x; swarmnode=y")
	f.Add("/files/abc%2f1/x", "good", `swarmnode="x"`)
	f.Add("/files/abc/1", strings.Repeat("A", len(good)), "")
	f.Fuzz(func(t *testing.T, path, ticket, cookies string) {
		at, err := url.ParseRequestURI(path)
		if err != nil {
			t.Skip("no path of a request")
		}
		if ticket == "good" {
			ticket = good
		}
		at.RawQuery = url.Values{TicketParameter: {ticket}}.Encode()
		r := &http.Request{Method: "GET", URL: at, RemoteAddr: "192.0.2.7:5", Host: "localhost",
			Header: http.Header{"Cookie": {cookies}}}
		id, err := g.Login(r)
		if err != nil {
			return
		}
		if ticket != good || id.Name != "guest" || id.Scope != Read || id.Owner {
			t.Fatalf("%+v is let in by %q, %q", id, ticket, cookies)
		}
		segments := strings.Split(at.EscapedPath(), "/")
		for i, want := range []string{"", "files", "abc", "1"} {
			if got, err := url.PathUnescape(segments[i]); err != nil || got != want {
				t.Fatalf("let in for %q", at.EscapedPath())
			}
		}
		if slices.Contains(strings.Split(at.Path, "/"), "..") {
			t.Fatalf("let in for %q", at.Path)
		}
	})
}
