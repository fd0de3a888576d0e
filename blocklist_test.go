package swarmnode

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode/swarm/blocklist"
)

// A listServer serves a list that tests change.
type listServer struct {
	*httptest.Server
	mu    sync.Mutex
	list  string
	etag  string
	code  int // if not 0, the answer
	whole int // answers with the list
	same  int // answers that it is the same
}

func serveList(t *testing.T, list string) *listServer {
	s := &listServer{list: list, etag: `"1"`}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("ETag", s.etag)
		w.Header().Set("Last-Modified", "Sun, 01 Jan 2023 00:00:00 GMT")
		switch {
		case s.code != 0:
			w.WriteHeader(s.code)
		case r.Header.Get("If-None-Match") == s.etag && r.Header.Get("If-Modified-Since") != "":
			s.same++
			w.WriteHeader(http.StatusNotModified)
		default:
			s.whole++
			w.Write([]byte(s.list))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *listServer) set(list, etag string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list, s.etag, s.code = list, etag, code
}

func (s *listServer) answers() (whole, same int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.whole, s.same
}

// startBlocking starts a node on loopback without DHT and LSD.
func startBlocking(t *testing.T, state string, lists ...string) (*Node, error) {
	t.Helper()
	n, err := Start(t.Context(), Config{StateDir: state, Blocklists: lists, AnyPort: true,
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, NoDHT: true, NoLSD: true})
	if err == nil {
		t.Cleanup(func() { n.Close() })
	}
	return n, err
}

func mustBlock(t *testing.T, n *Node, want string, addrs ...string) {
	t.Helper()
	got := ""
	for _, a := range addrs {
		if n.blocked.has(netip.MustParseAddr(a)) {
			got += a + " "
		}
	}
	if strings.TrimSpace(got) != want {
		t.Errorf("blocked: %s, want %s", got, want)
	}
}

func TestBlocklistOfFiles(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two.gz")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write([]byte("x:198.51.100.1-198.51.100.2\nwhat\nwhat\n"))
	w.Close()
	if os.WriteFile(one, []byte("192.0.2.0/24\n"), 0o600) != nil ||
		os.WriteFile(two, packed.Bytes(), 0o600) != nil {
		t.Fatal("no files")
	}
	n, err := startBlocking(t, "", one, two)
	if err != nil {
		t.Fatal(err)
	}
	mustBlock(t, n, "192.0.2.7 198.51.100.2", "192.0.2.7", "198.51.100.2", "203.0.113.1")
	s := n.Blocklist()
	if s.Ranges != 2 || len(s.Sources) != 2 || s.Sources[1].Skipped != 2 ||
		s.Sources[1].FirstSkipped != 2 || s.Sources[0].Name != one ||
		!s.Sources[0].Fetched.IsZero() {
		t.Errorf("%+v", s)
	}
	// A reload sees what has changed; one that fails changes nothing.
	os.WriteFile(one, []byte("203.0.113.0/24\n"), 0o600)
	if err := n.ReloadBlocklist(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustBlock(t, n, "198.51.100.2 203.0.113.1", "192.0.2.7", "198.51.100.2", "203.0.113.1")
	os.WriteFile(one, []byte("nothing\n"), 0o600)
	err = n.ReloadBlocklist(t.Context())
	wrong, ok := errors.AsType[*BlocklistError](err)
	if !ok || wrong.Source != one || wrong.Network || !errors.Is(err, blocklist.ErrNothing) {
		t.Errorf("a reload of nothing: %v", err)
	}
	mustBlock(t, n, "198.51.100.2 203.0.113.1", "192.0.2.7", "198.51.100.2", "203.0.113.1")
	n.Close()
	if err := n.ReloadBlocklist(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Other lists take the place of those of the start, if all of them can be used. A node that began
// without any has its servers looked at from then on.
func TestSetBlocklists(t *testing.T) {
	server := serveList(t, "203.0.113.0/24\n")
	file := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(file, []byte("192.0.2.0/24\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := startBlocking(t, "")
	if err != nil {
		t.Fatal(err)
	}
	addrs := []string{"192.0.2.7", "203.0.113.1"}
	mustBlock(t, n, "", addrs...)
	if err := n.SetBlocklists(t.Context(), []string{file, server.URL}); err != nil {
		t.Fatal(err)
	}
	mustBlock(t, n, "192.0.2.7 203.0.113.1", addrs...)
	if !n.blocked.looking {
		t.Error("nobody looks at the server")
	}
	err = n.SetBlocklists(t.Context(), []string{file, file + "x"})
	if wrong, ok := errors.AsType[*BlocklistError](err); !ok || wrong.Source != file+"x" {
		t.Errorf("a list that is not there: %v", err)
	}
	mustBlock(t, n, "192.0.2.7 203.0.113.1", addrs...)
	server.set("198.51.100.0/24\n", `"2"`, 0)
	if err := n.ReloadBlocklist(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustBlock(t, n, "192.0.2.7", addrs...)
	if err := n.SetBlocklists(t.Context(), nil); err != nil || n.Blocklist().Ranges != 0 {
		t.Errorf("no lists: %+v, %v", n.Blocklist(), err)
	}
	mustBlock(t, n, "", addrs...)
	n.Close()
	if err := n.SetBlocklists(t.Context(), []string{file}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A node does not start without a list that its user has asked for.
func TestBlocklistMustBeThere(t *testing.T) {
	dir := t.TempDir()
	page := serveList(t, "<html>Hello</html>")
	gone := serveList(t, "")
	gone.set("", "", http.StatusNotFound)
	down := serveList(t, "")
	down.Close()
	for _, tt := range []struct {
		name    string
		list    string
		network bool
		want    error
	}{
		{"missing", filepath.Join(dir, "no"), false, os.ErrNotExist},
		{"a folder", dir, false, nil},
		{"a web page", page.URL, false, blocklist.ErrNothing},
		{"not found", gone.URL, true, nil},
		{"nobody listens", down.URL, true, nil},
		{"no host", "http://", false, nil},
	} {
		_, err := startBlocking(t, dir, tt.list)
		wrong, ok := errors.AsType[*BlocklistError](err)
		if !ok || wrong.Network != tt.network || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer slow.Close()
	if _, err := Start(ctx, Config{Blocklists: []string{slow.URL}, AnyPort: true}); !errors.Is(err,
		context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// What a server has sent is kept, and is used when the server is gone. It is not sent again
// while it is the same.
func TestBlocklistOfAServer(t *testing.T) {
	dir := t.TempDir()
	server := serveList(t, "192.0.2.0/24\n")
	n, err := startBlocking(t, dir, server.URL+"/list?key=secret")
	if err != nil {
		t.Fatal(err)
	}
	mustBlock(t, n, "192.0.2.7", "192.0.2.7", "203.0.113.1")
	if s := n.Blocklist().Sources[0]; time.Since(s.Fetched) > time.Minute || s.Err != nil {
		t.Errorf("%+v", s)
	}
	if err := n.ReloadBlocklist(t.Context()); err != nil {
		t.Fatal(err)
	}
	if whole, same := server.answers(); whole != 1 || same != 1 {
		t.Errorf("the list was sent %d times, and was the same %d times", whole, same)
	}
	mustBlock(t, n, "192.0.2.7", "192.0.2.7", "203.0.113.1")
	// Junk and errors leave the list as it was.
	for _, code := range []int{0, http.StatusInternalServerError} {
		server.set("<html>", `"2"`, code)
		if err := n.ReloadBlocklist(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := n.Blocklist().Sources[0]; s.Err == nil {
			t.Error("the state does not say that the server fails")
		}
		mustBlock(t, n, "192.0.2.7", "192.0.2.7", "203.0.113.1")
	}
	server.set("203.0.113.0/24\n", `"3"`, 0)
	if err := n.ReloadBlocklist(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustBlock(t, n, "203.0.113.1", "192.0.2.7", "203.0.113.1")
	n.Close()
	server.Server.Close()
	n, err = startBlocking(t, dir, server.URL+"/list?key=secret")
	if err != nil {
		t.Fatal(err)
	}
	mustBlock(t, n, "203.0.113.1", "192.0.2.7", "203.0.113.1")
	n.Close()
	// A kept list that is damaged is none.
	kept, err := filepath.Glob(filepath.Join(dir, listsFolder, "*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept: %v, %v", kept, err)
	}
	doc, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "x", listMagic, listMagic + "{}\n192.0.2.1\n",
		string(bytes.ReplaceAll(doc, []byte("203.0.113.0/24"), nil))} {
		os.WriteFile(kept[0], []byte(bad), 0o600)
		_, err := startBlocking(t, dir, server.URL+"/list?key=secret")
		if wrong, ok := errors.AsType[*BlocklistError](err); !ok || !wrong.Network {
			t.Errorf("%q: %v", bad, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
}

// A damaged list that is kept is fetched again although the server says that it is the same.
func TestBlocklistKeptIsDamaged(t *testing.T) {
	dir := t.TempDir()
	server := serveList(t, "192.0.2.0/24\n")
	n, err := startBlocking(t, dir, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	path := n.blocked.cache.path(server.URL)
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path, bytes.ReplaceAll(doc, []byte("192.0.2.0/24"), []byte("x")), 0o600)
	if err := n.ReloadBlocklist(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustBlock(t, n, "192.0.2.7", "192.0.2.7", "203.0.113.1")
	if whole, same := server.answers(); whole != 2 || same != 1 {
		t.Errorf("sent %d times, the same %d times", whole, same)
	}
}

// A body that breaks off is a fault of the network, and nothing of it is kept.
func TestBlocklistCutOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Write([]byte("192.0.2.0/24\n"))
	}))
	defer server.Close()
	dir := t.TempDir()
	_, err := startBlocking(t, dir, server.URL)
	if wrong, ok := errors.AsType[*BlocklistError](err); !ok || !wrong.Network {
		t.Errorf("%v", err)
	}
	if kept, _ := filepath.Glob(filepath.Join(dir, listsFolder, "*")); len(kept) > 0 {
		t.Errorf("kept: %v", kept)
	}
}

// An older list is exchanged for a newer one soon after the start, without being asked.
func TestBlocklistIsRefreshed(t *testing.T) {
	dir := t.TempDir()
	server := serveList(t, "192.0.2.0/24\n")
	n, err := startBlocking(t, dir, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	path := n.blocked.cache.path(server.URL)
	n.Close()
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	now := fmt.Sprint(time.Now().Unix() / 100)
	os.WriteFile(path, bytes.Replace(doc, []byte(now), []byte("10000000"), 1), 0o600)
	server.set("203.0.113.0/24\n", `"2"`, 0)
	if n, err = startBlocking(t, dir, server.URL); err != nil {
		t.Fatal(err)
	}
	late := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !n.blocked.has(netip.MustParseAddr("203.0.113.1")) {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("the newer list was not fetched")
		}
	}
}

// Lists that nobody uses go after a while; those of this run stay.
func TestBlocklistTidy(t *testing.T) {
	c := listCache{folder{path: t.TempDir()}}
	os.MkdirAll(filepath.Join(c.dir.path, listsFolder), 0o700)
	used, other := "http://192.0.2.1/used", "http://192.0.2.1/other"
	left := c.path(other) + ".x.new"
	for _, path := range []string{c.path(used), c.path(other), left} {
		os.WriteFile(path, nil, 0o600)
	}
	there := func() (n int) {
		list, _ := filepath.Glob(filepath.Join(c.dir.path, listsFolder, "*"))
		return len(list)
	}
	now := time.Now()
	for _, step := range []struct {
		age  time.Duration
		want int
	}{{0, 3}, {2 * time.Hour, 2}, {listAge + time.Hour, 1}} {
		if c.tidy(now.Add(step.age), []string{used}); there() != step.want {
			t.Errorf("after %v there are %d files, want %d", step.age, there(), step.want)
		}
	}
}

// A DHT node alone neither asks nor answers blocked addresses, and follows a reload.
func TestBlocklistOfADHTNode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	os.WriteFile(path, []byte("127.0.0.2\n"), 0o600)
	listen := func(host string, lists ...string) *DHTNode {
		d, err := StartDHT(DHTConfig{Listen: []netip.AddrPort{netip.MustParseAddrPort(host + ":0")},
			Bootstrap: []string{}, Blocklists: lists})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
	n, other := listen("127.0.0.1", path), listen("127.0.0.2")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := n.Node().Ping(ctx, other.Addrs()[0]); err == nil {
		t.Error("a blocked node was asked")
	}
	os.WriteFile(path, []byte("127.0.0.3\n"), 0o600)
	if err := n.ReloadBlocklist(ctx); err != nil || n.Blocklist().Ranges != 1 {
		t.Fatal(err)
	}
	if _, err := n.Node().Ping(ctx, other.Addrs()[0]); err != nil {
		t.Errorf("a node that is not blocked any more: %v", err)
	}
	if _, err := other.Node().Ping(ctx, n.Addrs()[0]); err != nil {
		t.Errorf("it gets no answer: %v", err)
	}
	if _, err := StartDHT(DHTConfig{Blocklists: []string{path + "x"}}); !errors.Is(err,
		os.ErrNotExist) {
		t.Errorf("a missing list: %v", err)
	}
	if err := other.ReloadBlocklist(ctx); err != nil || other.Blocklist().Ranges != 0 {
		t.Errorf("a node without lists: %v", err)
	}
}
