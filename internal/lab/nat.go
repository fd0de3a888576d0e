//go:build linux

package lab

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A Dependence says on what a mapping or a filter of a NAT depends, in the words of
// RFC 4787, sections 4.1 and 5.
type Dependence int

// The three kinds of each.
const (
	EndpointIndependent Dependence = iota
	AddressDependent
	AddressAndPortDependent
)

// String returns the kind as tables show it.
func (d Dependence) String() string {
	switch d {
	case EndpointIndependent:
		return "endpoint-independent"
	case AddressDependent:
		return "address-dependent"
	default:
		return "address-and-port-dependent"
	}
}

// of returns the part of a peer's endpoint that matters: all of it, the address alone, or
// nothing.
func (d Dependence) of(peer netip.AddrPort) netip.AddrPort {
	switch d {
	case EndpointIndependent:
		return netip.AddrPort{}
	case AddressDependent:
		return netip.AddrPortFrom(peer.Addr(), 0)
	default:
		return peer
	}
}

// NAT says how a home router translates UDP, TCP and the identifiers of ICMP echo. The
// zero NAT is a full cone that chooses ports of its own.
type NAT struct {
	// Mapping says for which peers a port inside keeps its port outside. With
	// AddressAndPortDependent, each peer sees another port: a symmetric NAT.
	Mapping Dependence
	// Filtering says who may answer to a port outside: everybody, the addresses that
	// the port has sent to, or their endpoints alone.
	Filtering Dependence
	// Preserve gives the first mapping of a port the same port outside, if it is free.
	// Without it the port outside is always another one. No two mappings share a port.
	Preserve bool
	// Hairpin lets hosts inside reach each other by the address outside. The sender then
	// has its address outside, too (RFC 4787, section 6).
	Hairpin bool
	// Idle is how long a mapping of UDP lasts without a packet in either direction, and
	// one of TCP after its FIN or RST. 0: 2 minutes.
	Idle time.Duration
}

const (
	idleDefault = 2 * time.Minute             // RFC 4787, section 4.3
	idleTCP     = 2*time.Hour + 4*time.Minute // RFC 5382, section 5
	lowestPort  = 1024                        // that a NAT chooses
	mappingsMax = 1<<16 - lowestPort          // of one router
	allowedMax  = 4096                        // peers that one mapping lets in
)

// ErrNoNAT is the error of a call about the NAT of a host that is behind none, or behind
// one of the kernel.
var ErrNoNAT = errors.New("no NAT of the lab")

// A NATTally counts what a router has done with packets.
type NATTally struct {
	Mappings   int   // that exist now
	Passed     int64 // packets that went through
	Hairpinned int64 // packets that came back inside; they have passed too
	Unmapped   int64 // packets from outside to a port without a mapping
	Filtered   int64 // packets from outside that a filter stopped
	Dropped    int64 // packets from inside that went nowhere, and foreign ones
}

// A natTable is the NAT of a router, and its firewall for IPv6, where nothing is
// translated but only filtered. It is pure: the times are arguments.
type natTable struct {
	nat     NAT
	outside netip.Addr   // IPv4
	prefix  netip.Prefix // IPv6 inside; not valid: there is none

	byInside  map[insideKey]*mapping
	byOutside map[outsideKey]*mapping
	tally     NATTally

	ports []uint16 // in the order in which they are chosen
	next  int      // the index of the next one
}

// An insideKey names a mapping by what a packet from inside shows of it.
type insideKey struct {
	proto  uint8
	inside netip.AddrPort
	peer   netip.AddrPort // as much as the mapping depends on
}

// An outsideKey names a mapping by what a packet from outside shows of it.
type outsideKey struct {
	proto   uint8
	outside netip.AddrPort
}

// A mapping ties a port inside to one outside.
type mapping struct {
	key     insideKey
	guests  []insideKey // of peers that came in by it, and have no mapping of their own
	outside netip.AddrPort
	until   time.Duration
	closed  bool                             // a FIN or RST has passed
	pinhole bool                             // it lasts, and lets everybody in
	allowed map[netip.AddrPort]time.Duration // as much as the filter looks at; until when
}

// A verdict is what becomes of a packet.
type verdict int

const (
	drop verdict = iota
	pass
	turnBack // to the side from which it came
)

