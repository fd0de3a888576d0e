package guard

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"swarmnode/swarm/egress"
)

func TestReachOf(t *testing.T) {
	for _, c := range []struct {
		ip   string
		want Reach
		ok   bool
	}{
		{"8.8.8.8", Public, true},
		{"198.18.0.1", Public, true},
		{"2a00:1450::1", Public, true},
		{"10.1.2.3", Private, true},
		{"172.31.0.1", Private, true},
		{"192.168.1.1", Private, true},
		{"100.64.0.1", Private, true},
		{"192.0.0.8", Private, true},
		{"fd00::1", Private, true},
		{"fec0::1", Private, true},
		{"127.0.0.1", Loopback, true},
		{"127.255.0.1", Loopback, true},
		{"::1", Loopback, true},
		{"::ffff:127.0.0.1", Loopback, true},
		{"::7f00:1", Loopback, true},
		{"64:ff9b::7f00:1", Loopback, true},
		{"64:ff9b::8.8.8.8", Public, true},
		{"2002:a00:1::", Private, true},
		{"169.254.169.254", LinkLocal, true},
		{"::ffff:169.254.169.254", LinkLocal, true},
		{"fe80::1%eth0", LinkLocal, true},
		{"0.0.0.0", LinkLocal, false},
		{"0.1.2.3", LinkLocal, false},
		{"::", LinkLocal, false},
		{"224.0.0.1", LinkLocal, false},
		{"ff15::1", LinkLocal, false},
		{"255.255.255.255", LinkLocal, false},
		{"240.0.0.1", LinkLocal, false},
	} {
		if got, ok := ReachOf(netip.MustParseAddr(c.ip)); ok != c.ok || ok && got != c.want {
			t.Errorf("ReachOf(%s) = %v, %v; want %v, %v", c.ip, got, ok, c.want, c.ok)
		}
	}
	if _, ok := ReachOf(netip.Addr{}); ok {
		t.Error("the zero address can be reached")
	}
}

func TestCheck(t *testing.T) {
	harmless := func(u *url.URL) bool { return u.Path == "/announce" }
	for _, c := range []struct {
		name     string
		url      string
		stranger bool
		addr     string
		allowed  bool
	}{
		{"the user's own tracker here", "http://x/any?a=1", false, "127.0.0.1:25", true},
		{"the user's own tracker on the link", "http://x/any", false, "169.254.1.1:80", true},
		{"nobody can listen there", "http://x/any", false, "0.0.0.0:80", false},
		{"no port", "http://x/any", false, "8.8.8.8:0", false},
		{"a public one", "http://x/any?a=1", true, "8.8.8.8:22", true},
		{"a harmless one here", "http://x/announce", true, "127.0.0.1:6969", true},
		{"a harmless one in this network, of HTTP", "http://x/announce", true, "192.168.0.2:80",
			true},
		{"a system service", "http://x/announce", true, "192.168.0.2:25", false},
		{"the secrets of a cloud", "http://x/announce", true, "169.254.169.254:80", false},
		{"a router's pages", "http://x/reboot", true, "192.168.0.1:80", false},
		{"a router's pages, mapped", "http://x/reboot", true, "[::ffff:192.168.0.1]:80", false},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		target := Target{URL: u, Stranger: c.stranger, Harmless: harmless}
		err = target.Check(netip.MustParseAddrPort(c.addr))
		if (err == nil) != c.allowed {
			t.Errorf("%s: got %v, want allowed = %v", c.name, err, c.allowed)
		}
		if err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v does not wrap ErrRefused", c.name, err)
		}
	}
}

func target(t *testing.T, raw string) Target {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return Target{URL: u}
}

func client(t *testing.T, cfg Config) *Client {
	t.Helper()
	c := New(cfg)
	t.Cleanup(c.Close)
	return c
}

