package relay

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// PermitsMax is how many hosts an Allocation lets through at a time.
	PermitsMax = 64
	// permitRenewal is when a permit is asked for again: a server forgets it after five
	// minutes (RFC 8656, section 9).
	permitRenewal = 4 * time.Minute
	permitLife    = 5 * time.Minute
	// permitIdle is how long a permit is renewed without traffic and without a new call of
	// Permit.
	permitIdle = 10 * time.Minute
	// permitsCrowd is how many permits are too many to renew what nobody has used since the last
	// renewal: others need room.
	permitsCrowd = PermitsMax * 3 / 4

	// routesMax bounds the addresses of peers that datagrams go to. Of these, some have a
	// channel.
	routesMax = 256
	// routeWorth is how many datagrams must go to an address before it gets a channel.
	routeWorth = 3
	// A channel lasts ten minutes on the server. Five minutes later its number may serve
	// for another address (RFC 8656, section 12).
	channelRenewal = 5 * time.Minute
	channelLife    = 10*time.Minute - channelMargin
	channelMargin  = 30 * time.Second
	channelFree    = 15*time.Minute + channelMargin
)

// A permit lets one host through. Its times are since the allocation began.
type permit struct {
	renewed time.Duration // when the server granted it last
	used    atomic.Int64  // of type time.Duration: when Permit or traffic last used it
}

// A route is the address of a peer that datagrams go to.
type route struct {
	to     netip.AddrPort
	permit *permit
	sent   atomic.Int64 // datagrams
	used   atomic.Int64 // of type time.Duration: when one last went out or came in
	// number is that of the channel, or 0 while there is none.
	number  atomic.Uint32
	renewed time.Duration // when the server bound the channel last
	refused bool          // the server gives it no channel
}

// peers are the permits and routes of an allocation. They are told what time it is, as the
// time since the allocation began. They are safe for concurrent use; datagrams pass under the
// lock for reading.
type peers struct {
	mu      sync.RWMutex
	permits map[netip.Addr]*permit
	routes  map[netip.AddrPort]*route
	numbers [channels]number
}

// A number is one that a channel can have.
type number struct {
	of    *route        // nil once the channel has ended
	until time.Duration // when the number can serve for another address
}

func (p *peers) init() {
	p.permits = make(map[netip.Addr]*permit)
	p.routes = make(map[netip.AddrPort]*route)
}

// lacking returns those of hosts that have no permit, and marks the permits of the others as
// used. It fails with ErrPermits if there would be too many.
func (p *peers) lacking(now time.Duration, hosts []netip.Addr) ([]netip.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lack []netip.Addr
	for _, host := range hosts {
		if known := p.permits[host]; known != nil && now-known.renewed < permitLife {
			known.used.Store(int64(now))
		} else {
			lack = append(lack, host)
		}
	}
	p.expire(now)
	if len(p.permits)+len(lack) > PermitsMax {
		return nil, ErrPermits
	}
	return lack, nil
}

// granted records that the server lets hosts through.
func (p *peers) granted(now time.Duration, hosts []netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, host := range hosts {
		known := p.permits[host]
		if known == nil {
			if len(p.permits) >= PermitsMax {
				continue
			}
			known = new(permit)
			known.used.Store(int64(now))
			p.permits[host] = known
		}
		known.renewed = now
	}
}

// aging returns up to most permitted hosts whose permits should be renewed now.
func (p *peers) aging(now time.Duration, most int) (hosts []netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	idle := permitIdle
	if len(p.permits) >= permitsCrowd {
		idle = permitRenewal
	}
	for host, known := range p.permits {
		if now-known.renewed >= permitRenewal && now-time.Duration(known.used.Load()) < idle {
			if hosts = append(hosts, host); len(hosts) == most {
				break
			}
		}
	}
	return hosts
}

// expire forgets permits that the server has forgotten, with their routes, and channels that
// have ended. The caller holds mu.
func (p *peers) expire(now time.Duration) {
	for host, known := range p.permits {
		if now-known.renewed >= permitLife {
			delete(p.permits, host)
		}
	}
	for to, r := range p.routes {
		if p.permits[to.Addr()] != r.permit {
			p.forget(r)
		} else if r.number.Load() != 0 && now-r.renewed >= channelLife {
			p.unbind(r)
		}
	}
}

