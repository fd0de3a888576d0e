package webseed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/guard"
	"swarmnode/swarm/wire"
)

const (
	// runMax bounds the bytes of a run: long enough that the time of a request
	// does not count, short enough that what is wanted now comes soon.
	runMax = 4 << 20
	// gatherTime is how long the first request of a run waits for more, unless
	// there are gatherEnough bytes in it: those of one decision come within it.
	gatherTime   = 2 * time.Millisecond
	gatherEnough = 1 << 20
	// answerTimeout bounds the time until the head of an answer has come.
	answerTimeout = 20 * time.Second
	// blockTimeout bounds the time that a server takes for each block, our own
	// pauses not counted.
	blockTimeout = 30 * time.Second
	// skipMax bounds the bytes that are read in vain at the start of a file
	// from a server that knows no ranges. It is enough for small files.
	skipMax = 1 << 20

	// The pause after a failure doubles from the first to the last. A failure
	// that waiting will hardly mend counts as lastingWeight others.
	pauseFirst    = 5 * time.Second
	pauseLast     = 10 * time.Minute
	lastingWeight = 3
	// failuresMax is the weight of failures in a row with which a server is
	// given up: it may be down for a quarter of an hour, or say four times
	// that it does not have a file.
	failuresMax = 10
)

// times are the waits of a Conn, which tests make shorter.
type times struct{ answer, block, pause time.Duration }

// The failures of servers.
var (
	errTooLittle = errors.New("less data than was asked for")
	errTooMuch   = errors.New("more data than was asked for")
	errRange     = errors.New("another range than was asked for")
	errNoRanges  = errors.New("the server knows no ranges")
	errLength    = errors.New("the file has another length than the torrent says")
	errEncoding  = errors.New("an encoding that was not asked for")
	errSlow      = errors.New("the server is too slow")
)

// A statusError is an HTTP status that is no success.
type statusError struct {
	status int
	retry  time.Duration // as the server wishes; 0: not said
}

func (e statusError) Error() string { return fmt.Sprintf("HTTP status %d", e.status) }

// lasting tells whether waiting will hardly mend a failure.
func lasting(err error) bool {
	var s statusError
	if errors.As(err, &s) {
		switch s.status {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			return false
		case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
			return true
		}
		return s.status < 500
	}
	for _, e := range []error{errTooMuch, errRange, errNoRanges, errLength, errEncoding, guard.ErrRefused} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// fetchAll fetches one run after the other.
func (c *Conn) fetchAll(ctx context.Context) {
	for {
		run := c.next(ctx)
		if run == nil {
			return
		}
		done, err := c.fetch(ctx, run)
		if done > 0 {
			c.mu.Lock()
			c.failures = 0
			c.mu.Unlock()
		}
		if err != nil {
			c.fail(ctx, run[done:], err)
		}
	}
}

// next waits for requests and returns a run of them; nil at the end.
func (c *Conn) next(ctx context.Context) []block.Ref {
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return nil
		}
		c.mu.Lock()
		ready := c.ready() >= gatherEnough
		c.mu.Unlock()
		if !ready && !wait(ctx, gatherTime) {
			return nil
		}
		c.mu.Lock()
		run := c.take()
		more := len(c.requests) > 0
		c.mu.Unlock()
		if more {
			signal(c.wake)
		}
		if run != nil {
			return run
		}
	}
}

// ready returns how many bytes in a row wait, the oldest request first.
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

// take takes the oldest request, and those that go on from it.
func (c *Conn) take() []block.Ref {
	if c.paused || len(c.requests) == 0 {
		return nil
	}
	run := []block.Ref{c.requests[0]}
	end := c.offset(run[0]) + int64(run[0].Length)
	size := int64(run[0].Length)
	rest := c.requests[:0]
	for _, r := range c.requests[1:] {
		if c.offset(r) == end && size+int64(r.Length) <= runMax {
			run = append(run, r)
			end += int64(r.Length)
			size += int64(r.Length)
			continue
		}
		rest = append(rest, r)
	}
	c.requests = rest
	return run
}

