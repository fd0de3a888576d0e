package portmap

import (
	"errors"
	"net/netip"
	"slices"
	"time"
)

const (
	// lifetimeMin and lifetimeMax bound the lifetime that a router grants. RFC 6887, section
	// 15, has the greatest; with a shorter one we would ask all the time.
	lifetimeMin = 8 * time.Second
	lifetimeMax = 24 * time.Hour
	// renewGap is the least time between renewals that fail (RFC 6887, section 11.2.1).
	renewGap = 4 * time.Second
	// removeFirst is the time until a removal is sent again. It doubles, and a whole removal
	// fits into the second that Close has.
	removeFirst = 100 * time.Millisecond
	removeTries = 4
	// removalsMax bounds the mappings that wait for their removal.
	removalsMax = 64
)

// A grant is a mapping that a router has made.
type grant struct {
	by       Method
	external netip.AddrPort
	until    time.Time // zero for one without an end
	renew    time.Time // when to ask again
	pinhole  string    // the number of a pinhole, which UPnP needs
}

// A methodSet is a set of methods, one bit each.
type methodSet uint8

func (s methodSet) has(m Method) bool { return s&(1<<m) != 0 }

// A lease is a want at a gateway: what the router has granted, and what is asked of it now.
type lease struct {
	want  Want
	nonce nonce
	held  grant
	last  netip.AddrPort // the external address of the last grant
	try   attempt
	tried methodSet // the methods that have failed, or lead nowhere better
	// retry is when all methods are tried again; failures counts how often they were. It is
	// zero while some are left.
	retry    time.Time
	failures int
	wait     time.Time // before which the router wants no other request
	err      error     // why there is no grant
}

// An attempt is a request for a mapping that is on its way. Its method is None if there is
// none.
type attempt struct {
	by    Method
	tries int       // datagrams sent
	due   time.Time // of the next datagram
	port  uint16    // the external port that is asked for
	// permanent, plain and conflicts are what the answers of UPnP have taught: leases must not
	// end, the router does not choose ports itself, and how many ports were taken.
	permanent, plain bool
	conflicts        int
}

// deadline returns when something is due for the lease, or the zero time.
func (l *lease) deadline() time.Time {
	if l.try.by != None {
		return l.try.due
	}
	if l.held.by == None {
		return l.retry
	}
	if until := l.held.until; !until.IsZero() && until.Before(l.held.renew) {
		return until
	}
	return l.held.renew
}

// advance does what is due for a lease.
func (g *gateway) advance(now time.Time, l *lease) {
	if l.held.by != None && !l.held.until.IsZero() && !now.Before(l.held.until) {
		l.held = grant{} // it has ended without a renewal
	}
	if l.try.by != None {
		g.repeat(now, l)
		return
	}
	if !l.retry.IsZero() && !now.Before(l.retry) {
		l.retry, l.tried = time.Time{}, 0
	}
	switch m := g.next(l); {
	case l.held.by != None && !now.Before(l.held.renew):
		if slices.Contains(g.ready, l.held.by) {
			g.start(now, l, l.held.by)
		} else {
			l.postpone(now)
		}
	case m != None && g.follows(l, m):
	case m != None:
		g.start(now, l, m)
	case l.held.by == None && l.retry.IsZero() && g.settled():
		if len(g.ready) == 0 || g.noExternal() {
			l.err = g.silence()
		}
		l.failures++
		l.retry = now.Add(backoff(l.failures))
		if l.wait.After(l.retry) {
			l.retry = l.wait
		}
	}
}

// postpone puts off a renewal that got no answer, to the middle of what is left.
func (l *lease) postpone(now time.Time) {
	left := lifetimeMax
	if !l.held.until.IsZero() {
		left = l.held.until.Sub(now)
	}
	l.held.renew = now.Add(min(max(left/2, renewGap), pollEvery))
}

