// Package guard decides which hosts a URL may make the node talk to. It makes the HTTP
// requests that have to obey: those to trackers and web seeds.
//
// Most such URLs were written by strangers, into a torrent or a magnet link. Without care
// they turn the node into a way into its own machine and network: to the configuration of
// a router, to a database without a password, to the metadata service of a cloud. So every
// address is judged when it is dialled, after name resolution, where no trick with names
// helps. A redirect never leads to an address nearer than the host that sent it.
//
// The package knows nothing of torrents, and never retries.
//
// Its nouns: the Reach of an address is how far away it is; a Target is a URL and what is
// known of its origin; a Client makes requests to Targets.
package guard

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
)

// Reach says how far away an address is, the most private reach first.
type Reach uint8

// The reaches.
const (
	LinkLocal Reach = iota // 169.254.0.0/16, where clouds have their secrets, and fe80::/10
	Loopback               // this machine
	Private                // this network: RFC 1918, RFC 6598, RFC 4193
	Public                 // anywhere else
)

func (r Reach) String() string {
	switch r {
	case LinkLocal:
		return "link-local"
	case Loopback:
		return "loopback"
	case Private:
		return "private"
	}
	return "public"
}

// ErrRefused is wrapped by the errors for addresses and redirects that the rules of this
// package forbid.
var ErrRefused = errors.New("not allowed")

// A Refusal is the error for an address that must not be connected to. It wraps
// ErrRefused, and errors of the net package may wrap it.
type Refusal struct {
	Addr  netip.AddrPort
	Reach Reach
	// Port says that the port is the reason, and not the address.
	Port bool
	// Unusable says that nobody can or should connect to the address.
	Unusable bool
}

func (r *Refusal) Error() string {
	switch {
	case r.Unusable:
		return fmt.Sprintf("connecting to %v: %v", r.Addr, ErrRefused)
	case r.Port:
		return fmt.Sprintf("connecting to port %d of a %v address: %v", r.Addr.Port(), r.Reach,
			ErrRefused)
	}
	return fmt.Sprintf("connecting to the %v address %v: %v", r.Reach, r.Addr, ErrRefused)
}

// Unwrap returns ErrRefused.
func (r *Refusal) Unwrap() error { return ErrRefused }

var (
	sharedSpace = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598: carriers' own networks
	protocolV4  = netip.MustParsePrefix("192.0.0.0/24")  // RFC 6890
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")     // connects to this machine on Linux
	reservedV4  = netip.MustParsePrefix("240.0.0.0/4")   // class E and broadcast
	siteLocal   = netip.MustParsePrefix("fec0::/10")     // RFC 3879, deprecated
	nat64       = netip.MustParsePrefix("64:ff9b::/96")  // RFC 6052: IPv4 inside
	sixToFour   = netip.MustParsePrefix("2002::/16")     // RFC 3056: IPv4 inside
	compatible  = netip.MustParsePrefix("::/96")         // RFC 4291: IPv4 inside, deprecated
)

// ReachOf returns the reach of ip. It is not ok for addresses that nobody can or should
// connect to: unspecified, multicast, broadcast and reserved ones. An IPv6 address that
// leads to an IPv4 address has the reach of that one.
func ReachOf(ip netip.Addr) (reach Reach, ok bool) {
	ip = ip.Unmap()
	if inner, ok := embedded(ip); ok {
		return ReachOf(inner)
	}
	switch {
	case !ip.IsValid(), ip.IsUnspecified(), ip.IsMulticast(),
		thisNetwork.Contains(ip), reservedV4.Contains(ip):
		return LinkLocal, false
	case ip.IsLinkLocalUnicast():
		return LinkLocal, true
	case ip.IsLoopback():
		return Loopback, true
	case ip.IsPrivate(), sharedSpace.Contains(ip), protocolV4.Contains(ip), siteLocal.Contains(ip):
		return Private, true
	}
	return Public, true
}

// embedded returns the IPv4 address to which an IPv6 address leads.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	b := ip.As16()
	switch {
	case ip.Is4() || ip.IsUnspecified() || ip.IsLoopback():
		return netip.Addr{}, false
	case nat64.Contains(ip), compatible.Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

// A Target is where a request goes, and what is known of its origin.
type Target struct {
	URL *url.URL
	// Stranger marks a URL that the user did not write: it came in a torrent, in a link,
	// or from a peer.
	Stranger bool
	// Harmless reports whether a stranger's URL may be requested from a service of this
	// machine or network, because its form can do nothing there but what it is meant for.
	// It is called for redirects as well. A nil Harmless means never.
	Harmless func(*url.URL) bool
	// Cookies are sent to the host of URL, and to no other one that a redirect leads to.
	Cookies []*http.Cookie
}

// A rule is what a connection has to obey: how near it may lead, and whether a stranger
// named the address.
type rule struct {
	nearest  Reach
	stranger bool
}

// rule returns the rule for a request to u, when hosts nearer than least are already ruled
// out.
func (t *Target) rule(u *url.URL, least Reach) rule {
	if !t.Stranger {
		return rule{nearest: least}
	}
	nearest := Public
	if t.Harmless != nil && t.Harmless(u) {
		nearest = Loopback // never link-local
	}
	return rule{nearest: max(least, nearest), stranger: true}
}

// privilegedMax is the highest port of system services. Among those ports, a stranger may
// name only the ones of HTTP on this machine or network.
const privilegedMax = 1023

// Check reports why a connection to addr may not be made for t, before any redirect. The
// error wraps ErrRefused; it is nil if the connection may be made.
func (t *Target) Check(addr netip.AddrPort) error {
	return t.rule(t.URL, LinkLocal).check(addr)
}

func (r rule) check(addr netip.AddrPort) error {
	reach, ok := ReachOf(addr.Addr())
	port := addr.Port()
	switch {
	case !ok || port == 0:
		return &Refusal{Addr: addr, Unusable: true}
	case reach < r.nearest:
		return &Refusal{Addr: addr, Reach: reach}
	case r.stranger && reach != Public && port <= privilegedMax && port != 80 && port != 443:
		return &Refusal{Addr: addr, Reach: reach, Port: true}
	}
	return nil
}
