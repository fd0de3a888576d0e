package book

import (
	"math"
	"net/netip"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// never is later than any moment.
	never = time.Duration(math.MaxInt64)

	// perHostMax bounds the entries of one host: a household behind one NAT or with one
	// /64. Whoever names more makes them up.
	perHostMax = 8
	// A liar may have named an innocent host again and again, each time with another
	// port, or with another one of its 2^64 addresses. So one rumour of a host is dialled
	// at a time. As long as nobody was met there the next follows after hostAgain, a wait
	// that doubles each time, and after fruitlessMax in a row none for hostRest.
	hostAgain    = 20 * time.Second
	fruitlessMax = 6
	hostRest     = 30 * time.Minute
	// restingMax bounds the hosts that are remembered for their rest alone.
	restingMax = 1024
)

// A host is what is known of one place, whatever the port (see hostOf). Our own
// address is none: all nodes of this machine share it.
type host struct {
	entries   int // 0 <= entries <= perHostMax, but for what the user named
	dialling  int // 0 <= dialling <= entries
	fruitless int // dials in a row to entries that are not proven that failed
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
func (b *Book) host(ip netip.Addr) *host {
	if b.cfg.Home.Has(ip) {
		return &host{}
	}
	ip = hostOf(ip)
	h := b.hosts[ip]
	if h == nil {
		if len(b.hosts) >= entriesMax+restingMax {
			b.forgetHost()
		}
		if b.hosts == nil {
			b.hosts = map[netip.Addr]*host{}
		}
		h = &host{}
		b.hosts[ip] = h
	}
	return h
}

// crowded reports whether the host at ip has as many entries as it may have.
func (b *Book) crowded(ip netip.Addr) bool {
	h := b.hosts[hostOf(ip)]
	return h != nil && h.entries >= perHostMax
}

// rests returns until when no entry of the host that is not proven may be dialled;
// never while another one is being dialled.
func (h *host) rests() time.Duration {
	switch {
	case h.entries < 2: // then the wait of the entry itself is enough
		return 0
	case h.dialling > 0:
		return never
	default:
		return h.until
	}
}

// reached records that a peer is at ip.
func (b *Book) reached(ip netip.Addr) {
	if h := b.hosts[hostOf(ip)]; h != nil {
		h.fruitless, h.until = 0, 0
	}
}

// missed records that nobody was met at an entry of the host at ip that is not proven.
func (b *Book) missed(ip netip.Addr, now time.Duration) {
	h := b.hosts[hostOf(ip)]
	if h == nil {
		return
	}
	h.until = now + hostAgain<<h.fruitless
	if h.fruitless++; h.fruitless >= fruitlessMax {
		h.fruitless, h.until = 0, now+hostRest
	}
}

// leaveHost records that the host at ip has one entry less. A host that rests is
// remembered; otherwise naming it again would end the rest.
func (b *Book) leaveHost(ip netip.Addr) {
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

// forgetHost forgets the host without entries whose rest is over first.
func (b *Book) forgetHost() {
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
