package swarm

import (
	"context"
	"errors"
	"sync"
	"time"

	"swarmnode/swarm/core"
)

// A gate holds up goroutines of a torrent while it is shut. The zero gate is open. It is
// safe for concurrent use.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // closed when the gate opens again; nil while it is open
	ctx    context.Context
	cancel context.CancelFunc // ends ctx when the gate shuts; nil without ctx
}

// shut shuts the gate, and reports whether it was open.
func (g *gate) shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != nil {
		return false
	}
	g.opened = make(chan struct{})
	if g.cancel != nil {
		g.cancel()
	}
	g.ctx, g.cancel = nil, nil
	return true
}

// open opens the gate, and reports whether it was shut.
func (g *gate) open() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened == nil {
		return false
	}
	close(g.opened)
	g.opened = nil
	return true
}

// isShut reports whether the gate is shut.
func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened != nil
}

// wait waits until the gate is open. The error is that of ctx.
func (g *gate) wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		opened := g.opened
		g.mu.Unlock()
		if opened == nil {
			return ctx.Err()
		}
		select {
		case <-opened:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// context returns a context that ends with parent, which is the same each time, or when
// the gate shuts next. It has ended already while the gate is shut.
func (g *gate) context(parent context.Context) context.Context {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.opened != nil:
		ctx, cancel := context.WithCancel(parent)
		cancel()
		return ctx
	case g.ctx == nil:
		g.ctx, g.cancel = context.WithCancel(parent)
	}
	return g.ctx
}

// Pause ends all traffic of the torrent until Resume: its peers leave, nobody is dialled
// or let in, and trackers hear "stopped" (BEP 3). What is stored stays, and so do its
// handle and its place in the swarm. A check of the content on disk stops, and goes on
// with Resume or Recheck. The error is ErrStopped after the end of the torrent.
func (t *Torrent) Pause() error {
	return t.command(func(now time.Time) error {
		t.loop.pause(now)
		return nil
	})
}

// Resume ends a Pause. The error is ErrStopped after the end of the torrent.
func (t *Torrent) Resume() error {
	return t.command(func(now time.Time) error {
		t.loop.resume(now)
		return nil
	})
}

// mayHash waits while a pause holds up the check of the content on disk. The error is that of
// ctx.
func (t *Torrent) mayHash(ctx context.Context) error {
	if !t.checks.isShut() {
		return ctx.Err()
	}
	if t.handle.holdUp(1) {
		t.changed(ChangedState)
	}
	err := t.checks.wait(ctx)
	if t.handle.holdUp(-1) {
		t.changed(ChangedState)
	}
	return err
}

// shutGates makes the torrent start paused.
func (t *Torrent) shutGates() {
	t.traffic.shut()
	t.checks.shut()
}

// pause ends the traffic of the torrent. Blocks that have come are kept.
func (l *loop) pause(now time.Time) {
	l.t.checks.shut()
	if !l.t.traffic.shut() {
		return
	}
	l.takeMail(now)
	l.core.Step(now, core.Event{Kind: core.Paused})
	l.search.pause()
	l.updateTrackers()
	l.trackers.pause()
	l.t.log.Info("paused")
}

// resume lets the torrent have traffic again.
func (l *loop) resume(now time.Time) {
	l.t.checks.open()
	if !l.t.traffic.open() {
		return
	}
	l.t.log.Info("resumed")
	l.core.Step(now, core.Event{Kind: core.Resumed})
	l.trackers.resume()
	l.search.resume(l.t.ctx, now, l.t.spec.Complete || l.core.Totals().Missing == 0)
}

// endedByPause reports whether a connection that ended with err was ended by a pause.
func endedByPause(err error) bool {
	var d dropped
	return errors.As(err, &d) && d.by(core.ReasonPaused)
}
