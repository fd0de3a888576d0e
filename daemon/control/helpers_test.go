package control

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// loopback is an address of this machine, with any port.
var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// within is how long something may take that must happen.
const within = 30 * time.Second

// passwordFile writes a password file with a user "admin" whose password is "secret", a user
// "guest" with "look" who may only read, and what lines says.
func passwordFile(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passwords")
	for _, e := range []struct {
		name, password string
		scope          Scope
	}{{"admin", "secret", Admin}, {"guest", "look", Read}} {
		entry := Entry{Name: e.name, Scope: e.scope, Hash: cheapHash(e.password).String()}
		if err := SetPassword(path, entry); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, line := range lines {
		io.WriteString(f, line+"\n")
	}
	return path
}

// cheapHash returns a hash that costs little, unlike HashPassword: the race detector makes it
// ten times slower.
func cheapHash(password string) *secretHash {
	h := &secretHash{kind: hashArgon, n: 64, r: 1, lanes: 1, salt: []byte("somesalt")}
	h.key = h.derive(password, keyBytes)
	return h
}

// gateOf returns a Gate.
func gateOf(t *testing.T, cfg GateConfig) *Gate {
	t.Helper()
	g, err := NewGate(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g.dummy = cheapHash("nobody's")
	return g
}

// whoAmI answers with who asks.
func whoAmI(w http.ResponseWriter, r *http.Request) {
	id := From(r.Context())
	io.WriteString(w, id.Name+" "+id.Scope.String())
	if id.Owner {
		io.WriteString(w, " owner")
	}
}

// serve starts a Server with a socket and a TCP address, which say who asks. Its URL is that
// of the TCP address.
func serve(t *testing.T, g *Gate, handler http.Handler) (s *Server, url string) {
	t.Helper()
	if handler == nil {
		handler = g.Protect(http.HandlerFunc(whoAmI), nil)
	}
	s, err := Serve(t.Context(), Config{Gate: g, Socket: filepath.Join(t.TempDir(), "ctl.sock"),
		Local: handler, TCP: []Listener{{Name: "http", Addr: loopback, Handler: handler}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, "http://" + s.Addrs()[0].String()
}

// overSocket returns a client of the socket.
func overSocket(s *Server) *http.Client {
	return &http.Client{Timeout: within, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.Socket())
		}}}
}

// overTCP returns a client without connections of before.
func overTCP() *http.Client {
	return &http.Client{Timeout: within, Transport: &http.Transport{DisableKeepAlives: true}}
}

// ask sends a request and returns the status and the body of the answer.
func ask(t *testing.T, c *http.Client, method, url string, set func(*http.Request)) (int, string,
	http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if set != nil {
		set(r)
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(body)), answer.Header
}

// basic sets a password.
func basic(name, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(name, password) }
}

// await waits until have reports true.
func await(t *testing.T, what string, have func() bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !have() {
		select {
		case <-look.C:
		case <-deadline.C:
			t.Fatalf("waiting for %s", what)
		}
	}
}
