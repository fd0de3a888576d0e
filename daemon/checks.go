package daemon

import (
	"errors"
	"slices"
	"sync"
	"time"

	"swarmnode/swarm"
)

// checksMax is how many torrents are hashed at one time, and checkBytesMax how large all of them
// are unless there is only one. Hashing takes all cores, and disks are fastest when they read one
// file after the other; small torrents cost more for the waiting than for the reading.
const (
	checksMax     = 32
	checkBytesMax = 64 << 20
)

// checks is the queue of torrents whose content has to be hashed. It is safe for concurrent
// use.
type checks struct {
	d *Daemon

	mu      sync.Mutex
	waiting []*Torrent
	running []*Torrent
}

// hasRoom reports whether the first torrent that waits may be hashed now. c.mu is held.
func (c *checks) hasRoom() bool {
	if len(c.waiting) == 0 || len(c.running) >= checksMax {
		return false
	}
	bytes := c.waiting[0].size()
	for _, t := range c.running {
		bytes += t.size()
	}
	return len(c.running) == 0 || bytes <= checkBytesMax
}

// size returns the bytes of content.
func (t *Torrent) size() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rec.Shown.Size
}

// request queues a torrent, unless it is there.
func (c *checks) request(t *Torrent) {
	c.mu.Lock()
	if !slices.Contains(c.waiting, t) && !slices.Contains(c.running, t) {
		c.waiting = append(c.waiting, t)
		t.setCheck(checkWaiting)
	}
	c.mu.Unlock()
	c.next()
}

// release takes a torrent out of the queue: it was hashed, or is to rest.
func (c *checks) release(t *Torrent) {
	c.mu.Lock()
	is := func(other *Torrent) bool { return other == t }
	n := len(c.waiting) + len(c.running)
	c.waiting = slices.DeleteFunc(c.waiting, is)
	c.running = slices.DeleteFunc(c.running, is)
	was := n > len(c.waiting)+len(c.running)
	c.mu.Unlock()
	if !was {
		return
	}
	t.setCheck(checkNone)
	t.mu.Lock()
	again := t.drive.verify // which came while it was hashed
	t.mu.Unlock()
	if again {
		c.d.hands.push(t, inTurn)
	}
	c.next()
}

// next lets torrents be hashed as long as there is room for another one.
func (c *checks) next() {
	for {
		c.mu.Lock()
		if !c.hasRoom() {
			c.mu.Unlock()
			return
		}
		t := c.waiting[0]
		c.waiting = slices.Delete(c.waiting, 0, 1)
		c.running = append(c.running, t)
		c.mu.Unlock()
		t.setCheck(checkGranted)
		c.d.hands.push(t, atOnce)
	}
}

// setCheck records how far the hashing of a torrent is.
func (t *Torrent) setCheck(now check) {
	t.mu.Lock()
	t.drive.check = now
	t.mu.Unlock()
	t.changed(swarm.ChangedState)
}

// startCheck has the content hashed, now that it is the turn of the torrent.
func (t *Torrent) startCheck() {
	t.life.Lock()
	t.mu.Lock()
	run, verify := t.run, t.drive.verify
	runs := t.drive.aim == aimRun && !t.drive.failed
	if t.drive.needs > 0 && !runs {
		verify = verify || run != nil && run.State().CheckHeld
	}
	t.drive.verify, t.drive.looks = false, verify
	pause := t.drive.running && !runs
	t.mu.Unlock()
	var err error
	if run != nil && verify {
		if pause { // first, since that would hold up the check
			err = run.Pause()
			t.setRunning(false)
		}
		err = errors.Join(err, run.Recheck())
	}
	if run != nil && err == nil && runs {
		t.resume(run)
	}
	t.life.Unlock()
	if run == nil || err != nil || !runs && !verify {
		t.daemon.checks.release(t)
		return
	}
	t.setCheck(checkRunning)
	t.endCheck(run)
}

// setRunning records that the torrent was resumed or paused.
func (t *Torrent) setRunning(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drive.running = on
	t.drive.touched = time.Now()
}

// endCheck gives the turn to the next torrent if this one is not being hashed any more.
func (t *Torrent) endCheck(run *swarm.Torrent) {
	t.mu.Lock()
	running := t.drive.check == checkRunning
	t.mu.Unlock()
	if running && run.State().Phase != swarm.Checking {
		t.daemon.checks.release(t)
	}
}
