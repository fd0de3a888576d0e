package tracker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

// A fakeNet stands for all trackers. It logs the announces that they get, and answers as
// the test says.
type fakeNet struct {
	mu     sync.Mutex
	start  time.Time
	log    []string
	latest Request
	answer func(tracker string, r Request) (Response, error)
}

func (n *fakeNet) announce(ctx context.Context, t Tracker, r Request,
	family guard.Family) (Response, error) {
	n.mu.Lock()
	n.log = append(n.log, fmt.Sprintf("%v %s%s %v", time.Since(n.start).Round(time.Second),
		t.url.Host, suffix(family), r.Event))
	n.latest = r
	answer := n.answer
	n.mu.Unlock()
	if answer == nil {
		return Response{Interval: 30 * time.Minute, MinInterval: 5 * time.Minute}, nil
	}
	response, err := answer(t.url.Host+suffix(family), r)
	if errors.Is(err, errHang) {
		<-ctx.Done()
		err = ctx.Err()
	}
	return response, err
}

var errHang = errors.New("no answer until the context ends")

func suffix(f guard.Family) string {
	if f == guard.Any {
		return ""
	}
	return "/" + f.String()
}

// take returns the announces since the last call.
func (n *fakeNet) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	log := n.log
	n.log = nil
	return log
}

// last returns the last announce.
func (n *fakeNet) last() Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.latest
}

func (n *fakeNet) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := n.take(); !slices.Equal(got, want) {
		t.Errorf("trackers got the announces\n%q, want\n%q", got, want)
	}
}

// sleepUntil sleeps until that long after the start.
func (n *fakeNet) sleepUntil(after time.Duration) { time.Sleep(time.Until(n.start.Add(after))) }

// newAnnouncer returns an Announcer that talks to n.
func newAnnouncer(t *testing.T, n *fakeNet, cfg Config, tiers ...[]string) *Announcer {
	t.Helper()
	n.start = time.Now()
	for _, tier := range tiers {
		var list []Tracker
		for _, raw := range tier {
			list = append(list, parse(t, "http://"+raw+"/announce", true))
		}
		cfg.Tiers = append(cfg.Tiers, list)
	}
	a := NewAnnouncer(cfg)
	a.announce = n.announce
	return a
}

// collect asks for peers in a goroutine, and returns a function that ends it.
func collect(t *testing.T, a *Announcer, port uint16,
	seed bool) (peers chan netip.AddrPort, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	peers = make(chan netip.AddrPort, foundMax)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for p := range a.Peers(ctx, hashA, port, seed) {
			peers <- p
		}
	}()
	return peers, func() { cancel(); <-done }
}

func TestAnnouncerLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(string, Request) (Response, error) {
			return Response{Interval: 30 * time.Minute, MinInterval: 5 * time.Minute,
				TrackerID: "id", Peers: addrs("5.6.7.8:1")}, nil
		}}
		var left atomic.Int64
		left.Store(3)
		a := newAnnouncer(t, n, Config{Stats: func() Stats {
			return Stats{Uploaded: 1, Downloaded: 2, Left: left.Load()}
		}}, []string{"1.1.1.1"})
		peers, stop := collect(t, a, 6881, false)
		n.expect(t, "0s 1.1.1.1 started")
		if p := <-peers; p != addrs("5.6.7.8:1")[0] {
			t.Errorf("got %v", p)
		}
		if r := n.last(); r.Port != 6881 || r.Uploaded != 1 || r.Downloaded != 2 || r.Left != 3 ||
			r.Want != wantDefault {
			t.Errorf("announced %+v", r)
		}

		// More peers are wanted: the next announce keeps to the least interval.
		time.Sleep(10 * time.Second)
		stop()
		_, stop = collect(t, a, 6881, false)
		n.expect(t)
		time.Sleep(5 * time.Minute)
		n.expect(t, "5m0s 1.1.1.1 ")
		if id := n.last().TrackerID; id != "id" {
			t.Errorf("tracker id %q", id)
		}

		// Nobody asks: the next announce comes after the interval and up to a
		// twentieth more. Both ends are looked at from outside, since the jitter
		// may be zero.
		const last, interval = 5 * time.Minute, 30 * time.Minute
		n.sleepUntil(last + interval - time.Nanosecond)
		n.expect(t)
		n.sleepUntil(last + interval*21/20)
		if log := n.take(); len(log) != 1 {
			t.Errorf("after an interval: %q", log)
		}

		// Completion is announced at once, and once.
		stop()
		left.Store(0)
		at := time.Since(n.start).Round(time.Second)
		_, stop = collect(t, a, 6881, true)
		n.expect(t, fmt.Sprintf("%v 1.1.1.1 completed", at))
		if left := n.last().Left; left != 0 {
			t.Errorf("a seed that lacks %d bytes", left)
		}
		stop()
		_, stop = collect(t, a, 6881, true)
		n.expect(t)
		defer stop()

		a.Close()
		n.expect(t, fmt.Sprintf("%v 1.1.1.1 stopped", at))
		a.Close()
		n.expect(t)
		for range a.Peers(t.Context(), hashA, 1, false) {
			t.Error("a peer after Close")
		}
	})
}