func (c *Conn) offset(r block.Ref) int64 {
	return c.layout.PieceOffset(int(r.Piece)) + int64(r.Begin)
}

// fail answers for a run that failed: its requests are rejected, and the server
// is left alone for a while, or given up.
func (c *Conn) fail(ctx context.Context, run []block.Ref, err error) {
	rejects := make([]wire.Message, 0, len(run))
	for _, r := range run {
		rejects = append(rejects, wire.Message{ID: wire.Reject, Ref: r})
	}
	c.mu.Lock()
	if c.paused || ctx.Err() != nil {
		c.mu.Unlock()
		c.queue(rejects...)
		return
	}
	pause := c.pause(err)
	c.cfg.Logger.Debug("web seed", "peer", c, "err", err, "dur", pause)
	if c.failures > failuresMax {
		c.mu.Unlock()
		c.Close(fmt.Errorf("web seed %v: %w", c, err))
		return
	}
	c.paused = true
	for _, r := range c.requests {
		rejects = append(rejects, wire.Message{ID: wire.Reject, Ref: r})
	}
	c.requests = c.requests[:0]
	c.mu.Unlock()

	c.queue(wire.Message{ID: wire.Choke})
	c.queue(rejects...)
	if !wait(ctx, pause) {
		return
	}
	c.mu.Lock()
	c.paused = false
	c.mu.Unlock()
	c.queue(wire.Message{ID: wire.Unchoke})
}

// pause counts a failure and returns how long to leave the server alone.
func (c *Conn) pause(err error) time.Duration {
	if lasting(err) {
		c.failures += lastingWeight
	} else {
		c.failures++
	}
	pause := min(pauseLast, c.times.pause<<min(c.failures, failuresMax)/2)
	var s statusError
	if errors.As(err, &s) && s.retry > 0 {
		pause = min(max(s.retry, time.Second), pauseLast)
	}
	return pause + rand.N(pause/8+1)
}

// fetch fetches a run, and returns how many of its blocks were delivered.
func (c *Conn) fetch(ctx context.Context, run []block.Ref) (done int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(c.times.answer, func() { cancel(errSlow) })
	defer watch.Stop()
	last := run[len(run)-1]
	start := c.offset(run[0])
	length := int(c.offset(last) + int64(last.Length) - start)
	s := &stream{c: c, ctx: ctx, watch: watch}
	for span := range c.layout.Spans(start, length) {
		s.spans = append(s.spans, span)
	}
	defer s.close()
	var end error
	for _, r := range run {
		watch.Stop()
		buf, err := c.cfg.Pool.Get(ctx)
		if err != nil {
			return done, err
		}
		buf.Resize(int(r.Length))
		watch.Reset(c.times.block)
		if err := c.fill(s, buf.Bytes()); err != nil {
			buf.Release()
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return done, err
		}
		if done == len(run)-1 {
			// The end is looked at before the last block goes out: a server
			// that goes on after it is not one to ask again.
			end = s.finish()
		}
		watch.Stop()
		c.deliver(r, buf)
		done++
	}
	return done, end
}

