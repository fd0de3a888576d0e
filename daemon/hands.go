package daemon

import (
	"context"
	"errors"
	"sync"
	"time"

	"swarmnode/swarm"
)

const (
	// handsCount is how many torrents are opened, closed, paused or resumed at one time.
	handsCount = 4
	// openingMax is how many torrents may be open of which the files are not known yet, and
	// openPatience how long a hand waits for one of them before it opens another one all the
	// same. A file system that hangs holds up nobody for longer.
	openingMax   = 128
	openPatience = 5 * time.Second
)

// hands bring torrents nearer to their aims, a few at a time. They are safe for concurrent
// use.
type hands struct {
	mu     sync.Mutex
	urgent []*Torrent // what users wait for
	queue  []*Torrent
	short  []*Torrent // the memory limit left no room for them
	wake   chan struct{}
	places chan struct{} // one for each torrent of which the files are not known yet
}

func newHands() *hands {
	return &hands{wake: make(chan struct{}, handsCount), places: make(chan struct{}, openingMax)}
}

// takePlace waits until few torrents are being opened, but not for longer than openPatience. It
// reports whether there is a place to give back.
func (h *hands) takePlace(ctx context.Context) bool {
	select {
	case h.places <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(openPatience)
	defer timer.Stop()
	select {
	case h.places <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// givePlace ends takePlace.
func (h *hands) givePlace() { <-h.places }

// A haste says who waits for a torrent.
type haste bool

const (
	inTurn haste = false
	atOnce haste = true // before those that nobody waits for
)

// push puts a torrent into the queue, unless it is there.
func (h *hands) push(t *Torrent, when haste) {
	t.mu.Lock()
	there := t.drive.queued
	t.drive.queued = true
	t.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case when == atOnce:
		h.urgent = append(h.urgent, t) // it may be in the other queue, too, which is harmless
	case there:
		return
	default:
		h.queue = append(h.queue, t)
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// pop returns the next torrent, or nil.
func (h *hands) pop() *Torrent {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, q := range []*[]*Torrent{&h.urgent, &h.queue} {
		if len(*q) > 0 {
			t := (*q)[0]
			(*q)[0] = nil
			*q = (*q)[1:]
			return t
		}
	}
	return nil
}

// putOff remembers a torrent for which there is no memory.
func (h *hands) putOff(t *Torrent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.short = append(h.short, t)
}

// retry puts those that were put off into the queue again.
func (h *hands) retry() {
	h.mu.Lock()
	short := h.short
	h.short = nil
	h.mu.Unlock()
	for _, t := range short {
		h.push(t, inTurn)
	}
}

// run is one hand, until ctx ends.
func (h *hands) run(ctx context.Context) {
	for {
		t := h.pop()
		if t == nil {
			select {
			case <-h.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		if ctx.Err() != nil {
			return
		}
		t.mu.Lock()
		t.drive.queued = false
		t.mu.Unlock()
		t.approach(ctx)
	}
}

// wake lets the torrent run: it is opened if it is not, and resumed once its content is known.
// It returns at once.
func (t *Torrent) wake(when haste) {
	t.mu.Lock()
	same := t.drive.aim == aimRun && !t.drive.failed && t.drive.why == ""
	t.drive.aim, t.drive.why = aimRun, ""
	needs := !t.drive.removed && (!same || t.run == nil || !t.drive.running)
	t.mu.Unlock()
	if !same {
		t.changed(swarm.ChangedState)
	}
	if needs {
		t.daemon.hands.push(t, when)
	}
}

// rest ends all traffic of the torrent. why is what users see; it is empty if they want it
// themselves. It returns at once.
func (t *Torrent) rest(why string, when haste) {
	t.mu.Lock()
	same := t.drive.aim == aimRest && t.drive.why == why
	t.drive.aim, t.drive.why, t.drive.short = aimRest, why, false
	needs := t.run != nil && t.drive.running
	t.mu.Unlock()
	if !same {
		t.changed(swarm.ChangedState)
	}
	if needs {
		t.daemon.hands.push(t, when)
	}
}

// approach does the next step towards the aim of the torrent.
func (t *Torrent) approach(ctx context.Context) {
	t.mu.Lock()
	aim, failed, removed := t.drive.aim, t.drive.failed, t.drive.removed
	run, verify := t.run, t.drive.verify
	granted := t.drive.check == checkGranted
	needed, running := t.drive.needs > 0, t.drive.running
	t.mu.Unlock()
	switch {
	case removed:
	case granted:
		t.startCheck()
	case aim == aimRest && !verify:
		if run != nil && (running || !needed) { // a pause would hold up the check
			t.pause()
		}
		if needed {
			t.proceed()
		}
	case failed && !verify:
		if needed {
			t.proceed()
		}
	default:
		t.bring(ctx)
	}
}

// pause ends the traffic of an open torrent that is to rest.
func (t *Torrent) pause() {
	t.life.Lock()
	defer t.life.Unlock()
	t.mu.Lock()
	run, rests := t.run, t.drive.aim == aimRest
	t.mu.Unlock()
	if run == nil || !rests {
		return
	}
	if run.Pause() != nil {
		return
	}
	t.setRunning(false)
	t.mu.Lock()
	goesOn := t.drive.check == checkRunning && (t.drive.looks || t.drive.needs > 0)
	t.mu.Unlock()
	if !goesOn || run.Recheck() != nil { // which goes on with the check
		t.daemon.checks.release(t)
	}
	t.changed(swarm.ChangedState)
}

// bring opens a torrent, and resumes it or has its content hashed if its files are known. If not,
// observe has it brought again.
func (t *Torrent) bring(ctx context.Context) {
	placed := t.opened() == nil && t.daemon.hands.takePlace(ctx)
	_, err := t.open(ctx)
	if placed {
		t.holdPlace()
	}
	switch {
	case errors.Is(err, swarm.ErrMemory):
		t.putOff()
		return
	case err != nil:
		if ctx.Err() == nil && !errors.Is(err, ErrRemoved) {
			t.fail(err)
		}
		return
	}
	t.proceed()
}

// holdPlace keeps a place of the hands until the files of the torrent are known.
func (t *Torrent) holdPlace() {
	t.mu.Lock()
	waits := t.drive.files != nil && !t.drive.placed && t.rec.Shown.HaveInfo
	t.drive.placed = t.drive.placed || waits
	t.mu.Unlock()
	if !waits {
		t.daemon.hands.givePlace()
	}
}

// knowFiles records that the files of the torrent are known, or will not be. t.mu is held.
func (t *Torrent) knowFiles() {
	if t.drive.files != nil {
		close(t.drive.files)
		t.drive.files = nil
	}
	if t.drive.placed {
		t.drive.placed = false
		t.daemon.hands.givePlace()
	}
}

// putOff records that the memory limit leaves no room for the torrent.
func (t *Torrent) putOff() {
	t.mu.Lock()
	news := !t.drive.short
	t.drive.short = true
	t.mu.Unlock()
	if news {
		t.changed(swarm.ChangedState)
	}
	t.daemon.hands.putOff(t)
}

// proceed resumes a torrent whose files are open, or queues it to be hashed. It does nothing
// while the files are not known.
func (t *Torrent) proceed() {
	t.life.Lock()
	defer t.life.Unlock()
	t.mu.Lock()
	run := t.run
	wants := t.drive.aim == aimRun && !t.drive.failed
	needed := t.drive.needs > 0
	verify, hasInfo := t.drive.verify, t.rec.Shown.HaveInfo
	t.mu.Unlock()
	if run == nil {
		return
	}
	s := run.State()
	switch {
	case s.Phase >= swarm.Failed:
	case verify && run.Info() != nil, (wants || needed) && s.CheckHeld:
		t.daemon.checks.request(t)
	case wants && (s.Dir != "" || !hasInfo):
		t.resume(run)
	}
}

// resume lets an open torrent run. t.life is held.
func (t *Torrent) resume(run *swarm.Torrent) {
	t.mu.Lock()
	already := t.drive.running
	t.mu.Unlock()
	if already || run.Resume() != nil {
		return
	}
	t.mu.Lock()
	t.drive.running, t.drive.short = true, false
	t.drive.started = time.Now()
	t.mu.Unlock()
	t.changed(swarm.ChangedState)
}
