package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"testing"

	"swarmnode/internal/socksserver"
	"swarmnode/swarm/egress"
)

// A throughProxy is a proxy of tests: it connects to a server whatever it is asked for.
type throughProxy struct {
	to    string
	asked chan string
}

func (p throughProxy) DialTCP(ctx context.Context, host string, port uint16) (net.Conn, error) {
	p.asked <- net.JoinHostPort(host, strconv.Itoa(int(port)))
	return new(net.Dialer).DialContext(ctx, "tcp", p.to)
}

func (p throughProxy) DialUDP(context.Context, string, uint16) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

// proxiedClient returns a Client whose requests all end at handler.
func proxiedClient(t *testing.T, handler http.HandlerFunc) (*Client, chan string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	p := throughProxy{server.Listener.Addr().String(), make(chan string, 100)}
	n, err := egress.New(egress.Config{Proxy: p})
	if err != nil {
		t.Fatal(err)
	}
	return client(t, Config{Net: n}), p.asked
}

// drain returns what is in a channel.
func drain(c chan string) (list []string) {
	for len(c) > 0 {
		list = append(list, <-c)
	}
	return list
}

// Through a proxy, strangers lead us to public hosts alone, also by redirects; the user
// leads us anywhere. What the proxy is not asked for has not left us.
func TestProxyIsNotTurnedInward(t *testing.T) {
	c, asked := proxiedClient(t, func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
		}
	})
	harmless := func(*url.URL) bool { return true }
	for _, tt := range []struct {
		url      string
		stranger bool
		asked    []string
		refused  bool
	}{
		{"http://tracker.example/announce", true, []string{"tracker.example:80"}, false},
		{"http://192.0.2.7:6969/announce", true, []string{"192.0.2.7:6969"}, false},
		{"http://localhost/announce", true, nil, true},
		{"http://127.0.0.1:6969/announce", true, nil, true},
		{"http://[::1]:6969/announce", true, nil, true},
		{"http://10.0.0.1/announce", true, nil, true},
		{"http://nas.local/announce", true, nil, true},
		{"http://router/announce", true, nil, true},
		{"http://169.254.169.254/announce", true, nil, true},
		{"http://0x7f000001/announce", true, nil, true},
		{"http://2130706433/announce", true, nil, true},
		{"http://localhost/announce", false, []string{"localhost:80"}, false},
		{"http://10.0.0.1/announce", false, []string{"10.0.0.1:80"}, false},
		{"http://a.example/?to=http://localhost/x", true, []string{"a.example:80"}, true},
		{"http://a.example/?to=http://localhost/x", false, []string{"a.example:80"}, true},
		{"http://a.example/?to=http://10.0.0.1/x", false, []string{"a.example:80"}, true},
		{"http://localhost/?to=http://127.0.0.1/x", false, []string{"localhost:80", "127.0.0.1:80"},
			false},
		{"http://a.example/?to=http://b.example/x", true, []string{"a.example:80", "b.example:80"},
			false},
	} {
		target := target(t, tt.url)
		target.Stranger, target.Harmless = tt.stranger, harmless
		a, err := c.Get(t.Context(), target, Any, nil)
		if err == nil {
			a.Body.Close()
		}
		c.Close() // so that no connection is used again
		if errors.Is(err, ErrRefused) != tt.refused || (err == nil) == tt.refused {
			t.Errorf("%s, stranger %v: %v", tt.url, tt.stranger, err)
		}
		if got := drain(asked); !slices.Equal(got, tt.asked) {
			t.Errorf("%s, stranger %v: the proxy was asked for %q, want %q", tt.url, tt.stranger,
				got, tt.asked)
		}
	}
}

// The address of a server behind a proxy is known only if the URL has it.
func TestProxyHidesAddresses(t *testing.T) {
	c, _ := proxiedClient(t, func(http.ResponseWriter, *http.Request) {})
	for raw, want := range map[string]netip.Addr{"http://tracker.example/x": {},
		"http://192.0.2.7/x": netip.MustParseAddr("192.0.2.7")} {
		a, err := c.Get(t.Context(), target(t, raw), Any, nil)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.From.Addr() != want {
			t.Errorf("%s: the answer is from %v, want %v", raw, a.From, want)
		}
	}
}

// The proxies that the environment names for other programs are none of ours.
func TestEnvironmentIsIgnored(t *testing.T) {
	other := socksserver.Start(t, socksserver.Options{})
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, other.URL())
	}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	c := client(t, Config{})
	a, err := c.Get(t.Context(), target(t, server.URL+"/x"), Any, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	for k, transport := range c.transports {
		if transport.Proxy != nil {
			t.Errorf("the transport for %v has a proxy of its own", k)
		}
	}
	if got := other.Asked(); len(got) > 0 {
		t.Errorf("a proxy of the environment was asked for %q", got)
	}
	if text := fmt.Sprint(c.cfg.Net.Proxy()); text != "<nil>" {
		t.Errorf("there is a proxy: %s", text)
	}
}
