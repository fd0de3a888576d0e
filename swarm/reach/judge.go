package reach

import (
	"net/netip"
	"time"
)

// askingMax is how long an answer of routers is waited for. Most answer within a second, and
// who needs a relay should not wait for the others.
const askingMax = 2 * time.Second

// A verdict is how others reach us in one family.
type verdict struct {
	tcp, utp     Reachability
	external     netip.AddrPort // of UDP
	externalTCP  netip.AddrPort
	mapping      Mapping
	filtering    Filtering
	ports        Ports
	mappedUDP    *MappedPort // the mapping that lets others in; nil without one
	mappedTCP    *MappedPort
	mappedInside *MappedPort // a mapping that ends before another NAT; nil without one
}

// judge forms the standing of a moment.
func (m *Machine) judge(now time.Time) Standing {
	four, six := m.judgeFamily(now, 0), m.judgeFamily(now, 1)
	is := Standing{
		External4: four.external, External6: six.external,
		ExternalTCP4: four.externalTCP, ExternalTCP6: six.externalTCP,
		TCP: better(four.tcp, six.tcp), UTP: better(four.utp, six.utp), Relayed: m.relayed,
	}
	first, f := &four, 0
	if m.families[0].listen == 0 && m.families[1].listen != 0 {
		first, f = &six, 1
	}
	is.Mapping, is.Filtering, is.Ports = first.mapping, first.filtering, first.ports
	if is.UTP == None && len(m.relayed) > 0 {
		is.UTP = RelayOnly
	}
	is.Alone = m.alone()
	decides := four.utp != better(four.utp, six.utp)
	if m.noUTP {
		decides = four.tcp != is.TCP
	}
	if decides {
		first, f = &six, 1
	}
	is.Why = m.why(now, f, first)
	return is
}

// alone reports whether others are not meant to reach us.
func (m *Machine) alone() bool {
	loopback, listens := true, false
	for i := range m.families {
		f := &m.families[i]
		loopback = loopback && (f.listen == 0 || f.loopback)
		listens = listens || f.listen != 0
	}
	return m.offline || m.proxied || listens && loopback
}

// ranks order what is said of both families, the best first: an answer comes before none.
var ranks = [...]int{Open: 0, Mapped: 1, Punch: 2, RelayOnly: 3, Unknown: 4, None: 5}

// better returns the better one of two.
func better(a, b Reachability) Reachability {
	if ranks[b] < ranks[a] {
		return b
	}
	return a
}

// judgeFamily forms the verdict of one family.
func (m *Machine) judgeFamily(now time.Time, i int) verdict {
	f := &m.families[i]
	if m.bound && (m.proxied || m.offline || f.listen == 0 || f.loopback || !m.connected(i)) {
		return verdict{tcp: None, utp: None}
	}
	v := verdict{filtering: f.filtering(now)}
	m.findMappings(f, i, &v)
	f.judgePort(&v)
	v.utp, v.tcp = m.judgeUTP(now, f, i, &v), m.judgeTCP(now, f, i, &v)
	switch {
	case v.mappedTCP != nil:
		v.externalTCP = v.mappedTCP.External
	case v.tcp == Open && f.election.addr.IsValid():
		v.externalTCP = netip.AddrPortFrom(f.election.addr, f.listen)
	case v.tcp == Open && f.own.IsValid():
		v.externalTCP = netip.AddrPortFrom(f.own, f.listen)
	}
	return v
}

// findMappings finds what routers map of our port.
func (m *Machine) findMappings(f *family, i int, v *verdict) {
	for j := range m.mappings.Ports {
		p := &m.mappings.Ports[j]
		ip := clean(p.External.Addr())
		switch {
		case !p.External.IsValid() || p.Port != f.listen || familyOf(ip) != i:
		case !public(ip) || f.election.addr.IsValid() && f.election.addr != ip && !f.machine[ip]:
			v.mappedInside = p
		case p.TCP && v.mappedTCP == nil:
			v.mappedTCP = p
		case !p.TCP && v.mappedUDP == nil:
			v.mappedUDP = p
		}
	}
}

// judgePort finds out where others see our UDP port, and how a NAT chooses it.
func (f *family) judgePort(v *verdict) {
	v.mapping = f.election.mapping
	port := f.election.port
	if f.direct() {
		v.mapping = EndpointIndependent
		if port == 0 {
			port = f.listen
		}
	}
	switch {
	case f.election.addr.IsValid():
		v.external = netip.AddrPortFrom(f.election.addr, port)
	case f.own.IsValid():
		v.external = netip.AddrPortFrom(f.own, port)
	}
	switch {
	case v.mapping == AddressDependent:
		v.ports = PortsChanged
	case port == 0:
	case port == f.listen:
		v.ports = PortsPreserved
	default:
		v.ports = PortsChanged
	}
	if v.mappedUDP != nil {
		v.external = netip.AddrPortFrom(clean(v.mappedUDP.External.Addr()),
			v.mappedUDP.External.Port())
	}
}

// judgeUTP returns how others reach us over uTP.
func (m *Machine) judgeUTP(now time.Time, f *family, i int, v *verdict) Reachability {
	switch {
	case m.noUTP:
		return None
	case v.mappedUDP != nil:
		return Mapped
	case v.filtering == FilteringOpen:
		return Open
	case m.silent:
		return None
	case f.direct() && f.quiet(now):
		return Punch
	case f.direct() && i == 0:
		return Open
	case f.direct(), !f.election.addr.IsValid(), m.asking(now):
		return Unknown
	case v.mapping == AddressDependent:
		return RelayOnly
	case v.mapping == EndpointIndependent, f.quiet(now):
		return Punch
	}
	return Unknown
}

// judgeTCP returns how others reach us over TCP.
func (m *Machine) judgeTCP(now time.Time, f *family, i int, v *verdict) Reachability {
	switch {
	case m.noTCP:
		return None
	case v.mappedTCP != nil:
		return Mapped
	case lasts(now, f.came.tcp):
		return Open
	case f.direct() && v.filtering != FilteringOpen && f.quiet(now):
		return None
	case f.direct() && (i == 0 || v.filtering == FilteringOpen):
		return Open
	case f.direct(), !f.election.addr.IsValid(), m.asking(now):
		return Unknown
	}
	return None
}

// connected reports whether this machine can have a way to the internet in a family: it has
// an address of IPv4, or a public one of IPv6, or others see it there.
func (m *Machine) connected(i int) bool {
	f := &m.families[i]
	return !m.placed || f.election.addr.IsValid() || f.own.IsValid() || i == 0 && len(f.machine) > 0
}

// asking reports whether routers may still map our port.
func (m *Machine) asking(now time.Time) bool {
	return m.mappings.Asking && now.Before(m.askedAt.Add(askingMax))
}
