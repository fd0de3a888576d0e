package relay

import (
	"errors"
	"fmt"
)

// Errors of the client.
var (
	// ErrNoAnswer means that the server has not answered.
	ErrNoAnswer = errors.New("relay: the server does not answer")
	// ErrGone means that the server was lost: it has stopped answering, or it no longer knows
	// the allocation.
	ErrGone = errors.New("relay: the server is gone")
	// ErrCredentials means that the server does not accept the user and password.
	ErrCredentials = errors.New("relay: the server refuses our credentials")
	// ErrQuota means that the server gives us no further allocation at the moment.
	ErrQuota = errors.New("relay: the server gives us no further allocation")
	// ErrFull means that the server has no room.
	ErrFull = errors.New("relay: the server is full")
	// ErrForbidden means that the server does not relay to an address.
	ErrForbidden = errors.New("relay: the server does not relay to this address")
	// ErrNotPermitted means that Permit was not called for the host of an address.
	ErrNotPermitted = errors.New("relay: no permit for this address")
	// ErrPermits means that an Allocation has as many permits as it may have.
	ErrPermits = errors.New("relay: too many permits")
	// ErrTooLong means that a datagram is longer than a relayed path carries.
	ErrTooLong = errors.New("relay: datagram is too long")
	// ErrAnswer means that the server has sent an answer that makes no sense.
	ErrAnswer = errors.New("relay: the server sent a wrong answer")
	// ErrBusy means that too many requests wait for their answers.
	ErrBusy = errors.New("relay: too many requests at once")
)

// A ServerError is an error that the server has answered. It wraps ErrCredentials, ErrQuota,
// ErrFull, ErrForbidden or ErrGone if its code means that.
type ServerError struct {
	Code   int    // RFC 8489, section 14.8; RFC 8656, section 19
	Reason string // as the server says it, cut to 128 bytes
}

func (e *ServerError) Error() string {
	if err := e.Unwrap(); err != nil {
		return fmt.Sprintf("%v (%d)", err, e.Code)
	}
	return fmt.Sprintf("relay: the server answered %d %q", e.Code, e.Reason)
}

// Unwrap returns what the code means, or nil.
func (e *ServerError) Unwrap() error {
	switch e.Code {
	case 401, 441: // Unauthorized, Wrong Credentials
		return ErrCredentials
	case 403:
		return ErrForbidden
	case 437: // Allocation Mismatch
		return ErrGone
	case 486: // Allocation Quota Reached
		return ErrQuota
	case 508: // Insufficient Capacity
		return ErrFull
	}
	return nil
}
