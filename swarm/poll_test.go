package swarm

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/reach"
)

// pollable is a Poller that records when it was asked about what.
type pollable struct {
	began time.Time
	takes time.Duration

	mu    sync.Mutex
	peers []netip.AddrPort
	asked map[metainfo.Hash][]time.Duration
}

func newPollable() *pollable {
	return &pollable{began: time.Now(), asked: map[metainfo.Hash][]time.Duration{}}
}

func (d *pollable) Peers(context.Context, metainfo.Hash, uint16, bool) iter.Seq[netip.AddrPort] {
	return func(func(netip.AddrPort) bool) {}
}

func (d *pollable) Poll(ctx context.Context, ih metainfo.Hash, each func(netip.AddrPort)) error {
	d.mu.Lock()
	d.asked[ih] = append(d.asked[ih], time.Since(d.began))
	peers := slices.Clone(d.peers)
	d.mu.Unlock()
	for _, a := range peers {
		each(a)
	}
	select {
	case <-time.After(d.takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take returns when the swarm was asked about since the last call, in seconds.
func (d *pollable) take(ih metainfo.Hash) (at []float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.asked[ih] {
		at = append(at, t.Seconds())
	}
	d.asked[ih] = nil
	return at
}

// polling runs a poller for a test.
func polling(t *testing.T) *poller {
	x := new(poller)
	x.init()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return x
}

// between is added to a time so that no poll is due at the same moment.
const between = 100 * time.Millisecond

var swarmA, swarmB = metainfo.Hash{'A'}, metainfo.Hash{'B'}

// TestPollYoungFirst: where torrents are more than polls, one that was just added is polled in
// its time, and the others are not forgotten for it.
func TestPollYoungFirst(t *testing.T) {
	x := new(poller)
	x.init()
	old, fresh := newPollable(), newPollable()
	for range 1000 { // all are late
		x.list = append(x.list, &polled{ctx: t.Context(), hash: swarmA, from: old,
			began: -time.Hour, next: -time.Minute})
	}
	for range 10 {
		x.add(t.Context(), swarmB, fresh, func(book.Source, netip.AddrPort) {})
	}
	counts := map[metainfo.Hash]int{}
	for i := range 40 {
		now := pollFirst + time.Second + time.Duration(i)*pollGap
		p, _ := x.due(now)
		counts[p.hash]++
		x.plan(p, 0, now)
	}
	if counts[swarmA] < 15 || counts[swarmB] < 15 {
		t.Errorf("of 40 polls, %d are of old torrents and %d of new ones", counts[swarmA],
			counts[swarmB])
	}
}

// TestPollSchedule: a swarm is polled every few seconds at first and less often later, while
// others cannot reach us, and not at all once they can.
func TestPollSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, d := polling(t), newPollable()
		x.add(t.Context(), swarmA, d, func(book.Source, netip.AddrPort) {})
		time.Sleep(10*time.Second + between)
		if got, want := d.take(swarmA), []float64{3, 6, 9}; !slices.Equal(got, want) {
			t.Errorf("polled after %v s, want %v", got, want)
		}
		time.Sleep(50 * time.Second)
		d.take(swarmA)
		time.Sleep(20 * time.Second)
		if n := len(d.take(swarmA)); n != 4 {
			t.Errorf("polled %d times in 20 s after a minute, want 4", n)
		}
		time.Sleep(10 * time.Minute)
		d.take(swarmA)
		time.Sleep(time.Minute)
		if n := len(d.take(swarmA)); n < 5 || n > 6 {
			t.Errorf("polled %d times a minute later on, want 5 or 6", n)
		}
		x.stand(reach.Standing{Relayed: []netip.AddrPort{netip.MustParseAddrPort("20.1.1.1:1")}})
		time.Sleep(10 * time.Second) // the poll that is due already may come first
		d.take(swarmA)
		time.Sleep(30 * time.Second)
		if n := len(d.take(swarmA)); n < 9 || n > 11 {
			t.Errorf("polled %d times in 30 s while a relay leads to us, want 10", n)
		}
		for _, is := range []reach.Standing{{UTP: reach.Open}, {TCP: reach.Mapped}} {
			x.stand(is)
			synctest.Wait()
			d.take(swarmA)
			time.Sleep(time.Hour)
			if n := len(d.take(swarmA)); n != 0 {
				t.Errorf("polled %d times although others can reach us: %+v", n, is)
			}
		}
		x.stand(reach.Standing{UTP: reach.Punch, TCP: reach.None})
		time.Sleep(time.Second)
		if n := len(d.take(swarmA)); n != 1 {
			t.Errorf("polled %d times within a second after others cannot reach us any more", n)
		}
	})
}

// TestSeekPollsOften: while a peer may be elsewhere, the swarm is polled each second. Other
// swarms are not, and neither is anything if others can reach us.
func TestSeekPollsOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, d := polling(t), newPollable()
		s := newSearch([]metainfo.Hash{swarmA}, 1, func(book.Source, netip.AddrPort) {})
		s.pollBy(x)
		s.setSources([]source{{d, book.SourceDHT}}, false)
		s.seek(t.Context(), time.Now()) // it has not begun
		s.start(t.Context(), time.Now(), true)
		x.add(t.Context(), swarmB, d, func(book.Source, netip.AddrPort) {})
		time.Sleep(20 * time.Second)
		d.take(swarmA)
		d.take(swarmB)
		s.seek(t.Context(), time.Now())
		time.Sleep(20*time.Second + between)
		if n := len(d.take(swarmA)); n < 11 || n > 14 {
			t.Errorf("polled %d times in 20 s after a peer was sought, want ten times and a few", n)
		}
		if n := len(d.take(swarmB)); n > 7 {
			t.Errorf("another swarm was polled %d times", n)
		}
		x.stand(reach.Standing{UTP: reach.Open})
		s.seek(t.Context(), time.Now())
		time.Sleep(20 * time.Second)
		if n := len(d.take(swarmA)); n > 0 {
			t.Errorf("polled %d times although others can reach us", n)
		}
		s.stop()
		s.join()
	})
}

