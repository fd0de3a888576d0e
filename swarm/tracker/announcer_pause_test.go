package tracker

import (
	"testing"
	"testing/synctest"
	"time"
)

// A pause tells the tracker that we have stopped, once; its end that we have started.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a := newAnnouncer(t, n, Config{Stats: func() Stats {
			return Stats{Downloaded: 7, Left: 3}
		}},
			[]string{"1.1.1.1"})
		_, stop := collect(t, a, 1, false)
		n.expect(t, "0s 1.1.1.1 started")
		n.sleepUntil(time.Minute)
		a.Pause()
		a.Pause()
		n.expect(t, "1m0s 1.1.1.1 stopped")
		stop()
		_, stop = collect(t, a, 2, false) // a search that begins while paused wakes nobody
		defer stop()
		a.Moved()
		n.sleepUntil(2 * time.Hour)
		n.expect(t)
		a.Resume()
		a.Resume()
		n.expect(t, "2h0m0s 1.1.1.1 started")
		if r := n.last(); r.Port != 2 || r.Downloaded != 7 {
			t.Errorf("after the pause: %+v", r)
		}
		n.sleepUntil(2*time.Hour + 10*time.Minute)
		a.Pause()
		n.expect(t, "2h10m0s 1.1.1.1 stopped")
		a.Close() // the tracker knows already
		n.expect(t)
	})
}

// An announce that hangs when the pause begins is given up, and counts neither as a
// failure nor as an announcement.
func TestPauseWhileAnnouncing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(string, Request) (Response, error) {
			return Response{}, errHang
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"})
		defer a.Close()
		_, stop := collect(t, a, 1, false)
		defer stop()
		n.expect(t, "0s 1.1.1.1 started")
		a.Pause()
		n.sleepUntil(time.Hour)
		n.expect(t)
		a.Resume()
		n.expect(t, "1h0m0s 1.1.1.1 started")
		a.Pause()
		a.Resume() // before the announce has ended
		n.sleepUntil(time.Hour + closeGrace)
		n.expect(t, "1h0m0s 1.1.1.1 started")
	})
}

// A pause before the first search announces nothing.
func TestPauseFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"})
		a.Pause()
		_, stop := collect(t, a, 1, false)
		defer stop()
		n.sleepUntil(time.Hour)
		n.expect(t)
		a.Close()
		a.Pause()
		a.Resume()
		n.expect(t)
	})
}
