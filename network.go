package swarmnode

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"swarmnode/swarm/egress"
)

// A NetworkConfig says how a program reaches others. The zero value leaves everything to the
// system.
type NetworkConfig struct {
	// Device is the name of a network interface, such as that of a VPN. If it is named,
	// everything leaves by that interface, look-ups of names included, and nothing by
	// another one. While the interface is missing, nothing leaves at all.
	Device string
	// NoIPv4 and NoIPv6 switch an address family off.
	NoIPv4, NoIPv6 bool
}

// A Network is the way by which a program reaches others. Its methods are safe for concurrent
// use, and a nil *Network leaves everything to the system.
type Network struct{ out *egress.Net }

// A NetworkError says why a Network cannot be used: there is no interface of the name, the
// system does not let the program bind sockets to it, or both address families are off.
type NetworkError struct{ Err error }

func (e *NetworkError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *NetworkError) Unwrap() error { return e.Err }

// NewNetwork returns the Network of cfg. The error is a *NetworkError. An interface that is
// there and switched off is no error: the network comes with it.
func NewNetwork(cfg NetworkConfig) (*Network, error) {
	family := egress.Any
	switch {
	case cfg.NoIPv4 && cfg.NoIPv6:
		return nil, &NetworkError{errors.New("no address family is left")}
	case cfg.NoIPv4:
		family = egress.IPv6
	case cfg.NoIPv6:
		family = egress.IPv4
	}
	out, err := egress.New(egress.Config{Device: cfg.Device, Family: family})
	if err != nil {
		return nil, &NetworkError{err}
	}
	return &Network{out}, nil
}

// Egress returns what makes the sockets of w, for packages of this module that ask for it.
func (w *Network) Egress() *egress.Net {
	if w == nil {
		return nil
	}
	return w.out
}

// Lookup returns the addresses that HOST:PORT stands for, at least one.
func (w *Network) Lookup(ctx context.Context, hostPort string) ([]netip.AddrPort, error) {
	return w.Egress().LookupHostPort(ctx, hostPort)
}

// Serve listens on addr over TCP for programs that the user runs, such as a monitoring
// system. Loopback is no interface of w's kind: what is said there never leaves this machine.
func (w *Network) Serve(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	out := w.Egress()
	if addr.Addr().IsLoopback() {
		out = nil
	}
	l, err := out.ListenTCP(ctx, addr)
	if err != nil {
		return nil, err
	}
	return l, nil
}
