package webseed

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/guard"
)

const (
	// answerTimeout bounds the time until the head of an answer.
	answerTimeout = 20 * time.Second
	// blockTimeout bounds the time that a server takes for each block, without our own
	// pauses.
	blockTimeout = 30 * time.Second
	// endTimeout bounds the wait for the end of an answer whose useful bytes have all
	// come.
	endTimeout = time.Second
	// skipMax bounds the bytes that we read and drop to get from one place in a file to
	// another, on a server that knows no ranges. It is about what the start of a transfer
	// costs.
	skipMax = 1 << 20
	// cutMin is how many useful bytes an answer must bring for the rest to be requested
	// at once after it ends too early.
	cutMin = 1 << 10
)

// The failures of servers.
var (
	errTooLittle = errors.New("less data than was asked for")
	errRange     = errors.New("another range than was asked for")
	errNoRanges  = errors.New("the server knows no ranges")
	errLength    = errors.New("the file has another length than the torrent says")
	errEncoding  = errors.New("an encoding that was not asked for")
	errSlow      = errors.New("the server is too slow")
	// errFar says that a run does not go on from the place that a server without ranges
	// has reached.
	errFar = errors.New("too far to read on")
	// errEarly says that a run began before we knew that the server has no ranges.
	errEarly = errors.New("not the next run")
)

// A statusError is an HTTP status that means failure.
type statusError struct {
	status int
	retry  time.Duration // as the server wishes; 0: not said
}

func (e statusError) Error() string { return fmt.Sprintf("HTTP status %d", e.status) }

// retryOf returns how long the server wants us to wait, or 0 if it did not say.
func retryOf(err error) time.Duration {
	var s statusError
	errors.As(err, &s)
	return s.retry
}

// A fileError is a failure of one file, and not of the server.
type fileError struct {
	file int
	err  error
}

func (e fileError) Error() string { return e.err.Error() }
func (e fileError) Unwrap() error { return e.err }

// elsewhere reports whether the failure is that of a host to which the server redirects.
func elsewhere(err error) bool {
	var r *guard.RedirectError
	return errors.As(err, &r) && !errors.Is(err, guard.ErrRefused)
}

// ofServer reports whether an answer is about the server rather than about the requested
// file: it is overloaded, or the servers behind it are.
func ofServer(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		statusBandwidth:
		return true
	}
	return false
}

// statusBandwidth is the status that some servers send in place of 503.
const statusBandwidth = 509

// lasting reports whether waiting will hardly end the failure of a file.
func lasting(err error) bool {
	var s statusError
	if errors.As(err, &s) {
		return s.status != http.StatusInternalServerError
	}
	return !errors.Is(err, errTooLittle) && !errors.Is(err, errNoRanges) && !elsewhere(err)
}

// An answer is the body of an HTTP answer. It holds a file from at to end.
type answer struct {
	body   io.ReadCloser
	cancel context.CancelCauseFunc
	ctx    context.Context
	watch  *time.Timer // ends ctx when the server is too slow
	file   int
	at     int64 // offset in the file of what comes next
	end    int64
	whole  bool // it is of the whole file, although a part was asked for
	sized  bool // its length was announced
	got    int  // useful bytes
	kept   bool // it is of an earlier run
}

// Read reads the next bytes. It never reads beyond end.
func (a *answer) Read(p []byte) (int, error) {
	n, err := a.body.Read(p[:min(int64(len(p)), a.end-a.at)])
	a.at += int64(n)
	switch {
	case a.at == a.end && n > 0:
		return n, nil
	case n > 0 || err == nil:
		return n, err
	}
	if cause := context.Cause(a.ctx); cause != nil {
		return 0, cause
	}
	return 0, err
}

// skip reads up to an offset.
func (a *answer) skip(c *Conn, to int64) error {
	var scratch [block.Size]byte
	for a.at < to {
		n, err := a.Read(scratch[:min(to-a.at, int64(c.cfg.Down.Quantum()), block.Size)])
		a.watch.Stop()
		if wait := c.cfg.Down.WaitN(a.ctx, n); wait != nil {
			return wait
		}
		a.watch.Reset(c.times.block)
		if err != nil && a.at < to {
			return err
		}
	}
	return nil
}

// close ends the answer. The connection can be used again if all of the answer was read,
// and if the server says at once that it was all.
func (a *answer) close() {
	if a.at == a.end {
		a.watch.Reset(endTimeout)
		_, _ = a.body.Read(make([]byte, 1))
	}
	a.watch.Stop()
	a.body.Close()
	a.cancel(nil)
}

