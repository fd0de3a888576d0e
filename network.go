package swarmnode

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"swarmnode/swarm/egress"
	"swarmnode/swarm/transport/socks"
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
	// Proxy is the URL of a SOCKS5 proxy, socks5://[USER:PASSWORD@]HOST:PORT. If it is set,
	// every connection to others leads through the proxy, which also looks up their names;
	// only the proxy itself is connected to, from the Device if there is one. A Node listens
	// nowhere then, and takes part in the DHT if the proxy relays datagrams.
	Proxy string
}

// A Network is the way by which a program reaches others. Its methods are safe for concurrent
// use, and a nil *Network leaves everything to the system.
type Network struct {
	out    *egress.Net
	direct *egress.Net   // the way to the proxy, and to programs of the user
	proxy  *socks.Client // nil without a proxy
}

// A NetworkError says why a Network cannot be used: there is no interface of the name, the
// system does not let the program bind sockets to it, or both address families are off. See
// also ProxyURLError.
type NetworkError struct{ Err error }

func (e *NetworkError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *NetworkError) Unwrap() error { return e.Err }

// A ProxyURLError says what is wrong with NetworkConfig.Proxy. It does not repeat the URL, which
// may hold a password.
type ProxyURLError struct{ Err error }

func (e *ProxyURLError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ProxyURLError) Unwrap() error { return e.Err }

// NewNetwork returns the Network of cfg. The error is a *NetworkError or a *ProxyURLError. An
// interface that is there and switched off is no error: the network comes with it. Nobody is
// connected to.
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
	direct, err := egress.New(egress.Config{Device: cfg.Device, Family: family})
	if err != nil {
		return nil, &NetworkError{err}
	}
	if cfg.Proxy == "" {
		return &Network{out: direct, direct: direct}, nil
	}
	server, err := socks.Parse(cfg.Proxy)
	if err != nil {
		return nil, &ProxyURLError{err}
	}
	proxy := socks.New(socks.Config{
		Server: server,
		Dial: func(ctx context.Context, host string, port uint16) (net.Conn, error) {
			return direct.DialHost(ctx, egress.Host{Name: host, Port: port})
		},
		DialUDP: func(_ context.Context, relay netip.AddrPort) (net.Conn, error) {
			return direct.DialUDP(netip.Addr{}, relay)
		},
	})
	out, err := egress.New(egress.Config{Device: cfg.Device, Family: family, Proxy: proxy})
	if err != nil {
		return nil, &NetworkError{err}
	}
	return &Network{out: out, direct: direct, proxy: proxy}, nil
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
// A proxy has no part in it.
func (w *Network) Serve(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	var out *egress.Net
	if w != nil && !addr.Addr().IsLoopback() {
		out = w.direct
	}
	l, err := out.ListenTCP(ctx, addr)
	if err != nil {
		return nil, err
	}
	return l, nil
}
