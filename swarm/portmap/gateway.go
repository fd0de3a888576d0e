package portmap

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

const (
	// backoffMin and backoffMax are how long a gateway is left alone that offers nothing, at
	// first and in the end.
	backoffMin = 15 * time.Second
	backoffMax = 15 * time.Minute
	// pollEvery is the time between looks at whether the router still has the mappings: one
	// datagram for PCP and NAT-PMP, three small requests for UPnP. It is how soon a restart is
	// noticed that the router does not announce.
	pollEvery = time.Minute
	// announceGap is the least time between two announces that are obeyed. Anybody on the
	// local network can forge one.
	announceGap = 2 * time.Second
	// roundsMax bounds how often leases are looked at, at one moment: a request that turns out
	// to be pointless leads to another one.
	roundsMax = 4
)

// A place is a router as seen from one address of ours: what a gateway is for.
type place struct {
	index   int        // of the interface
	router  netip.Addr // link-local with its zone
	local   netip.Addr
	guessed bool // the router's address is a guess: any device of the network may be it
	// named says that only wants that name the address are mapped to it: another address of
	// ours is the one for the rest.
	named bool
}

// has reports whether a want is mapped to the place.
func (p *place) has(w *Want) bool {
	ip := w.Addr.Unmap()
	switch {
	case !w.valid():
		return false
	case ip.IsValid() && !ip.IsUnspecified():
		return ip == p.local || ip == p.local.WithZone("")
	}
	return !p.named && (!ip.IsValid() || ip.Is4() == p.local.Is4())
}

// An effect is something that the owner of a gateway must do. Exactly one of its fields is
// set.
type effect struct {
	datagram []byte   // to send to the control port of the router
	search   bool     // to search for devices by SSDP, once
	request  *request // to make over HTTP
}

// A request is an HTTP request to a device. Its outcome goes to gateway.onReply.
type request struct {
	id     uint64
	at     address
	action string // the SOAPACTION header; empty for GET
	body   []byte
}

// A gateway is the state of all that is asked of one router, from one address of ours: a pure
// state machine, which belongs to one goroutine. Its owner reports what happens (on*, set,
// close), calls tick at the time that deadline names, and carries out effects after each.
type gateway struct {
	at      place
	onLink  []netip.Prefix // the networks of the interface
	lease   time.Duration  // asked for
	random  func() uint64
	secret  []byte   // that nonces are made of; empty for random ones
	ready   []Method // that can be asked, in the order in which they answered
	control control
	igd     igd
	leases  []*lease
	removed []*removal // mappings that the router must still remove
	out     []effect
	closing bool
}

// newGateway returns a gateway that begins to ask at now, as cfg says.
func newGateway(now time.Time, at place, onLink []netip.Prefix, cfg *Config,
	random func() uint64) *gateway {
	without := cfg.without
	g := &gateway{at: at, onLink: onLink, lease: cfg.Lease, secret: cfg.Secret, random: random}
	g.control.pcp = dialect{by: PCP, due: now, off: slices.Contains(without, PCP)}
	g.control.pmp = dialect{by: NATPMP, due: now,
		off: at.local.Is6() || slices.Contains(without, NATPMP)}
	g.igd = igd{due: now, off: slices.Contains(without, UPnP)}
	g.work(now)
	return g
}

// set replaces the ports that are wanted. Those that are not open at the address of the
// gateway are left out.
func (g *gateway) set(now time.Time, wants []Want) {
	before := g.leases
	g.leases = nil
	for _, w := range wants {
		is := func(l *lease) bool { return l.want == w }
		if !g.at.has(&w) || slices.ContainsFunc(g.leases, is) {
			continue
		}
		i := slices.IndexFunc(before, is)
		if i >= 0 {
			g.leases = append(g.leases, before[i])
			continue
		}
		l := &lease{want: w, nonce: g.newNonce(&w)}
		g.spare(l)
		g.leases = append(g.leases, l)
	}
	for _, l := range before {
		if !slices.Contains(g.leases, l) {
			g.abandon(now, l)
		}
	}
	g.work(now)
}

