package socks

import (
	"errors"
	"fmt"
	"syscall"
)

// The faults of a proxy that have nothing to do with the host that was asked for.
var (
	// ErrCredentials says that the proxy refuses our user name and password, or wants ones
	// that we do not have.
	ErrCredentials = errors.New("proxy refuses the user name or the password")
	// ErrWantsCredentials is ErrCredentials where we have no user name.
	ErrWantsCredentials = fmt.Errorf("%w: it wants both, and the proxy URL has none",
		ErrCredentials)
	// ErrNoUDP says that the proxy has no UDP ASSOCIATE, or none for us.
	ErrNoUDP = errors.New("proxy relays no UDP")
	// ErrDown says that there is no relay at the moment.
	ErrDown = errors.New("no UDP relay of the proxy at the moment")
	// ErrProtocol is wrapped by the errors for answers that break the protocol.
	ErrProtocol = errors.New("not an answer of a SOCKS5 proxy")
	// ErrName says that a host name cannot be sent to a proxy: it is empty or longer than 255
	// bytes.
	ErrName = errors.New("the name does not fit a SOCKS5 request")
)

// A ServerError is a failure of the proxy or of the way to it, which says nothing about the
// host that was asked for. Every error of a Client is one, or a *ReplyError, or ErrName.
type ServerError struct {
	Server Server
	Err    error
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("proxy %s: %v", e.Server.address(), e.Err)
}

// Unwrap returns the failure.
func (e *ServerError) Unwrap() error { return e.Err }

// A Reply is the answer of a proxy to a request (RFC 1928, section 6).
type Reply byte

// The replies.
const (
	Succeeded          Reply = 0
	GeneralFailure     Reply = 1
	NotAllowed         Reply = 2
	NetworkUnreachable Reply = 3
	HostUnreachable    Reply = 4
	ConnectionRefused  Reply = 5
	Expired            Reply = 6
	NoCommand          Reply = 7
	NoAddressType      Reply = 8
)

var replies = [...]string{
	Succeeded:          "success",
	GeneralFailure:     "general failure",
	NotAllowed:         "not allowed by its rules",
	NetworkUnreachable: "network is unreachable",
	HostUnreachable:    "host is unreachable",
	ConnectionRefused:  "connection refused",
	Expired:            "no answer from the host",
	NoCommand:          "it does not know the command",
	NoAddressType:      "it does not know the type of address",
}

func (r Reply) String() string {
	if int(r) < len(replies) {
		return replies[r]
	}
	return fmt.Sprintf("unknown reply %d", byte(r))
}

// A ReplyError is the answer of a proxy that could not do what it was asked for. It matches
// (errors.Is) the error of the system that says the same: syscall.ECONNREFUSED for
// ConnectionRefused, and so on.
type ReplyError struct{ Reply Reply }

func (e *ReplyError) Error() string { return "through the proxy: " + e.Reply.String() }

// Is reports whether target is the error of the system that says the same as the reply.
func (e *ReplyError) Is(target error) bool {
	switch e.Reply {
	case NotAllowed:
		return target == syscall.EACCES
	case NetworkUnreachable:
		return target == syscall.ENETUNREACH
	case HostUnreachable:
		return target == syscall.EHOSTUNREACH
	case ConnectionRefused:
		return target == syscall.ECONNREFUSED
	case Expired:
		return target == syscall.ETIMEDOUT
	}
	return false
}

// protocolError returns an error that wraps ErrProtocol.
func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// wasRefused reports whether the system says that nobody listens for what was sent.
func wasRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
