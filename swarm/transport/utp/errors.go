package utp

import "errors"

// Reasons why a connection ended.
var (
	// ErrRefused means that the other end answered the attempt to connect with a RESET.
	ErrRefused = errors.New("utp: connection refused")
	// ErrReset means that the other end sent a RESET: it no longer knows the connection.
	ErrReset = errors.New("utp: connection reset by peer")
	// ErrAborted means that this end gave the connection up.
	ErrAborted = errors.New("utp: connection aborted")
	// ErrTimeout means that the other end was silent for too long. It is a net.Error whose
	// Timeout is true.
	ErrTimeout error = timeoutError{}
)

type timeoutError struct{}

func (timeoutError) Error() string   { return "utp: connection timed out" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }
