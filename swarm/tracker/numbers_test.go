package tracker

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// numbers are Stats that change during a test.
type numbers struct {
	mu    sync.Mutex
	stats Stats
}

func (n *numbers) set(s Stats) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stats = s
}

func (n *numbers) get() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}

// A partial seed says so in every announce (BEP 21), as libtorrent does. It sends
// Completed only after the rest of the torrent, once.
func TestPartialSeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		var now numbers
		now.set(Stats{Left: 100})
		a := newAnnouncer(t, n, Config{Stats: now.get}, []string{"1.1.1.1"})
		_, stop := collect(t, a, 1, false)
		n.expect(t, "0s 1.1.1.1 started")
		told := func(seed bool) {
			stop()
			_, stop = collect(t, a, 1, seed)
			synctest.Wait()
		}
		now.set(Stats{Downloaded: 60, Left: 40, Idle: true})
		told(false)
		n.expect(t) // it can wait
		time.Sleep(6 * time.Minute)
		n.expect(t, "5m0s 1.1.1.1 paused")
		if r := n.last(); r.Left != 40 || r.Downloaded != 60 {
			t.Errorf("told %+v", r)
		}
		// The caller calls us a seed by mistake: Left decides.
		told(true)
		n.expect(t)
		now.set(Stats{Downloaded: 100, Left: 0, Idle: true})
		told(true)
		n.expect(t, "6m0s 1.1.1.1 completed")
		now.set(Stats{Downloaded: 100, Left: 40}) // lost again, and fetched again
		time.Sleep(35 * time.Minute)
		if r := n.last(); r.Left != 40 || r.Event != None {
			t.Errorf("told %+v", r)
		}
		n.take()
		now.set(Stats{Downloaded: 140, Left: 0, Idle: true})
		told(true)
		time.Sleep(35 * time.Minute)
		if log := n.take(); len(log) == 0 || log[0][len(log[0])-1] != ' ' {
			t.Errorf("told %q, want no second completed", log)
		}
		now.set(Stats{Uploaded: 7, Downloaded: 141, Left: 0, Idle: true})
		stop()
		a.Close()
		if r := n.last(); r.Event != Stopped || r.Uploaded != 7 || r.Downloaded != 141 ||
			r.Left != 0 {
			t.Errorf("told %+v", r)
		}
	})
}

// Content that was there before is no download: a seed from the start, or one that found
// out later that it has everything, never sends Completed.
func TestCompletedIsADownload(t *testing.T) {
	for _, first := range []int64{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			n := &fakeNet{}
			var now numbers
			now.set(Stats{Left: first})
			a := newAnnouncer(t, n, Config{Stats: now.get}, []string{"1.1.1.1"})
			_, stop := collect(t, a, 1, false)
			n.expect(t, "0s 1.1.1.1 started")
			if r := n.last(); (r.Left == 0) != (first == 0) {
				t.Errorf("told %+v", r)
			}
			now.set(Stats{Left: 0, Idle: true})
			stop()
			_, stop = collect(t, a, 1, true)
			time.Sleep(time.Hour)
			for _, line := range n.take() {
				if line[len(line)-1] != ' ' {
					t.Errorf("told %q", line)
				}
			}
			if r := n.last(); r.Left != 0 {
				t.Errorf("told %+v", r)
			}
			stop()
			a.Close()
		})
	}
}

// An Announcer that is closed right after the download sends Completed and Stopped, and a
// running announce is not cut off.
func TestGoingAtOnce(t *testing.T) {
	for _, slow := range []time.Duration{0, 100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			n := &fakeNet{answer: func(string, Request) (Response, error) {
				time.Sleep(slow)
				return Response{}, nil
			}}
			var now numbers
			now.set(Stats{Left: 100})
			a := newAnnouncer(t, n, Config{Stats: now.get}, []string{"1.1.1.1"})
			_, stop := collect(t, a, 1, false)
			time.Sleep(time.Minute)
			now.set(Stats{Downloaded: 100, Left: 0, Idle: true})
			stop()
			a.update(hashA, 1, true)
			if slow > 0 {
				time.Sleep(slow / 2)
			}
			start := time.Now()
			a.Close()
			if took := time.Since(start); took > StopTimeout {
				t.Errorf("Close took %v", took)
			}
			n.expect(t, "0s 1.1.1.1 started", "1m0s 1.1.1.1 completed", "1m0s 1.1.1.1 stopped")
		})
	}
}

// BEP 15 has no event for a partial seed.
func TestPausedIsForHTTP(t *testing.T) {
	for event, want := range map[Event]uint32{None: 0, Completed: 1, Started: 2, Stopped: 3,
		Paused: 0} {
		packet := appendAnnounce(nil, 1, 2, &Request{Event: event}, "")
		if got := binary.BigEndian.Uint32(packet[80:]); got != want {
			t.Errorf("%v is %d over UDP, want %d", event, got, want)
		}
	}
	if got := fmt.Sprint(Paused); got != "paused" {
		t.Errorf("over HTTP it is %q", got)
	}
}