func TestGet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		io.WriteString(w, r.UserAgent()+" "+r.Header.Get("Range")+" "+user+":"+password+" "+host)
	}))
	defer server.Close()
	c := client(t, Config{UserAgent: "node/1", Local: func(netip.Addr) netip.Addr {
		return netip.MustParseAddr("127.0.0.7")
	}})
	raw := strings.Replace(server.URL, "http://127.0.0.1", "http://me:secret@localhost", 1)
	a, err := c.Get(t.Context(), target(t, raw), IPv4, http.Header{"Range": {"bytes=0-1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(body), "node/1 bytes=0-1 me:secret 127.0.0.7"; got != want {
		t.Errorf("the server saw %q, want %q", got, want)
	}
	if want := netip.MustParseAddrPort(server.Listener.Addr().String()); a.From != want {
		t.Errorf("answered from %v, want %v", a.From, want)
	}
	if _, err := c.Get(t.Context(), target(t, server.URL), IPv6, nil); err == nil {
		t.Error("an IPv4 address was reached by IPv6")
	}
}

func TestGetRefuses(t *testing.T) {
	var asked bool
	local := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked = true
	}))
	defer local.Close()
	c := client(t, Config{})
	stranger := target(t, local.URL+"/announce?shutdown=1")
	stranger.Stranger = true
	for name, tt := range map[string]Target{
		"a stranger's URL of this machine": stranger,
		"another scheme":                   target(t, "file:///etc/passwd"),
		"no host":                          target(t, "http:///x"),
		"a very long URL": target(t,
			local.URL+"/"+strings.Repeat("x", URLBytesMax)),
	} {
		if a, err := c.Get(t.Context(), tt, Any, nil); err == nil {
			a.Body.Close()
			t.Errorf("%s was asked for", name)
		}
	}
	if _, err := c.Get(t.Context(), stranger, Any, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("a stranger's URL of this machine: got %v, want ErrRefused", err)
	}
	if asked {
		t.Error("a request came through")
	}
}

func TestRedirects(t *testing.T) {
	var hops int
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/end", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "end")
	})
	mux.HandleFunc("/one", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/end", http.StatusFound)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) {
		hops++
		http.Redirect(w, r, "/loop", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "file:///etc/passwd")
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/link", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
	})
	mux.HandleFunc("/nowhere", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusFound)
	})
	c := client(t, Config{})
	a, err := c.Get(t.Context(), target(t, server.URL+"/one"), Any, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(a.Body)
	a.Body.Close()
	if string(body) != "end" {
		t.Errorf("after a redirect: %q", body)
	}
	for _, path := range []string{"/loop", "/file", "/link"} {
		if _, err := c.Get(t.Context(), target(t, server.URL+path), Any, nil); !errors.Is(err,
			ErrRefused) {
			t.Errorf("%s: got %v, want ErrRefused", path, err)
		}
	}
	if hops != RedirectsMax+1 {
		t.Errorf("a loop was followed %d times, want %d", hops, RedirectsMax+1)
	}
	if _, err := c.Get(t.Context(), target(t, server.URL+"/nowhere"), Any, nil); err == nil {
		t.Error("a redirect to nowhere was followed")
	}
}

// A host that everybody can reach must not send us to one that only we can,
// even when the user named it. No public host exists here: the rule is asked.
func TestRedirectsNeverLeadInward(t *testing.T) {
	user := target(t, "http://tracker.example/announce")
	stranger := user
	stranger.Stranger = true
	stranger.Harmless = func(*url.URL) bool { return true }
	for _, tt := range []Target{user, stranger} {
		for from, nearest := range map[Reach]Reach{Public: Public, Private: Private,
			Loopback: Loopback} {
			if got := tt.rule(tt.URL, from).nearest; got != nearest {
				t.Errorf("stranger %v, sent on by a %v host: nearest %v, want %v", tt.Stranger,
					from, got, nearest)
			}
		}
	}
}

func TestTLSIsVerified(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/plain" {
			http.Redirect(w, r, "http://"+r.Host+"/", http.StatusFound)
		}
	}))
	defer server.Close()
	server.Config.ErrorLog = nil
	if _, err := client(t, Config{}).Get(t.Context(), target(t, server.URL), Any, nil); err == nil {
		t.Error("a certificate of nobody was accepted")
	}
	careless := &tls.Config{InsecureSkipVerify: true}
	if _, err := client(t, Config{TLS: careless}).Get(t.Context(), target(t, server.URL),
		Any, nil); err == nil {
		t.Error("verification was left out")
	}
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	c := client(t, Config{TLS: &tls.Config{RootCAs: pool}})
	a, err := c.Get(t.Context(), target(t, server.URL), Any, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if _, err := c.Get(t.Context(), target(t, server.URL+"/plain"), Any, nil); !errors.Is(err,
		ErrRefused) {
		t.Errorf("a redirect away from TLS: got %v, want ErrRefused", err)
	}
}

// The dialler judges each address that a name resolves to.
func TestCheckSeesResolvedAddresses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	tt := target(t, "http://localhost:"+port+"/x")
	tt.Stranger = true
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	var n *egress.Net
	conn, err := n.DialHost(t.Context(), egress.Host{Name: "localhost", Port: uint16(number),
		Family: IPv4, Check: tt.Check})
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
}
