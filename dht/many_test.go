package dht

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/simnet"
)

// TestManyAnnounces: a node with more info-hashes than it can announce at once announces
// all of them as soon as its budget allows, each once before any a second time, and
// other nodes find them.
func TestManyAnnounces(t *testing.T) {
	const (
		hashes = 80
		rate   = 20
		cost   = 22 // queries of one announcement, in this network, on average

		// The identifiers, which are random, move the sum of the announcements by a
		// few percent, and the upkeep of the table sends queries too.
		enough = hashes * cost / rate * time.Second * 5 / 4
	)
	synctest.Test(t, func(t *testing.T) {
		w := world{t, simnet.New(1)}
		const boot = "30.0.0.1:6881"
		w.node("30.0.0.1", Config{Router: true})
		for i := range 24 {
			w.node(fmt.Sprintf("31.0.%d.1", i), Config{Bootstrap: []string{boot},
				Limits: Limits{QueriesIn: 1000}})
		}
		time.Sleep(time.Minute)
		seed, _ := w.node("35.0.0.1", Config{Bootstrap: []string{boot},
			Limits: Limits{QueriesOut: rate, QueriesOutBurst: rate}})
		if err := seed.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		for i := range hashes {
			wg.Go(func() {
				for range seed.Peers(ctx, metainfo.Hash{byte(3 * i), 1}, 4000, true) {
				}
			})
		}
		before, began := seed.Stats().QueriesOut, time.Now()
		time.Sleep(enough)
		if sent, most := seed.Stats().QueriesOut-before,
			uint64(rate*time.Since(began).Seconds())+rate; sent > most {
			t.Errorf("%d queries in %v, at %d a second", sent, time.Since(began), rate)
		}
		other, _ := w.node("36.0.0.1", Config{Bootstrap: []string{boot},
			Limits: Limits{QueriesOut: 1000}})
		if err := other.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		missing := 0
		for i := range hashes {
			met := false
			other.GetPeers(ctx, metainfo.Hash{byte(3 * i), 1}, func(a netip.AddrPort) {
				met = met || a.Port() == 4000
			})
			if !met {
				missing++
			}
		}
		if missing > 0 {
			t.Errorf("%d of %d are not found after %v", missing, hashes, enough)
		}
	})
}

// A seed among thousands announces before others forget it, and hurries only while there is
// budget for that.
func TestCrowdPause(t *testing.T) {
	last := len(peersPauses) - 1
	for range 100 {
		for _, tt := range []struct {
			rounds int
			waited time.Duration
			long   bool
		}{{0, 0, false}, {last - 1, 0, false}, {last, 0, true}, {100, 0, true},
			{0, time.Hour, true}, {0, time.Second, false}} {
			got := crowdPause(time.Second, tt.rounds, tt.waited)
			if !tt.long && got != time.Second || tt.long && (got < 15*time.Minute ||
				got > 29*time.Minute) {
				t.Errorf("pause of %v after %d rounds, the last of which waited for %v", got,
					tt.rounds, tt.waited)
			}
		}
		for _, tt := range []struct {
			rounds, searches int
			min, max         time.Duration
		}{{0, 1, 500 * time.Millisecond, 1200 * time.Millisecond},
			{100, 100, 50 * time.Second, 70 * time.Second},
			{0, 10_000, 400 * time.Second, 600 * time.Second},
			{100, 10_000, 400 * time.Second, 600 * time.Second}} {
			if got := unansweredPause(tt.rounds, tt.searches); got < tt.min || got > tt.max {
				t.Errorf("pause of %v after %d rounds without an answer, one of %d", got,
					tt.rounds, tt.searches)
			}
		}
	}
}

// TestDueRounds: a lookup that had to queue is as far in the schedule as without the
// queue.
func TestDueRounds(t *testing.T) {
	for _, tt := range []struct {
		rounds int
		since  time.Duration
		want   int
	}{{0, 0, 0}, {0, 900 * time.Millisecond, 0}, {0, 2 * time.Second, 1}, {1, 2 * time.Second, 1},
		{4, 2 * time.Second, 4},
		{0, 20 * time.Second, 4}, {0, time.Hour, len(peersPauses)}, {12, 0, 12}} {
		if got := dueRounds(tt.rounds, tt.since); got != tt.want {
			t.Errorf("%d rounds after %v: as if it were %d, want %d", tt.rounds, tt.since, got,
				tt.want)
		}
	}
}
