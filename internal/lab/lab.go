//go:build linux

// Package lab builds small networks of network namespaces: hosts on links of a
// given rate around one router that stands for the internet, and home routers before some
// of them. It is for tests and benchmarks; no product code imports it.
//
// There are two kinds of links. Those of [Lab.Host] and [Lab.Behind] have a rate alone,
// and the kernel shapes it. Those of [Lab.Modelled] have rate, delay, queue and random
// loss in each direction: a thread of this process moves their packets between TUN
// devices. That thread also translates addresses, for the routers of [Lab.Router]: each
// behaviour of RFC 4787 is there, exactly and alone, which no kernel offers.
//
// A Lab lives in the namespace of the calling process, which plays the internet. That
// namespace must vanish with the process, as those of realclient do. A Lab never touches
// the network of the machine.
//
// Its nouns: a Lab, a Host in it, a Way (one direction of a modelled link), a router (a
// host that has other hosts inside), its NAT, the Tracker that hosts ask.
package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"swarmnode/internal/realclient"
)

// Lab is a network of hosts. Its methods are for one goroutine.
type Lab struct {
	hosts    int
	links    *forwarder // of the modelled links; nil while there are none
	services []*Service // that Close ends
}

// Host is a machine in the lab.
type Host struct {
	Name string
	Addr netip.Addr // its own; behind NAT others see another one
	// Addr6 is its address of IPv6, not valid without one.
	Addr6 netip.Addr

	lab     *Lab
	number  int        // of the host's network, if it has one of its own
	link    string     // the internet's end of the link
	parent  string     // the namespace of that end: a carrier's router, or empty
	gateway netip.Addr // of the network that Addr is in
	home    *Host      // the router before it, nil without NAT
	outside netip.Addr // of a home router: what the internet sees
	masked  string     // of a home router: how it chooses ports

	up, down   *device      // of a modelled link: the host's end, and the internet's
	inside     int          // of a modelled home: how many hosts it has
	inner      netip.Prefix // of a modelled home: its address inside, with the network
	inner6     netip.Prefix // the same of IPv6; not valid without it
	translates bool         // it is a router with NAT
	cable      string       // of a host inside: the command that sets its end at the home
	offering   *Service     // its miniupnpd; nil without one
}

// New makes the lab. The error says what the system lacks for it.
func New() (*Lab, error) {
	if !realclient.Inside() {
		return nil, fmt.Errorf("a lab needs a namespace of its own")
	}
	for _, command := range []string{
		"mount -t tmpfs none /run",
		"mkdir -p /run/netns",
		"sysctl -qw net.ipv4.ip_forward=1",
		"nft add table ip lab",
		"nft add chain ip lab forward { type filter hook forward priority 0 ; }",
	} {
		if err := run(command); err != nil {
			return nil, err
		}
	}
	return &Lab{}, nil
}