// The announces of one round are alike in all families, and each family learns of the
// completion, even if the torrent completes while the round begins.
func TestCompleteInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(tracker string, r Request) (Response, error) {
			if tracker == "both.example/IPv6" { // the later answer counts
				time.Sleep(time.Second)
			}
			return Response{}, nil
		}}
		var a *Announcer
		var first sync.Once
		var left atomic.Int64
		left.Store(3)
		a = newAnnouncer(t, n, Config{Stats: func() Stats {
			s := Stats{Downloaded: 5, Left: left.Load()}
			first.Do(func() { left.Store(0); a.update(hashA, 1, true) })
			return s
		}}, []string{"both.example"})
		_, stop := collect(t, a, 1, false)
		time.Sleep(3 * time.Second)
		log := n.take()
		slices.Sort(log)
		want := []string{"0s both.example/IPv4 started", "0s both.example/IPv6 started",
			"1s both.example/IPv4 completed", "1s both.example/IPv6 completed"}
		if !slices.Equal(log, want) {
			t.Errorf("announces %q, want %q", log, want)
		}
		stop()
		a.Close()
	})
}

func TestSeedFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"})
		_, stop := collect(t, a, 0, true)
		n.expect(t, "0s 1.1.1.1 started")
		if r := n.last(); r.Left != 0 || r.Port != portNone {
			t.Errorf("announced %+v", r)
		}
		stop()
		a.Close()
		n.expect(t, "0s 1.1.1.1 stopped")
	})
}

// A hybrid has two swarms (BEP 52), each of which gets its own announces.
func TestTwoHashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"})
		_, stop := collect(t, a, 1, false)
		n.expect(t, "0s 1.1.1.1 started")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range a.Peers(ctx, hashB, 1, true) {
				t.Error("a peer from nowhere")
			}
		}()
		n.expect(t, "0s 1.1.1.1 started")
		if r := n.last(); r.InfoHash != hashB || r.Left != 0 {
			t.Errorf("announced %+v", r)
		}
		for range a.Peers(t.Context(), metainfo.Hash{1}, 1, false) {
			t.Error("a peer of a third swarm")
		}
		cancel()
		<-done
		stop()
		a.Close()
		n.expect(t, "0s 1.1.1.1 stopped", "0s 1.1.1.1 stopped")
	})
}

// BEP 12: when a tracker fails, the next one of its tier is asked, and the one that
// answered is the first from then on. BEP 7: a tracker by name is asked in all families.
func TestTiers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(tracker string, r Request) (Response, error) {
			if tracker == "8.8.8.8" || tracker == "both.example/IPv6" {
				return Response{Interval: time.Hour}, nil
			}
			return Response{}, errors.New("down")
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1", "8.8.8.8", "1.1.1.1"},
			[]string{"both.example"})
		_, stop := collect(t, a, 1, false)
		synctest.Wait()
		log := n.take()
		slices.Sort(log)
		want := []string{"0s 1.1.1.1 started", "0s 8.8.8.8 started", "0s both.example/IPv4 started",
			"0s both.example/IPv6 started"}
		if len(log) == 3 { // the order within a tier is random (BEP 12)
			want = want[1:]
		}
		if !slices.Equal(log, want) {
			t.Errorf("announces %q, want %q", log, want)
		}
		time.Sleep(64 * time.Minute)
		log = n.take()
		if slices.ContainsFunc(log, func(s string) bool {
			return s[len(s)-1] != ' ' && s[len(s)-7:] != "started"
		}) || len(log) != 3 {
			t.Errorf("after an hour: %q", log)
		}
		stop()
		a.Close()
		log = n.take()
		if len(log) != 2 {
			t.Errorf("in the end: %q", log)
		}
	})
}

