package swarmnode

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
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

// ListenAddrs returns what addrs stand for, with port where none is named (see
// Config.Listen).
func (w *Network) ListenAddrs(addrs []netip.AddrPort, port uint16) []netip.AddrPort {
	if len(addrs) == 0 {
		addrs = []netip.AddrPort{{}}
	}
	var all []netip.AddrPort
	for _, a := range addrs {
		number := a.Port()
		if number == 0 {
			number = port
		}
		if a.Addr().IsValid() {
			all = append(all, netip.AddrPortFrom(a.Addr(), number))
			continue
		}
		for _, host := range w.Egress().Unspecified() {
			all = append(all, netip.AddrPortFrom(host, number))
		}
	}
	return all
}

// A portChoice is where a node wants to listen.
type portChoice struct {
	network *Network         // may be nil
	addrs   []netip.AddrPort // as Config.Listen
	port    uint16
	any     bool
}

// pinned reports whether no port has to be picked.
func (p portChoice) pinned() bool {
	if p.port != 0 || p.any {
		return true
	}
	for _, a := range p.addrs {
		if a.Port() == 0 {
			return false
		}
	}
	return len(p.addrs) > 0
}

// bind calls try with addresses to listen on until it succeeds. Ports that are named are
// the only ones tried. Otherwise the remembered port comes first, then ports picked at
// random, of which the first that works is remembered. taken is the remembered port if
// another program has it. The error is a *ListenError.
func (p portChoice) bind(log *slog.Logger, dir folder,
	try func([]netip.AddrPort) error) (taken uint16, err error) {
	if p.pinned() {
		addrs := p.network.ListenAddrs(p.addrs, p.port)
		return 0, listenError(addrs, try(addrs))
	}
	old := dir.port()
	port := old
	for n := 0; ; n++ {
		if port == 0 {
			port = uint16(portMin + rand.IntN(portMax-portMin+1))
		}
		addrs := p.network.ListenAddrs(p.addrs, port)
		err := listenError(addrs, try(addrs))
		if err == nil {
			break
		}
		if l, ok := errors.AsType[*ListenError](err); !ok || !l.InUse() || n == portTries {
			return 0, err
		}
		port = 0
	}
	switch {
	case old != 0 && port != old:
		log.Info("the remembered port is taken", "port", old, "instead", port)
		return old, nil
	case old == 0:
		if err := dir.savePort(port); err != nil {
			log.Warn("the port will not be remembered", "err", err)
		}
	}
	return 0, nil
}

// listenError returns err, which may be nil, as the error of listening on addrs.
func listenError(addrs []netip.AddrPort, err error) error {
	if err == nil {
		return nil
	}
	return &ListenError{addrs, err}
}
