package tracker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
)

// urls parses tiers of trackers by their hosts.
func urls(t *testing.T, stranger bool, tiers ...[]string) (list [][]Tracker) {
	t.Helper()
	for _, tier := range tiers {
		var parsed []Tracker
		for _, host := range tier {
			parsed = append(parsed, parse(t, "http://"+host+"/announce", stranger))
		}
		list = append(list, parsed)
	}
	return list
}

// brief returns the hosts of states with their statuses.
func brief(states []State) (list []string) {
	for _, s := range states {
		list = append(list, fmt.Sprintf("%d %s %v", s.Tier,
			s.URL[len("http://"):len(s.URL)-len("/announce")], s.Status))
	}
	return list
}

func expectStates(t *testing.T, a *Announcer, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := brief(a.Trackers()); !slices.Equal(got, want) {
		t.Errorf("trackers\n%q, want\n%q", got, want)
	}
}

// The zero Report, of a torrent without failures, can be printed.
func TestZeroReportCanBePrinted(t *testing.T) {
	if got := fmt.Sprintf("%+v", Report{}); !strings.Contains(got, "Tracker:none") {
		t.Errorf("a report: %s", got)
	}
}

// A Report counts the last outcome of each tracker, and names one that failed.
func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("lost")
		var first atomic.Value
		first.Store(outcome{err: lost})
		n := &fakeNet{answer: func(tracker string, _ Request) (Response, error) {
			if tracker == "8.8.8.8" {
				return Response{}, lost
			}
			return Response{}, first.Load().(outcome).err
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"}, []string{"8.8.8.8"})
		if r := a.Report(); r.Answered != 0 || r.Failed != 0 || r.Err != nil {
			t.Errorf("before any announce: %+v", r)
		}
		_, stop := collect(t, a, 1, false)
		defer stop()
		synctest.Wait()
		if r := a.Report(); r.Answered != 0 || r.Failed != 2 || r.Tracker.url.Host != "1.1.1.1" ||
			r.Err != lost {
			t.Errorf("two failed: %+v", r)
		}
		first.Store(outcome{})
		time.Sleep(15 * time.Second)
		if r := a.Report(); r.Answered != 1 || r.Failed != 1 || r.Tracker.url.Host != "8.8.8.8" {
			t.Errorf("one has answered since: %+v", r)
		}
		first.Store(outcome{err: &Failure{Reason: "full"}})
		time.Sleep(time.Hour)
		if r := a.Report(); r.Answered != 0 || r.Failed != 2 ||
			r.Err.Error() != "refused us: full" {
			t.Errorf("it refuses since: %+v", r)
		}
		a.Close()
	})
}

// What is shown of a tracker follows its announces.
func TestStatesFollowAnnounces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var changes atomic.Int64
		n := &fakeNet{answer: func(tracker string, _ Request) (Response, error) {
			switch tracker {
			case "1.1.1.1":
				time.Sleep(time.Second)
				return Response{Interval: time.Hour, Seeds: 4, Leeches: 5, Completed: 6,
					Warning: "slow", Peers: addrs("5.6.7.8:1", "5.6.7.8:2")}, nil
			case "8.8.8.8":
				return Response{}, &Failure{Reason: "gone", Never: true}
			case "9.9.9.9":
				return Response{}, &NotAskedError{Why: "no"}
			}
			return Response{}, errors.New("down")
		}}
		a := newAnnouncer(t, n, Config{Changed: func() { changes.Add(1) }}, []string{"1.1.1.1"},
			[]string{"8.8.8.8"}, []string{"9.9.9.9"}, []string{"4.4.4.4"}, []string{"1.1.1.1"})
		expectStates(t, a, "0 1.1.1.1 not asked", "1 8.8.8.8 not asked", "2 9.9.9.9 not asked",
			"3 4.4.4.4 not asked")
		_, stop := collect(t, a, 1, false)
		defer stop()
		expectStates(t, a, "0 1.1.1.1 announcing", "1 8.8.8.8 refused", "2 9.9.9.9 refused",
			"3 4.4.4.4 failing")
		before := changes.Load()
		time.Sleep(2 * time.Second)
		expectStates(t, a, "0 1.1.1.1 working", "1 8.8.8.8 refused", "2 9.9.9.9 refused",
			"3 4.4.4.4 failing")
		if changes.Load() == before {
			t.Error("nobody is told of the change")
		}
		states := a.Trackers()
		one := states[0]
		if one.Seeds != 4 || one.Leeches != 5 || one.Downloaded != 6 || one.Peers != 2 ||
			one.Message != "slow" || one.Err != nil || one.User ||
			!one.LastAnnounce.Equal(start) || one.NextAnnounce.Before(start.Add(time.Hour)) ||
			one.NextAnnounce.After(start.Add(65*time.Minute)) {
			t.Errorf("the one that works: %+v", one)
		}
		gone := states[1]
		if gone.Message != "gone" || gone.Err == nil || !gone.NextAnnounce.IsZero() ||
			gone.Seeds != -1 {
			t.Errorf("the one that refused us: %+v", gone)
		}
		if down := states[3]; down.Err.Error() != "down" || down.NextAnnounce.Before(time.Now()) ||
			down.NextAnnounce.After(time.Now().Add(15*time.Second)) {
			t.Errorf("the one that is down: %+v", down)
		}
		a.Close()
		if one := a.Trackers()[0]; one.Status != Working || !one.NextAnnounce.IsZero() {
			t.Errorf("after Close: %+v", one)
		}
	})
}

