package webseed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

const (
	// runMax bounds the bytes of a run. It is so long that the time of a request does not
	// matter, and so short that urgent pieces come soon. Where fewer runs are under way at
	// a time, runs are longer.
	runMax = 4 << 20
	// gatherTime is how long the first request of a run waits for more requests, unless
	// there are gatherEnough bytes of them. The requests of one decision come within that
	// time.
	gatherTime   = 2 * time.Millisecond
	gatherEnough = 1 << 20

	// The pause after failures of the server in a row grows fourfold with each failure,
	// from the first to the last. During short pauses requests wait; before the others
	// they are rejected.
	pauseFirst = 250 * time.Millisecond
	pauseShort = 1250 * time.Millisecond
	pauseLast  = 10 * time.Minute
	// failuresMax is how many failures in a row a server is forgiven. It may be down for a
	// quarter of an hour.
	failuresMax = 8
	// widenFirst and widenLast bound the time after which one more run is tried on a
	// server that refused another connection.
	widenFirst = 15 * time.Second
	widenLast  = 16 * time.Minute
	// absentRow is how many files in a row may be missing before requests come only at the
	// pace of absentPause.
	absentRow   = 8
	absentPause = 100 * time.Millisecond
)

// times are the waits of a Conn, which tests make shorter.
type times struct{ answer, block, pause, file, absent time.Duration }

// A pace says how many runs a server accepts at a time. The mutex of its Conn guards it.
type pace struct {
	active int // runs under way
	limit  int // of them
	since  time.Time
	widen  time.Duration // after which limit grows
}

// crowded records that a run was refused while others are under way. It reports false if
// no other run is.
func (p *pace) crowded(now time.Time) bool {
	if p.active == 0 {
		return false
	}
	p.limit = min(p.limit, p.active)
	p.since, p.widen = now, min(max(2*p.widen, widenFirst), widenLast)
	return true
}

// smooth records that a run was fetched.
func (p *pace) smooth(now time.Time) {
	if p.limit < fetchers && now.Sub(p.since) >= p.widen {
		p.limit++
		p.since = now
	}
}

// fetchAll fetches one run after the other.
func (c *Conn) fetchAll(ctx context.Context) {
	for {
		run, ordered := c.next(ctx)
		if run == nil {
			return
		}
		done, err := c.fetch(ctx, run)
		if errors.Is(err, errFar) && !ordered {
			err = errEarly
		}
		c.finishRun(ctx, run[done:], done > 0, err)
		signal(c.wake)
	}
}

// finishRun takes the outcome of a run: rest was not fetched, and moved says whether some
// blocks came.
func (c *Conn) finishRun(ctx context.Context, rest []block.Ref, moved bool, err error) {
	var bad fileError
	ofFile := errors.As(err, &bad)
	c.mu.Lock()
	c.pace.active--
	if moved {
		c.failures, c.absent = 0, 0
	}
	switch {
	case err == nil:
		if !c.inOrder {
			c.pace.smooth(time.Now())
		}
		well := c.why != nil
		c.why = nil
		c.mu.Unlock()
		if well {
			c.changed()
		}
	case moved && !ofFile, errors.Is(err, errEarly), c.crowded(err):
		c.requests = slices.Concat(rest, c.requests)
		c.mu.Unlock()
		c.cfg.Logger.Debug("web seed", "peer", c, "err", err, "dur", time.Duration(0))
	case ofFile:
		c.mu.Unlock()
		if errors.Is(err, errFar) {
			// Others may have it. If nobody has, the way there is read next time.
			bad.err = errNoRanges
		}
		c.failFile(ctx, bad, rest)
	default:
		c.mu.Unlock()
		c.fail(ctx, rest, err)
	}
}

// crowded handles a failure that may mean that too many runs are under way. It reports
// false if the failure cannot mean that. Conn.mu is held.
func (c *Conn) crowded(err error) bool {
	return crowds(err) && !c.paused && c.pace.crowded(time.Now())
}

// crowds reports whether a failure may mean that the server, or one to which it redirects,
// accepts no more connections.
func crowds(err error) bool {
	var s statusError
	var bad fileError
	switch {
	case errors.As(err, &bad):
		return elsewhere(err)
	case errors.As(err, &s):
		return s.status == http.StatusTooManyRequests ||
			s.status == http.StatusServiceUnavailable || s.status == statusBandwidth
	}
	return !errors.Is(err, context.Canceled)
}

// next waits for requests and returns a run of them, or nil at the end. It reports whether
// the run is the next one in order on a server without ranges.
func (c *Conn) next(ctx context.Context) (run []block.Ref, ordered bool) {
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return nil, false
		}
		c.mu.Lock()
		ready := c.ready() >= gatherEnough
		c.mu.Unlock()
		if !ready && !wait(ctx, gatherTime) {
			return nil, false
		}
		c.mu.Lock()
		run, ordered = c.take(), c.inOrder
		more := len(c.requests) > 0 && c.mayTake()
		c.mu.Unlock()
		if more {
			signal(c.wake)
		}
		if run != nil {
			return run, ordered
		}
	}
}

