package core

import (
	"net/netip"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// perHostMax bounds the addresses that are remembered of one source: a
	// household behind one NAT or with one /64. Whoever names more makes them up.
	perHostMax = 8
	// Somebody may have named an innocent host again and again, each time with
	// another port, or another one of its 2^64 addresses. So to one source there is
	// one dial at a time, as long as nobody was met there, and after hostAgain the
	// next, after a wait that doubles each time; and after fruitlessMax in a row none
	// for hostRest.
	hostAgain    = 20 * time.Second
	fruitlessMax = 6
	hostRest     = 30 * time.Minute
	// restingMax bounds the hosts that are remembered for their rest alone.
	restingMax = 1024
)

// A host is what is known of one source, whatever the port (see hostOf). Our own
// address is none: all nodes of this machine share it.
type host struct {
	entries   int // addresses in the book, 0 <= entries <= perHostMax but for what the user names
	dialling  int // those that are being dialled, 0 <= dialling <= entries
	fruitless int // dials in a row to unproven addresses that failed
	until     time.Duration
}

// hostOf returns what stands for the host at ip. On a link that is the address, since
// all of its hosts are in one /64.
func hostOf(ip netip.Addr) netip.Addr {
	if ip.IsLinkLocalUnicast() {
		return ip
	}
	return limit.SourceOf(ip)
}

// host returns what is known of the host at ip; it is of the book unless ip is our own.
func (b *book) host(ip netip.Addr) *host {
	if b.home.Has(ip) {
		return &host{}
	}
	ip = hostOf(ip)
	h := b.hosts[ip]
	if h == nil {
		if len(b.hosts) >= addressesMax+restingMax {
			b.forgetHost()
		}
		h = &host{}
		b.hosts[ip] = h
	}
	return h
}

// crowded reports whether as many addresses of the host at ip are known as may be.
func (b *book) crowded(ip netip.Addr) bool {
	h := b.hosts[hostOf(ip)]
	return h != nil && h.entries >= perHostMax
}

// rests returns until when no unproven address of the host is to be dialled; never
// stands for until another was.
func (h *host) rests() time.Duration {
	switch {
	case h.entries < 2: // then the wait of the address itself is enough
		return 0
	case h.dialling > 0:
		return never
	default:
		return h.until
	}
}

// reached notes that a peer is at ip.
func (b *book) reached(ip netip.Addr) {
	if h := b.hosts[hostOf(ip)]; h != nil {
		h.fruitless, h.until = 0, 0
	}
}

// missed notes that nobody was met at an unproven address of the host at ip.
func (b *book) missed(ip netip.Addr, now time.Duration) {
	h := b.hosts[hostOf(ip)]
	if h == nil {
		return
	}
	h.until = now + hostAgain<<h.fruitless
	if h.fruitless++; h.fruitless >= fruitlessMax {
		h.fruitless, h.until = 0, now+hostRest
	}
}

// leaveHost notes that an address of the host at ip is no longer in the book. A host
// that rests is remembered; otherwise naming it again would end the rest.
func (b *book) leaveHost(ip netip.Addr) {
	ip = hostOf(ip)
	h := b.hosts[ip]
	if h == nil {
		return
	}
	h.entries--
	if h.entries > 0 {
		return
	}
	if h.fruitless == 0 && h.until == 0 {
		delete(b.hosts, ip)
	}
}

// forgetHost forgets, of the hosts that are there for their rest alone, the one
// whose rest is over first.
func (b *book) forgetHost() {
	var first netip.Addr
	for ip, h := range b.hosts {
		if h.entries > 0 {
			continue
		}
		o := b.hosts[first]
		if o == nil || h.until < o.until || h.until == o.until && ip.Less(first) {
			first = ip
		}
	}
	delete(b.hosts, first)
}
