package tracker

import (
	"context"
	"errors"
	"net"
	"net/url"
	"syscall"
)

// ErrNoAnswer is the cause of an announce that ran out of time.
var ErrNoAnswer = errors.New("no answer")

// Cause returns why the announce to Tracker failed, see CauseOf.
func (r Report) Cause() error { return CauseOf(r.Err) }

// CauseOf returns what an error of an announce or a scrape comes from, without the URL of the
// tracker, which may hold a key of the user: a syscall.Errno, a *Failure, ErrNoAnswer, or
// what is wrapped otherwise.
func CauseOf(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() ||
		errors.Is(err, context.DeadlineExceeded) {
		return ErrNoAnswer
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	if inner := errors.Unwrap(err); inner != nil { // the outer one says what was attempted
		return inner
	}
	return err
}
