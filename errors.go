package swarmnode

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"swarmnode/swarm"
	"swarmnode/swarm/transport"
)

// ErrClosed says that the Node was closed, or that its context has ended. It is
// swarm.ErrClosed.
var ErrClosed = swarm.ErrClosed

// ErrNoUDP says that the DHT cannot be switched on: the node was started without it and without
// uTP on a system that makes no UDP sockets.
var ErrNoUDP = errors.New("there is no UDP socket for the DHT")

// A ListenError says why a node cannot listen.
type ListenError struct {
	Addrs []netip.AddrPort // what it was to listen on
	Err   error            // names the address that failed
}

func (e *ListenError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ListenError) Unwrap() error { return e.Err }

// InUse reports whether another program has the port.
func (e *ListenError) InUse() bool {
	return errors.Is(e.Err, transport.ErrInUse) || errors.Is(e.Err, syscall.EADDRINUSE)
}

// Privileged reports whether the port needs more privileges, as one below 1024 may.
func (e *ListenError) Privileged() bool {
	return errors.Is(e.Err, transport.ErrPrivileged) || errors.Is(e.Err, syscall.EACCES) ||
		errors.Is(e.Err, syscall.EPERM)
}

// NoAddress reports whether this machine does not have the address.
func (e *ListenError) NoAddress() bool {
	return errors.Is(e.Err, transport.ErrNoAddress) || errors.Is(e.Err, syscall.EADDRNOTAVAIL)
}

// A StateError says that a state folder cannot be used.
type StateError struct {
	Dir string
	Err error
}

func (e *StateError) Error() string { return fmt.Sprintf("state folder %s: %v", e.Dir, e.Err) }

// Unwrap returns the cause.
func (e *StateError) Unwrap() error { return e.Err }

// A BootstrapError says that a DHT node cannot start with its bootstrap hosts, because one
// of them is not HOST:PORT.
type BootstrapError struct{ Err error }

func (e *BootstrapError) Error() string { return fmt.Sprintf("starting the DHT node: %v", e.Err) }

// Unwrap returns the cause.
func (e *BootstrapError) Unwrap() error { return e.Err }
