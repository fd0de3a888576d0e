package webseed

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/wire"
)

// A failure of the server is shown with the end of the pause, and no longer once something
// was fetched.
func TestTrouble(t *testing.T) {
	td := makeTorrent(t, metainfo.V1, "x", map[string]int{"": 2 << 20})
	var down atomic.Bool
	down.Store(true)
	files := http.FileServer(http.Dir(td.dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	var changes atomic.Int64
	c, h, _ := openWith(t, &td, Config{URL: server.URL + "/",
		Changed: func() { changes.Add(1) }})
	if until, err := c.Trouble(); !until.IsZero() || err != nil {
		t.Errorf("at the start: %v, %v", until, err)
	}
	ask(t, c, td.blocks()[:1])
	h.message(wire.Choke)
	h.message(wire.Reject)
	until, err := c.Trouble()
	if err == nil || !strings.Contains(err.Error(), "503") ||
		until.Before(time.Now().Add(time.Second)) || until.After(time.Now().Add(4*time.Second)) {
		t.Errorf("while it is down: %v, %v", until, err)
	}
	down.Store(false)
	h.message(wire.Unchoke)
	if until, err := c.Trouble(); !until.IsZero() || err == nil {
		t.Errorf("after the pause: %v, %v", until, err)
	}
	ask(t, c, td.blocks()[:1])
	h.gets(td.blocks()[:1])
	for deadline := time.Now().Add(patience); ; {
		if _, err = c.Trouble(); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it works and says %v", err)
		}
		<-time.After(time.Millisecond)
	}
	if changes.Load() < 3 {
		t.Errorf("%d changes were told, want 3", changes.Load())
	}
}

// CheckURL takes what New takes.
func TestCheckURL(t *testing.T) {
	for url, ok := range map[string]bool{
		"http://a.example/": true, "https://a.example/x y": true, "ftp://a.example/": false,
		"http:///x": false, "": false, "udp://a.example:1": false,
	} {
		if err := CheckURL(url); (err == nil) != ok || err != nil && !errors.Is(err, ErrURL) {
			t.Errorf("%q: %v", url, err)
		}
	}
}