// The states of a hybrid sum up both swarms: the later outcome, the larger numbers, the
// earlier next announce.
func TestStatesOfHybrids(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(_ string, r Request) (Response, error) {
			if r.InfoHash == hashB {
				time.Sleep(time.Second)
				return Response{}, errors.New("unknown torrent")
			}
			return Response{Interval: time.Hour, Seeds: 4, Leeches: -1, Completed: -1,
				Peers: addrs("5.6.7.8:1")}, nil
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"})
		_, stop := collect(t, a, 1, false)
		defer stop()
		expectStates(t, a, "0 1.1.1.1 working")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for range a.Peers(ctx, hashB, 1, true) {
				t.Error("a peer from nowhere")
			}
		}()
		expectStates(t, a, "0 1.1.1.1 announcing")
		time.Sleep(2 * time.Second)
		s := a.Trackers()[0]
		if s.Status != Failing || s.Seeds != 4 || s.Leeches != -1 || s.Peers != 1 ||
			s.NextAnnounce.After(time.Now().Add(12*time.Second)) {
			t.Errorf("one of two failed: %+v", s)
		}
		a.Close()
	})
}

// Counts that answers leave out are scraped while somebody looks, once per announce; a
// tracker without a scrape URL is not asked again.
func TestScrapesForThoseWhoLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(tracker string, _ Request) (Response, error) {
			r := Response{Interval: 30 * time.Minute, Seeds: 1, Leeches: 2, Completed: -1}
			if tracker == "9.9.9.9" {
				r.Completed = 3
			}
			return r, nil
		}}
		var scrapes atomic.Int64
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"}, []string{"8.8.8.8"},
			[]string{"9.9.9.9"})
		a.scrape = func(_ context.Context, tr Tracker, h ...metainfo.Hash) ([]Counts, error) {
			scrapes.Add(1)
			switch {
			case len(h) != 1 || h[0] != hashA || tr.url.Host == "9.9.9.9":
				t.Errorf("%v scraped for %v", tr, h)
			case tr.url.Host == "8.8.8.8":
				return nil, fmt.Errorf("scraping: %w", ErrNoScrape)
			}
			return []Counts{{Seeds: -1, Leeches: 7, Completed: 8}}, nil
		}
		_, stop := collect(t, a, 1, false)
		defer stop()
		synctest.Wait()
		if n := scrapes.Load(); n != 0 {
			t.Errorf("%d scrapes for nobody", n)
		}
		for range 3 {
			a.Trackers()
			synctest.Wait()
			if n := scrapes.Load(); n != 2 {
				t.Errorf("%d scrapes, want one of each that left something out", n)
			}
		}
		s := a.Trackers()
		if s[0].Seeds != 1 || s[0].Leeches != 7 || s[0].Downloaded != 8 || s[1].Downloaded != -1 ||
			s[2].Downloaded != 3 {
			t.Errorf("got %+v", s)
		}
		time.Sleep(35 * time.Minute) // an announce later, nobody has looked for long
		if n := scrapes.Load(); n != 2 {
			t.Errorf("%d scrapes, want no more without a look", n)
		}
		a.Trackers()
		synctest.Wait()
		if n := scrapes.Load(); n != 3 {
			t.Errorf("%d scrapes after a look, want one more", n)
		}
		a.Close()
	})
}