// newNonce returns a nonce that nobody can guess, and with a secret always the same one.
func (g *gateway) newNonce(w *Want) (n nonce) {
	if len(g.secret) > 0 {
		mac := hmac.New(sha256.New, g.secret)
		fmt.Fprint(mac, w.Proto, w.Port, g.at.local)
		copy(n[:], mac.Sum(nil))
		return n
	}
	for i := 0; i < len(n); i += 4 {
		r := g.random()
		n[i], n[i+1], n[i+2], n[i+3] = byte(r), byte(r>>8), byte(r>>16), byte(r>>24)
	}
	return n
}

// networkChanged asks again at once, since the router may be another one, or have started
// again.
func (g *gateway) networkChanged(now time.Time) {
	g.control.pcp.begin(now)
	g.control.pmp.begin(now)
	g.igd.begin(now)
	for _, l := range g.leases {
		l.retry, l.failures, l.tried = time.Time{}, 0, 0
	}
	g.work(now)
}

// close begins to remove all mappings. done reports when it is over.
func (g *gateway) close(now time.Time) {
	if g.closing {
		return
	}
	g.closing = true
	for _, l := range g.leases {
		g.abandon(now, l)
	}
	g.leases = nil
	g.igd.stop()
	g.work(now)
}

// done reports whether nothing is left to do after close.
func (g *gateway) done() bool {
	return g.closing && len(g.removed) == 0 && !g.igd.changing()
}

// tick does what is due.
func (g *gateway) tick(now time.Time) { g.work(now) }

// work does everything that can be done at now. While nothing is wanted, nobody is asked.
func (g *gateway) work(now time.Time) {
	if len(g.leases) > 0 {
		g.obeyAnnounce(now)
		g.talk(now, &g.control.pcp)
		g.talk(now, &g.control.pmp)
		g.searchOn(now)
	}
	for range roundsMax {
		for _, l := range g.leases {
			g.advance(now, l)
		}
		g.removeOn(now)
		if !g.pump(now) {
			return
		}
	}
}

// deadline returns when tick must be called next.
func (g *gateway) deadline() time.Time {
	next := time.Time{}
	at := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, r := range g.removed {
		at(r.due)
	}
	if len(g.leases) == 0 {
		return next // nothing is wanted
	}
	at(g.control.obey)
	for _, d := range []*dialect{&g.control.pcp, &g.control.pmp} {
		if !d.off {
			at(d.due)
		}
	}
	if !g.igd.off {
		at(g.igd.due)
	}
	for _, l := range g.leases {
		at(l.deadline())
	}
	return next
}

// effects returns what is to do, and forgets it.
func (g *gateway) effects() []effect {
	out := g.out
	g.out = nil
	return out
}

func (g *gateway) do(e effect) { g.out = append(g.out, e) }

// arrive records that a method can be asked. Wants that no method has mapped are tried by it
// at once.
func (g *gateway) arrive(m Method) {
	if slices.Contains(g.ready, m) {
		return
	}
	g.ready = append(g.ready, m)
	for _, l := range g.leases {
		l.tried &^= 1 << m
		if l.held.by == None {
			l.retry = time.Time{}
		}
	}
}

// leave records that a method cannot be asked for now.
func (g *gateway) leave(m Method) {
	g.ready = slices.DeleteFunc(g.ready, func(other Method) bool { return other == m })
}

// settled reports whether every method has answered, or had time enough to do so.
func (g *gateway) settled() bool {
	c := &g.control
	return c.pcp.settled() && c.pmp.settled() && g.igd.settled()
}

// renewAll asks again for the mappings of a method, which the router has lost.
func (g *gateway) renewAll(now time.Time, by Method) {
	for _, l := range g.leases {
		if l.held.by != by {
			continue
		}
		l.held.renew = now
		if l.try.by == by && by != UPnP {
			l.try.due = now
		}
	}
}

// mappings appends what has become of the wants.
func (g *gateway) mappings(list []Mapping) []Mapping {
	for _, l := range g.leases {
		m := Mapping{Want: l.want, Local: g.at.local, Gateway: g.at.router,
			External: l.held.external, By: l.held.by, Until: l.held.until}
		if m.By == None {
			m.Err = l.err
		}
		list = append(list, m)
	}
	return list
}

// backoff returns how long to wait after a number of failures.
func backoff(failures int) time.Duration {
	return min(backoffMax, backoffMin<<min(max(failures-1, 0), 10))
}
