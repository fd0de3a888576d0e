package relay

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun/v4"
)

// A knock is the first datagram of a uTP connection (BEP 29, ST_SYN) from a host without a
// permit. RFC 8656 has the server drop it. A peer that finds a relayed address tries it at once,
// long before the owner of the address can have heard of the peer, and some try it only once.
//
// So a client of ours asks our server for a permit for the unspecified address. The server then
// passes a few knocks on, as Data indications from that address: their data is the address of the
// stranger in compact form (BEP 23, or BEP 7 for IPv6), and the knock. The client decides who gets
// a permit, and takes the knock when the host has it. Other servers refuse to permit the
// unspecified address.
const (
	// knockMax is the largest knock, in bytes: a header, and room for extensions.
	knockMax = 64
	// knockPort is the port of the unspecified address from which knocks come.
	knockPort = 1
	// knocksRate and knocksBurst bound the knocks that a server passes on to one client, a
	// second and at once.
	knocksRate, knocksBurst = 2, 16
	// knocksMax is how many knocks wait for a permit with a client, and knockLife how long.
	knocksMax = 16
	knockLife = 3 * time.Second
)

// isKnock reports whether a datagram begins a uTP connection.
func isKnock(b []byte) bool {
	return len(b) >= 20 && len(b) <= knockMax && b[0] == 0x41 // type 4, version 1
}

// unspecified returns the unspecified address of the family of ip.
func unspecified(ip netip.Addr) netip.Addr {
	if ip.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// knock passes on the knock b[:n] of a stranger, which it replaces by what the client gets.
func (r *relayed) knock(b []byte, n int, from netip.AddrPort) (int, net.Addr, bool) {
	if !isKnock(b[:n]) || !r.server.mayReach(from.Addr()) ||
		!r.server.tenants.knocks(r.server.now(), r.tenant, from) {
		return 0, nil, false
	}
	at := appendCompact(make([]byte, 0, 18), from)
	copy(b[len(at):], b[:n])
	copy(b, at)
	return len(at) + n, net.UDPAddrFromAddrPort(
		netip.AddrPortFrom(unspecified(from.Addr()), knockPort)), true
}

// appendCompact appends an address in compact form.
func appendCompact(b []byte, a netip.AddrPort) []byte {
	b = append(b, a.Addr().AsSlice()...)
	return append(b, byte(a.Port()>>8), byte(a.Port()))
}

// parseKnock returns the stranger and the knock of a Data indication from the unspecified address.
func parseKnock(b []byte, is4 bool) (from netip.AddrPort, knock []byte, ok bool) {
	size := 16
	if is4 {
		size = 4
	}
	if len(b) < size+2 {
		return netip.AddrPort{}, nil, false
	}
	ip, _ := netip.AddrFromSlice(b[:size])
	from = netip.AddrPortFrom(ip, uint16(b[size])<<8|uint16(b[size+1]))
	knock = b[size+2:]
	return from, knock, isKnock(knock) && !ip.IsUnspecified() && ip.Is4() == is4 &&
		!ip.Is4In6() && from.Port() >= portMin
}

// knocks reports whether a datagram of a stranger may go to a tenant that asked for knocks, and
// counts it.
func (t *tenants) knocks(now time.Duration, n *tenant, from netip.AddrPort) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.clients[n.client] != n || !n.listens || from.Port() < portMin {
		return false
	}
	if _, permitted := n.hosts[from.Addr()]; permitted || !n.knocking.take(now, 1) {
		return false
	}
	t.stats.Knocks++
	return true
}

// A porch holds the knocks that wait for a permit. It is safe for concurrent use.
type porch struct {
	mu      sync.Mutex
	waiting []waitingKnock // len <= knocksMax, oldest first
}

// A waitingKnock came at a time since the allocation began.
type waitingKnock struct {
	from netip.AddrPort
	at   time.Duration
	data []byte
}

// put keeps a copy of a knock. A full porch forgets the oldest one.
func (p *porch) put(now time.Duration, from netip.AddrPort, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) >= knocksMax {
		p.waiting = append(p.waiting[:0], p.waiting[1:]...)
	}
	p.waiting = append(p.waiting, waitingKnock{from, now, append([]byte(nil), data...)})
}

// take removes the knocks of hosts, and returns those that are not too old.
func (p *porch) take(now time.Duration, hosts []netip.Addr) (list []waitingKnock) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.waiting[:0]
	for _, k := range p.waiting {
		mine := false
		for _, host := range hosts {
			mine = mine || k.from.Addr() == host
		}
		switch {
		case now-k.at > knockLife:
		case mine:
			list = append(list, k)
		default:
			kept = append(kept, k)
		}
	}
	clear(p.waiting[len(kept):])
	p.waiting = kept
	return list
}

// knocked takes the knock of a stranger, and tells the owner of the allocation.
func (a *Allocation) knocked(now time.Duration, b []byte) {
	from, data, ok := parseKnock(b, a.relayed.Addr().Is4())
	if a.onKnock == nil || !ok {
		return
	}
	a.hear(now)
	if a.peers.permitted(now, from.Addr()) {
		a.in.put(from, data)
		return
	}
	a.porch.put(now, from, data)
	a.onKnock(from.Addr())
}

// admit takes the knocks of hosts that have just got a permit.
func (a *Allocation) admit(hosts []netip.Addr) {
	for _, k := range a.porch.take(a.now(), hosts) {
		a.in.put(k.from, k.data)
	}
}

// An ear knows when to ask the server for knocks. It is owned by the keeper.
type ear struct {
	since time.Duration // when the server last permitted them; 0: never
	deaf  bool          // the server passes none on
}

// due reports whether the server should be asked now.
func (e *ear) due(now time.Duration) bool {
	return !e.deaf && (e.since == 0 || now-e.since >= permitRenewal)
}

// told records the answer of the server. One that refuses is not asked again.
func (e *ear) told(now time.Duration, err error) {
	switch {
	case err == nil:
		e.since = now
	case errors.As(err, new(*ServerError)):
		e.deaf = true
	}
}

// listen asks the server for knocks if that is due. The error says that the server is lost.
func (a *Allocation) listen(now time.Duration) error {
	if a.onKnock == nil || !a.ear.due(now) {
		return nil
	}
	err := a.permitUnspecified(a.ctx)
	a.ear.told(now, err)
	return a.judge(now, err)
}

// permitUnspecified asks for the permit that means knocks.
func (a *Allocation) permitUnspecified(ctx context.Context) error {
	anybody := netip.AddrPortFrom(unspecified(a.relayed.Addr()), 0)
	_, err := a.request(ctx, a.patience, stun.MethodCreatePermission, peerAddress(anybody))
	return err
}