// next returns the method to map a lease by that has no grant, or a method that may lead to
// a public address if its grant does not, or None.
func (g *gateway) next(l *lease) Method {
	better := l.held.by != None
	if better && public(l.held.external.Addr()) {
		return None
	}
	for _, m := range g.ready {
		switch {
		case l.tried.has(m), m == l.held.by:
		case better && m == NATPMP && !public(g.control.external):
		case better && m == UPnP && !public(g.igd.external):
		default:
			return m // only a mapping shows what the external address of PCP is
		}
	}
	return None
}

// follows reports whether a lease must wait for that of the same port in the other protocol,
// which is being mapped by the same method and is about to have an answer: both should get the
// same external port, which may not be the one that is asked for.
func (g *gateway) follows(l *lease, m Method) bool {
	for _, other := range g.leases {
		switch {
		case other == l:
			return false
		case other.want.Port == l.want.Port && other.try.by == m && other.held.by == None &&
			other.try.tries == 1:
			return true
		}
	}
	return false
}

// start asks for a mapping.
func (g *gateway) start(now time.Time, l *lease, m Method) {
	l.try = attempt{by: m, port: g.suggest(l), due: now}
	if m == UPnP {
		l.try.due = time.Time{} // the request ends by itself
		g.igd.add(l)
		return
	}
	g.repeat(now, l)
}

// suggest returns the external port to ask for: the one of the last grant, that of the same
// port in the other protocol, or the port itself.
func (g *gateway) suggest(l *lease) uint16 {
	if l.last.Port() != 0 {
		return l.last.Port()
	}
	for _, other := range g.leases {
		if other.want.Port == l.want.Port && other.last.Port() != 0 {
			return other.last.Port()
		}
	}
	return l.want.Port
}

// repeat sends the datagram of an attempt when it is due, or ends the attempt after triesMax.
func (g *gateway) repeat(now time.Time, l *lease) {
	t := &l.try
	if t.by == UPnP || now.Before(t.due) {
		return
	}
	if t.tries >= triesMax {
		g.failed(now, l, ErrSilent)
		return
	}
	t.due = now.Add(repeatFirst << t.tries)
	t.tries++
	seconds := uint32(g.lease / time.Second)
	if t.by == NATPMP {
		g.do(effect{datagram: appendPMPMap(nil, &l.want, t.port, seconds)})
		return
	}
	external := netip.AddrPortFrom(netip.IPv4Unspecified(), t.port)
	if g.at.local.Is6() {
		external = netip.AddrPortFrom(netip.IPv6Unspecified(), t.port)
	}
	if l.held.by == PCP {
		external = l.held.external // RFC 6887, section 11.2.1: for a server that forgot
	}
	g.do(effect{datagram: appendPCPMap(nil, g.at.local, &l.want, l.nonce, external, seconds)})
}

// silence returns why no method can be asked, or why all refuse.
func (g *gateway) silence() error {
	switch {
	case g.noExternal():
		return ErrNoExternal
	case g.igd.err != nil:
		return g.igd.err
	}
	return ErrSilent
}

// noExternal reports whether the router says by NAT-PMP or UPnP that it has no external
// address. PCP has no word for that, and refuses for want of resources.
func (g *gateway) noExternal() bool {
	pmp := &g.control.pmp
	return !pmp.off && pmp.answers && !g.control.external.IsValid() ||
		errors.Is(g.igd.err, ErrNoExternal)
}

// failed ends an attempt. An error that is neither a refusal nor ErrExternal says that no
// answer came.
func (g *gateway) failed(now time.Time, l *lease, err error) {
	by := l.try.by
	l.try = attempt{}
	switch {
	case l.held.by != by:
		l.tried |= 1 << by
	case !errors.Is(err, ErrRefused) && !errors.Is(err, ErrExternal):
		l.postpone(now)
		return
	default: // the router has ended the mapping
		l.held = grant{}
		l.tried |= 1 << by
	}
	if l.held.by == None {
		l.err = err
	}
}

