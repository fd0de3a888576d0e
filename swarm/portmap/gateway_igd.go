package portmap

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// searchesMax is how often devices are searched for in one round. searchFirst is the time
	// until the second search, and doubles.
	searchesMax = 3
	searchFirst = 500 * time.Millisecond
	// examineEvery is how often a round that is over looks whether its devices have answered.
	examineEvery = time.Second
	// foundMax bounds the devices of one round that are looked at, half of which may be
	// elsewhere than at the address of the router.
	foundMax = 8
)

// An igd is what is known of the UPnP devices that may be the router.
type igd struct {
	off      bool
	first    bool      // the first round of searches is over
	searches int       // in this round
	failures int       // rounds without a device, in a row
	due      time.Time // of the next search, or of the next look at the device

	noticed   time.Time // when a notice was obeyed last
	seen      []address // the descriptions that were found in this round
	found     []address // those that are not fetched yet
	services  []service // of the last description, not tried yet
	fallback  *choice   // a service whose external address is private
	err       error     // why no service is in use
	current   *service  // in use
	external  netip.Addr
	open      bool // the firewall of IPv6 lets everything in
	permanent bool // the device knows leases without an end alone
	plain     bool // the device does not choose ports

	queue []job
	busy  map[uint64]job // by the number of the request
	made  uint64         // requests so far
}

// A choice is a service with its external address.
type choice struct {
	service  service
	external netip.Addr
}

// begin searches again at once, or looks at the device.
func (d *igd) begin(now time.Time) {
	d.failures = 0
	d.poll(now)
	if d.current == nil {
		d.restart(now)
	}
}

// restart begins a round of searches.
func (d *igd) restart(at time.Time) {
	d.searches, d.due = 0, at
	d.seen, d.found, d.services, d.fallback = nil, nil, nil, nil
}

// poll makes a look at the device due, if there is one.
func (d *igd) poll(now time.Time) {
	if d.current != nil {
		d.due = now
	}
}

// settled reports whether it is known whether there is a device.
func (d *igd) settled() bool { return d.off || d.current != nil || d.first }

// examining reports whether a device is being looked at that may come into use.
func (d *igd) examining() bool {
	is := func(j job) bool { return j.kind == jobDescribe || j.kind == jobInspect }
	for _, j := range d.busy {
		if is(j) {
			return true
		}
	}
	return slices.ContainsFunc(d.queue, is)
}

// searchOn searches for devices, or looks at the one in use, when that is due.
func (g *gateway) searchOn(now time.Time) {
	d := &g.igd
	if d.off {
		return
	}
	g.examine(now)
	switch {
	case now.Before(d.due):
	case d.current != nil:
		d.due = now.Add(pollEvery)
		g.look(now)
	case d.searches < searchesMax:
		d.due = now.Add(searchFirst << d.searches)
		d.searches++
		g.do(effect{search: true})
	case d.examining():
		d.due = now.Add(examineEvery)
	default:
		d.first = true
		d.failures++
		d.restart(now.Add(backoff(d.failures)))
	}
}

// onNotice handles the message of a device that it is there: it may have started again, or been
// switched on. Devices repeat it all the time, and anybody can forge it.
func (g *gateway) onNotice(now time.Time) {
	d := &g.igd
	if d.off || !d.noticed.IsZero() && now.Sub(d.noticed) < announceGap {
		return
	}
	d.noticed = now
	switch {
	case d.current != nil:
		d.due = now
	case d.searches == 0 && !d.examining(): // between two rounds
		d.restart(now)
	}
	g.work(now)
}

// look asks the device for its external address, and for the mappings that it should have.
func (g *gateway) look(now time.Time) {
	g.igd.push(job{kind: jobLook, service: *g.igd.current})
	for _, l := range g.leases {
		switch {
		case l.held.by != UPnP:
		case g.at.local.Is6():
			l.held.renew = now // few devices can be asked about a pinhole
		default:
			g.igd.push(job{kind: jobCheck, lease: l})
		}
	}
}

