package swarm_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm"
	"swarmnode/swarm/tracker"
)

// serveTracker serves a tracker of ours on loopback until the test ends, and returns its
// address.
func serveTracker(t *testing.T) netip.AddrPort {
	t.Helper()
	pairs, err := tracker.Listen(t.Context(), nil,
		[]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	server := tracker.NewServer(tracker.ServerConfig{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, pairs[0].TCP, pairs[0].UDP) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return pairs[0].AddrPort()
}

// hearing is an HTTP tracker that tells the events that it hears as "PATH EVENT".
func hearing(t *testing.T) (url string, heard <-chan string) {
	t.Helper()
	events := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "scrape") {
			fmt.Fprint(w, "de")
			return
		}
		events <- r.URL.Path + " " + r.URL.Query().Get("event")
		fmt.Fprint(w, "d8:intervali1800e5:peers0:e")
	}))
	t.Cleanup(server.Close)
	return server.URL, events
}

// hears waits for events in any order.
func hears(t *testing.T, heard <-chan string, want ...string) {
	t.Helper()
	missing := make(map[string]bool)
	for _, event := range want {
		missing[event] = true
	}
	late := time.After(patience)
	for len(missing) > 0 {
		select {
		case event := <-heard:
			if !missing[event] {
				t.Fatalf("a tracker heard %q, want %q", event, want)
			}
			delete(missing, event)
		case <-late:
			t.Fatalf("no tracker heard %v", missing)
		}
	}
}

// What trackers say of a swarm is shown over HTTP and UDP, with the downloads, which only a
// scrape tells. A torrent that had no trackers meets its swarm by those it is given.
func TestTrackersOfATorrent(t *testing.T) {
	at := serveTracker(t)
	for _, scheme := range []string{"http", "udp"} {
		t.Run(scheme, func(t *testing.T) {
			url := fmt.Sprintf("%s://%v/announce?key=secret", scheme, at)
			dir, torrent := makeContent(t, 200<<10)
			seed := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, Complete: true,
				Trackers: [][]string{{url}}})
			await(t, "an answer to the seed", func() bool {
				s := seed.Trackers()
				return s[0].Status == swarm.TrackerWorking && s[0].Seeds == 1
			})
			leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir()})
			if s := leech.Trackers(); len(s) > 0 {
				t.Errorf("without trackers: %+v", s)
			}
			if err := leech.SetTrackers([][]string{{url}}); err != nil {
				t.Fatal(err)
			}
			waitDone(t, leech)
			await(t, "the download to be counted", func() bool {
				s := leech.Trackers()
				return s[0].Downloaded == 1
			})
			s := leech.Trackers()[0]
			if s.URL != url || !s.User || s.Status != swarm.TrackerWorking || s.Err != nil ||
				s.Seeds != 2 || s.Leeches != 0 || s.Peers == 0 || s.LastAnnounce.IsZero() ||
				!s.NextAnnounce.After(s.LastAnnounce) {
				t.Errorf("shown: %+v", s)
			}
			mustDo(t, leech.Close(), seed.Close())
		})
	}
}

// Trackers come and go while a torrent runs; each hears of it.
func TestSetTrackers(t *testing.T) {
	url, heard := hearing(t)
	dir, torrent := makeContent(t, 20<<10)
	torrent.Trackers = [][]string{{url + "/announce/old"}, {url + "/announce/stays"}}
	e := newEngine(t)
	sub := e.Subscribe(0)
	seed := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	hears(t, heard, "/announce/old started", "/announce/stays started")
	mustDo(t, seed.SetTrackers([][]string{{url + "/announce/stays"}, {url + "/admin"}}))
	hears(t, heard, "/announce/old stopped", "/admin started")
	await(t, "answers", func() bool {
		s := seed.Trackers()
		return len(s) == 2 && s[1].Status == swarm.TrackerWorking
	})
	if s := seed.Trackers(); s[0].User || !s[1].User {
		t.Errorf("whose they are: %+v", s)
	}
	changes, err := sub.Next(t.Context())
	if err != nil || len(changes.Torrents) != 1 ||
		changes.Torrents[0].Kinds&swarm.ChangedTrackers == 0 {
		t.Errorf("the feed says %+v, %v", changes, err)
	}
	mustDo(t, seed.Reannounce()) // too soon for both
	mustDo(t, seed.Close())
	hears(t, heard, "/announce/stays stopped", "/admin stopped")
	for _, err := range []error{seed.SetTrackers(nil), seed.Reannounce()} {
		if !errors.Is(err, swarm.ErrStopped) {
			t.Errorf("after Close: %v", err)
		}
	}
	if s := seed.Trackers(); len(s) != 2 || !s[0].NextAnnounce.IsZero() {
		t.Errorf("after Close: %+v", s)
	}
	if len(heard) > 0 {
		t.Errorf("a tracker heard %q", <-heard)
	}
}