func newNATTable(n NAT, outside netip.Addr, seed uint64) *natTable {
	if n.Idle == 0 {
		n.Idle = idleDefault
	}
	t := &natTable{nat: n, outside: outside}
	for _, p := range rand.New(rand.NewPCG(seed, 0x6e6174)).Perm(mappingsMax) {
		t.ports = append(t.ports, uint16(lowestPort+p))
	}
	t.forget()
	return t
}

// forget drops all mappings but pinholes.
func (t *natTable) forget() {
	old := t.byInside
	t.byInside, t.byOutside = map[insideKey]*mapping{}, map[outsideKey]*mapping{}
	for key, m := range old {
		if m.pinhole && key == m.key {
			m.guests = nil
			t.add(m)
		}
	}
}

func (t *natTable) add(m *mapping) {
	t.byInside[m.key] = m
	t.byOutside[outsideKey{m.key.proto, m.outside}] = m
}

func (t *natTable) remove(m *mapping) {
	delete(t.byInside, m.key)
	for _, k := range m.guests {
		delete(t.byInside, k)
	}
	delete(t.byOutside, outsideKey{m.key.proto, m.outside})
}

// sweep removes the mappings that have ended.
func (t *natTable) sweep(now time.Duration) {
	for _, m := range t.byOutside {
		if m.ended(now) {
			t.remove(m)
		}
	}
}

func (m *mapping) ended(now time.Duration) bool { return !m.pinhole && now >= m.until }

// leave takes a packet from inside and translates it.
func (t *natTable) leave(now time.Duration, raw []byte) verdict {
	p, ok := parsePacket(raw)
	if !ok || !t.isInside(p.from.Addr()) {
		t.tally.Dropped++
		return drop
	}
	if p.inner != nil {
		return t.leaveError(now, p)
	}
	m := t.open(now, p)
	if m == nil {
		t.tally.Dropped++
		return drop
	}
	m.refresh(t, now, p, p.to)
	p.setFrom(m.outside)
	if p.to.Addr() != t.outside {
		t.tally.Passed++
		return pass
	}
	if !t.nat.Hairpin || t.enter(now, raw) != pass {
		t.tally.Dropped++
		return drop
	}
	t.tally.Hairpinned++
	return turnBack
}

// isInside reports whether a packet from inside can have the address: the router lets
// nobody forge one of IPv6, and keeps what belongs to one link.
func (t *natTable) isInside(a netip.Addr) bool {
	if a.Is4() {
		return a != t.outside && !a.IsUnspecified()
	}
	return t.prefix.Contains(a)
}

// open returns the mapping of a packet from inside, perhaps a new one. It is nil for what
// begins nothing.
func (t *natTable) open(now time.Duration, p *packetView) *mapping {
	key := insideKey{p.proto, p.from, t.nat.Mapping.of(p.to)}
	if p.from.Addr().Is6() {
		key.peer = netip.AddrPort{} // nothing is translated
	}
	if m := t.byInside[key]; m != nil {
		if !m.ended(now) {
			return m
		}
		t.remove(m)
	}
	if len(t.byInside) >= mappingsMax {
		t.sweep(now)
	}
	if p.reply || len(t.byInside) >= mappingsMax {
		return nil
	}
	m := &mapping{key: key, outside: p.from, allowed: map[netip.AddrPort]time.Duration{}}
	if p.from.Addr().Is4() {
		var ok bool
		if m.outside, ok = t.choose(now, p); !ok {
			return nil
		}
	}
	t.add(m)
	return m
}

// choose returns a free endpoint outside for a packet from inside. The ports have a random
// order, by the seed.
func (t *natTable) choose(now time.Duration, p *packetView) (netip.AddrPort, bool) {
	free := func(port uint16) (netip.AddrPort, bool) {
		at := netip.AddrPortFrom(t.outside, port)
		m := t.byOutside[outsideKey{p.proto, at}]
		if m != nil && m.ended(now) {
			t.remove(m)
			m = nil
		}
		return at, m == nil
	}
	if t.nat.Preserve {
		if at, ok := free(p.from.Port()); ok {
			return at, true
		}
	}
	for range t.ports {
		port := t.ports[t.next]
		t.next = (t.next + 1) % len(t.ports)
		if at, ok := free(port); ok && port != p.from.Port() {
			return at, true
		}
	}
	return netip.AddrPort{}, false
}

