package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// The exit codes: one for each kind of cause, so that scripts can tell the causes apart.
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

// reasons has the word of the exit event of --json for each code.
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

// A failure is why a command does not succeed: the exit code, and the one line that is
// printed.
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

// fail returns a failure without a hint.
func fail(code int, what string, why error) error {
	return &failure{code: code, what: what, why: plain(why)}
}

// failWithHint returns a failure that says what to try.
func failWithHint(code int, what string, why error, hint string) error {
	return &failure{code: code, what: what, why: plain(why), hint: hint}
}

// plain removes the operation and the path from an error of package os, because the line
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

// diskCode returns exitInput for an error that means a missing input, and exitDisk for
// any other.
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

// exitCode returns the code for how a command ended.
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

// ended returns nil while ctx runs. After a signal has ended ctx, it returns the error to
// end the command with.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}

// sourceMax bounds the part of a magnet link or path that an error line quotes, in bytes.
const sourceMax = 80

// quoteSource shortens what the user gave to fit an error line.
func quoteSource(s string) string {
	if len(s) > sourceMax {
		s = strings.ToValidUTF8(s[:sourceMax], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
