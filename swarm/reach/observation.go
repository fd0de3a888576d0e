package reach

import (
	"net/netip"
	"time"
)

// A Via is what an observation came by.
type Via uint8

// The ways of observations.
const (
	DHT Via = iota // a DHT node
	UTP            // a peer over uTP
	TCP            // a peer over TCP
	Tracker
	STUN // a server of STUN or TURN
)

// String returns the name.
func (v Via) String() string {
	return word([]string{"DHT", "uTP", "TCP", "tracker", "STUN"}, int(v))
}

// An Observation is one fact about how others see or reach us. It is one of the types of
// this file.
type Observation interface {
	// observe takes the fact in, and reports whether the standing may change by it.
	observe(m *Machine, now time.Time) bool
}

// Seen says that somebody told us the address at which it sees us.
type Seen struct {
	By netip.Addr
	// As is our address. Its port is that of our UDP port, or 0 if the teller did not name
	// one or saw another socket of ours.
	As  netip.AddrPort
	Via Via
}

// Came says that a packet or a connection has come that we had not asked for.
type Came struct {
	From netip.AddrPort
	Via  Via
	// Known says that we had sent to the host before, but to another of its ports. Otherwise
	// we had sent nothing to the host at all.
	Known bool
}

// Mappings is the state of port mapping. It replaces that of before.
type Mappings struct {
	Ports []MappedPort
	// Asking says that the routers were asked and there is no answer yet.
	Asking bool
	// Off says that no router is asked, since the user does not want it.
	Off bool
}

// A MappedPort is a port of ours that a router maps.
type MappedPort struct {
	TCP      bool           // otherwise UDP
	Port     uint16         // ours
	External netip.AddrPort // at the router; its address may be a private one
	By       string         // the name of the protocol, as in "UPnP"
}

// Bound says where we are. It replaces what was known before; another set of addresses
// makes everything else unknown again, except mappings.
type Bound struct {
	Listen  []netip.AddrPort // where we listen; an unspecified address stands for all
	Machine []netip.Addr     // all addresses of this machine; nil if they are not known
	Proxied bool             // everything leads through a proxy, and nobody can connect to us
	NoUTP   bool             // uTP is switched off
	NoTCP   bool             // TCP is switched off
}

// Moved says that the network has changed: what was observed before counts no more.
type Moved struct{}

// Relayed are the addresses at relays that lead to us now. It replaces those of before.
type Relayed struct{ Addrs []netip.AddrPort }

// Used says until when an earlier process of this machine, as far as is known, has sent from
// our port. For some minutes a NAT still lets in the hosts that it has sent to.
type Used struct{ Until time.Time }

// Silent says whether datagrams get no answer although the network is there. It replaces what
// was said before.
type Silent struct{ On bool }