// refresh prolongs a mapping for a packet to or from a peer, and what its filter knows of
// that peer.
func (m *mapping) refresh(t *natTable, now time.Duration, p *packetView, peer netip.AddrPort) {
	m.closed = p.proto == unix.IPPROTO_TCP && !p.syn && (m.closed || p.ends)
	life := t.nat.Idle
	if p.proto == unix.IPPROTO_TCP && !m.closed {
		life = idleTCP
	}
	m.until = now + life
	if len(m.allowed) >= allowedMax {
		for peer, until := range m.allowed {
			if now >= until {
				delete(m.allowed, peer)
			}
		}
	}
	if who := t.nat.Filtering.of(peer); len(m.allowed) < allowedMax || m.allowed[who] > 0 {
		m.allowed[who] = m.until
	}
}

// enter takes a packet from outside and translates it.
func (t *natTable) enter(now time.Duration, raw []byte) verdict {
	p, ok := parsePacket(raw)
	if !ok || p.to.Addr().Is6() && !t.prefix.Contains(p.to.Addr()) {
		t.tally.Dropped++
		return drop
	}
	if p.inner != nil {
		return t.enterError(now, p)
	}
	m := t.byOutside[outsideKey{p.proto, p.to}]
	if m == nil || m.ended(now) {
		t.tally.Unmapped++
		return drop
	}
	if !m.pinhole && now >= m.allowed[t.nat.Filtering.of(p.from)] {
		t.tally.Filtered++
		return drop
	}
	m.refresh(t, now, p, p.from)
	t.welcome(m, p)
	p.setTo(m.key.inside)
	t.tally.Passed++
	return pass
}

// welcome makes answers to a peer that came in by a mapping leave by it.
func (t *natTable) welcome(m *mapping, p *packetView) {
	if p.to.Addr().Is6() {
		return // there is one mapping for all peers
	}
	key := insideKey{p.proto, m.key.inside, t.nat.Mapping.of(p.from)}
	if t.byInside[key] == nil && len(t.byInside) < mappingsMax {
		t.byInside[key] = m
		m.guests = append(m.guests, key)
	}
}

// enterError translates an ICMP error from outside about a packet that went out.
func (t *natTable) enterError(now time.Duration, p *packetView) verdict {
	m := t.byOutside[outsideKey{p.inner.proto, p.inner.from}]
	if m == nil || m.ended(now) {
		t.tally.Unmapped++
		return drop
	}
	p.inner.setFrom(m.key.inside)
	p.setTo(netip.AddrPortFrom(m.key.inside.Addr(), 0))
	p.sumError()
	t.tally.Passed++
	return pass
}

// leaveError translates an ICMP error from inside about a packet that came in.
func (t *natTable) leaveError(now time.Duration, p *packetView) verdict {
	peer := t.nat.Mapping.of(p.inner.from)
	if p.inner.to.Addr().Is6() {
		peer = netip.AddrPort{}
	}
	m := t.byInside[insideKey{p.inner.proto, p.inner.to, peer}]
	if m == nil || m.ended(now) {
		t.tally.Dropped++
		return drop
	}
	p.inner.setTo(m.outside)
	if p.from.Addr().Is4() {
		p.setFrom(netip.AddrPortFrom(t.outside, 0))
	}
	p.sumError()
	t.tally.Passed++
	return pass
}

// pinhole lets everybody reach an endpoint inside, for ever. Outside it has the same
// port. A mapping that had the port ends.
func (t *natTable) pinhole(proto uint8, inside netip.AddrPort) {
	m := &mapping{
		key: insideKey{proto: proto, inside: inside}, outside: inside, pinhole: true,
		allowed: map[netip.AddrPort]time.Duration{},
	}
	if inside.Addr().Is4() {
		m.outside = netip.AddrPortFrom(t.outside, inside.Port())
	}
	if old := t.byOutside[outsideKey{proto, m.outside}]; old != nil {
		t.remove(old)
	}
	if old := t.byInside[m.key]; old != nil {
		t.remove(old)
	}
	t.add(m)
}