// A stream reads spans one after the other. It makes one request for each, or several when
// answers end too early.
type stream struct {
	c      *Conn
	ctx    context.Context
	spans  []metainfo.Span // that are missing
	answer *answer         // of spans[0]; nil before its request
}

// hold stops the clock while the server has to wait for us. goOn restarts it.
func (s *stream) hold() {
	if s.answer != nil {
		s.answer.watch.Stop()
	}
}

func (s *stream) goOn() {
	if s.answer != nil {
		s.answer.watch.Reset(s.c.times.block)
	}
}

// Read reads from the span under way, or requests the next one.
func (s *stream) Read(p []byte) (int, error) {
	for len(s.spans) > 0 {
		span := &s.spans[0]
		if s.c.layout.Files[span.File].Pad {
			n := min(len(p), span.Length)
			clear(p[:n]) // padding files (BEP 47) are on no server
			s.advance(n)
			return n, nil
		}
		if s.answer == nil {
			if err := s.open(*span); err != nil {
				return 0, err
			}
		}
		a := s.answer
		n, err := a.Read(p[:min(len(p), span.Length)])
		if n > 0 {
			a.got += n
			s.advance(n)
			return n, nil // an error will come again
		}
		if err == nil {
			err = io.ErrNoProgress
		}
		s.close()
		if again := (a.got >= cutMin || a.kept) && s.ctx.Err() == nil && !errors.Is(err,
			errSlow); !again {
			return 0, a.ended(err)
		}
	}
	return 0, errTooLittle
}

// ended returns the error that the early end of an answer stands for.
func (a *answer) ended(err error) error {
	switch {
	case errors.Is(err, io.EOF) && a.whole && !a.sized:
		return fileError{a.file, errLength}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errTooLittle
	}
	return err
}

// advance counts n bytes of the span as read.
func (s *stream) advance(n int) {
	span := &s.spans[0]
	span.Offset += int64(n)
	span.Length -= n
	a := s.answer
	if a != nil && a.at == a.end {
		s.close()
	}
	if span.Length > 0 {
		return
	}
	s.spans = s.spans[1:]
	if len(s.spans) == 0 || s.answer == nil || s.spans[0].File == s.answer.file {
		return
	}
	s.close()
}

// close ends the answer under way.
func (s *stream) close() {
	if s.answer != nil {
		s.answer.close()
		s.answer = nil
	}
}

// end ends the stream. It keeps an answer of a server without ranges for the next run.
func (s *stream) end() {
	if a := s.answer; a != nil && a.whole && s.ctx.Err() == nil && a.ctx.Err() == nil {
		a.watch.Stop()
		s.answer = nil
		s.c.keep(a)
	}
	s.close()
}

// open requests a span, unless the kept answer leads to it.
func (s *stream) open(span metainfo.Span) error {
	c := s.c
	if a := c.takeKept(); a != nil {
		near := a.file == span.File && a.at <= span.Offset
		if near && span.Offset-a.at > skipMax && !c.mayGoFar(span.File) {
			c.keep(a)
			return fileError{span.File, errFar}
		}
		if near {
			a.kept, a.got = true, 0
			s.answer = a
			a.watch.Reset(c.times.block)
			if a.skip(c, span.Offset) == nil {
				return nil
			}
			s.answer = nil
		}
		a.close()
	}
	a, err := c.ask(s.ctx, span)
	if err != nil {
		return err
	}
	if a.whole {
		if span.Offset-a.at > skipMax && !c.mayGoFar(span.File) {
			a.close()
			return fileError{span.File, errFar}
		}
		if err := a.skip(c, span.Offset); err != nil {
			a.close()
			return a.ended(err)
		}
	}
	a.watch.Reset(c.times.block)
	s.answer = a
	return nil
}

// ask makes the request for a span, and reads the head of the answer.
func (c *Conn) ask(ctx context.Context, span metainfo.Span) (*answer, error) {
	a := &answer{file: span.File, at: span.Offset, end: span.Offset + int64(span.Length)}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	a.watch = time.AfterFunc(c.times.answer, func() { a.cancel(errSlow) })
	r, err := c.cfg.HTTP.Get(a.ctx, c.files.target(c.files.file(span.File), c.cfg.Stranger),
		guard.Any, http.Header{
			"Range": {fmt.Sprintf("bytes=%d-%d", a.at, a.end-1)},
			// Ranges of something compressed would be those of other bytes.
			"Accept-Encoding": {"identity"},
		})
	if err != nil {
		led := elsewhere(err)
		if cause := context.Cause(a.ctx); cause != nil {
			err = cause
			if led && !errors.Is(cause, context.Canceled) {
				err = &guard.RedirectError{Err: cause}
			}
		}
		a.watch.Stop()
		a.cancel(nil)
		if errors.Is(err, guard.ErrRefused) || elsewhere(err) {
			err = fileError{span.File, err} // others may be elsewhere, or allowed
		}
		return nil, err
	}
	a.body, a.sized = r.Body, r.ContentLength >= 0
	if err = a.take(r.Response, span, c.layout.Files[span.File].Length); err != nil {
		a.watch.Stop()
		a.body.Close()
		a.cancel(nil)
		return nil, err
	}
	if a.whole {
		c.readOn()
	} else if r.StatusCode == http.StatusPartialContent {
		c.knowsRanges()
	}
	return a, nil
}