// BEP 27: one tracker is asked at a time, the next tier only after the first.
func TestPrivate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		n := &fakeNet{answer: func(tracker string, r Request) (Response, error) {
			if tracker == "1.1.1.1" && !up.Load() {
				return Response{}, errors.New("down")
			}
			return Response{Interval: time.Hour}, nil
		}}
		a := newAnnouncer(t, n, Config{Private: true}, []string{"1.1.1.1"}, []string{"8.8.8.8"},
			[]string{"9.9.9.9"})
		_, stop := collect(t, a, 1, false)
		n.expect(t, "0s 1.1.1.1 started", "0s 8.8.8.8 started")
		up.Store(true)
		time.Sleep(64 * time.Minute)
		if log := n.take(); len(log) != 1 || log[0][len(log[0])-15:] != "1.1.1.1 started" {
			t.Errorf("after an hour: %q", log)
		}
		stop()
		a.Close()
	})
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(string, Request) (Response, error) {
			return Response{}, errors.New("down")
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"})
		_, stop := collect(t, a, 1, false)
		defer stop()
		time.Sleep(24 * time.Hour)
		// The waits double from 10 s to 30 min, each with up to a fifth more.
		if tries := len(n.take()); tries < 45 || tries > 60 {
			t.Errorf("%d attempts in a day", tries)
		}
		// A wish for more peers does not change that.
		for range 60 {
			stop()
			_, stop = collect(t, a, 1, false)
			time.Sleep(10 * time.Second)
		}
		if tries := len(n.take()); tries > 1 {
			t.Errorf("%d attempts in ten minutes", tries)
		}
		a.Close()
		n.expect(t) // it never knew of us
	})
}

// The user is warned, once in a row, of the failure of a tracker that the user named.
// The failure of a stranger's tracker is logged as a warning only for private torrents.
func TestFailuresAreTold(t *testing.T) {
	for _, c := range []struct {
		stranger, private bool
		want              int // lines after some failures, an answer, and failures
	}{{false, false, 2}, {true, false, 0}, {true, true, 2}} {
		synctest.Test(t, func(t *testing.T) {
			var b bytes.Buffer
			start := time.Now()
			n := &fakeNet{start: start, answer: func(string, Request) (Response, error) {
				if after := time.Since(start); after > time.Hour && after < 2*time.Hour {
					return Response{}, nil
				}
				return Response{}, fmt.Errorf("announcing: %w", &Failure{Reason: "unknown torrent"})
			}}
			a := NewAnnouncer(Config{
				Private: c.private,
				Tiers:   [][]Tracker{{parse(t, "http://1.1.1.1/announce", c.stranger)}},
				Logger: slog.New(slog.NewTextHandler(&b,
					&slog.HandlerOptions{Level: slog.LevelWarn})),
			})
			a.announce = n.announce
			_, stop := collect(t, a, 1, false)
			time.Sleep(4 * time.Hour)
			stop()
			a.Close()
			if got := strings.Count(b.String(), "unknown torrent"); got != c.want {
				t.Errorf("%+v: logged %d times:\n%s", c, got, b.String())
			}
		})
	}
}

// The failure of a tracker with addresses in one family is that family's, not the lack of
// addresses in the other family, whichever comes first.
func TestFailureOfTheFamilyThereIs(t *testing.T) {
	for _, first := range []string{"4.example/IPv4", "4.example/IPv6"} {
		synctest.Test(t, func(t *testing.T) {
			n := &fakeNet{answer: func(tracker string, _ Request) (Response, error) {
				if tracker != first {
					time.Sleep(time.Second)
				}
				if tracker == "4.example/IPv6" {
					return Response{}, fmt.Errorf("announcing: %w",
						&net.OpError{Op: "dial",
							Err: &net.AddrError{Err: "no suitable address found"}})
				}
				return Response{}, fmt.Errorf("announcing: %w", syscall.ECONNREFUSED)
			}}
			a := newAnnouncer(t, n, Config{}, []string{"4.example"})
			_, stop := collect(t, a, 1, false)
			time.Sleep(2 * time.Second)
			if got := a.Report().Err; !errors.Is(got, syscall.ECONNREFUSED) {
				t.Errorf("%s first: %v", first, got)
			}
			stop()
			a.Close()
		})
	}
}