// ready returns how many contiguous bytes wait, from the oldest request on.
func (c *Conn) ready() (bytes int64) {
	for i, r := range c.requests {
		if i > 0 && c.offset(r) != c.offset(c.requests[i-1])+int64(c.requests[i-1].Length) {
			break
		}
		if bytes += int64(r.Length); bytes >= gatherEnough {
			break
		}
	}
	return bytes
}

// mayTake reports whether another run may begin.
func (c *Conn) mayTake() bool { return !c.paused && !c.held && c.pace.active < c.pace.limit }

// take takes the oldest request and those that continue it. On a server without ranges it
// starts with the next request from the place that was reached.
func (c *Conn) take() []block.Ref {
	if !c.mayTake() || len(c.requests) == 0 {
		return nil
	}
	if c.inOrder {
		c.sort()
	}
	run := []block.Ref{c.requests[0]}
	end := c.offset(run[0]) + int64(run[0].Length)
	size := int64(run[0].Length)
	rest := c.requests[:0]
	most := int64(runMax * fetchers / c.pace.limit)
	for _, r := range c.requests[1:] {
		if c.offset(r) == end && size+int64(r.Length) <= most {
			run = append(run, r)
			end += int64(r.Length)
			size += int64(r.Length)
			continue
		}
		rest = append(rest, r)
	}
	c.requests = rest
	c.pace.active++
	return run
}

// sort sorts the requests by their order in the answer under way. Requests for places
// before it come last.
func (c *Conn) sort() {
	slices.SortFunc(c.requests, func(a, b block.Ref) int {
		return int(min(max(c.offset(a)-c.offset(b), -1), 1))
	})
	if c.kept == nil {
		return
	}
	at := c.layout.Files[c.kept.file].Offset + c.kept.at
	if i := slices.IndexFunc(c.requests, func(r block.Ref) bool {
		return c.offset(r) >= at
	}); i > 0 {
		c.requests = slices.Concat(c.requests[i:], c.requests[:i])
	}
}

// readOn records that the server knows no ranges: runs are fetched one by one, and pieces
// should be requested in order.
func (c *Conn) readOn() {
	c.mu.Lock()
	first := !c.inOrder
	c.inOrder, c.pace.limit = true, 1
	c.mu.Unlock()
	if first {
		c.queue(wire.Message{ID: wire.Suggest})
	}
}

// knowsRanges records that the server does know ranges: a cache may have needed to fill
// itself first.
func (c *Conn) knowsRanges() {
	c.mu.Lock()
	c.inOrder = false
	c.mu.Unlock()
}

// mayGoFar reports whether a long part of a file may be read and dropped on a server
// without ranges, because no other peer gave the pieces behind it when they were taken
// back.
func (c *Conn) mayGoFar(file int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ft := c.faults.files[file]
	return ft != nil && errors.Is(ft.err, errNoRanges)
}

// keep keeps an answer for the next run, in place of an earlier one.
func (c *Conn) keep(a *answer) {
	c.mu.Lock()
	old := c.kept
	c.kept = a
	c.mu.Unlock()
	if old != nil {
		old.close()
	}
}

// takeKept takes the kept answer, or returns nil.
func (c *Conn) takeKept() *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.kept
	c.kept = nil
	return a
}

func (c *Conn) offset(r block.Ref) int64 {
	return c.layout.PieceOffset(int(r.Piece)) + int64(r.Begin)
}

// failFile takes back the pieces of a failed file for a while. The other requests of the
// run wait again.
func (c *Conn) failFile(ctx context.Context, bad fileError, rest []block.Ref) {
	later, most := c.times.file, fileLaterMax
	if lasting(bad.err) {
		later, most = c.times.absent, fileAbsentMax
	}
	c.mu.Lock()
	var say []wire.Message
	fresh := c.faults.add(bad.file, bad.err, later, most)
	if fresh {
		first, end := c.layout.FilePieces(bad.file)
		say = c.faults.change(c.layout, first, end)
		c.absent++
	}
	c.requests = slices.Concat(rest, c.requests)
	say = append(say, c.rejectLacking()...)
	slow := c.absent > absentRow
	c.why = bad.err
	c.mu.Unlock()
	c.changed()
	c.queue(say...)
	if !fresh {
		return
	}
	c.cfg.Logger.Debug("web seed", "peer", c, "file", c.layout.FilePath(bad.file), "err", bad.err)
	if c.cfg.Failed != nil && !errors.Is(bad.err, errNoRanges) { // which comes later
		c.cfg.Failed(bad.file, fmt.Errorf("%v: %w", c, bad.err))
	}
	if slow {
		wait(ctx, absentPause)
	}
}