// take checks the head of an answer to the request for a span of a file of length bytes,
// and notes what the body holds.
func (a *answer) take(r *http.Response, span metainfo.Span, length int64) error {
	bad := func(err error) error { return fileError{span.File, err} }
	switch {
	case r.StatusCode == http.StatusPartialContent:
		return a.takePart(r, span, length)
	case r.StatusCode == http.StatusOK:
	case ofServer(r.StatusCode):
		return statusError{r.StatusCode, retryAfter(r.Header.Get("Retry-After"))}
	default:
		return bad(statusError{r.StatusCode, retryAfter(r.Header.Get("Retry-After"))})
	}
	a.whole = a.end-a.at < length
	a.at, a.end = 0, length
	switch {
	case r.ContentLength == length: // whatever it is called
		return nil
	case compressed(r) == "gzip":
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return bad(errEncoding)
		}
		a.body, a.sized = zipped{unzipped, r.Body}, false
		return nil
	case compressed(r) != "":
		return bad(errEncoding)
	case a.sized:
		return bad(errLength)
	}
	return nil
}

// takePart is take for status 206.
func (a *answer) takePart(r *http.Response, span metainfo.Span, length int64) error {
	bad := func(err error) error { return fileError{span.File, err} }
	head, size := r.Header.Get("Content-Range"), r.ContentLength
	if kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil &&
		kind == "multipart/byteranges" {
		part, err := multipart.NewReader(r.Body, params["boundary"]).NextRawPart()
		if err != nil {
			return bad(errRange)
		}
		head, size = part.Header.Get("Content-Range"), -1
		a.body = zipped{part, r.Body}
	}
	from, to, total, ok := parseRange(head)
	switch {
	case !ok && (size != int64(span.Length) || strings.Contains(head, "/") && !totalIs(head,
		length)):
		return bad(errRange)
	case !ok: // the length is that of what was asked for
	case total >= 0 && total != length:
		return bad(errLength)
	case from != a.at || to < from:
		return bad(errRange)
	default: // servers may send less than was asked for
		a.end = min(a.end, to+1)
	}
	if compressed(r) != "" && total != length && size != int64(span.Length) {
		return bad(errEncoding)
	}
	return nil
}

// totalIs reports whether a Content-Range that makes no sense still names a file of length
// bytes, or no length.
func totalIs(head string, length int64) bool {
	_, total, _ := strings.Cut(head, "/")
	n, err := strconv.ParseInt(strings.TrimSpace(total), 10, 64)
	return err != nil || n == length
}

// compressed returns the encoding of the body, or "" if it has none.
func compressed(r *http.Response) string {
	switch encoding := strings.ToLower(strings.TrimSpace(
		r.Header.Get("Content-Encoding"))); encoding {
	case "identity", "none":
		return ""
	case "x-gzip":
		return "gzip"
	default:
		return encoding
	}
}

// zipped reads a body through a decompressor.
type zipped struct {
	io.Reader
	io.Closer
}

// parseRange reads a Content-Range (RFC 9110, section 14.4). It accepts another unit or
// none, since some servers write that. total is -1 if it is unknown.
func parseRange(s string) (from, to, total int64, ok bool) {
	s = strings.TrimLeft(strings.TrimSpace(s),
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ=: \t")
	part, whole, _ := strings.Cut(s, "/")
	first, last, ok := strings.Cut(part, "-")
	total = -1
	whole = strings.TrimSpace(whole)
	if whole != "*" && whole != "" {
		if total, ok = parseOffset(whole, ok); !ok {
			return 0, 0, -1, false
		}
	}
	from, ok = parseOffset(strings.TrimSpace(first), ok)
	to, ok = parseOffset(strings.TrimSpace(last), ok)
	return from, to, total, ok
}

// parseOffset reads a decimal number, and reports whether it is one.
func parseOffset(s string, ok bool) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), ok && err == nil
}

// retryAfter reads the header Retry-After: seconds, or a date. A value that makes no sense
// counts as absent.
func retryAfter(s string) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return max(time.Second, time.Duration(n)*time.Second)
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(time.Second, time.Until(at))
	}
	return 0
}
