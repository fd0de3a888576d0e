package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"swarmnode"
	"swarmnode/internal/socksserver"
)

// A bad URL of a proxy is a usage error, which does not show the password.
func TestProxyFlag(t *testing.T) {
	for _, url := range []string{"proxy.example:1080", "http://u:secret@proxy.example:1080",
		"socks5://u:secret@proxy.example", "socks5://u:secret@proxy.example:1080/path"} {
		f := networkFlags{proxy: url}
		_, err := f.open()
		if codeOf(err) != exitUsage || !strings.HasPrefix(err.Error(), "--proxy: ") ||
			strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"socks5://127.0.0.1:1080", "socks5h://u:p@proxy.example:1080"} {
		f := networkFlags{proxy: url}
		if n, err := f.open(); err != nil || !n.Proxied() {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A proxy that does not want us ends the command. One that is away is waited for.
func TestCheckProxy(t *testing.T) {
	s := socksserver.Start(t, socksserver.Options{User: "u", Password: "p"})
	away := socksserver.Start(t, socksserver.Options{})
	away.Stop()
	for url, want := range map[string]int{
		s.URL(): exitDone,
		strings.Replace(s.URL(), ":p@", ":x@", 1): exitNetwork,
		strings.Replace(s.URL(), "u:p@", "", 1):   exitNetwork,
		away.URL():                                exitDone,
		"":                                        exitDone,
	} {
		f := networkFlags{proxy: url}
		n, err := f.open()
		if err != nil {
			t.Fatal(err)
		}
		if err := checkProxy(t.Context(), n); codeOf(err) != want {
			t.Errorf("%q: %v, want the code %d", url, err, want)
		}
	}
}

// Until the proxy has answered for the first time, nothing can be sent to anybody, and a
// longer time is not what helps.
func TestTimeoutHint(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for url, want := range map[string]string{
		"socks5://" + silent.Addr().String(): "again, when the proxy can be used",
		"":                                   "again, with a longer --timeout",
	} {
		f := networkFlags{proxy: url}
		n, err := f.open()
		if err != nil {
			t.Fatal(err)
		}
		node, err := swarmnode.Start(t.Context(), swarmnode.Config{Network: n, NoDHT: true,
			NoLSD: true, NoTCP: true})
		if err != nil {
			t.Fatal(err)
		}
		defer node.Close()
		s := session{network: n, node: node}
		if got := s.timeoutHint(); got != want {
			t.Errorf("%q: %q, want %q", url, got, want)
		}
	}
}

// A URL as a SOURCE waits for the proxy as long as --timeout says, and says so.
func TestSourceWaitsForProxy(t *testing.T) {
	away := socksserver.Start(t, socksserver.Options{})
	away.Stop()
	c, _, stderr := testConsole()
	by := listenFlags{network: networkFlags{proxy: away.URL()}}
	_, err := parseSource(t.Context(), c, &by, timeValue(2*time.Second),
		"http://server.invalid/x.torrent")
	if codeOf(err) != exitNetwork || !strings.HasSuffix(err.Error(),
		"the proxy cannot be used (try: again, when the proxy can be used)") {
		t.Errorf("got %v", err)
	}
	if n := strings.Count(stderr.String(), "warning: waiting for the proxy"); n != 1 {
		t.Errorf("said %d times that it waits: %s", n, stderr)
	}
	if err := away.Resume(); err != nil {
		t.Fatal(err)
	}
	_, err = parseSource(t.Context(), c, &by, 0, "http://server.invalid/x.torrent")
	if codeOf(err) != exitNetwork || strings.Contains(err.Error(), "cannot be used") {
		t.Errorf("through the proxy: %v, want that it does not know the host", err)
	}
}