// run runs a command whose words have no spaces.
func run(command string) error {
	words := strings.Fields(command)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func runAll(commands ...string) error {
	for _, c := range commands {
		if err := run(c); err != nil {
			return err
		}
	}
	return nil
}

// Host adds a host with a public address, on a link of rate Mbit/s each way.
func (l *Lab) Host(name string, rate int) (*Host, error) {
	l.hosts++
	n := l.hosts
	h := &Host{
		Name: name, Addr: netip.AddrFrom4([4]byte{198, 18, byte(n), 2}), lab: l,
		link: fmt.Sprintf("to%d", n), gateway: netip.AddrFrom4([4]byte{198, 18, byte(n), 1}),
	}
	shape := fmt.Sprintf("root tbf rate %dmbit burst 32kb latency 100ms", rate)
	return h, runAll(
		"ip netns add "+name,
		fmt.Sprintf("ip link add %s type veth peer name wan netns %s", h.link, name),
		fmt.Sprintf("ip addr add %v/24 dev %s", h.gateway, h.link),
		fmt.Sprintf("ip link set %s up", h.link),
		fmt.Sprintf("ip -n %s link set lo up", name),
		fmt.Sprintf("ip -n %s link set wan up", name),
		fmt.Sprintf("ip -n %s addr add %v/24 dev wan", name, h.Addr),
		fmt.Sprintf("ip -n %s route add default via %v", name, h.gateway),
		fmt.Sprintf("tc qdisc add dev %s %s", h.link, shape),
		fmt.Sprintf("tc -n %s qdisc add dev wan %s", name, shape),
	)
}

// Behind adds a host behind a home router with NAT, whose link to the internet has rate
// Mbit/s each way. The router keeps the port of a connection where it can, or chooses at
// random.
func (l *Lab) Behind(name string, rate int, random bool) (*Host, error) {
	router, err := l.Host(name+"-home", rate)
	if err != nil {
		return nil, err
	}
	router.outside, router.masked = router.Addr, "masquerade"
	if random {
		router.masked = "masquerade fully-random"
	}
	h := &Host{
		Name: name, Addr: netip.MustParseAddr("192.168.1.2"),
		gateway: netip.MustParseAddr("192.168.1.1"),
		lab:     l, link: router.link, home: router,
	}
	in := "ip netns exec " + router.Name + " "
	return h, runAll(
		"ip netns add "+name,
		fmt.Sprintf("ip -n %s link add lan type veth peer name wan netns %s", router.Name, name),
		fmt.Sprintf("ip -n %s addr add %v/24 dev lan", router.Name, h.gateway),
		fmt.Sprintf("ip -n %s link set lan up", router.Name),
		fmt.Sprintf("ip -n %s link set lo up", name),
		fmt.Sprintf("ip -n %s link set wan up", name),
		fmt.Sprintf("ip -n %s addr add %v/24 dev wan", name, h.Addr),
		fmt.Sprintf("ip -n %s route add default via %v", name, h.gateway),
		in+"sysctl -qw net.ipv4.ip_forward=1",
		in+"nft add table ip home",
		in+"nft add chain ip home out { type nat hook postrouting priority 100 ; }",
		in+"nft add rule ip home out oifname wan "+router.masked,
		// Nobody outside can begin or end a conversation: packets that belong to none are
		// dropped silently, as home routers do.
		in+"nft add chain ip home in { type filter hook input priority 0 ; }",
		in+"nft add rule ip home in iifname wan ct state new,invalid drop",
	)
}

// Enter returns the words to put before a command so that it runs on the host.
func (h *Host) Enter() []string { return []string{"nsenter", "--net=/run/netns/" + h.Name, "--"} }

// Readdress gives the host, or the home router before it, another address. Sockets bound
// to the old one are cut off silently.
func (h *Host) Readdress(to netip.Addr) error {
	target := h.router()
	err := h.lab.links.withNAT(target.up, func(t *natTable, _ time.Duration) {
		t.outside = to
		t.forget()
	})
	if err == nil {
		target.Addr = to
		return nil
	}
	if err := target.renumber(to); err != nil {
		return err
	}
	if target.offering != nil {
		return target.flush()
	}
	return nil
}

// Renumber gives the host itself another address of its network, also behind a home
// router, as another lease of DHCP does.
func (h *Host) Renumber(to netip.Addr) error {
	if h.translates {
		return fmt.Errorf("%s is a router: Readdress gives it another address", h.Name)
	}
	return h.renumber(to)
}

func (h *Host) renumber(to netip.Addr) error {
	if err := runAll(
		fmt.Sprintf("ip -n %s addr del %v/24 dev wan", h.Name, h.Addr),
		fmt.Sprintf("ip -n %s addr add %v/24 dev wan", h.Name, to),
	); err != nil {
		return err
	}
	h.Addr = to
	if h.up == nil {
		return run(fmt.Sprintf("ip -n %s route replace default via %v", h.Name, h.gateway))
	}
	return h.route()
}

// Forget makes the home router forget its mappings: it loses its address and gets it back
// at once. Pinholes stay.
func (h *Host) Forget() error { return h.Readdress(h.router().Addr) }

// Outside returns the address by which others know the host: its own, or that of the home
// router before it.
func (h *Host) Outside() netip.Addr { return h.router().Addr }

// router returns the router whose NAT the host is behind, or the host itself.
func (h *Host) router() *Host {
	if h.home != nil {
		return h.home
	}
	return h
}

// outer makes a command run in the namespace of the outer end of the host's link.
func (h *Host) outer(command string) string {
	if h.parent == "" {
		return command
	}
	return "ip netns exec " + h.parent + " " + command
}

// Silence drops every packet between the host and the internet, or lets them pass
// again.
func (h *Host) Silence(on bool) error {
	if !on {
		return run(h.outer("nft flush chain ip lab forward"))
	}
	return runAll(
		h.outer("nft add rule ip lab forward iifname "+h.link+" drop"),
		h.outer("nft add rule ip lab forward oifname "+h.link+" drop"),
	)
}

// Carrier takes the carrier of the host's own link away, or gives it back. The host keeps
// its addresses.
func (h *Host) Carrier(up bool) error {
	state := "down"
	if up {
		state = "up"
	}
	switch {
	case h.cable != "":
		return run(h.cable + " " + state)
	case h.up != nil:
		// The outer end of a modelled link stays up, since its routes would vanish with it.
		return errors.Join(h.Silence(!up), h.up.carrier(up))
	}
	return run(h.outer("ip link set " + h.link + " " + state))
}

// Received returns how many bytes the internet has sent to the host.
func (h *Host) Received() (int64, error) {
	const sent = 8 // the field of the bytes sent, behind eight of what was received
	return countBytes(h.link, sent)
}

// Came returns how many bytes have come to the host's own interface, also from its LAN.
func (h *Host) Came() (came int64, err error) {
	const received = 0
	return came, h.Do(func() error {
		came, err = countBytes("wan", received)
		return err
	})
}

// countBytes returns a field of an interface in the namespace of the thread.
func countBytes(link string, field int) (int64, error) {
	text, err := os.ReadFile("/proc/thread-self/net/dev")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || name != link {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) <= field {
			break
		}
		return strconv.ParseInt(fields[field], 10, 64)
	}
	return 0, fmt.Errorf("no link %s in /proc/net/dev", link)
}

// Close removes the hosts. Their processes must have ended.
func (l *Lab) Close() error {
	for _, s := range l.services {
		s.Stop()
	}
	// A namespace lives on as long as a socket in it does.
	if l.links != nil {
		if err := l.links.close(); err != nil { // its devices vanish
			return err
		}
	}
	for n := range l.hosts {
		name := fmt.Sprintf("to%d", n+1)
		if _, err := net.InterfaceByName(name); err != nil {
			continue // a modelled link, which has vanished already
		}
		if err := run("ip link del " + name); err != nil {
			return err
		}
	}
	list, err := os.ReadDir("/run/netns")
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := run("ip netns del " + e.Name()); err != nil {
			return err
		}
	}
	return runAll("nft delete table ip lab", "umount -l /run")
}
