package reach

import (
	"fmt"
	"net/netip"
	"time"
)

// why returns the reason of a verdict, the one that decides.
func (m *Machine) why(now time.Time, i int, v *verdict) string {
	f := &m.families[i]
	over, mapped := v.utp, v.mappedUDP
	if m.noUTP {
		over, mapped = v.tcp, v.mappedTCP
	}
	switch {
	case !m.bound:
		return "nothing is known yet"
	case m.proxied:
		return "everything leads through a proxy, and nobody can connect to us"
	case m.offline:
		return "this machine has no network"
	case f.loopback:
		return "we listen for programs of this machine alone"
	case f.listen == 0:
		return "we listen nowhere"
	case !m.connected(i):
		return "this machine has no address that leads to the internet"
	case mapped != nil && mapped.By != "":
		return fmt.Sprintf("the router maps port %d (%s)", mapped.External.Port(), mapped.By)
	case mapped != nil:
		return fmt.Sprintf("the router maps port %d", mapped.External.Port())
	case over == Open && (v.filtering == FilteringOpen || lasts(now, f.came.tcp)):
		return "hosts that we had not asked have reached us"
	case over == Open:
		return "this machine has a public address"
	case m.silent && !m.noUTP:
		return "datagrams get no answer: the network or a firewall drops UDP"
	case f.direct() && over == Unknown:
		return "this machine has a public address, and nobody has come to it yet"
	case f.direct():
		return "a firewall lets in only hosts that we have sent to"
	case !f.election.addr.IsValid():
		return "too few others have told where they see us"
	case over == Unknown && m.asking(now):
		return "routers are asked to map our port"
	case v.mapping == AddressDependent:
		return m.nat(f, v) + " gives us another port for each destination" + m.instead(v)
	case over == Unknown:
		return "too few others have told at which port they see us"
	case v.filtering == FilteringUnknown:
		return m.nat(f, v) + " translates our address" + m.instead(v)
	}
	return m.nat(f, v) + " lets in only hosts that we have sent to" + m.instead(v)
}

// nat names the NAT that others meet.
func (m *Machine) nat(f *family, v *verdict) string {
	if v.mappedInside != nil {
		if ip := v.mappedInside.External.Addr(); !public(ip) && !carrier(ip) {
			return "a second router"
		}
		return "the NAT of the carrier"
	}
	for ip := range f.machine {
		if carrier(ip) {
			return "the NAT of the carrier"
		}
	}
	return "the router"
}

// instead says what has come of port mapping.
func (m *Machine) instead(v *verdict) string {
	switch {
	case v.mappedInside != nil:
		return ", and the mapping of our own router ends before it"
	case m.mappings.Off:
		return ", and port mapping is switched off"
	case m.asked:
		return ", and no router maps our port"
	}
	return ""
}

// Known reports whether there is an answer for at least one transport.
func (s Standing) Known() bool {
	return s.UTP != Unknown || s.TCP == Open || s.TCP == Mapped
}

// Hidden reports whether others reach us only with help: by punching or by a relay.
func (s Standing) Hidden() bool {
	return (s.UTP == Punch || s.UTP == RelayOnly) && s.TCP != Open && s.TCP != Mapped
}

// String returns one line for the user, as in "reachable over TCP and uTP at
// 203.0.113.7:51413: the router maps port 51413 (UPnP)".
func (s Standing) String() string {
	text := s.Answer()
	if s.Why != "" {
		text += ": " + s.Why
	}
	return text
}

// Answer returns String without the reason.
func (s Standing) Answer() string {
	utp, tcp := s.UTP == Open || s.UTP == Mapped, s.TCP == Open || s.TCP == Mapped
	at, atTCP := first(s.External4, s.External6), first(s.ExternalTCP4, s.ExternalTCP6)
	switch {
	case utp && tcp && (at == atTCP || !atTCP.IsValid()):
		return "reachable over TCP and uTP" + place(" at ", at)
	case utp && tcp:
		return "reachable over TCP" + place(" at ", atTCP) + " and over uTP" + place(" at ", at)
	case utp && s.TCP == None:
		return "reachable over uTP" + place(" at ", at) + ", not over TCP"
	case utp:
		return "reachable over uTP" + place(" at ", at)
	case tcp:
		return "reachable over TCP" + place(" at ", atTCP)
	}
	switch s.UTP {
	case Punch:
		return "reachable only by hole punching" + place(", seen at ", at)
	case RelayOnly:
		if len(s.Relayed) > 0 {
			return "reachable only through a relay" + place(" at ", s.Relayed[0])
		}
		return "reachable only through a relay, and there is none"
	case None:
		return "not reachable"
	}
	return "not known yet how others reach us"
}

// first returns the first valid address.
func first(a, b netip.AddrPort) netip.AddrPort {
	if a.IsValid() {
		return a
	}
	return b
}

// place names an address after some words, or nothing if it is not known. A port of 0 is left
// out.
func place(words string, at netip.AddrPort) string {
	switch {
	case !at.IsValid():
		return ""
	case at.Port() == 0:
		return words + at.Addr().String()
	}
	return words + at.String()
}