// forget forgets a route. The caller holds mu.
func (p *peers) forget(r *route) {
	p.unbind(r)
	delete(p.routes, r.to)
}

// unbind ends the channel of a route, if there is one. Its number rests. The caller holds mu.
func (p *peers) unbind(r *route) {
	if n := r.number.Swap(0); n != 0 {
		p.numbers[n-channelFirst].of = nil
	}
}

// way returns the channel to an address, or 0 if there is none. With it comes whether the
// route has become worth a channel by this datagram, and whether its host has a permit at all.
func (p *peers) way(now time.Duration, to netip.AddrPort) (channel uint16, worth, ok bool) {
	p.mu.RLock()
	r := p.routes[to]
	known := p.permits[to.Addr()]
	p.mu.RUnlock()
	if known == nil {
		return 0, false, false
	}
	known.used.Store(int64(now))
	if r == nil {
		p.addRoute(to, known)
		return 0, false, true
	}
	r.used.Store(int64(now))
	sent := r.sent.Add(1)
	return uint16(r.number.Load()), sent == routeWorth, true
}

// addRoute begins to count what goes to an address. Without room, one that has no channel
// makes room.
func (p *peers) addRoute(to netip.AddrPort, known *permit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.permits[to.Addr()] != known || p.routes[to] != nil {
		return
	}
	if len(p.routes) >= routesMax {
		for _, r := range p.routes {
			if r.number.Load() == 0 {
				delete(p.routes, r.to)
				break
			}
		}
		if len(p.routes) >= routesMax {
			return
		}
	}
	r := &route{to: to, permit: known}
	r.sent.Store(1)
	p.routes[to] = r
}

// from returns whom a channel belongs to.
func (p *peers) from(now time.Duration, channel uint16) (netip.AddrPort, bool) {
	if channel < channelFirst || channel >= channelFirst+channels {
		return netip.AddrPort{}, false
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	r := p.numbers[channel-channelFirst].of
	if r == nil {
		return netip.AddrPort{}, false
	}
	r.used.Store(int64(now))
	r.permit.used.Store(int64(now))
	return r.to, true
}

// permitted reports whether a host has a permit, and marks it as used.
func (p *peers) permitted(now time.Duration, host netip.Addr) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	known := p.permits[host]
	if known != nil {
		known.used.Store(int64(now))
	}
	return known != nil
}

// unbound returns a route that should get a channel, or whose channel should be renewed, with
// the number for it.
func (p *peers) unbound(now time.Duration) (to netip.AddrPort, channel uint16, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.routes {
		n := uint16(r.number.Load())
		switch {
		case n != 0 && now-r.renewed >= channelRenewal &&
			now-time.Duration(r.used.Load()) < channelRenewal:
			return r.to, n, true
		case n == 0 && !r.refused && r.sent.Load() >= routeWorth:
			if n := p.number(now, r); n != 0 {
				return r.to, n, true
			}
		}
	}
	return netip.AddrPort{}, 0, false
}

// number takes a free number for the channel of a route, which counts from then on, since the
// server may use it before we have its answer. The caller holds mu.
func (p *peers) number(now time.Duration, r *route) uint16 {
	for i := range p.numbers {
		if n := &p.numbers[i]; n.of == r || n.of == nil && n.until <= now {
			n.of, n.until = r, now+channelFree
			return channelFirst + uint16(i)
		}
	}
	return 0
}

// bound records that the server has bound a channel, or that it refuses to.
func (p *peers) bound(now time.Duration, to netip.AddrPort, channel uint16, refused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &p.numbers[channel-channelFirst]
	r := p.routes[to]
	if r == nil || n.of != r {
		n.of = nil
		return
	}
	if r.refused = refused; refused {
		n.of = nil
		r.number.Store(0)
		return
	}
	r.renewed, n.until = now, now+channelFree
	r.number.Store(uint32(channel))
	r.permit.renewed = now // RFC 8656, section 12: a bound channel renews the permit
}
