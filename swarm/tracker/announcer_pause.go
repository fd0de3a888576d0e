package tracker

import (
	"context"
	"sync"
	"time"
)

// stoppedTimeout bounds how long a paused Announcer takes to tell one group of trackers
// that we have stopped.
const stoppedTimeout = 15 * time.Second

// A pause is whether an Announcer is paused, and the context of what it announces
// meanwhile. The zero pause is none. It is safe for concurrent use.
type pause struct {
	mu   sync.Mutex
	on   bool
	halt context.CancelFunc // of the announces since the last pause; nil without any
	ctx  context.Context
}

// begin starts a pause, and returns what ends the running announces. It reports false if
// there was a pause already.
func (p *pause) begin() (halt context.CancelFunc, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.on {
		return nil, false
	}
	p.on, halt = true, p.halt
	p.ctx, p.halt = nil, nil
	return halt, true
}

// end ends a pause, and reports whether there was one.
func (p *pause) end() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.on
	p.on = false
	return was
}

// isOn reports whether there is a pause.
func (p *pause) isOn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.on
}

// asking returns the context of an announce, which ends with parent or soon after the
// next pause begins.
func (p *pause) asking(parent context.Context) context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil {
		p.ctx, p.halt = context.WithCancel(parent)
	}
	return p.ctx
}

// Pause announces to all trackers that know us that we have stopped, and nothing else
// until Resume. Running announces have a moment to end. Pause does not wait for them.
func (a *Announcer) Pause() {
	halt, ok := a.pause.begin()
	if !ok {
		return
	}
	if halt != nil {
		time.AfterFunc(closeGrace, halt)
	}
	a.wakeAll()
}

// Resume announces to every tracker again, as one that has just started.
func (a *Announcer) Resume() {
	if a.pause.end() {
		a.wakeAll()
	}
}

// wakeAll makes all groups look at what has changed.
func (a *Announcer) wakeAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.swarms {
		p.wake()
	}
}

// rest tells the trackers of the group that we have stopped, because of a pause. The
// first announce after the pause is due at once.
func (g *tierGroup) rest() {
	ctx, cancel := context.WithTimeout(g.swarm.a.asking, stoppedTimeout)
	defer cancel()
	var stopping sync.WaitGroup
	g.stop(ctx, &stopping)
	stopping.Wait()
	if g.swarm.a.asking.Err() != nil {
		return // Close tells them
	}
	for _, r := range g.trackers() {
		clear(r.started[:])
	}
	g.plan.next = time.Time{}
}