// The user is warned once of a stranger's tracker that is not asked, with the reason: once
// for all attempts, families, info-hashes and torrents.
func TestRefusalsAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		n := &fakeNet{start: time.Now(), answer: func(name string, _ Request) (Response, error) {
			if strings.HasSuffix(name, "/IPv6") {
				return Response{}, errors.New("no such host")
			}
			tracker := parse(t, "http://10.0.0.5:8080/swarm", true)
			refusal := &guard.Refusal{Addr: netip.MustParseAddrPort("10.0.0.5:8080"),
				Reach: guard.Private}
			return Response{}, fmt.Errorf("announcing: %w", tracker.explain(refusal))
		}}
		client := new(Client)
		for range 3 {
			cfg := Config{Client: client,
				Logger: slog.New(slog.NewTextHandler(&b,
					&slog.HandlerOptions{Level: slog.LevelWarn}))}
			for i := range 2 * refusalsMax {
				cfg.Tiers = append(cfg.Tiers,
					[]Tracker{parse(t, fmt.Sprintf("http://t%d.example:8080/swarm", i), true)})
			}
			a := NewAnnouncer(cfg)
			a.announce = n.announce
			_, stop := collect(t, a, 1, false)
			time.Sleep(2 * time.Hour)
			stop()
			a.Close()
		}
		const why = "it leads to the private address 10.0.0.5:8080, and no element of its path " +
			"begins with announce or scrape"
		if got := strings.Count(b.String(), why); got != refusalsMax {
			t.Errorf("logged %d times, want %d:\n%s", got, refusalsMax, b.String())
		}
		if got := strings.Count(b.String(), "\n"); got != refusalsMax {
			t.Errorf("%d lines:\n%s", got, b.String())
		}
	})
}

// BEP 31: a tracker says when to ask again, or that we should never ask again.
func TestRetryIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(tracker string, r Request) (Response, error) {
			if tracker == "1.1.1.1" {
				return Response{}, fmt.Errorf("announcing: %w",
					&Failure{Reason: "gone", Never: true})
			}
			return Response{}, &Failure{Reason: "later", Retry: 3 * time.Hour}
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"}, []string{"8.8.8.8"})
		_, stop := collect(t, a, 1, false)
		synctest.Wait()
		if log := n.take(); len(log) != 2 {
			t.Errorf("announces %q", log)
		}
		time.Sleep(3*time.Hour - time.Nanosecond) // a jitter may be none
		stop()
		_, stop = collect(t, a, 1, false)
		n.expect(t)
		time.Sleep(6 * time.Minute)
		if log := n.take(); len(log) != 1 {
			t.Errorf("after three hours: %q", log)
		}
		stop()
		a.Close()
	})
}

// A dead family does not delay the other for long, and the peers of the other are there
// at once.
func TestDeadFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(tracker string, r Request) (Response, error) {
			if tracker == "both.example/IPv6" {
				return Response{}, errHang
			}
			return Response{Interval: time.Minute, Peers: addrs("5.6.7.8:1")}, nil
		}}
		a := newAnnouncer(t, n, Config{}, []string{"both.example"})
		peers, stop := collect(t, a, 1, false)
		synctest.Wait()
		if len(peers) != 1 {
			t.Error("no peers at once")
		}
		time.Sleep(familyGrace + 64*time.Second)
		if log := n.take(); len(log) != 4 {
			t.Errorf("announces %q", log)
		}
		stop()
		start := time.Now()
		a.Close()
		if took := time.Since(start); took > StopTimeout {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(tracker string, r Request) (Response, error) {
			if r.Event == Stopped {
				return Response{}, errHang
			}
			return Response{}, nil
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"}, []string{"8.8.8.8"})
		_, stop := collect(t, a, 1, false)
		synctest.Wait()
		defer stop()
		start := time.Now()
		a.Close()
		if took := time.Since(start); took != StopTimeout {
			t.Errorf("Close took %v, want %v", took, StopTimeout)
		}
	})
}