// onFound handles an answer to a search, from an address.
func (g *gateway) onFound(now time.Time, from netip.AddrPort, b []byte) {
	d := &g.igd
	location, ok := parseFound(b)
	if !ok || d.off || d.current != nil || g.closing {
		return
	}
	a, ok := g.locate(from.Addr().Unmap(), location)
	if !ok || len(d.seen) >= foundMax || slices.Contains(d.seen, a) {
		return
	}
	if g.foreign(a) {
		others := 0
		for _, other := range d.seen {
			if g.foreign(other) {
				others++
			}
		}
		if others >= foundMax/2 {
			return
		}
	}
	d.seen = append(d.seen, a)
	d.found = append(d.found, a)
	g.work(now)
}

// locate returns where the description of a device is that answered from an address. It is
// not ok unless the device is on the network of the gateway and names itself: a stranger's
// answer must lead neither to this machine, nor to another one.
func (g *gateway) locate(from netip.Addr, location string) (a address, ok bool) {
	a, ok = parseAddress(location)
	if !ok || !g.near(from) {
		return a, false
	}
	ip := a.server.Addr().WithZone("")
	if ip.IsLinkLocalUnicast() && ip.Is6() {
		ip = ip.WithZone(from.Zone())
		if !from.IsLinkLocalUnicast() {
			ip = ip.WithZone(g.at.router.Zone())
		}
	}
	// A device answers from one of its IPv6 addresses, and may name another one.
	if !same(ip, from) && (ip.Is4() || !g.near(ip)) {
		return a, false
	}
	a.server = netip.AddrPortFrom(ip, a.server.Port())
	return a, true
}

// near reports whether ip is another machine on the network of the gateway.
func (g *gateway) near(ip netip.Addr) bool {
	plain := ip.Unmap().WithZone("")
	if !possible(plain) && !(plain.Is6() && plain.IsLinkLocalUnicast()) ||
		plain.Is4() != g.at.local.Is4() || same(plain, g.at.local) {
		return false
	}
	for _, p := range g.onLink {
		if same(plain, p.Addr()) {
			return false // this machine
		}
	}
	return same(ip, g.at.router) || plain.Is6() && plain.IsLinkLocalUnicast() ||
		slices.ContainsFunc(g.onLink, func(p netip.Prefix) bool { return p.Contains(plain) })
}

// foreign reports whether a device is elsewhere than at the address of the router. Of IPv6,
// routers have several addresses.
func (g *gateway) foreign(a address) bool {
	return !g.at.guessed && a.server.Addr().Is4() && !same(a.server.Addr(), g.at.router)
}

// examine fetches the next description, or tries the next service, if no device is in use.
// Devices that are not at the address of the router are left for the end: only if nothing
// else answers is one of them likely to be the router.
func (g *gateway) examine(now time.Time) {
	d := &g.igd
	if d.current != nil || d.examining() {
		return
	}
	if len(d.services) > 0 {
		s := d.services[0]
		d.services = d.services[1:]
		d.push(job{kind: jobInspect, service: s})
		return
	}
	if d.fallback != nil {
		g.adopt(now, d.fallback.service, d.fallback.external)
		return
	}
	i := slices.IndexFunc(d.found, func(a address) bool { return !g.foreign(a) })
	if i < 0 && d.searches > 1 && len(g.ready) == 0 && len(d.found) > 0 {
		i = 0
	}
	if i >= 0 {
		at := d.found[i]
		d.found = slices.Delete(d.found, i, i+1)
		d.push(job{kind: jobDescribe, at: at})
	}
}

// adopt puts a service into use. The mappings that it should have are asked for again, since
// the device may have started again.
func (g *gateway) adopt(now time.Time, s service, external netip.Addr) {
	d := &g.igd
	d.current, d.external = &s, external
	d.first, d.failures, d.err = true, 0, nil
	d.fallback, d.services, d.found = nil, nil, nil
	d.permanent, d.plain = false, false
	d.due = now.Add(pollEvery)
	g.renewAll(now, UPnP)
	g.arrive(UPnP)
}

// lostDevice gives up the service, which no longer answers, and searches for
// devices again.
func (g *gateway) lostDevice(now time.Time) {
	d := &g.igd
	if d.current == nil {
		return
	}
	d.current = nil
	g.leave(UPnP)
	d.failures++
	wait := time.Duration(0)
	if d.failures > 1 {
		wait = backoff(d.failures - 1)
	}
	d.restart(now.Add(wait))
}
