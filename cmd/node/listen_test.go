package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseListen(t *testing.T) {
	for s, want := range map[string]string{
		"127.0.0.1:6881": "127.0.0.1 6881 true", "127.0.0.1": "127.0.0.1 0 false",
		":0":      "invalid IP 0 true",
		"[::1]:7": "::1 7 true", "::1": "::1 0 false", "[::1]": "::1 0 false",
		"localhost:9":      "127.0.0.1 9 true",
		"::ffff:192.0.2.1": "192.0.2.1 0 false",
	} {
		a, err := parseListen(s)
		if got := fmt.Sprint(a.host, a.port, a.given); err != nil || got != want {
			t.Errorf("parseListen(%q) = %s, %v, want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "[]", "x", "example.org:1", "1.2.3.4:70000", "1.2.3.4:-1",
		"1.2.3.4:x", "1.2.3:4", "[1::2::3]:4"} {
		if a, err := parseListen(s); err == nil {
			t.Errorf("parseListen(%q) = %+v, want an error", s, a)
		}
	}
}

func TestAddresses(t *testing.T) {
	f := listenFlags{listen: listValue{items: []string{"127.0.0.1", "[::1]:9"}}}
	if got := fmt.Sprint(f.addresses(nil, 7)); got != "[127.0.0.1:7 [::1]:9]" {
		t.Errorf("addresses = %s", got)
	}
	f.port.port = 8 // an address with a port keeps it
	if got := fmt.Sprint(f.given(8)); got != "[127.0.0.1:8 [::1]:9]" {
		t.Errorf("given = %s", got)
	}
	f = listenFlags{}
	got := f.addresses(nil, 7)
	if len(got) == 0 || got[0].String() != "0.0.0.0:7" {
		t.Errorf("addresses = %v", got)
	}
}

func TestBootstrapHosts(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	text := "\uFEFF# comment\r\n\r\nrouter.example:6881 # main\r\n[2001:db8::1]:7\nnot a " +
		"host\n1.2.3.4:0\nturn:relay.example\nturn:me:hidden@\n"
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, stderr := testConsole()
	for _, f := range []struct {
		values []string
		want   string
		relays string
	}{
		{nil, "[default.example:1]", "[turn:default.example]"},
		{[]string{"none"}, "[]", "[]"},
		{[]string{"a.example:1", "turn:b.example", "b.example:2"}, "[a.example:1 b.example:2]",
			"[turn:b.example]"},
		{[]string{"@" + list, "a.example:1"}, "[router.example:6881 [2001:db8::1]:7 a.example:1]",
			"[turn:relay.example]"},
	} {
		got, relays, err := bootstrapHosts(c, f.values, "default.example:1\nturn:default.example\n")
		if err != nil || fmt.Sprint(got) != f.want || fmt.Sprint(relays) != f.relays {
			t.Errorf("%v: %v, %v, %v, want %s, %s", f.values, got, relays, err, f.want, f.relays)
		}
	}
	if strings.Contains(stderr.String(), "hidden") {
		t.Errorf("a password is shown:\n%s", stderr)
	}
	if n := strings.Count(stderr.String(), "\n"); n != 3 {
		t.Errorf("%d warnings, want one for each bad line:\n%s", n, stderr)
	}
	for code, values := range map[int][]string{
		exitUsage: {"none", "a.example:1"},
		exitInput: {"@" + list + ".missing"},
	} {
		if _, _, err := bootstrapHosts(c, values, ""); exitCode(err) != code {
			t.Errorf("%v: %v, want code %d", values, err, code)
		}
	}
}

func TestBindFailureWords(t *testing.T) {
	addrs := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")}
	busy, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, err = net.ListenPacket("udp4", busy.LocalAddr().String())
	got := bindFailure(addrs, err).Error()
	want := "listening on " + busy.LocalAddr().String() +
		": address already in use (try: another --port, or --port 0 for any)"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
