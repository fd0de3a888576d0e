package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"swarmnode/swarm/transport"
)

const (
	// portMin and portMax bound the port that is picked at random: the range that is
	// registered for nobody.
	portMin = 49152
	portMax = 65535
	// portTries is how many ports are tried before giving up. If that many are taken,
	// something else is wrong.
	portTries = 20
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

// listenFlags say where a node listens.
type listenFlags struct {
	listen listValue
	port   portValue
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
	l.port = portValue{port, usage != portPicked}
	l.listen = listValue{kind: "ADDR", check: checkListen}
	fs.Var(&l.listen, "listen", "address to listen on, HOST[:PORT]; may be repeated (default: all)")
	if usage != "" {
		fs.VarP(&l.port, "port", "p", usage)
	}
}

// addresses returns what to listen on, with port where none was named.
func (l *listenFlags) addresses(port uint16) []netip.AddrPort {
	given := l.listen.items
	if len(given) == 0 {
		given = []string{":" + strconv.Itoa(int(port))}
	}
	var out []netip.AddrPort
	for _, s := range given {
		a, err := parseListen(s)
		if err != nil {
			continue // was checked when the flag was set
		}
		if !a.given {
			a.port = port
		}
		hosts := []netip.Addr{a.host}
		if !a.host.IsValid() {
			hosts = everyHost()
		}
		for _, h := range hosts {
			out = append(out, netip.AddrPortFrom(h, a.port))
		}
	}
	return out
}

// everyHost is the unspecified address of each family that this system has.
func everyHost() []netip.Addr {
	hosts := []netip.Addr{netip.IPv4Unspecified()}
	if p, err := net.ListenPacket("udp6", "[::]:0"); err == nil {
		p.Close()
		hosts = append(hosts, netip.IPv6Unspecified())
	}
	return hosts
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

// bind calls try with addresses to listen on until it succeeds. A port that was named is
// the only one tried. Otherwise the remembered port comes first, then ports picked at
// random, of which the one that works is remembered.
func (l *listenFlags) bind(c *console, state stateDir,
	try func([]netip.AddrPort) error) (err error) {
	if l.pinned() {
		addrs := l.addresses(l.port.port)
		return bindFailure(addrs, try(addrs))
	}
	old := state.port()
	port := old
	for n := 0; ; n++ {
		if port == 0 {
			port = uint16(portMin + rand.IntN(portMax-portMin+1))
		}
		addrs := l.addresses(port)
		err = try(addrs)
		if err == nil {
			break
		}
		if !inUse(err) || n == portTries {
			return bindFailure(addrs, err)
		}
		port = 0
	}
	switch {
	case old != 0 && port != old:
		c.note("port %d is taken, listening on %d", old, port)
	case old == 0:
		if err := state.savePort(port); err != nil {
			c.warn("the port will not be remembered: %v", err)
		}
	}
	return nil
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

// inUse reports whether a port could not be bound because another has it.
func inUse(err error) bool {
	return errors.Is(err, transport.ErrInUse) || errors.Is(err, syscall.EADDRINUSE)
}

// bindFailure returns the failure of listening on addrs; err may be nil.
func bindFailure(addrs []netip.AddrPort, err error) error {
	if err == nil {
		return nil
	}
	hint := ""
	switch {
	case inUse(err):
		hint = "another --port, or --port 0 for any"
	case errors.Is(err, transport.ErrPrivileged), errors.Is(err, syscall.EACCES),
		errors.Is(err, syscall.EPERM):
		hint = "a --port above 1023"
	case errors.Is(err, transport.ErrNoAddress), errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "an address of this machine for --listen"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		// The system's error, without the words of package transport.
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