// fill reads a block, within the rate limit.
func (c *Conn) fill(s *stream, b []byte) error {
	for len(b) > 0 {
		n, err := s.Read(b[:min(len(b), c.cfg.Down.Quantum())])
		b = b[n:]
		if n > 0 {
			s.watch.Stop() // the wait is ours, not the server's
			if err := c.cfg.Down.WaitN(s.ctx, n); err != nil {
				return err
			}
			s.watch.Reset(c.times.block)
		}
		if err != nil && len(b) > 0 {
			return err
		}
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

// A stream reads spans one after the other, each by a request of its own.
type stream struct {
	c     *Conn
	ctx   context.Context
	watch *time.Timer // ends ctx
	spans []metainfo.Span
	body  io.ReadCloser // of spans[0]; nil before its request
	left  int           // bytes of spans[0] that are missing
}

// Read reads from the span that is under way, or asks for the next.
func (s *stream) Read(p []byte) (int, error) {
	if s.body == nil {
		if len(s.spans) == 0 {
			return 0, errTooLittle
		}
		if err := s.open(s.spans[0]); err != nil {
			return 0, err
		}
		s.left = s.spans[0].Length
	}
	n, err := s.body.Read(p[:min(len(p), s.left)])
	s.left -= n
	switch {
	case s.left == 0 && len(s.spans) > 1:
		return n, s.finish()
	case s.left == 0:
		return n, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return n, errTooLittle
	case n == 0 && err == nil:
		return 0, io.ErrNoProgress
	}
	return n, err
}

// finish ends the span that is under way, all of which has been read. The
// connection can be used again if the answer ends there too.
func (s *stream) finish() error {
	if s.body == nil {
		return nil
	}
	var b [1]byte
	n, _ := s.body.Read(b[:])
	s.close()
	s.spans = s.spans[1:]
	if n > 0 {
		return errTooMuch
	}
	return nil
}

func (s *stream) close() {
	if s.body != nil {
		s.body.Close()
		s.body = nil
	}
}

// zeros is the content of padding files (BEP 47), which nobody stores.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// open asks for a span, and checks that the answer is what it ought to be.
func (s *stream) open(span metainfo.Span) error {
	file := &s.c.layout.Files[span.File]
	if file.Pad {
		s.body = io.NopCloser(io.LimitReader(zeros{}, int64(span.Length)))
		return nil
	}
	end := span.Offset + int64(span.Length) - 1
	u := s.c.files.file(span.File)
	answer, err := s.c.cfg.HTTP.Get(s.ctx, s.c.files.target(u, s.c.cfg.Stranger), guard.Any, http.Header{
		"Range": {fmt.Sprintf("bytes=%d-%d", span.Offset, end)},
		// Ranges of something compressed would be those of other bytes.
		"Accept-Encoding": {"identity"},
	})
	if err != nil {
		return err
	}
	if err := s.check(answer.Response, span, file.Length); err != nil {
		answer.Body.Close()
		return err
	}
	s.body = answer.Body
	if answer.StatusCode == http.StatusOK {
		if _, err := io.CopyN(io.Discard, s.body, span.Offset); err != nil {
			s.close()
			return errTooLittle
		}
		// What follows the span is as it should be.
		s.body = cut{io.LimitReader(s.body, int64(span.Length)), s.body}
	}
	s.watch.Reset(s.c.times.block)
	return nil
}

// A cut reads a part of a body.
type cut struct {
	io.Reader
	io.Closer
}

// check tells whether the head of an answer is right for a span of a file of
// length bytes.
func (s *stream) check(r *http.Response, span metainfo.Span, length int64) error {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return errEncoding
	}
	switch r.StatusCode {
	case http.StatusPartialContent:
		if !rangeIs(r.Header.Get("Content-Range"), span, length) {
			return errRange
		}
		return lengthIs(r.ContentLength, int64(span.Length))
	case http.StatusOK:
		if r.ContentLength >= 0 && r.ContentLength != length {
			return errLength
		}
		if span.Offset > skipMax {
			return errNoRanges
		}
		return nil
	}
	return statusError{r.StatusCode, retryAfter(r.Header.Get("Retry-After"))}
}

// lengthIs compares the announced length of a body, -1 if there was none.
func lengthIs(got, want int64) error {
	switch {
	case got > want:
		return errTooMuch
	case got >= 0 && got < want:
		return errTooLittle
	}
	return nil
}

// rangeIs tells whether a Content-Range (RFC 9110, section 14.4) is that of a
// span of a file of length bytes.
func rangeIs(s string, span metainfo.Span, length int64) bool {
	s, ok := strings.CutPrefix(s, "bytes ")
	part, total, cut := strings.Cut(s, "/")
	return ok && cut && (total == "*" || total == strconv.FormatInt(length, 10)) &&
		part == fmt.Sprintf("%d-%d", span.Offset, span.Offset+int64(span.Length)-1)
}

// retryAfter reads the header of that name: seconds, or a date. What makes no
// sense is as if not said.
func retryAfter(s string) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return max(time.Second, time.Duration(n)*time.Second)
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(time.Second, time.Until(at))
	}
	return 0
}
