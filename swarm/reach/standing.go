package reach

import (
	"net/netip"
	"slices"
)

// A Standing says how others reach us. The zero Standing is that nothing is known yet.
type Standing struct {
	// External4 and External6 are the addresses of our UDP port as others see them, the
	// external ones of a mapping if a router maps the port. The port is 0 if it differs
	// from destination to destination. They are not valid while unknown.
	External4, External6 netip.AddrPort
	// ExternalTCP4 and ExternalTCP6 are where we accept connections over TCP, as others
	// see it. They are valid only if others can connect there, as far as we know.
	ExternalTCP4, ExternalTCP6 netip.AddrPort
	// Mapping, Filtering and Ports describe the NAT of our IPv4 address, or the firewall
	// of IPv6 if we have no IPv4.
	Mapping   Mapping
	Filtering Filtering
	Ports     Ports
	// TCP and UTP say how others reach us over each of the two, by the better family.
	TCP, UTP Reachability
	// Relayed are the addresses at relays that lead to us, the IPv4 one first.
	Relayed []netip.AddrPort
	// Alone says that nobody else is meant to reach us: this machine has no network, we listen
	// for its own programs, or everything leads through a proxy.
	Alone bool
	// Why gives the reason of TCP and UTP, in one plain sentence without a full stop.
	Why string
}

// Equal reports whether both say the same.
func (s Standing) Equal(o Standing) bool {
	return s.External4 == o.External4 && s.External6 == o.External6 &&
		s.ExternalTCP4 == o.ExternalTCP4 && s.ExternalTCP6 == o.ExternalTCP6 &&
		s.Mapping == o.Mapping && s.Filtering == o.Filtering && s.Ports == o.Ports &&
		s.TCP == o.TCP && s.UTP == o.UTP && s.Alone == o.Alone && s.Why == o.Why &&
		slices.Equal(s.Relayed, o.Relayed)
}

// A Mapping says how a NAT chooses the external port of our UDP port (RFC 4787, section 4.1).
type Mapping uint8

// The kinds of mapping.
const (
	MappingUnknown      Mapping = iota
	EndpointIndependent         // one for all destinations, or there is no NAT
	AddressDependent            // another one for each destination: it "varies by endpoint"
)

// String returns the word for the mapping, as in JSON.
func (m Mapping) String() string {
	return word([]string{"unknown", "endpoint-independent", "varies"}, int(m))
}

// A Filtering says who can send to our UDP port (RFC 4787, section 5).
type Filtering uint8

// The kinds of filtering.
const (
	FilteringUnknown Filtering = iota
	// FilteringOpen lets everybody in: hosts that we had sent nothing to have reached us.
	FilteringOpen
	// FilteringAddress lets in hosts that we have sent to, from any of their ports.
	FilteringAddress
	// FilteringRestricted lets in only whom we have sent to. Nobody else has come, though
	// many know us.
	FilteringRestricted
)

// String returns the word for the filtering, as in JSON.
func (f Filtering) String() string {
	return word([]string{"unknown", "open", "by address", "restricted"}, int(f))
}

// A Ports says whether a NAT keeps the number of our port.
type Ports uint8

// What a NAT does with our port.
const (
	PortsUnknown   Ports = iota
	PortsPreserved       // the external port is ours, or there is no NAT
	PortsChanged         // it is another one
)

// String returns the word for it, as in JSON.
func (p Ports) String() string {
	return word([]string{"unknown", "preserved", "changed"}, int(p))
}

// A Reachability says how others can begin to talk to us.
type Reachability uint8

// The ways in, from the best to none.
const (
	Unknown Reachability = iota // not known yet
	Open                        // anybody can
	Mapped                      // anybody can, since a router maps our port
	Punch                       // with our help: both sides send at once (BEP 55)
	// by a relay, or by punching to a peer whose NAT lets everybody in
	RelayOnly
	None // nobody can
)

// String returns the word for it, as in JSON.
func (r Reachability) String() string {
	return word([]string{"unknown", "open", "mapped", "punch", "relay", "none"}, int(r))
}

// word returns the word of a value, also of one that does not exist.
func word(words []string, i int) string {
	if i >= len(words) {
		return words[0]
	}
	return words[i]
}
