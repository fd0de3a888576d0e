package swarm

import (
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/limit"
)

// TestWaterLevel: the largest counts are cut to one level, so that what is above it is the
// surplus or a little more.
func TestWaterLevel(t *testing.T) {
	for _, c := range []struct {
		counts  []int
		surplus int
		want    int
	}{
		{nil, 5, 0}, {[]int{3}, 1, 2}, {[]int{3}, 3, 0}, {[]int{3}, 9, 0},
		{[]int{5, 1, 3}, 2, 3}, {[]int{5, 1, 3}, 3, 2}, {[]int{5, 1, 3}, 6, 1},
		{[]int{5, 5, 5}, 1, 4}, {[]int{5, 5, 5}, 3, 4}, {[]int{0, 0, 7}, 4, 3},
	} {
		if got := waterLevel(c.counts, c.surplus); got != c.want {
			t.Errorf("%v less %d: level %d, want %d", c.counts, c.surplus, got, c.want)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		counts, sum := make([]int, 1+rng.IntN(20)), 0
		for i := range counts {
			counts[i] = rng.IntN(50)
			sum += counts[i]
		}
		surplus := rng.IntN(sum + 1)
		above := func(level int) (n int) {
			for _, c := range counts {
				n += max(0, c-level)
			}
			return n
		}
		if level := waterLevel(counts, surplus); above(level) < surplus ||
			surplus > 0 && above(level+1) >= surplus {
			t.Errorf("%v less %d: level %d", counts, surplus, level)
		}
	}
}

// TestLimitsAreShown: the limits of a torrent and of the engine are those that were set
// last, and numbers below 0 are none.
func TestLimitsAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEngine(t)
		if l := e.Limits(); l.Down != 0 || l.Up != 0 || l.TorrentPeers != torrentPeersDefault ||
			l.Peers <= 0 {
			t.Errorf("the limits are %+v at the start", l)
		}
		torrent := addLink(t, e, 1)
		s := e.Subscribe(e.feed.Seq())
		for _, c := range []struct{ set, want Limits }{
			{Limits{Down: 1000, Peers: 7}, Limits{Down: 1000, Peers: 7}},
			{Limits{Up: 5}, Limits{Up: 5}},
			{Limits{Group: "a", Alone: true, Rank: -1}, Limits{Group: "a", Alone: true, Rank: -1}},
			{Limits{Rank: 5, Group: "b"}, Limits{Rank: 1, Group: "b"}},
			{Limits{Down: -1, Up: -2, Peers: -3}, Limits{}},
		} {
			if err := torrent.SetLimits(c.set); err != nil || torrent.State().Limits != c.want {
				t.Errorf("SetLimits(%+v): %v, the state says %+v", c.set, err,
					torrent.State().Limits)
			}
			changes, err := s.Next(t.Context())
			if err != nil || len(changes.Torrents) != 1 ||
				changes.Torrents[0].Kinds != ChangedState|ChangedSettings {
				t.Errorf("after SetLimits the feed has %+v, %v", changes, err)
			}
		}
		e.SetLimits(EngineLimits{Down: 10, Up: 20, Peers: 9, TorrentPeers: 3})
		if l := e.Limits(); l != (EngineLimits{10, 20, 9, 3}) {
			t.Errorf("the limits of the engine are %+v", l)
		}
		e.SetLimits(EngineLimits{Down: -10, Up: -20, Peers: -9, TorrentPeers: -3})
		if l := e.Limits(); l.Down != 0 || l.Up != 0 || l.TorrentPeers != torrentPeersDefault ||
			l.Peers > limit.ConnectionsMax {
			t.Errorf("the limits of the engine are %+v without any", l)
		}
		torrent.Close()
		if err := torrent.SetLimits(Limits{}); err != ErrStopped {
			t.Error(err)
		}
	})
}

// TestLimitsAtOnce: limits may be set from anywhere at any time, also while torrents come
// and go.
func TestLimitsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEngine(t)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(i), 3))
				for range 30 {
					torrent := addLink(t, e, byte(1+i))
					hearOf(torrent, 0, 3)
					e.SetLimits(EngineLimits{Down: rng.Int64N(3) * 1000, Up: rng.Int64N(3) * 1000,
						Peers: rng.IntN(20), TorrentPeers: rng.IntN(10)})
					torrent.SetLimits(Limits{Down: rng.Int64N(2) * 100, Peers: rng.IntN(5),
						Group: []string{"", "a", "b"}[rng.IntN(3)], Rank: rng.IntN(3) - 1})
					e.SetGroups([]Group{{Name: "a", Down: rng.Int64N(2) * 100}})
					e.SetPEX(rng.IntN(2) == 0)
					torrent.Close()
					torrent.SetLimits(Limits{})
				}
			})
		}
		wg.Wait()
	})
}