// Reannounce keeps to the least interval of the tracker, not to the interval, and does not
// wait long after a failure unless the tracker says so.
func TestReannounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(tracker string, _ Request) (Response, error) {
			switch tracker {
			case "8.8.8.8":
				return Response{Interval: time.Hour, MinInterval: 10 * time.Minute}, nil
			case "9.9.9.9":
				return Response{}, errors.New("down")
			case "4.4.4.4":
				return Response{}, &Failure{Reason: "later", Retry: 2 * time.Hour}
			case "6.6.6.6":
				return Response{}, &Failure{Reason: "gone", Never: true}
			}
			return Response{Interval: time.Hour}, nil
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"}, []string{"8.8.8.8"},
			[]string{"9.9.9.9"}, []string{"4.4.4.4"}, []string{"6.6.6.6"})
		_, stop := collect(t, a, 1, false)
		defer stop()
		n.sleepUntil(time.Minute)
		// The failed one has a pause of 10 s, 20 s and 40 s, each with up to a fifth more.
		n.take()
		a.Reannounce()
		synctest.Wait()
		log := n.take()
		slices.Sort(log)
		if want := []string{"1m0s 1.1.1.1 ", "1m0s 9.9.9.9 started"}; !slices.Equal(log, want) {
			t.Errorf("announces %q, want %q", log, want)
		}
		a.Reannounce() // as impatient as the trackers bear
		n.expect(t)
		n.sleepUntil(time.Minute + 11*time.Second)
		if log := n.take(); !slices.Equal(log, []string{"1m10s 9.9.9.9 started"}) {
			t.Errorf("announces %q", log)
		}
		n.sleepUntil(11 * time.Minute)
		if log := n.take(); !slices.Contains(log, "10m0s 8.8.8.8 ") ||
			!slices.Contains(log, "1m30s 1.1.1.1 ") {
			t.Errorf("announces %q", log)
		}
		a.Close()
	})
}

// Trackers come and go while the torrent runs.
func TestSetTiers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(tracker string, _ Request) (Response, error) {
			if tracker == "9.9.9.9" {
				return Response{}, errors.New("down")
			}
			return Response{Interval: time.Hour, Seeds: 3}, nil
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"}, []string{"8.8.8.8"},
			[]string{"9.9.9.9"})
		_, stop := collect(t, a, 1, false)
		defer stop()
		synctest.Wait()
		n.take()
		n.sleepUntil(time.Minute)
		n.take()

		// One goes, one comes, one stays: it is not asked again.
		a.SetTiers(urls(t, false, []string{"8.8.8.8"}, []string{"4.4.4.4"}))
		synctest.Wait()
		log := n.take()
		slices.Sort(log)
		if want := []string{"1m0s 1.1.1.1 stopped", "1m0s 4.4.4.4 started"}; !slices.Equal(log,
			want) {
			t.Errorf("announces %q, want %q", log, want)
		}
		expectStates(t, a, "0 8.8.8.8 working", "1 4.4.4.4 working")
		states := a.Trackers()
		if states[0].Seeds != 3 || states[0].User || !states[1].User {
			t.Errorf("got %+v", states)
		}

		// In one tier the one that works goes on, and the new one waits for its failure.
		a.SetTiers(urls(t, false, []string{"5.5.5.5", "8.8.8.8"}, []string{"4.4.4.4"}))
		n.expect(t)
		expectStates(t, a, "0 5.5.5.5 not asked", "0 8.8.8.8 working", "1 4.4.4.4 working")
		// Apart, it is asked at once.
		a.SetTiers(urls(t, false, []string{"5.5.5.5"}, []string{"8.8.8.8"}, []string{"4.4.4.4"}))
		n.expect(t, "1m0s 5.5.5.5 started")

		a.SetTiers(nil)
		synctest.Wait()
		if log := n.take(); len(log) != 3 || len(a.Trackers()) != 0 {
			t.Errorf("without trackers: %q, %+v", log, a.Trackers())
		}
		a.SetTiers(urls(t, false, []string{"8.8.8.8"}))
		n.expect(t, "1m0s 8.8.8.8 started")
		n.sleepUntil(59 * time.Minute)
		n.expect(t)
		n.sleepUntil(65 * time.Minute)
		if log := n.take(); len(log) != 1 {
			t.Errorf("after an interval: %q", log)
		}
		a.Close()
		if log := n.take(); len(log) != 1 {
			t.Errorf("in the end: %q", log)
		}
		a.SetTiers(urls(t, false, []string{"1.1.1.1"}))
		n.expect(t)
	})
}