// granted ends an attempt with a grant, and gives one of two back that come by different
// methods.
func (g *gateway) granted(now time.Time, l *lease, got grant) {
	l.try = attempt{}
	l.err, l.failures = nil, 0
	before := l.held
	switch {
	case before.by == None || before.by == got.by:
		l.held = got
	case !public(before.external.Addr()) && public(got.external.Addr()):
		l.held = got
		l.tried |= 1 << before.by
		g.remove(now, l.want, l.nonce, before)
		// Routers have one table for all methods, so the removal may have ended both.
		l.held.renew = now.Add(renewGap)
	default:
		l.tried |= 1 << got.by
		g.remove(now, l.want, l.nonce, got)
		l.held.renew = now.Add(renewGap)
	}
	l.last = l.held.external
}

// lifetime returns when a grant ends whose lifetime is given in seconds, and when to renew it:
// at half of that.
func lifetime(now time.Time, seconds uint32) (until, renew time.Time) {
	d := min(max(time.Duration(seconds)*time.Second, lifetimeMin), lifetimeMax)
	return now.Add(d), now.Add(d / 2)
}

// leaseOf returns the lease with a nonce, or nil.
func (g *gateway) leaseOf(r *pcpResponse) *lease {
	for _, l := range g.leases {
		if l.nonce == r.nonce && l.want.Proto == r.proto && l.want.Port == r.internal {
			return l
		}
	}
	return nil
}

// onPCPMap handles a response to a MAP request. It may come without one, when the external
// address has changed (RFC 6887, section 14.2).
func (g *gateway) onPCPMap(now time.Time, r *pcpResponse) {
	if g.onPCPRemoved(now, r) {
		return
	}
	l := g.leaseOf(r)
	if l == nil || l.try.by != PCP && l.held.by != PCP {
		return
	}
	if r.result == pcpSuccess && r.lifetime == 0 {
		return // of a removal that was stopped, or it is no mapping: the request is repeated
	}
	if err := g.checkPCP(r); err != nil {
		if l.try.by != PCP {
			return
		}
		// The lifetime of an error says when to ask again (section 7.2).
		l.wait = now.Add(min(time.Duration(r.lifetime)*time.Second, backoffMax))
		g.failed(now, l, err)
		return
	}
	until, renew := lifetime(now, r.lifetime)
	g.granted(now, l, grant{by: PCP, external: r.external, until: until, renew: renew})
}

// checkPCP returns why a response to MAP is no mapping, or nil.
func (g *gateway) checkPCP(r *pcpResponse) error {
	ip := r.external.Addr()
	switch {
	case r.result != pcpSuccess:
		return refusal(PCP, int(r.result))
	case ip.Is4() != g.at.local.Is4(), !possible(ip), r.external.Port() == 0:
		return ErrExternal
	}
	return nil
}

// onPMPMap handles a response to a request for a mapping.
func (g *gateway) onPMPMap(now time.Time, r *pmpResponse) {
	matches := func(w *Want) bool { return pmpOpcode(w.Proto) == r.opcode && w.Port == r.internal }
	if r.result == pmpSuccess && r.lifetime == 0 {
		g.onRemoved(func(d *removal) bool { return d.had.by == NATPMP && matches(&d.want) })
		return
	}
	for _, l := range g.leases {
		switch {
		case l.try.by != NATPMP:
		case r.result != pmpSuccess:
			// An error may not say which port it is about; one request is sent at a time for
			// each port, and all of them fail alike.
			if r.opcode == pmpOpcode(l.want.Proto) {
				g.failed(now, l, refusal(NATPMP, int(r.result)))
				return
			}
		case matches(&l.want):
			if r.external == 0 || !g.control.external.IsValid() {
				g.failed(now, l, ErrExternal)
				return
			}
			until, renew := lifetime(now, r.lifetime)
			g.granted(now, l, grant{by: NATPMP, until: until, renew: renew,
				external: netip.AddrPortFrom(g.control.external, r.external)})
			return
		}
	}
}

// moveExternal gives the mappings of a method another external address.
func (g *gateway) moveExternal(by Method, ip netip.Addr) {
	for _, l := range g.leases {
		if l.held.by == by && l.held.external.Addr() != ip {
			l.held.external = netip.AddrPortFrom(ip, l.held.external.Port())
			l.tried = 0
		}
	}
}
