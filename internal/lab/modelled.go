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
	l.hosts++
	n := l.hosts
	h := &Host{
		Name: name, Addr: netip.AddrFrom4([4]byte{198, 18, byte(n), 2}), lab: l,
		link: fmt.Sprintf("to%d", n), gateway: netip.AddrFrom4([4]byte{198, 18, byte(n), 1}),
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

// connect makes the link of a host. A link without limits needs no model.
func (h *Host) connect(up, down Way) error {
	if up == (Way{}) && down == (Way{}) {
		return run(fmt.Sprintf("ip link add %s type veth peer name wan netns %s", h.link, h.Name))
	}
	if h.lab.links == nil {
		links, err := newForwarder()
		if err != nil {
			return err
		}
		h.lab.links = links
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
	return run(fmt.Sprintf("ip -n %s route add default via %v congctl cubic", h.Name, h.gateway))
}

// Home adds a home: a router on a modelled link, with no NAT, for hosts of its own that
// [Host.Inside] adds.
func (l *Lab) Home(name string, up, down Way) (*Host, error) {
	router, err := l.Modelled(name, up, down)
	if err != nil {
		return nil, err
	}
	lan := router.lan()
	return router, runAll(
		"ip netns exec "+name+" sysctl -qw net.ipv4.ip_forward=1",
		fmt.Sprintf("ip -n %s link add lan type bridge", name),
		fmt.Sprintf("ip -n %s addr add %v dev lan", name, lan),
		fmt.Sprintf("ip -n %s link set lan up", name),
		fmt.Sprintf("ip route add %v via %v dev %s", lan.Masked(), router.Addr, router.link),
	)
}

// lan returns the router's address inside, with its network.
func (h *Host) lan() netip.Prefix {
	a := h.Addr.As4()
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 19, a[2], 1}), 24)
}

// Inside adds a host at a home, with a public address, on a LAN that has no limits.
func (h *Host) Inside(name string) (*Host, error) {
	h.inside++
	lan := h.lan()
	a := lan.Addr().As4()
	a[3] += byte(h.inside)
	in := &Host{Name: name, Addr: netip.AddrFrom4(a), lab: h.lab, link: h.link,
		gateway: lan.Addr(), up: h.up, down: h.down}
	port := fmt.Sprintf("lan%d", h.inside)
	return in, errors.Join(runAll(
		"ip netns add "+name,
		fmt.Sprintf("ip -n %s link add %s type veth peer name wan netns %s", h.Name, port, name),
		fmt.Sprintf("ip -n %s link set %s master lan up", h.Name, port),
		fmt.Sprintf("ip -n %s link set lo up", name),
		fmt.Sprintf("ip -n %s link set wan up", name),
		fmt.Sprintf("ip -n %s addr add %v/24 dev wan", name, in.Addr),
	), in.route())
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
