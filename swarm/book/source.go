package book

import (
	"net/netip"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// Source says who named an endpoint.
type Source uint8

// The sources.
const (
	SourceUser     Source = iota // named by the user, who answers for it
	SourceDHT                    // BEP 5
	SourcePEX                    // BEP 11
	SourceLSD                    // BEP 14
	SourceTracker                // BEP 3, 15
	SourceIncoming               // it connected to us
	SourceResume                 // known from an earlier run
	SourceLink                   // x.pe of a magnet link, which a stranger wrote
	// SourceCount is how many sources there are.
	SourceCount
)

var sourceNames = [SourceCount]string{"user", "DHT", "peer exchange", "local discovery", "tracker",
	"incoming", "earlier run", "link"}

func (s Source) String() string {
	if s < SourceCount {
		return sourceNames[s]
	}
	return "unknown"
}

// SourceOf returns who named an endpoint first. It reports false if the endpoint is not in
// the book.
func (b *Book) SourceOf(at endpoint.Endpoint) (s Source, ok bool) {
	e := b.byEndpoint[at]
	if e == nil {
		return 0, false
	}
	return e.source, true
}

// vouches reports whether a private torrent takes the word of s: that of a tracker
// (BEP 27), of the user, or of the link that the user opened.
func (s Source) vouches() bool {
	return s == SourceTracker || s == SourceUser || s == SourceLink
}

// privilegedMax is the last of the ports that the services of a system have.
const privilegedMax = 1023

// MayName reports whether an address that s names is taken. A stranger must not lead us
// to the services of this machine and network, which trust those who are inside: not to
// a port of the system, and not to a link-local address, where clouds keep their
// secrets. Peers on a cable without any other address are found by those who are there
// themselves: by local search, and by connecting to us.
func (s Source) MayName(addr netip.AddrPort) bool {
	switch ip := limit.Unwrap(addr.Addr()); {
	case s == SourceUser || !Local(ip):
		return true
	case addr.Port() <= privilegedMax:
		return false
	default:
		return !ip.IsLinkLocalUnicast() || s == SourceLSD || s == SourceIncoming
	}
}

// discard is the prefix of IPv6 to which nothing is ever sent (RFC 6666).
var discard = netip.MustParsePrefix("100::/64")

// nowhere are the IPv4 networks in which nobody can be: "this" one (RFC 1122), and
// those that are reserved (RFC 1112), with the broadcast address.
var nowhere = [...]netip.Prefix{netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("240.0.0.0/4")}

// sharedSpace is what carriers number their own networks with (RFC 6598), and
// siteLocal what sites did (RFC 3879).
var (
	sharedSpace = netip.MustParsePrefix("100.64.0.0/10")
	siteLocal   = netip.MustParsePrefix("fec0::/10")
)

// Local reports whether ip leads to this machine or to a network of its own, by
// whichever of the ways that IPv6 has to an IPv4 address.
func Local(ip netip.Addr) bool {
	ip = limit.Unwrap(ip)
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() ||
		sharedSpace.Contains(ip) || siteLocal.Contains(ip)
}

// Usable reports whether a peer could be at e, so that it can be dialled and told to
// others.
func Usable(e endpoint.Endpoint) bool {
	ip := limit.Unwrap(e.Host())
	if !e.Dialable() || ip.IsUnspecified() || ip.IsMulticast() || discard.Contains(ip) {
		return false
	}
	return !nowhere[0].Contains(ip) && !nowhere[1].Contains(ip)
}
