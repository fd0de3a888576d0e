// Package endpoint names the other end of a connection, whatever network it is
// reached by.
//
// A peer of the internet has an address and a port. A web seed has neither: what it
// is reached by is a URL, which only the driver needs. Both take the seat of a peer,
// so both need a name that can be compared, kept in a map, banned and shown. Whoever
// has to know what kind of thing stands behind a name asks its Network, and never
// concludes it from an address.
//
// An Endpoint is a value. It shares nothing and knows nothing of connections.
package endpoint

import (
	"cmp"
	"net/netip"
	"strconv"
)

// Network is the class of an endpoint: how it is reached.
type Network uint8

// The networks.
const (
	// NetworkIP is the internet, or a local network: the endpoint is its Addr.
	NetworkIP Network = iota
	// NetworkWebSeed is HTTP (BEP 19): the endpoint is its Key.
	NetworkWebSeed
	networkCount
)

var networkNames = [networkCount]string{"IP", "web seed"}

// String returns the name of the network.
func (n Network) String() string {
	if n < networkCount {
		return networkNames[n]
	}
	return "network " + strconv.Itoa(int(n))
}

// Key tells the endpoints of one network apart where they have no address. The
// driver of a torrent numbers them, from 1, and gives the same thing the same number
// as long as the torrent lives.
type Key uint32

// An Endpoint names the other end of a connection. Endpoints that are equal are the
// same. The zero Endpoint names nothing.
type Endpoint struct {
	Addr    netip.AddrPort // of NetworkIP; an IPv4 address is stored as such
	Key     Key            // of the other networks
	Network Network
}

// IP returns the endpoint of NetworkIP at addr. An IPv4 address that is written as an
// IPv6 one makes the same endpoint as the IPv4 address itself.
func IP(addr netip.AddrPort) Endpoint {
	return Endpoint{Addr: netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())}
}

// WebSeed returns the endpoint of the web seed that has the number key.
func WebSeed(key Key) Endpoint { return Endpoint{Key: key, Network: NetworkWebSeed} }

// IsValid reports whether e names anything.
func (e Endpoint) IsValid() bool {
	if e.Network == NetworkIP {
		return e.Addr.IsValid()
	}
	return e.Network < networkCount && e.Key != 0
}

// IsWebSeed reports whether e is a web seed.
func (e Endpoint) IsWebSeed() bool { return e.Network == NetworkWebSeed }

// Dialable reports whether e can be connected to by its name alone, as others may be
// told it.
func (e Endpoint) Dialable() bool {
	return e.Network == NetworkIP && e.Addr.IsValid() && e.Addr.Port() != 0
}

// Host returns the IP address of e, which is not valid if e has none. What limits
// count by, limit.SourceOf and limit.NetworkOf, follow from it.
func (e Endpoint) Host() netip.Addr { return e.Addr.Addr() }

// Compare orders endpoints: by network, then by address and port, then by key.
func (e Endpoint) Compare(o Endpoint) int {
	return cmp.Or(cmp.Compare(e.Network, o.Network), e.Addr.Compare(o.Addr),
		cmp.Compare(e.Key, o.Key))
}

// String returns e for people: an address with its port, or the network with the key.
func (e Endpoint) String() string {
	switch {
	case !e.IsValid():
		return "no endpoint"
	case e.Network == NetworkIP:
		return e.Addr.String()
	}
	return e.Network.String() + " " + strconv.FormatUint(uint64(e.Key), 10)
}

// MarshalText returns String, for logs in JSON.
func (e Endpoint) MarshalText() ([]byte, error) { return []byte(e.String()), nil }