// A list of trackers that cannot be used changes nothing, and the error says which URL and
// shows no key.
func TestSetTrackersRefuses(t *testing.T) {
	url, heard := hearing(t)
	dir, torrent := makeContent(t, 20<<10)
	seed := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, Complete: true,
		Trackers: [][]string{{url + "/announce"}}})
	hears(t, heard, "/announce started")
	for _, bad := range []string{"", "ftp://t.example/secret", "http:///secret",
		"udp://t.example/secret", "http://exa mple:x/secret", "http://user:secret@[::1/announce",
		"secret", "http://t.example:99999999/secret", "udp://t.example:0/secret",
		strings.Repeat("x", 300) + "secret"} {
		err := seed.SetTrackers([][]string{{"http://t.example/announce"}, {bad}})
		var why *swarm.TrackerError
		if !errors.As(err, &why) || why.URL != bad || !errors.Is(err, tracker.ErrURL) {
			t.Errorf("%q: %v", bad, err)
			continue
		}
		if text := err.Error(); strings.Contains(text, "secret") && bad != "secret" ||
			len(text) > 300 {
			t.Errorf("%q: %s", bad, text)
		}
	}
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprintf("%s/announce/%d", url, i)
	}
	if err := seed.SetTrackers([][]string{many}); !errors.Is(err, swarm.ErrTooManyTrackers) {
		t.Errorf("1,001 trackers: %v", err)
	}
	if s := seed.Trackers(); len(s) != 1 || s[0].URL != url+"/announce" {
		t.Errorf("afterwards: %+v", s)
	}
	alone := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir(), PeersOnly: true})
	if err := alone.SetTrackers([][]string{{url}}); !errors.Is(err, swarm.ErrPeersOnly) {
		t.Errorf("with PeersOnly: %v", err)
	}
	mustDo(t, alone.Reannounce())
}

// A URL that the torrent named does not become the user's because the user leaves it in
// the list: it may still not lead where only we can reach.
func TestSetTrackersKeepsStrangers(t *testing.T) {
	url, heard := hearing(t)
	dir, torrent := makeContent(t, 20<<10)
	torrent.Trackers = [][]string{{url + "/reboot"}}
	seed := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	refused := func() bool {
		s := seed.Trackers()
		return s[0].Status == swarm.TrackerRefused && s[0].Err != nil && !s[0].User
	}
	await(t, "the refusal", refused)
	mustDo(t, seed.SetTrackers([][]string{{url + "/reboot"}, {url + "/announce"}}))
	hears(t, heard, "/announce started")
	if s := seed.Trackers(); s[0].User || !s[1].User {
		t.Errorf("whose they are: %+v", s)
	}
	mustDo(t, seed.SetTrackers(nil), seed.SetTrackers([][]string{{url + "/reboot"}}))
	hears(t, heard, "/announce stopped", "/reboot started")
}

// A paused torrent can be given trackers. They hear of it when it is resumed.
func TestSetTrackersWhilePaused(t *testing.T) {
	url, heard := hearing(t)
	_, torrent := makeContent(t, 20<<10)
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir(), Paused: true})
	mustDo(t, leech.SetTrackers([][]string{{url + "/announce"}}), leech.Reannounce())
	if s := leech.Trackers(); len(s) != 1 || s[0].Status != swarm.TrackerNotAsked {
		t.Errorf("while paused: %+v", s)
	}
	mustDo(t, leech.Resume())
	hears(t, heard, "/announce started")
	mustDo(t, leech.Pause())
	hears(t, heard, "/announce stopped")
	mustDo(t, leech.SetTrackers([][]string{{url + "/other"}}), leech.Resume())
	hears(t, heard, "/other started")
}
