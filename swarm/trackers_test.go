package swarm_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// A lockedBuffer is a log that may be read while others write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// asked is a server of this machine that tells its visitors by their path.
func asked(t *testing.T) (url string, paths <-chan string) {
	t.Helper()
	seen := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.URL.Path
		fmt.Fprint(w, "d8:intervali1800e5:peers0:e")
	}))
	t.Cleanup(server.Close)
	return server.URL, seen
}

// What the user wrote may be anywhere; what a torrent or a link names on this
// machine has to look like a tracker, and have no query.
func TestTrackersOfTheUserAndOfStrangers(t *testing.T) {
	url, paths := asked(t)
	dir, torrent := makeContent(t, 20<<10)
	torrent.Trackers = [][]string{{url + "/admin"}, {url + "/announce?reboot=1"},
		{url + "/stranger/announce.php"}, {url + "/announce/swarm?passkey=ab"}}
	seed := add(t, newEngine(t), swarm.Spec{
		Torrent: torrent, Dir: dir, Complete: true, Trackers: [][]string{{url + "/mine?key=1"}},
	})
	waitDone(t, seed)
	want := map[string]bool{"/mine": true, "/stranger/announce.php": true, "/announce/swarm": true}
	timeout := time.After(patience)
	for len(want) > 0 {
		select {
		case p := <-paths:
			if !want[p] {
				t.Errorf("asked for %s", p)
			}
			delete(want, p)
		case <-timeout:
			t.Fatalf("not asked for %v", want)
		}
	}
	if err := seed.Close(); err != nil {
		t.Fatal(err)
	}
	// They hear of the end, and nobody else has heard anything.
	for len(paths) > 0 {
		if p := <-paths; p != "/mine" && p != "/stranger/announce.php" && p != "/announce/swarm" {
			t.Errorf("asked for %s", p)
		}
	}
}

// URLs with blanks and umlauts are used; what cannot be used is named in one line,
// with the reason.
func TestUnusableURLsAreNamed(t *testing.T) {
	url, paths := asked(t)
	var log lockedBuffer
	e, err := swarm.Listen(swarm.Config{
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	dir, torrent := makeContent(t, 20<<10)
	torrent.Trackers = [][]string{{url + "/\u00fc b/announce"}, {"wss://t.example/"},
		{"ftp://mine.example/"}}
	torrent.Unusable = []metainfo.Unusable{{URL: "http://exa mple/announce",
		Err: errors.New("no host")}}
	seed := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true,
		Trackers: [][]string{{"ftp://mine.example/"}}})
	select {
	case p := <-paths:
		if p != "/\u00fc b/announce" {
			t.Errorf("asked for %s", p)
		}
	case <-time.After(time.Minute):
		t.Error("a URL with a blank is not asked")
	}
	if err := seed.Close(); err != nil {
		t.Fatal(err)
	}
	text := log.String()
	if strings.Count(text, "\n") != 2 || strings.Count(text, "mine.example") != 1 ||
		!strings.Contains(text, "wss://t.example/") || !strings.Contains(text, "exa mple") {
		t.Errorf("the log says:\n%s", text)
	}
}

// A tracker that a stranger names as well is still the user's; without
// strangers' trackers it is asked all the same.
func TestNoTrackersLeavesTheUsers(t *testing.T) {
	url, paths := asked(t)
	_, torrent := makeContent(t, 20<<10)
	magnet := torrent.Magnet()
	magnet.Trackers = []string{url + "/other/announce", url + "/mine"}
	leech := add(t, newEngine(t), swarm.Spec{
		Magnet: magnet, Dir: t.TempDir(), NoTrackers: true, Trackers: [][]string{{url + "/mine"}},
	})
	select {
	case p := <-paths:
		if p != "/mine" {
			t.Errorf("asked for %s", p)
		}
	case <-time.After(patience):
		t.Fatal("the user's tracker is not asked")
	}
	if err := leech.Close(); err != nil {
		t.Fatal(err)
	}
	for len(paths) > 0 {
		if p := <-paths; p != "/mine" {
			t.Errorf("asked for %s", p)
		}
	}
}

// A hybrid has two swarms, and its trackers hear of both (BEP 52).
func TestTrackersHearOfBothHashes(t *testing.T) {
	hashes := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hashes <- r.URL.Query().Get("info_hash") + r.URL.Query().Get("event")
		fmt.Fprint(w, "d8:intervali1800e5:peers0:e")
	}))
	defer server.Close()
	dir, _ := makeContent(t, 50<<10)
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: dir + "/content",
		Kind: metainfo.Hybrid})
	if err != nil {
		t.Fatal(err)
	}
	v1, _ := torrent.Info().HashV1()
	v2, _ := torrent.Info().HashV2()
	short := v2.Short()
	seed := add(t, newEngine(t), swarm.Spec{
		Torrent: torrent, Dir: dir, Complete: true, Trackers: [][]string{{server.URL}},
	})
	want := map[string]bool{string(v1[:]) + "started": true, string(short[:]) + "started": true}
	timeout := time.After(patience)
	for len(want) > 0 {
		select {
		case h := <-hashes:
			if !want[h] {
				t.Errorf("told of %q", h)
			}
			delete(want, h)
		case <-timeout:
			t.Fatalf("not told of %v", want)
		}
	}
	if err := seed.Close(); err != nil {
		t.Fatal(err)
	}
}
