package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// On the socket the user of the daemon needs no password, and may do everything.
func TestSocketLogin(t *testing.T) {
	s, _ := serve(t, gateOf(t, GateConfig{Passwords: passwordFile(t)}), nil)
	status, who, _ := ask(t, overSocket(s), "GET", "http://daemon/", nil)
	want := fmt.Sprintf("uid %d admin owner", os.Geteuid())
	if runtime.GOOS == "windows" {
		want = "owner admin owner"
	}
	if status != 200 || who != want {
		t.Errorf("got %d %q, want %q", status, who, want)
	}
	info, err := os.Lstat(s.Socket())
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the socket has mode %o", mode)
	}
	s.Close()
	if _, err := os.Lstat(s.Socket()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket after Close: %v", err)
	}
}

// A socket of a daemon that is gone gives way, that of a living one does not, and anything else
// stays.
func TestSocketInTheWay(t *testing.T) {
	g := gateOf(t, GateConfig{})
	dir := t.TempDir()
	path := filepath.Join(dir, "ctl.sock")
	start := func(path string) (*Server, error) {
		return Serve(t.Context(), Config{Gate: g, Socket: path, Local: http.HandlerFunc(whoAmI)})
	}
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	first, err := start(path)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := start(path); !errors.Is(err, ErrInUse) {
		t.Errorf("beside a living one: %v", err)
	}
	if status, _, _ := ask(t, overSocket(first), "GET", "http://x/", nil); status != 200 {
		t.Errorf("the first one answers %d", status)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := start(file); err == nil {
		t.Error("a file was replaced")
	}
	if kept, _ := os.ReadFile(file); string(kept) != "kept" {
		t.Errorf("the file has %q", kept)
	}
	if _, err := start(filepath.Join(dir, strings.Repeat("x", 120))); err == nil {
		t.Error("a path that is too long was taken")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// A server that is closed has no error to tell.
func TestCloseIsQuiet(t *testing.T) {
	var log bytes.Buffer
	for range 20 { // since what is closed first is a matter of luck
		s, err := Serve(t.Context(), Config{Gate: gateOf(t, GateConfig{}),
			Socket: filepath.Join(t.TempDir(), "s"), Local: http.HandlerFunc(whoAmI),
			Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if status, _, _ := ask(t, overSocket(s), "GET", "http://x/", nil); status != 200 {
			t.Errorf("it answers %d", status)
		}
		s.Close()
	}
	if strings.Contains(log.String(), "ERROR") {
		t.Errorf("the log:\n%s", log.String())
	}
}

// A socket that took the place of ours is not removed.
func TestSocketOfAnother(t *testing.T) {
	s, _ := serve(t, gateOf(t, GateConfig{}), nil)
	path := s.Socket()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other, err := Serve(t.Context(), Config{Gate: gateOf(t, GateConfig{}), Socket: path,
		Local: http.HandlerFunc(whoAmI)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s.Close()
	if status, _, _ := ask(t, overSocket(other), "GET", "http://x/", nil); status != 200 {
		t.Errorf("the other one answers %d", status)
	}
}

// The folder of the socket is made for its owner alone; one that everybody can write to, or that
// belongs to another user, is refused, because they could put another socket in the place.
func TestSocketFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders have no modes")
	}
	g := gateOf(t, GateConfig{})
	dir := filepath.Join(t.TempDir(), "run", "swarmnode")
	s, err := Serve(t.Context(), Config{Gate: g, Socket: filepath.Join(dir, "s"),
		Local: http.HandlerFunc(whoAmI)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err = Serve(t.Context(), Config{Gate: g, Socket: filepath.Join(open, "s"),
		Local: http.HandlerFunc(whoAmI)})
	if _, ok := errors.AsType[*SocketError](err); !ok {
		t.Errorf("in a folder for everybody: %v", err)
	}
	foreign := t.TempDir()
	if os.Chown(foreign, 65534, -1) != nil {
		return // only root can give folders away
	}
	_, err = Serve(t.Context(), Config{Gate: g, Socket: filepath.Join(foreign, "s"),
		Local: http.HandlerFunc(whoAmI)})
	if _, ok := errors.AsType[*SocketError](err); !ok {
		t.Errorf("in a folder of another user: %v", err)
	}
}

// An address beyond loopback needs a password file, and an address in use is named.
func TestListenErrors(t *testing.T) {
	everywhere := []Listener{{Name: "http", Addr: netip.MustParseAddrPort("0.0.0.0:0")}}
	_, err := Serve(t.Context(), Config{Gate: gateOf(t, GateConfig{}), TCP: everywhere})
	if _, ok := errors.AsType[*NoPasswordError](err); !ok {
		t.Errorf("beyond loopback: %v", err)
	}
	g := gateOf(t, GateConfig{Passwords: passwordFile(t)})
	s, err := Serve(t.Context(), Config{Gate: g, TCP: everywhere})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	taken := netip.AddrPortFrom(netip.MustParseAddr("0.0.0.0"), s.Addrs()[0].Port())
	_, err = Serve(t.Context(), Config{Gate: g, Socket: filepath.Join(t.TempDir(), "s"),
		TCP: []Listener{{Name: "rpc", Addr: taken}}})
	bind, ok := errors.AsType[*BindError](err)
	if !ok || !strings.HasPrefix(bind.Error(), "--rpc 0.0.0.0:") {
		t.Errorf("in use: %v", err)
	}
}

// More connections than there are places, which all ask nothing, lock nobody out.
func TestIdleConnections(t *testing.T) {
	s, url := serve(t, gateOf(t, GateConfig{}), nil)
	var idle []net.Conn
	defer func() {
		for _, c := range idle {
			c.Close()
		}
	}()
	for i := range 1000 {
		c, err := net.Dial("tcp", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
		if i%2 == 0 { // half of them begin a request
			io.WriteString(c, "GET / HT")
		}
		if i%100 != 99 {
			continue
		}
		if status, who, _ := ask(t, overTCP(), "GET", url, nil); status != 200 || who != "admin" {
			t.Fatalf("after %d connections: %d %q", i, status, who)
		}
	}
	if status, _, _ := ask(t, overSocket(s), "GET", "http://x/", nil); status != 200 {
		t.Errorf("the socket answers %d", status)
	}
	if socket, tcp := s.Connections(); tcp > tcpConnsMax || socket > socketConnsMax {
		t.Errorf("%d and %d connections", socket, tcp)
	}
	idle[0].SetReadDeadline(deadline())
	if _, err := io.ReadAll(idle[0]); err != nil {
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			t.Error("the oldest connection was not closed")
		}
	}
}

// While every place is taken by a request that is served, others are turned away, and the
// socket still answers.
func TestBusyConnections(t *testing.T) {
	g := gateOf(t, GateConfig{})
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/", whoAmI)
	s, _ := serve(t, g, mux)
	for range tcpConnsMax {
		c, err := net.Dial("tcp", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
		c.SetReadDeadline(deadline())
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil ||
			!strings.Contains(line, "200") {
			t.Fatalf("%q, %v", line, err)
		}
	}
	one, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	one.SetReadDeadline(deadline())
	if n, err := one.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("one too many: %d, %v", n, err)
	}
	if status, _, _ := ask(t, overSocket(s), "GET", "http://x/", nil); status != 200 {
		t.Errorf("the socket answers %d", status)
	}
	close(release)
	await(t, "a place", func() bool {
		c := overTCP()
		answer, err := c.Get("http://" + s.Addrs()[0].String())
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == 200
	})
}

// A head that is too long is refused, and a handler that panics ends its request alone.
func TestHeadAndPanic(t *testing.T) {
	_, url := serve(t, gateOf(t, GateConfig{}), http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panic" {
				panic("a fault of ours")
			}
			whoAmI(w, r)
		}))
	long, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	long.Header.Set("X-Long", strings.Repeat("x", 2*headMax))
	// The server does not read the rest, so that the answer may be lost on its way.
	if answer, err := overTCP().Do(long); err == nil {
		answer.Body.Close()
		if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a long head: %s", answer.Status)
		}
	}
	if _, err := overTCP().Get(url + "/panic"); err == nil {
		t.Error("an answer of a handler that panicked")
	}
	if status, _, _ := ask(t, overTCP(), "GET", url, nil); status != 200 {
		t.Errorf("after a panic: %d", status)
	}
}

// The end of the context ends the server, and Close may be called as well.
func TestServerEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	s, err := Serve(ctx, Config{Gate: gateOf(t, GateConfig{}), TCP: []Listener{{Addr: loopback,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(ended)
		})}}})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get("http://" + s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	cancel()
	<-ended
	s.Close()
	if _, err := net.Dial("tcp", s.Addrs()[0].String()); err == nil {
		t.Error("it listens after Close")
	}
}
