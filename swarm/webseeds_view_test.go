package swarm_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/webseed"
)

// webSeedsAre waits until the web seeds of a torrent are as wanted, and returns them.
func webSeedsAre(t *testing.T, torrent *swarm.Torrent, what string,
	are func([]swarm.WebSeedState) bool) []swarm.WebSeedState {
	t.Helper()
	await(t, what, func() bool { return are(torrent.WebSeeds()) })
	return torrent.WebSeeds()
}

// Web seeds are shown while they work, and when nothing is missing any more.
func TestWebSeedsOfATorrent(t *testing.T) {
	dir, torrent := makeContent(t, 3<<20)
	url := webServer(t, dir, nil)
	torrent.WebSeeds = []string{url, "http://127.0.0.1:1/stranger/"}
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir(), Down: 1 << 20,
		WebSeeds: []string{url}, Paused: true})
	s := leech.WebSeeds()
	if len(s) != 2 || s[0].URL != url || !s[0].User || s[1].User ||
		s[0].Status != swarm.WebSeedIdle || s[0].Down != 0 {
		t.Fatalf("while paused: %+v", s)
	}
	mustDo(t, leech.Resume())
	s = webSeedsAre(t, leech, "bytes", func(s []swarm.WebSeedState) bool {
		return s[0].Down > 0 && s[0].Rate > 0
	})
	if s[0].Status != swarm.WebSeedActive || s[0].Err != nil {
		t.Errorf("at work: %+v", s[0])
	}
	webSeedsAre(t, leech, "the failure of the other one", func(s []swarm.WebSeedState) bool {
		return s[1].Err != nil
	})
	mustDo(t, leech.Pause())
	s = webSeedsAre(t, leech, "the end of the connection", func(s []swarm.WebSeedState) bool {
		return s[0].Status == swarm.WebSeedIdle
	})
	if s[0].Down == 0 || s[0].Rate != 0 {
		t.Errorf("paused: %+v", s[0])
	}
	mustDo(t, leech.Resume())
	waitDone(t, leech)
	s = webSeedsAre(t, leech, "the end of the work", func(s []swarm.WebSeedState) bool {
		return s[0].Status == swarm.WebSeedIdle
	})
	if s[0].Down < 3<<20 || s[0].Err != nil {
		t.Errorf("complete: %+v", s[0])
	}
	mustDo(t, leech.Close())
	if s := leech.WebSeeds(); len(s) != 2 || s[0].Down < 3<<20 {
		t.Errorf("after the end: %+v", s)
	}
}

// A web seed that is down waits and says so, one with other data is given up, and a URL
// that cannot be used as well.
func TestWebSeedsThatFail(t *testing.T) {
	dir, torrent := webFolder(t, metainfo.V1)
	broken := func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	others := make(map[string]http.HandlerFunc)
	wrong := make(map[string]http.HandlerFunc)
	for _, name := range []string{"file0", "file1", "file2", "file3", "file4", "file5", "file6",
		"file7"} {
		others[name], wrong[name] = broken, stale
	}
	urls := []string{webServer(t, dir, others), webServer(t, dir, wrong), "ftp://t.example/secret"}
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir(), WebSeeds: urls})
	s := webSeedsAre(t, leech, "failures", func(s []swarm.WebSeedState) bool {
		return s[0].Err != nil && s[2].Status == swarm.WebSeedFailed
	})
	if !strings.Contains(s[0].Err.Error(), "502") || !errors.Is(s[2].Err, webseed.ErrURL) {
		t.Errorf("shown: %+v", s)
	}
	if s[0].Status == swarm.WebSeedWaiting && !s[0].RetryAt.After(time.Now().Add(-time.Second)) {
		t.Errorf("waiting for what is over: %+v", s[0])
	}
}

// Web seeds come and go while a torrent runs.
func TestSetWebSeeds(t *testing.T) {
	dir, torrent := makeContent(t, 2<<20)
	first, second := webServer(t, dir, nil), webServer(t, dir, nil)
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir(), Down: 1 << 20})
	if s := leech.WebSeeds(); len(s) != 0 {
		t.Errorf("without web seeds: %+v", s)
	}
	mustDo(t, leech.SetWebSeeds([]string{first, first}))
	s := webSeedsAre(t, leech, "bytes", func(s []swarm.WebSeedState) bool { return s[0].Down > 0 })
	if len(s) != 1 || !s[0].User {
		t.Errorf("one web seed: %+v", s)
	}
	mustDo(t, leech.SetWebSeeds([]string{second}))
	await(t, "the second in place of the first", func() bool {
		p := leech.Peers()
		return len(p) == 1 && p[0].URL == second
	})
	for _, bad := range [][]string{{second, "udp://t.example:1/secret"}, {""}, {"http:///secret"}} {
		var why *swarm.WebSeedError
		err := leech.SetWebSeeds(bad)
		if !errors.As(err, &why) || why.URL != bad[len(bad)-1] || !errors.Is(err, webseed.ErrURL) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := leech.SetWebSeeds(make([]string, 17)); !errors.Is(err, swarm.ErrTooManyWebSeeds) {
		t.Errorf("17 web seeds: %v", err)
	}
	if s := leech.WebSeeds(); len(s) != 1 || s[0].URL != second {
		t.Errorf("afterwards: %+v", s)
	}
	waitDone(t, leech)
	mustDo(t, leech.SetWebSeeds(nil), leech.Close())
	if err := leech.SetWebSeeds(nil); !errors.Is(err, swarm.ErrStopped) {
		t.Errorf("after Close: %v", err)
	}
}

// A web seed gives what is found missing later, too.
func TestWebSeedsAfterRecheck(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	out := t.TempDir()
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: out,
		WebSeeds: []string{webServer(t, dir, nil)}})
	waitDone(t, leech)
	webSeedsAre(t, leech, "rest", func(s []swarm.WebSeedState) bool {
		return s[0].Status == swarm.WebSeedIdle
	})
	spoil(t, leech.FilePath(0))
	mustDo(t, leech.Recheck())
	await(t, "a missing piece", func() bool { return leech.WebSeeds()[0].Down > 1<<20 })
	waitDone(t, leech)
	sameContent(t, dir, out)
}
