package utp

import "syscall"

// Reasons why a connection ended. Each wraps the error that the system has for the same end of
// a TCP connection, so that errors.Is finds either.
var (
	// ErrRefused means that the other end answered the attempt to connect with a RESET. It
	// wraps syscall.ECONNREFUSED.
	ErrRefused error = &ending{"utp: connection refused", syscall.ECONNREFUSED}
	// ErrReset means that the other end sent a RESET: it no longer knows the connection. It
	// wraps syscall.ECONNRESET.
	ErrReset error = &ending{"utp: connection reset by peer", syscall.ECONNRESET}
	// ErrAborted means that this end gave the connection up. It wraps syscall.ECONNABORTED.
	ErrAborted error = &ending{"utp: connection aborted", syscall.ECONNABORTED}
	// ErrTimeout means that the other end was silent for too long. It wraps
	// syscall.ETIMEDOUT, and is a net.Error whose Timeout is true.
	ErrTimeout error = &ending{"utp: connection timed out", syscall.ETIMEDOUT}
)

// An ending is why a connection ended. It implements net.Error.
type ending struct {
	text  string
	errno syscall.Errno
}

func (e *ending) Error() string   { return e.text }
func (e *ending) Unwrap() error   { return e.errno }
func (e *ending) Timeout() bool   { return e.errno == syscall.ETIMEDOUT }
func (e *ending) Temporary() bool { return e.Timeout() }