// TestNewTorrentsHaveLimits: what was set before a torrent is added holds for it.
func TestNewTorrentsHaveLimits(t *testing.T) {
	dir := t.TempDir()
	info := makeTorrent(t, dir)
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEngine(t)
		e.SetLimits(EngineLimits{TorrentPeers: 2})
		s := &liveSwarm{t: t, info: info}
		for most, spec := range map[int]Spec{2: {}, 1: {PeersMax: 1}} {
			spec.Torrent, spec.Dir, spec.Complete = info, dir, true
			seed, err := e.Add(spec)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for i := range 5 {
				defer s.meet(seed, [20]byte{byte(i)}).Close()
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if n := seed.State().PeersConnected; n != most {
				t.Errorf("%d peers, want %d", n, most)
			}
			seed.Close()
		}
	})
}

// TestSurplusPeersLeave: a lower number of connections holds at once, for one torrent and
// for all of them, and a higher one lets others in.
func TestSurplusPeersLeave(t *testing.T) {
	dir := t.TempDir()
	info := makeTorrent(t, dir)
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEngine(t)
		seed, err := e.Add(Spec{Torrent: info, Dir: dir, Complete: true})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s := &liveSwarm{t: t, info: info}
		meet := func(n int) {
			for i := range n {
				far := s.meet(seed, [20]byte{byte(i)})
				t.Cleanup(func() { far.Close() })
			}
		}
		expect := func(want int) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			if here, used := seed.State().PeersHere, e.conns.Used(); here != want || used != want {
				t.Errorf("the torrent has %d peers, the engine %d; want %d", here, used, want)
			}
		}
		meet(12)
		expect(12)
		seed.SetLimits(Limits{Peers: 9})
		expect(9)
		e.SetLimits(EngineLimits{TorrentPeers: 3}) // it has its own
		expect(9)
		e.SetLimits(EngineLimits{Peers: 6})
		expect(6)
		meet(5)
		expect(6)
		seed.SetLimits(Limits{})
		e.SetLimits(EngineLimits{TorrentPeers: 4})
		expect(4)
		e.SetLimits(EngineLimits{})
		meet(5)
		expect(9)
	})
}

// TestSetPEXTellsPeers: peers hear at once that the exchange of addresses is turned off or
// on, and those that come later are not offered it while it is off.
func TestSetPEXTellsPeers(t *testing.T) {
	dir := t.TempDir()
	info := makeTorrent(t, dir)
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEngine(t)
		seed, err := e.Add(Spec{Torrent: info, Dir: dir, Complete: true})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s := &liveSwarm{t: t, info: info}
		meet := func(id byte) *heardBytes {
			far := s.meet(seed, [20]byte{id})
			t.Cleanup(func() { far.Close() })
			h := new(heardBytes)
			go io.Copy(h, far)
			return h
		}
		expect := func(h *heardBytes, want string) {
			t.Helper()
			synctest.Wait()
			if got := h.take(); !strings.Contains(got, want) ||
				want == "" && strings.Contains(got, "ut_pex") {
				t.Errorf("the peer hears %q, want %q", got, want)
			}
		}
		const offer, withdrawal = "6:ut_pexi2e", "6:ut_pexi0e"
		first := meet(1)
		expect(first, offer)
		e.SetPEX(true)
		expect(first, "")
		e.SetPEX(false)
		expect(first, withdrawal)
		second := meet(2)
		expect(second, "")
		e.SetPEX(true)
		expect(first, offer)
		expect(second, offer)
	})
}

// heardBytes collects what is written to it. It is safe for concurrent use.
type heardBytes struct {
	mu    sync.Mutex
	bytes []byte
}

func (h *heardBytes) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bytes = append(h.bytes, b...)
	return len(b), nil
}

// take returns what came since the last call.
func (h *heardBytes) take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := string(h.bytes)
	h.bytes = nil
	return s
}