// rejectLacking removes the requests for pieces that the server lacks, and returns the
// answers to them. Conn.mu is held.
func (c *Conn) rejectLacking() (rejects []wire.Message) {
	c.requests = slices.DeleteFunc(c.requests, func(r block.Ref) bool {
		lacks := c.faults.lacks(c.layout, int(r.Piece))
		if lacks {
			rejects = append(rejects, wire.Message{ID: wire.Reject, Ref: r})
		}
		return lacks
	})
	return rejects
}

// ErrWrong is why a Conn is closed when everything that the server has is wrong.
var ErrWrong = errors.New("all data of the web seed is wrong")

// Distrust says that n pieces from first on came with wrong data. They are no longer
// offered, and the Conn is closed when no piece is left. It does not block.
func (c *Conn) Distrust(first, n int) {
	c.mu.Lock()
	c.faults.distrust(c.layout, first, n)
	say := c.faults.change(c.layout, first, min(first+n, c.layout.Pieces()))
	say = append(say, c.rejectLacking()...)
	none := c.faults.wrong.All()
	c.mu.Unlock()
	c.queue(say...)
	if none {
		c.Close(ErrWrong)
	}
}

// fail leaves a failed server alone for a while, or gives it up.
func (c *Conn) fail(ctx context.Context, run []block.Ref, err error) {
	c.mu.Lock()
	if c.paused || c.held || ctx.Err() != nil {
		c.requests = slices.Concat(run, c.requests)
		var rejects []wire.Message
		if !c.held {
			rejects = c.rejectAll()
		}
		c.mu.Unlock()
		c.queue(rejects...)
		return
	}
	pause := c.pause(err)
	c.why, c.until = err, time.Now().Add(pause)
	c.cfg.Logger.Debug("web seed", "peer", c, "err", err, "dur", pause)
	if c.failures > failuresMax {
		c.mu.Unlock()
		c.Close(fmt.Errorf("web seed %v: %w", c, err))
		return
	}
	c.requests = slices.Concat(run, c.requests)
	if pause <= pauseShort {
		c.held = true
		c.mu.Unlock()
		wait(ctx, pause)
		c.mu.Lock()
		c.held = false
		c.mu.Unlock()
		return
	}
	c.paused = true
	rejects := c.rejectAll()
	c.mu.Unlock()
	c.changed()

	c.queue(wire.Message{ID: wire.Choke})
	c.queue(rejects...)
	if !wait(ctx, pause) {
		return
	}
	c.mu.Lock()
	c.paused = false
	c.mu.Unlock()
	c.changed()
	c.queue(wire.Message{ID: wire.Unchoke})
}

// rejectAll removes all requests, and returns the answers to them. Conn.mu is held.
func (c *Conn) rejectAll() (rejects []wire.Message) {
	for _, r := range c.requests {
		rejects = append(rejects, wire.Message{ID: wire.Reject, Ref: r})
	}
	c.requests = c.requests[:0]
	return rejects
}

// pause counts a failure and returns how long to leave the server alone.
func (c *Conn) pause(err error) time.Duration {
	c.failures++
	pause := min(pauseLast, c.times.pause<<(2*min(c.failures-1, failuresMax)))
	if retry := retryOf(err); retry > 0 {
		pause = min(max(retry, time.Second), pauseLast)
	}
	return pause + rand.N(pause/8+1)
}

// fetch fetches a run, and returns how many of its blocks it delivered.
func (c *Conn) fetch(ctx context.Context, run []block.Ref) (done int, err error) {
	last := run[len(run)-1]
	start := c.offset(run[0])
	length := int(c.offset(last) + int64(last.Length) - start)
	s := &stream{c: c, ctx: ctx}
	for span := range c.layout.Spans(start, length) {
		s.spans = append(s.spans, span)
	}
	defer s.end()
	for _, r := range run {
		s.hold()
		buf, err := c.cfg.Pool.Get(ctx)
		if err != nil {
			return done, err
		}
		buf.Resize(int(r.Length))
		s.goOn()
		if err := c.fill(s, buf.Bytes()); err != nil {
			buf.Release()
			return done, err
		}
		s.hold()
		c.deliver(r, buf)
		done++
	}
	return done, nil
}

// fill reads a block, within the rate limit.
func (c *Conn) fill(s *stream, b []byte) error {
	for len(b) > 0 {
		n, err := s.Read(b[:min(len(b), c.cfg.Down.Quantum())])
		if err != nil {
			return err
		}
		b = b[n:]
		s.hold() // the wait is ours, not the server's
		if err := c.cfg.Down.WaitN(s.ctx, n); err != nil {
			return err
		}
		s.goOn()
	}
	return nil
}

// wait waits, and reports false if ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