// TestPollTellsOfNewPeers: a peer is told of once, and none after the round has ended.
func TestPollTellsOfNewPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, d := polling(t), newPollable()
		ctx, cancel := context.WithCancel(t.Context())
		var found []netip.AddrPort
		x.add(ctx, swarmA, d, func(_ book.Source, a netip.AddrPort) {
			found = append(found, a)
		})
		one, two := netip.MustParseAddrPort("40.0.0.1:1"), netip.MustParseAddrPort("40.0.0.2:2")
		time.Sleep(between)
		for _, peers := range [][]netip.AddrPort{nil, {one}, {one, two}, {two}} {
			d.mu.Lock()
			d.peers = peers
			d.mu.Unlock()
			time.Sleep(pollFirst)
		}
		synctest.Wait()
		if !slices.Equal(found, []netip.AddrPort{one, two}) {
			t.Errorf("found %v", found)
		}
		cancel()
		d.take(swarmA)
		time.Sleep(time.Hour)
		x.mu.Lock()
		defer x.mu.Unlock()
		if n := len(d.take(swarmA)); n != 0 || len(x.list) != 0 {
			t.Errorf("%d polls after the end, and %d swarms in the list", n, len(x.list))
		}
	})
}

// TestPollsAreBounded: many swarms share the polls, a slow source delays them little, and a
// swarm with many peers needs few.
func TestPollsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, d := polling(t), newPollable()
		for i := range 100 {
			x.add(t.Context(), metainfo.Hash{byte(i), 1}, d, func(book.Source, netip.AddrPort) {})
		}
		time.Sleep(pollFirst + 99*pollGap + between)
		for i := range 100 {
			if n := len(d.take(metainfo.Hash{byte(i), 1})); n != 1 {
				t.Fatalf("swarm %d was polled %d times, want each once", i, n)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		x, d := polling(t), newPollable()
		d.takes = time.Hour
		x.add(t.Context(), swarmA, d, func(book.Source, netip.AddrPort) {})
		x.add(t.Context(), swarmB, d, func(book.Source, netip.AddrPort) {})
		time.Sleep(pollFirst + pollTimeout + pollGap + between)
		if a, b := d.take(swarmA), d.take(swarmB); len(a) != 1 || len(b) != 1 {
			t.Errorf("with a source that never answers: polled after %v and %v s", a, b)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		x, d := polling(t), newPollable()
		for i := range pollCrowd {
			d.peers = append(d.peers, netip.AddrPortFrom(netip.MustParseAddr("40.0.0.1"),
				uint16(i+1)))
		}
		x.add(t.Context(), swarmA, d, func(book.Source, netip.AddrPort) {})
		time.Sleep(10*time.Minute + between)
		if n := len(d.take(swarmA)); n != 10 {
			t.Errorf("a crowd was polled %d times in ten minutes, want 10", n)
		}
	})
}

// TestEndedRoundsAreForgotten: rounds that have ended do not pile up, also while others can
// reach us and nothing is polled.
func TestEndedRoundsAreForgotten(t *testing.T) {
	x, d := new(poller), newPollable()
	x.init()
	x.stand(reach.Standing{UTP: reach.Open})
	lasting := 0
	for i := range 10_000 {
		ctx, cancel := context.WithCancel(t.Context())
		x.add(ctx, swarmA, d, func(book.Source, netip.AddrPort) {})
		if i%100 == 0 {
			lasting++
			defer cancel()
		} else {
			cancel()
		}
		if n := len(x.list); n > 2*lasting+pollSweep+1 {
			t.Fatalf("%d rounds are remembered, and %d have not ended", n, lasting)
		}
	}
}

// TestPollThroughASwitch: a Switch polls by what is behind it, if that can.
func TestPollThroughASwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, d, s := polling(t), newPollable(), new(Switch)
		x.add(t.Context(), swarmA, s, func(book.Source, netip.AddrPort) {})
		time.Sleep(10 * time.Second) // off
		s.Set(&closable{})
		time.Sleep(10 * time.Second)
		s.Set(d)
		time.Sleep(10 * time.Second)
		if n := len(d.take(swarmA)); n < 3 {
			t.Errorf("polled %d times in 10 s", n)
		}
	})
}

// TestSearchPollsTheDHT: the DHT is polled in each round of a search, and no other source is.
func TestSearchPollsTheDHT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, d, other := polling(t), newPollable(), newPollable()
		s := newSearch([]metainfo.Hash{swarmA}, 1, func(_ book.Source, _ netip.AddrPort) {})
		s.pollBy(x)
		s.setSources([]source{{d, book.SourceDHT}, {other, book.SourceLSD}}, false)
		s.start(t.Context(), time.Now(), false)
		time.Sleep(10*time.Second + between)
		if n, m := len(d.take(swarmA)), len(other.take(swarmA)); n != 3 || m != 0 {
			t.Errorf("%d polls of the DHT and %d of another source, want 3 and 0", n, m)
		}
		s.start(t.Context(), time.Now(), true)
		time.Sleep(10 * time.Second)
		if n := len(d.take(swarmA)); n != 3 {
			t.Errorf("%d polls in the next round, want 3", n)
		}
		s.stop()
		time.Sleep(10 * time.Second)
		if n := len(d.take(swarmA)); n != 0 {
			t.Errorf("%d polls after the search was stopped", n)
		}
		s.join()
	})
}
