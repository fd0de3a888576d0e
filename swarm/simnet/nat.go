package simnet

import (
	"net/netip"
)

// A NAT translates addresses for the hosts behind it: each port of a host is
// seen as one port of the public address, whoever is spoken to, and lets in
// only those addresses and ports that it was used to speak to ("port
// restricted cone", the common kind). Mappings do not expire. Streams from
// outside get no answer.
type NAT struct {
	net    *Network
	public netip.Addr

	// Below is guarded by net.mu.
	inside   map[netip.Addr]*Host
	outer    map[netip.AddrPort]uint16 // inner endpoint to public port
	inner    map[uint16]netip.AddrPort // and back
	spoke    map[mapping]bool
	nextPort uint16
}

type mapping struct {
	port uint16
	with netip.AddrPort
}

// NAT adds a NAT with a public address.
func (n *Network) NAT(public netip.Addr) *NAT {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts[public] != nil || n.nats[public] != nil {
		panic("simnet: " + public.String() + " is taken")
	}
	t := &NAT{
		net: n, public: public, inside: make(map[netip.Addr]*Host),
		outer: make(map[netip.AddrPort]uint16), inner: make(map[uint16]netip.AddrPort),
		spoke: make(map[mapping]bool), nextPort: 1024,
	}
	n.nats[public] = t
	return t
}

// Host adds a host behind the NAT. Its address is known there only.
func (t *NAT) Host(addr netip.Addr, link Link) *Host {
	return t.net.add(addr, link, t)
}

// out returns as what the world sees a packet from an inner endpoint.
func (t *NAT) out(from, to netip.AddrPort) netip.AddrPort {
	port, ok := t.outer[from]
	if !ok {
		for t.inner[t.nextPort].IsValid() {
			t.nextPort++
		}
		port = t.nextPort
		t.nextPort++
		t.outer[from], t.inner[port] = port, from
	}
	t.spoke[mapping{port, to}] = true
	return netip.AddrPortFrom(t.public, port)
}

// in returns whom a packet to a public port is for.
func (t *NAT) in(from netip.AddrPort, port uint16) (*Host, netip.AddrPort) {
	if !t.spoke[mapping{port, from}] {
		return nil, netip.AddrPort{}
	}
	to := t.inner[port]
	return t.inside[to.Addr()], to
}

// route follows a packet from a host's endpoint: it returns the host that gets
// it (nil if nobody does), as whom it sees the sender, and at which of its own
// endpoints.
func (n *Network) route(from *Host, source, dest netip.AddrPort) (to *Host, seen,
	at netip.AddrPort) {
	if from.nat != nil {
		if h := from.nat.inside[dest.Addr()]; h != nil {
			return h, source, dest
		}
		source = from.nat.out(source, dest)
	}
	if t := n.nats[dest.Addr()]; t != nil {
		to, at = t.in(source, dest.Port())
		return to, source, at
	}
	return n.hosts[dest.Addr()], source, dest
}
