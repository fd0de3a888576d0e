package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// The exit codes: one for each kind of cause, so that scripts can tell them
// apart.
const (
	exitDone        = 0
	exitOther       = 1   // any failure without a code of its own
	exitUsage       = 2   // unknown command or flag, bad value
	exitInput       = 3   // bad magnet or torrent, missing input file
	exitNoPeers     = 4   // no metadata, or no peers, before --timeout
	exitIncomplete  = 5   // stopped by --timeout before it was complete
	exitMismatch    = 6   // data does not match its hashes
	exitDisk        = 7   // full, no permission, I/O error
	exitExists      = 8   // the target exists already
	exitNetwork     = 9   // cannot bind, no usable bootstrap host
	exitDaemon      = 10  // daemon not reachable, or it refused
	exitHungUp      = 129 // SIGHUP, after a clean stop
	exitInterrupted = 130 // SIGINT, after a clean stop
	exitTerminated  = 143 // SIGTERM, after a clean stop
)

// reasons are the words that the exit event of --json has for the codes.
var reasons = map[int]string{
	exitDone:        "done",
	exitOther:       "failed",
	exitUsage:       "usage",
	exitInput:       "bad input",
	exitNoPeers:     "no peers",
	exitIncomplete:  "incomplete",
	exitMismatch:    "mismatch",
	exitDisk:        "disk",
	exitExists:      "exists",
	exitNetwork:     "network",
	exitDaemon:      "daemon",
	exitHungUp:      "hung up",
	exitInterrupted: "interrupted",
	exitTerminated:  "terminated",
}

// A failure is how a command ends when it does not succeed: the exit code, and
// the one line that is printed for it.
type failure struct {
	code int
	what string // what it is about, such as a path; may be empty
	why  error
	hint string // what to try; may be empty
}

func (f *failure) Error() string {
	s := f.why.Error()
	if f.what != "" {
		s = f.what + ": " + s
	}
	if f.hint != "" {
		s += " (try: " + f.hint + ")"
	}
	return s
}

func (f *failure) Unwrap() error { return f.why }

// fail makes a failure without a hint.
func fail(code int, what string, why error) error {
	return &failure{code: code, what: what, why: plain(why)}
}

// failWithHint makes a failure that says what to try.
func failWithHint(code int, what string, why error, hint string) error {
	return &failure{code: code, what: what, why: plain(why), hint: hint}
}

// plain takes the operation and the path off an error of package os: the line
// names what it is about already.
func plain(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}

// diskCode tells a missing input from a disk that does not work.
func diskCode(err error) int {
	for _, missing := range []error{os.ErrNotExist, syscall.ENOTDIR, syscall.ELOOP,
		syscall.ENAMETOOLONG} {
		if errors.Is(err, missing) {
			return exitInput
		}
	}
	return exitDisk
}

// A stopped is the cause of a context that a signal has ended.
type stopped struct{ signal syscall.Signal }

func (s stopped) Error() string { return "stopped by " + s.signal.String() }

// exitCode is the code for how a command ended.
func exitCode(err error) int {
	var f *failure
	var s stopped
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &s):
		return 128 + int(s.signal)
	}
	return exitOther
}

// ended reports whether ctx was ended by a signal, and returns that as the error
// to end the command with.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}

// sourceMax is how much of a magnet or a path, in bytes, an error line quotes.
const sourceMax = 80

// quoteSource makes what the user gave short enough for an error line.
func quoteSource(s string) string {
	if len(s) > sourceMax {
		s = strings.ToValidUTF8(s[:sourceMax], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