// The peers that wait for a caller are bounded, and the newest are kept.
func TestFoundIsBounded(t *testing.T) {
	f := newFound()
	for i := range 3 * foundMax {
		f.add([]netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, 2, byte(i >> 8),
			byte(i)}), 1)})
	}
	if len(f.list) != foundMax {
		t.Errorf("%d peers wait, want %d", len(f.list), foundMax)
	}
	if first, _ := f.take(); first.Addr() != netip.AddrFrom4([4]byte{1, 2, byte(2 * foundMax >> 8),
		byte(2 * foundMax & 255)}) {
		t.Errorf("the first is %v", first)
	}
}

func TestGroupsAreBounded(t *testing.T) {
	var cfg Config
	for i := range 100 {
		cfg.Tiers = append(cfg.Tiers, []Tracker{parse(t, fmt.Sprintf("udp://10.0.0.%d:1", i),
			true)})
	}
	a := NewAnnouncer(cfg)
	defer a.Close()
	all := &swarmAnnounce{a: a}
	if n := len(groupTiers(all, cfg.Tiers, false)); n != GroupsMax {
		t.Errorf("%d groups, want %d", n, GroupsMax)
	}
	if n := len(groupTiers(all, nil, true)); n != 0 {
		t.Errorf("%d groups without a tracker", n)
	}
}

func TestScheduleClamps(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		interval, least      time.Duration
		next, most, earliest time.Duration
	}{
		{0, 0, intervalDefault, intervalDefault * 21 / 20, minIntervalDefault},
		{time.Second, 0, intervalMin, intervalMin * 21 / 20, intervalMin},
		{time.Hour, time.Second, time.Hour, time.Hour * 21 / 20, intervalMin},
		{intervalMax, intervalMax, intervalMax, intervalMax * 21 / 20, intervalMax},
		{time.Minute, time.Hour, time.Minute, time.Minute * 21 / 20, time.Minute},
	} {
		var s schedule
		s.answered(now, &Response{Interval: c.interval, MinInterval: c.least})
		next, earliest := s.next.Sub(now), s.earliest.Sub(now)
		if next < c.next || next > c.most || earliest != c.earliest {
			t.Errorf("%v, %v: next in %v (want %v to %v), at the earliest in %v (want %v)",
				c.interval, c.least, next, c.next, c.most, earliest, c.earliest)
		}
	}
}

// A new address of ours is announced at once, whatever the interval and the failures from
// the old address.
func TestMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		n := &fakeNet{answer: func(string, Request) (Response, error) {
			if !up.Load() {
				return Response{}, errors.New("down")
			}
			return Response{Interval: 30 * time.Minute, MinInterval: 30 * time.Minute}, nil
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"})
		_, stop := collect(t, a, 1, false)
		defer stop()
		n.sleepUntil(time.Hour)
		n.take()
		up.Store(true)
		a.Moved()
		n.expect(t, "1h0m0s 1.1.1.1 started")
		n.sleepUntil(time.Hour + time.Minute)
		n.expect(t)
		a.Moved()
		n.expect(t, "1h1m0s 1.1.1.1 ")
		n.sleepUntil(time.Hour + 10*time.Minute)
		n.expect(t)
		a.Close()
		a.Moved()
		n.expect(t, "1h10m0s 1.1.1.1 stopped")
	})
}

// A new port of ours is announced at once, and after a pause there is no other.
func TestSetPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"})
		_, stop := collect(t, a, 1, false)
		defer stop()
		n.expect(t, "0s 1.1.1.1 started")
		a.SetPort(1)
		n.expect(t)
		a.SetPort(2)
		n.expect(t, "0s 1.1.1.1 ")
		if r := n.last(); r.Port != 2 {
			t.Errorf("announced port %d, want 2", r.Port)
		}
		a.Pause()
		n.expect(t, "0s 1.1.1.1 stopped")
		a.SetPort(0)
		n.expect(t)
		a.Resume()
		n.expect(t, "0s 1.1.1.1 started")
		if r := n.last(); r.Port != portNone {
			t.Errorf("announced port %d, want none", r.Port)
		}
		a.Close()
		n.expect(t, "0s 1.1.1.1 stopped")
	})
}
