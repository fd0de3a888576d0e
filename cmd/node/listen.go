package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"swarmnode"
)

// A listenAddr is one value of --listen.
type listenAddr struct {
	host  netip.Addr // not valid: every address
	port  uint16
	given bool // the port was named
}

var errListen = errors.New("not an address such as 192.0.2.1, 192.0.2.1:6881, " +
	"[2001:db8::1]:6881 or :6881")

// parseListen reads HOST, HOST:PORT, [HOST], [HOST]:PORT or :PORT.
func parseListen(s string) (listenAddr, error) {
	host, port, err := net.SplitHostPort(s)
	a := listenAddr{given: err == nil}
	if a.given {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return listenAddr{}, errListen
		}
		a.port = uint16(n)
	} else if host = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"); host == "" {
		return listenAddr{}, errListen
	}
	switch host {
	case "":
		return a, nil
	case "localhost":
		host = "127.0.0.1"
	}
	if a.host, err = netip.ParseAddr(host); err != nil {
		return listenAddr{}, errListen
	}
	a.host = a.host.Unmap()
	return a, nil
}

func checkListen(s string) error {
	_, err := parseListen(s)
	return err
}

// listenFlags say where a node listens, and by which way it reaches others.
type listenFlags struct {
	network networkFlags
	listen  listValue
	port    portValue
	// noPortmap is set by commands that others connect to.
	noPortmap bool
}

// The usage of --port, by what the command does without the flag.
const (
	portPicked = "port for TCP and UDP; 0 for any (default: picked once and remembered)"
	portFixed  = "UDP port; 0 for any"
	portAny    = "UDP port (default: any)"

	portTracker = "port for TCP and UDP; 0 for any"
)

// register adds the flags with a default for the port. Without usage, the command handles
// --port itself, and any port is listened on.
func (l *listenFlags) register(fs *pflag.FlagSet, port uint16, usage string) {
	l.network.register(fs)
	if usage != portFixed && usage != portTracker {
		l.network.registerProxy(fs)
	}
	l.port = portValue{port, usage != portPicked}
	l.listen = listValue{kind: "ADDR", check: checkListen}
	fs.Var(&l.listen, "listen", "address to listen on, HOST[:PORT]; may be repeated (default: all)")
	if usage != "" {
		fs.VarP(&l.port, "port", "p", usage)
	}
	if usage == portPicked || usage == portFixed || usage == portTracker {
		fs.BoolVar(&l.noPortmap, "no-portmap", false,
			"do not ask the router to let others in (by PCP, NAT-PMP or UPnP)")
	}
}

// open returns the network that the flags describe. It fails if they name an address of a
// family that they switch off.
func (l *listenFlags) open() (*swarmnode.Network, error) {
	for _, s := range l.listen.items {
		a, err := parseListen(s)
		switch {
		case err != nil || !a.host.IsValid():
		case l.network.four && !a.host.Is4():
			return nil, failWithHint(exitUsage, "", fmt.Errorf("--ipv4 excludes --listen %s", s),
				"an IPv4 address for --listen")
		case l.network.six && a.host.Is4():
			return nil, failWithHint(exitUsage, "", fmt.Errorf("--ipv6 excludes --listen %s", s),
				"an IPv6 address for --listen")
		}
	}
	return l.network.open()
}

// given returns the addresses that the user gave, with port where none was named.
func (l *listenFlags) given(port uint16) []netip.AddrPort {
	if len(l.listen.items) == 0 {
		return []netip.AddrPort{netip.AddrPortFrom(netip.Addr{}, port)}
	}
	var out []netip.AddrPort
	for _, s := range l.listen.items {
		a, err := parseListen(s)
		if err != nil {
			continue // was checked when the flag was set
		}
		if !a.given {
			a.port = port
		}
		out = append(out, netip.AddrPortFrom(a.host, a.port))
	}
	return out
}

// addresses returns what to listen on through n, with port where none was named.
func (l *listenFlags) addresses(n *swarmnode.Network, port uint16) []netip.AddrPort {
	return n.ListenAddrs(l.given(port), 0)
}

// pinned reports whether the user named every port, so that none has to be picked.
func (l *listenFlags) pinned() bool {
	if l.port.given {
		return true
	}
	for _, s := range l.listen.items {
		if a, err := parseListen(s); err == nil && !a.given {
			return false
		}
	}
	return len(l.listen.items) > 0
}

// apply sets where a node listens.
func (l *listenFlags) apply(cfg *swarmnode.Config) {
	cfg.Listen, cfg.AnyPort = l.given(l.port.port), l.pinned()
	cfg.NoPortmap = l.noPortmap
}

// applyUnnumbered sets where a node listens whose port is a setting, and not part of addresses.
func (l *listenFlags) applyUnnumbered(cfg *swarmnode.Config) {
	cfg.Listen, cfg.AnyPort = l.given(0), l.pinned() && l.port.port == 0
}

// checkIP checks an address at which peers reach us.
func checkIP(s string) error {
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" {
		return errors.New("not an address such as 192.0.2.1 or 2001:db8::1")
	}
	return nil
}

// ownAddrs returns where peers can reach us, HOST:PORT, as far as that is known: the
// addresses that the user gave, with the bound port of their family, or else the bound
// addresses that other machines can use.
func ownAddrs(bound []netip.AddrPort, given []string) []string {
	var list []string
	for _, s := range given {
		ip, err := netip.ParseAddr(s)
		if err != nil || len(bound) == 0 {
			continue // was checked when the flag was set
		}
		port := bound[0].Port()
		for _, b := range bound {
			if b.Addr().Is4() == ip.Unmap().Is4() {
				port = b.Port()
				break
			}
		}
		list = append(list, netip.AddrPortFrom(ip.Unmap(), port).String())
	}
	if len(given) > 0 {
		return list
	}
	for _, b := range bound {
		if ip := b.Addr(); !ip.IsUnspecified() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			list = append(list, b.String())
		}
	}
	return list
}

// bindFailure returns the failure of listening on addrs; err may be nil.
func bindFailure(addrs []netip.AddrPort, err error) error {
	if err == nil {
		return nil
	}
	hint := ""
	listen := &swarmnode.ListenError{Addrs: addrs, Err: err}
	switch {
	case listen.InUse():
		hint = "another --port, or --port 0 for any"
	case listen.Privileged():
		hint = "a --port above 1023"
	case listen.NoAddress():
		hint = "an address of this machine for --listen"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		// The system's error, without the words of package net.
		what := fmt.Sprint(addrs)
		if op.Addr != nil {
			what = op.Addr.String()
		}
		err = fmt.Errorf("listening on %s: %w", what, op.Err)
		var number syscall.Errno
		if errors.As(op.Err, &number) {
			err = fmt.Errorf("listening on %s: %w", what, number)
		}
	}
	return failWithHint(exitNetwork, "", err, hint)
}