// A tracker that a stranger named becomes the user's once the user has removed it and added
// it again, even if there is no time between the two.
func TestSetTiersChangesTheOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"})
		_, stop := collect(t, a, 1, false)
		defer stop()
		n.expect(t, "0s 1.1.1.1 started")
		mine := urls(t, false, []string{"1.1.1.1"})
		a.SetTiers(mine)
		n.expect(t)
		if a.Trackers()[0].User {
			t.Error("it is the user's because the user left it in the list")
		}
		a.SetTiers(nil)
		a.SetTiers(mine)
		n.expect(t, "0s 1.1.1.1 stopped", "0s 1.1.1.1 started")
		if !a.Trackers()[0].User {
			t.Error("it is still the stranger's")
		}
		a.Close()
	})
}

// An announce to a tracker that goes is cut off, and the tracker is told that we have
// stopped, since it may have heard of us. One that comes again hears so before.
func TestSetTiersCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		n.answer = func(tracker string, r Request) (Response, error) {
			if r.Event == Started && time.Since(n.start) < time.Second {
				return Response{}, errHang
			}
			if r.Event == Stopped {
				time.Sleep(3 * time.Second)
			}
			return Response{}, nil
		}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"}, []string{"8.8.8.8"})
		_, stop := collect(t, a, 1, false)
		defer stop()
		synctest.Wait()
		n.take()
		a.SetTiers(urls(t, true, []string{"8.8.8.8"}))
		n.sleepUntil(closeGrace)
		n.expect(t, "0s 1.1.1.1 stopped")
		a.SetTiers(urls(t, true, []string{"1.1.1.1"}, []string{"8.8.8.8"}))
		n.sleepUntil(2 * time.Second)
		n.expect(t)
		n.sleepUntil(4 * time.Second)
		n.expect(t, "3s 1.1.1.1 started")
		a.Close()
	})
}

// A private torrent asks one tracker at a time (BEP 27), also after its trackers change.
func TestSetTiersOfPrivate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a := newAnnouncer(t, n, Config{Private: true}, []string{"1.1.1.1"}, []string{"8.8.8.8"})
		_, stop := collect(t, a, 1, false)
		defer stop()
		n.expect(t, "0s 1.1.1.1 started")
		a.SetTiers(urls(t, false, []string{"1.1.1.1"}, []string{"9.9.9.9"}))
		n.expect(t)
		a.SetTiers(urls(t, false, []string{"9.9.9.9"}, []string{"1.1.1.1"}))
		n.expect(t, "0s 9.9.9.9 started")
		expectStates(t, a, "0 9.9.9.9 working", "1 1.1.1.1 working")
		a.Close()
	})
}

// While the announcements pause nobody is asked; afterwards everybody hears that we start.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now numbers
		now.set(Stats{Left: 3})
		n := &fakeNet{}
		a := newAnnouncer(t, n, Config{Stats: now.get}, []string{"1.1.1.1"})
		_, stop := collect(t, a, 1, false)
		n.expect(t, "0s 1.1.1.1 started")
		now.set(Stats{Downloaded: 2, Left: 1})
		a.Pause()
		a.Pause()
		n.expect(t, "0s 1.1.1.1 stopped")
		expectStates(t, a, "0 1.1.1.1 not asked")
		if r := n.last(); r.Downloaded != 2 || r.Left != 1 {
			t.Errorf("told %+v", r)
		}
		stop()
		_, stop = collect(t, a, 2, false)
		a.Reannounce()
		a.Moved()
		n.sleepUntil(time.Hour)
		n.expect(t)
		a.SetTiers(urls(t, false, []string{"1.1.1.1"}, []string{"8.8.8.8"}))
		n.expect(t)
		a.Resume()
		a.Resume()
		synctest.Wait()
		log := n.take()
		slices.Sort(log)
		if want := []string{"1h0m0s 1.1.1.1 started", "1h0m0s 8.8.8.8 started"}; !slices.Equal(log,
			want) {
			t.Errorf("announces %q, want %q", log, want)
		}
		if r := n.last(); r.Port != 2 || r.Downloaded != 2 {
			t.Errorf("told %+v", r)
		}
		a.Pause()
		synctest.Wait()
		n.take()
		stop()
		a.Close()
		n.expect(t) // they know
	})
}

