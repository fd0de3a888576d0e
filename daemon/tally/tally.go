// Package tally counts what all torrents of a daemon do together, and remembers their speeds of
// the last hour, together and of each that moves something.
//
// It reads the feed of changes, so that a second in which nothing happens costs nothing, however
// many torrents there are. A Tally owns one goroutine.
package tally

import (
	"context"
	"errors"
	"sync"
	"time"

	"swarmnode/daemon"
)

const (
	// lookEvery is the time between two looks, and between two values of Seconds.
	lookEvery = time.Second
	// secondsMax values of Seconds are kept. minuteOf of them make one of Minutes, of which
	// minutesMax are kept: an hour.
	secondsMax = 60
	minuteOf   = 10
	minutesMax = 360
)

// A Sum is what the torrents do together. Sizes are bytes, rates bytes per second.
type Sum struct {
	Torrents int
	// Status counts the torrents by their status, Stalled those that should move something and
	// do not, Errors those with an error.
	Status          [daemon.Seeding + 1]int
	Stalled, Errors int
	// Peers counts the connections to peers, UTP those of them over uTP, Web those to web seeds,
	// Seeds those to whoever has everything.
	Peers, UTP, Web, Seeds int
	Size, Have, Left       int64
	// Wasted are useless bytes that were received, of all runs, by the reason.
	Wasted map[string]int64
}

// A Rate is the speed of all torrents together, in payload bytes per second, at one moment.
type Rate struct {
	Time     time.Time
	Down, Up int64
}

// part is what one torrent adds to the Sum.
type part struct {
	status         daemon.Status
	stalled, error bool
	peers          int32
	utp, web       int32
	seeds          int32
	size, have     int64
	left           int64
	waste          map[string]int64
}

// A Tally counts. Its methods are safe for concurrent use.
type Tally struct {
	daemon *daemon.Daemon
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu       sync.Mutex
	sum      Sum
	parts    map[daemon.ID]part
	seconds  []Rate // the oldest first
	minutes  []Rate
	last     Rate  // the latest; its Time is that of the last look
	down, up int64 // of the node at the last look

	histories histories
}

// New starts counting.
func New(d *daemon.Daemon) *Tally {
	t := newTally(d, time.Now())
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	t.wait.Go(func() { t.run(ctx) })
	return t
}

// newTally returns a Tally that nobody runs.
func newTally(d *daemon.Daemon, now time.Time) *Tally {
	return &Tally{daemon: d, parts: make(map[daemon.ID]part), last: Rate{Time: now},
		sum: Sum{Wasted: make(map[string]int64)}, histories: newHistories()}
}

// Close ends the counting.
func (t *Tally) Close() {
	t.cancel()
	t.wait.Wait()
}

// run follows the daemon until ctx ends.
func (t *Tally) run(ctx context.Context) {
	changes := t.daemon.Subscribe(0)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	now, cancel := context.WithCancel(context.Background())
	cancel() // so that Next does not wait
	for {
		c, err := changes.Next(now)
		switch {
		case err == nil:
			t.take(&c, time.Now())
		case errors.Is(err, daemon.ErrClosed):
			return
		}
		select {
		case at := <-tick.C:
			down, up := t.daemon.Node().Traffic()
			t.speed(at, down, up)
		case <-ctx.Done():
			return
		}
	}
}

// take counts changes.
func (t *Tally) take(c *daemon.Changes, now time.Time) {
	parts, rates := make([]part, len(c.Torrents)), make([][2]int64, len(c.Torrents))
	for i, change := range c.Torrents {
		s := change.Torrent.State()
		parts[i], rates[i] = partOf(&s), [2]int64{s.DownRate, s.UpRate}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.Reset {
		clear(t.parts)
		t.sum = Sum{Wasted: make(map[string]int64)}
	}
	for _, id := range c.Removed {
		t.replace(id, nil)
		delete(t.histories.by, id)
	}
	for i, change := range c.Torrents {
		t.replace(change.Torrent.ID(), &parts[i])
		t.histories.set(now, change.Torrent.ID(), rates[i][0], rates[i][1])
	}
	if c.Reset {
		t.histories.retain(t.parts)
	}
}

// partOf returns what a torrent adds.
func partOf(s *daemon.State) part {
	return part{status: s.Status, stalled: s.Stalled, error: s.Error != "",
		peers: int32(s.Swarm.PeersHere), utp: int32(s.Swarm.PeersUTP),
		web:   int32(s.Swarm.PeersConnected - s.Swarm.PeersHere),
		seeds: int32(s.Swarm.SeedsConnected), size: s.Size, have: s.Have, left: s.Left,
		waste: s.Totals.Waste}
}

// replace counts another part of a torrent; nil if it is gone. t.mu is held.
func (t *Tally) replace(id daemon.ID, by *part) {
	if before, ok := t.parts[id]; ok {
		t.add(&before, -1)
		delete(t.parts, id)
	}
	if by != nil {
		t.add(by, 1)
		t.parts[id] = *by
	}
}

// add adds a part, or takes it away if sign is -1. t.mu is held.
func (t *Tally) add(p *part, sign int) {
	s := &t.sum
	s.Torrents += sign
	if int(p.status) < len(s.Status) {
		s.Status[p.status] += sign
	}
	if p.stalled {
		s.Stalled += sign
	}
	if p.error {
		s.Errors += sign
	}
	s.Peers += sign * int(p.peers)
	s.UTP += sign * int(p.utp)
	s.Web += sign * int(p.web)
	s.Seeds += sign * int(p.seeds)
	s.Size += int64(sign) * p.size
	s.Have += int64(sign) * p.have
	s.Left += int64(sign) * p.left
	for reason, n := range p.waste {
		s.Wasted[reason] += int64(sign) * n
	}
}

// speed records how many bytes the node has moved until now.
func (t *Tally) speed(now time.Time, down, up int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	elapsed := now.Sub(t.last.Time).Seconds()
	if elapsed <= 0 {
		return
	}
	rate := Rate{now, int64(float64(down-t.down) / elapsed), int64(float64(up-t.up) / elapsed)}
	t.last, t.down, t.up = rate, down, up
	t.histories.tidy(now)
	t.seconds = append(t.seconds, rate)
	if len(t.seconds)%minuteOf == 0 {
		mean := Rate{Time: now}
		for _, r := range t.seconds[len(t.seconds)-minuteOf:] {
			mean.Down += r.Down
			mean.Up += r.Up
		}
		mean.Down /= minuteOf
		mean.Up /= minuteOf
		if t.minutes = append(t.minutes, mean); len(t.minutes) > minutesMax {
			t.minutes = append(t.minutes[:0], t.minutes[1:]...)
		}
	}
	if len(t.seconds) == secondsMax+minuteOf {
		t.seconds = append(t.seconds[:0], t.seconds[minuteOf:]...)
	}
}

// Sum returns the sum, as of a second ago.
func (t *Tally) Sum() Sum {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.sum
	sum.Wasted = make(map[string]int64, len(t.sum.Wasted))
	for reason, n := range t.sum.Wasted {
		if n != 0 {
			sum.Wasted[reason] = n
		}
	}
	return sum
}

// Rate returns the speed of the last second.
func (t *Tally) Rate() Rate {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// History returns the speeds of the last minute by seconds, and those of the last hour by tens
// of seconds, the oldest first.
func (t *Tally) History() (seconds, minutes []Rate) {
	t.mu.Lock()
	defer t.mu.Unlock()
	seconds = append(seconds, t.seconds[max(0, len(t.seconds)-secondsMax):]...)
	return seconds, append(minutes, t.minutes...)
}
