// Package egress makes every socket of the node and looks up every name. No other package
// may do either; a test holds that. So one room decides by which interface, in which address
// family and through which proxy anything leaves this machine.
//
// A Net is one such decision. With a device, every socket is bound to that interface before
// it connects, listens or sends, name servers are asked through the interface as well, and
// what cannot be done that way fails: nothing falls back to another interface. A nil *Net
// leaves everything to the system.
//
// The package knows nothing of BitTorrent, and judges no addresses: its callers do, in Check
// of a Host.
//
// Its nouns: a Net is the way out; a device is the network interface that everything uses; a
// Host is a name or an address with a port.
package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// Family restricts addresses to one address family.
type Family uint8

// The families.
const (
	Any Family = iota
	IPv4
	IPv6
)

// Network returns the name of protocol, "tcp", "udp" or "ip", in a family, as in
// package net.
func (f Family) Network(protocol string) string {
	switch f {
	case IPv4:
		return protocol + "4"
	case IPv6:
		return protocol + "6"
	}
	return protocol
}

func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	}
	return "any family"
}

// Has reports whether ip is of the family.
func (f Family) Has(ip netip.Addr) bool {
	return f == Any || (f == IPv4) == ip.Unmap().Is4()
}

// Config describes a Net. The zero value leaves everything to the system.
type Config struct {
	// Device is the name of the network interface that everything leaves by. Empty leaves
	// the choice to the system.
	Device string
	// Family is the only address family in use, unless it is Any.
	Family Family
	// Proxy makes connections in place of the system. It may be nil.
	Proxy Proxy
}

// A Proxy makes connections on behalf of the node. Names are looked up by the proxy, and
// never here. It is safe for concurrent use.
type Proxy interface {
	// DialTCP connects to a port of host, which is a name or an address. The RemoteAddr of the
	// stream is that of the proxy.
	DialTCP(ctx context.Context, host string, port uint16) (net.Conn, error)
	// DialUDP returns a socket for datagrams to and from a port of host. Its RemoteAddr is
	// that of the host, a *net.UDPAddr, once the host has answered.
	DialUDP(ctx context.Context, host string, port uint16) (net.Conn, error)
}

// Errors of a Net. Those of the system are returned as the net package returns them.
var (
	// ErrUnsupported says that sockets cannot be bound to an interface on this system.
	ErrUnsupported = errors.New("binding to an interface is not supported on this system")
	// ErrPrivilege says that the system does not allow this process to bind sockets to an
	// interface.
	ErrPrivilege = errors.New("the system does not let this program bind to an interface " +
		"(Linux before 5.7 asks for CAP_NET_RAW)")
	// ErrMissing says that the machine has no interface of the name.
	ErrMissing = errors.New("no such interface")
	// ErrDown says that the interface is switched off.
	ErrDown = errors.New("interface is down")
	// ErrLoopback says that an address is of this machine alone, and so cannot be reached
	// through an interface.
	ErrLoopback = errors.New("addresses of this machine cannot be reached through an interface")
	// ErrOther says that an address to listen on is not one of the interface.
	ErrOther = errors.New("the address is not one of the interface")
	// ErrFamily says that an address is of a family that is switched off.
	ErrFamily = errors.New("address family is switched off")
	// ErrProxied says that something cannot be done through a proxy, and is done by no other
	// way: to listen, to look up a name, to speak to a local network.
	ErrProxied = errors.New("not possible through a proxy")
	// ErrNameServer says that name servers run on this machine alone, and so cannot be asked
	// through an interface.
	ErrNameServer = errors.New("the name server is on this machine and cannot be asked " +
		"through an interface")
)

// A DeviceError is the failure of a device. It wraps ErrUnsupported, ErrPrivilege,
// ErrMissing, ErrDown, ErrOther, or an error of the system.
type DeviceError struct {
	Device string
	Err    error
}

func (e *DeviceError) Error() string { return "interface " + e.Device + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *DeviceError) Unwrap() error { return e.Err }

// A Net makes sockets and looks up names. Its methods are safe for concurrent use, and a nil
// *Net is ready for use.
type Net struct {
	cfg      Config
	resolver *net.Resolver
	loopback bool // the device is that of loopback
	upstream upstreams
}

// New returns the Net of a Config. The error is a *DeviceError: the device does not exist,
// or sockets cannot be bound to it. A device that is down is no error.
func New(cfg Config) (*Net, error) {
	n := &Net{cfg: cfg, resolver: net.DefaultResolver}
	if cfg.Device == "" {
		return n, nil
	}
	n.resolver = &net.Resolver{PreferGo: true, Dial: n.dialNameServer}
	ifi, err := n.device()
	if err != nil {
		return nil, err
	}
	n.loopback = ifi.Flags&net.FlagLoopback != 0
	if err := n.try(); err != nil {
		return nil, err
	}
	return n, nil
}

// config returns the Config of n, which may be nil.
func (n *Net) config() Config {
	if n == nil {
		return Config{}
	}
	return n.cfg
}

// Device returns the name of the interface that everything leaves by, or "".
func (n *Net) Device() string { return n.config().Device }

// Family returns the only family in use, or Any.
func (n *Net) Family() Family { return n.config().Family }

// Proxy returns the proxy, or nil.
func (n *Net) Proxy() Proxy { return n.config().Proxy }

// Local reports whether n may reach other machines of the local networks without detour, as
// multicast and listening for connections need it: there is no proxy.
func (n *Net) Local() bool { return n.config().Proxy == nil }

// control binds a socket to the device before it is used. It is for net.Dialer and
// net.ListenConfig.
func (n *Net) control(_, _ string, c syscall.RawConn) error {
	device := n.Device()
	if device == "" {
		return nil
	}
	return bindSocket(c, device)
}

// allow returns an error if nothing may be sent to an address.
func (n *Net) allow(ip netip.Addr) error {
	switch cfg := n.config(); {
	case !cfg.Family.Has(ip):
		return ErrFamily
	case cfg.Device != "" && !n.loopback && ip.Unmap().IsLoopback():
		return ErrLoopback
	}
	return nil
}

// Refuses returns why nothing is sent to an address: ErrFamily, or ErrLoopback with a device.
// Otherwise it returns nil, as it does with a proxy, which decides itself.
func (n *Net) Refuses(ip netip.Addr) error {
	if n.Proxy() != nil {
		return nil
	}
	return n.allow(ip)
}

// family returns the family that both f and n allow. It is not ok if there is none.
func (n *Net) family(f Family) (both Family, ok bool) {
	own := n.Family()
	switch {
	case own == Any || own == f:
		return f, true
	case f == Any:
		return own, true
	}
	return Any, false
}