// A torrent that is added while it is paused announces nothing before Resume, and one that
// pauses and goes on at once is not taken for gone.
func TestPauseFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"})
		a.Pause()
		_, stop := collect(t, a, 1, false)
		defer stop()
		n.expect(t)
		a.Resume()
		n.expect(t, "0s 1.1.1.1 started")
		for range 20 {
			a.Pause()
			a.Resume()
		}
		synctest.Wait()
		log := n.take()
		if len(log) > 0 && log[len(log)-1] != "0s 1.1.1.1 started" || len(log)%2 != 0 {
			t.Errorf("announces %q, want as many starts as ends", log)
		}
		expectStates(t, a, "0 1.1.1.1 working")
		a.Close()
	})
}

// Many goroutines change everything at once, and Close ends all of it.
func TestAnnouncerUnderFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var known [256]atomic.Int64 // by tracker: announces that started less those that ended
		n := &fakeNet{answer: func(host string, r Request) (Response, error) {
			time.Sleep(time.Millisecond)
			i := int(host[0] - '1')
			switch r.Event {
			case Started:
				known[i].Store(1)
			case Stopped:
				known[i].Store(0)
			}
			return Response{Interval: time.Minute, Completed: -1}, nil
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"}, []string{"2.2.2.2", "3.3.3.3"})
		a.scrape = func(context.Context, Tracker, ...metainfo.Hash) ([]Counts, error) {
			return []Counts{{}}, nil
		}
		_, stop := collect(t, a, 1, false)
		lists := [][][]Tracker{
			urls(t, false, []string{"1.1.1.1"}),
			urls(t, false, []string{"2.2.2.2"}, []string{"3.3.3.3"}),
			urls(t, false, []string{"3.3.3.3", "1.1.1.1"}, []string{"4.4.4.4"}), nil,
		}
		done := make(chan struct{})
		const workers = 8
		for i := range workers {
			go func() {
				for j := range 50 {
					switch (i*7 + j*5) % 6 {
					case 0:
						a.SetTiers(lists[(i+j)%len(lists)])
					case 1:
						a.Pause()
					case 2:
						a.Resume()
					case 3:
						a.Reannounce()
					case 4:
						a.Trackers()
					case 5:
						a.Moved()
					}
					time.Sleep(time.Duration(i+j) % 3 * time.Millisecond)
				}
				done <- struct{}{}
			}()
		}
		for range workers {
			<-done
		}
		a.Resume()
		a.SetTiers(lists[2])
		time.Sleep(10 * time.Minute)
		for _, s := range a.Trackers() {
			if s.Tier == 1 && s.Status != Working {
				t.Errorf("in the end: %+v", s)
			}
		}
		stop()
		a.Close()
		for i := range known {
			if known[i].Load() != 0 {
				t.Errorf("tracker %d was not told that we stopped", i+1)
			}
		}
	})
}

// An announce that hangs when the pause begins is cut off. The tracker may have heard of
// us, so it is told that we have stopped, before anything else.
func TestPauseWhileAnnouncing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(string, Request) (Response, error) {
			return Response{}, errHang
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"})
		_, stop := collect(t, a, 1, false)
		defer stop()
		n.expect(t, "0s 1.1.1.1 started")
		a.Pause()
		n.sleepUntil(closeGrace)
		n.expect(t, "0s 1.1.1.1 stopped")
		n.sleepUntil(time.Hour)
		a.Resume()
		n.expect(t, "1h0m0s 1.1.1.1 started")
		a.Pause()
		n.sleepUntil(time.Hour + time.Second)
		a.Resume()
		n.sleepUntil(time.Hour + leaveTimeout + time.Second)
		n.expect(t, "1h0m0s 1.1.1.1 stopped", "1h0m15s 1.1.1.1 started")
		a.Close()
		a.Pause()
		a.Resume()
		n.expect(t)
	})
}

// Trackers hear of a pause after a moment, however many of them do not answer.
func TestPauseWithDeadTrackers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(host string, _ Request) (Response, error) {
			if host == "1.1.1.1" {
				return Response{Interval: time.Hour}, nil
			}
			return Response{}, errHang
		}}
		tiers := [][]string{{"1.1.1.1"}}
		for i := range 20 {
			tiers = append(tiers, []string{fmt.Sprintf("8.8.8.%d", i)})
		}
		a := newAnnouncer(t, n, Config{}, tiers...)
		_, stop := collect(t, a, 1, false)
		defer stop()
		synctest.Wait()
		n.take()
		a.Pause()
		time.Sleep(2 * closeGrace)
		synctest.Wait()
		if log := n.take(); !slices.Contains(log, "1s 1.1.1.1 stopped") &&
			!slices.Contains(log, "0s 1.1.1.1 stopped") {
			t.Errorf("announces within half a second: %q", log)
		}
		a.Close()
	})
}
