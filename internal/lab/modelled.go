//go:build linux

package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Modelled adds a host with a public address, whose link to the internet has the given
// ways: up from the host, down to it. TCP connections of the host begin with CUBIC, as on
// most machines, and may change to something else.
func (l *Lab) Modelled(name string, up, down Way) (*Host, error) {
	n, err := l.number()
	if err != nil {
		return nil, err
	}
	h := &Host{
		Name: name, Addr: publicAddr(n, 2), lab: l, link: fmt.Sprintf("to%d", n),
		gateway: publicAddr(n, 1), number: n,
	}
	if err := run("ip netns add " + name); err != nil {
		return nil, err
	}
	if err := h.connect(up, down); err != nil {
		return nil, err
	}
	return h, errors.Join(runAll(
		fmt.Sprintf("ip addr add %v/24 dev %s", h.gateway, h.link),
		fmt.Sprintf("ip link set %s up", h.link),
		fmt.Sprintf("ip -n %s link set lo up", name),
		fmt.Sprintf("ip -n %s link set wan up", name),
		fmt.Sprintf("ip -n %s addr add %v/24 dev wan", name, h.Addr),
	), h.route())
}

// networksMax is how many networks there are, and how many hosts one of them takes.
const networksMax = 254

// number returns the number of another network.
func (l *Lab) number() (int, error) {
	if l.hosts >= networksMax {
		return 0, fmt.Errorf("a lab has no more than %d networks", networksMax)
	}
	l.hosts++
	return l.hosts, nil
}

// publicAddr returns an address of the network of a host with a number. No registry calls
// these networks special, so that nobody takes them for private ones.
func publicAddr(number, host int) netip.Addr {
	return netip.AddrFrom4([4]byte{12, 0, byte(number), byte(host)})
}

// connect makes the link of a host. A link without limits needs no model.
func (h *Host) connect(up, down Way) error {
	if up == (Way{}) && down == (Way{}) {
		return run(fmt.Sprintf("ip link add %s type veth peer name wan netns %s", h.link, h.Name))
	}
	if err := h.lab.model(); err != nil {
		return err
	}
	var err error
	if h.up, h.down, err = h.lab.links.link("wan", h.link, up, down); err != nil {
		return err
	}
	return run("ip link set wan netns " + h.Name)
}

// route leads everything from the host to its gateway. The congestion control is a
// property of the route, since a namespace may choose CUBIC as its default only where
// everybody may.
func (h *Host) route() error {
	return run(fmt.Sprintf("ip -n %s route replace default via %v congctl cubic", h.Name,
		h.gateway))
}

// Home adds a home: a router on a modelled link, with no NAT, for hosts of its own that
// [Host.Inside] adds.
func (l *Lab) Home(name string, up, down Way) (*Host, error) {
	router, err := l.Modelled(name, up, down)
	if err != nil {
		return nil, err
	}
	lan := netip.PrefixFrom(netip.AddrFrom4([4]byte{12, 1, byte(router.number), 1}), 24)
	router.inner = lan
	return router, runAll(
		"ip netns exec "+name+" sysctl -qw net.ipv4.ip_forward=1",
		fmt.Sprintf("ip -n %s link add lan type bridge", name),
		fmt.Sprintf("ip -n %s addr add %v dev lan", name, lan),
		fmt.Sprintf("ip -n %s link set lan up", name),
		fmt.Sprintf("ip route add %v via %v dev %s", lan.Masked(), router.Addr, router.link),
	)
}

// Inside adds a host at a home of [Lab.Home], with a public address, or behind a router of
// [Lab.Router], with a private one. Its LAN has no limits.
func (h *Host) Inside(name string) (*Host, error) {
	if !h.inner.IsValid() || h.inside >= networksMax-1 {
		return nil, fmt.Errorf("%s takes no host inside", h.Name)
	}
	h.inside++
	a := h.inner.Addr().As4()
	a[3] += byte(h.inside)
	in := &Host{Name: name, Addr: netip.AddrFrom4(a), lab: h.lab, link: h.link,
		parent: h.parent, gateway: h.inner.Addr(), up: h.up, down: h.down}
	if h.translates {
		in.home = h
	}
	port := fmt.Sprintf("lan%d", h.inside)
	in.cable = fmt.Sprintf("ip -n %s link set %s", h.Name, port)
	if err := runAll(
		"ip netns add "+name,
		fmt.Sprintf("ip -n %s link add %s type veth peer name wan netns %s", h.Name, port, name),
		fmt.Sprintf("ip -n %s link set %s master lan up", h.Name, port),
		fmt.Sprintf("ip -n %s link set lo up", name),
		fmt.Sprintf("ip -n %s link set wan up", name),
		fmt.Sprintf("ip -n %s addr add %v/%d dev wan", name, in.Addr, h.inner.Bits()),
	); err != nil {
		return nil, err
	}
	if h.inner6.IsValid() {
		b := h.inner6.Addr().As16()
		b[15] += byte(h.inside)
		if err := in.addIPv6(netip.AddrFrom16(b), h.inner6.Addr()); err != nil {
			return nil, err
		}
	}
	return in, in.route()
}

// Up returns what left on the modelled link of the host, or of its home. Nothing is counted
// on a link without limits.
func (h *Host) Up() Tally { return h.lab.links.tally(h.up) }

// Down returns what came by the modelled link of the host, or of its home.
func (h *Host) Down() Tally { return h.lab.links.tally(h.down) }

// Do calls f on a thread that is in the network namespace of the host: sockets that f
// makes itself belong to the host, also after its return.
func (h *Host) Do(f func() error) error {
	failed := make(chan error, 1)
	go func() {
		// The thread never leaves the host and ends with the goroutine.
		runtime.LockOSThread()
		space, err := os.Open("/run/netns/" + h.Name)
		if err != nil {
			failed <- err
			return
		}
		defer space.Close()
		if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
			failed <- fmt.Errorf("entering %s: %w", h.Name, err)
			return
		}
		failed <- f()
	}()
	return <-failed
}
