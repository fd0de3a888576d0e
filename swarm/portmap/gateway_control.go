package portmap

import (
	"net/netip"
	"time"
)

const (
	// repeatFirst is the time until a datagram is sent again. It doubles with each repeat
	// (RFC 6886, section 3.1). PCP begins with 3 s, which is made for servers of a carrier.
	repeatFirst = 250 * time.Millisecond
	// triesMax is how often a datagram is sent before the router counts as silent, after
	// 7.75 s.
	triesMax = 5
	// repairFirst is how long a router that answered and has no external address yet is left
	// alone: it may just have started.
	repairFirst = 10 * time.Second
)

// The control of a gateway is what is known of the server at its control port, which may
// speak PCP, NAT-PMP, or both.
type control struct {
	pcp, pmp dialect
	external netip.Addr // as NAT-PMP says
	heard    time.Time  // when an announce was obeyed last
	obey     time.Time  // when one that came meanwhile is obeyed, or zero
}

// A dialect is one of the two protocols: whether the router speaks it, which is asked again
// from time to time.
type dialect struct {
	by       Method
	off      bool // not spoken by us
	answers  bool
	first    bool // the first round of questions is over
	tries    int  // questions since the last answer
	failures int  // rounds without an answer, in a row
	due      time.Time
	clock    epoch
}

// begin asks at once.
func (d *dialect) begin(now time.Time) { d.tries, d.failures, d.due = 0, 0, now }

// settled reports whether it is known whether the router speaks the protocol.
func (d *dialect) settled() bool { return d.off || d.answers || d.first }

// answered records an answer.
func (d *dialect) answered(now time.Time) {
	d.answers, d.first = true, true
	d.tries, d.failures, d.due = 0, 0, now.Add(pollEvery)
}

// refused records that the router does not speak the protocol.
func (d *dialect) refused(now time.Time) {
	d.answers, d.first = false, true
	d.failures++
	d.tries, d.due = 0, now.Add(backoff(d.failures))
}

// talk asks whether the router speaks a protocol, when that is due. The question of each
// protocol maps nothing, so both are asked at once.
func (g *gateway) talk(now time.Time, d *dialect) {
	if d.off || now.Before(d.due) {
		return
	}
	if d.tries >= triesMax {
		d.refused(now)
		g.leave(d.by)
		return
	}
	d.due = now.Add(repeatFirst << d.tries)
	d.tries++
	if d.by == PCP {
		g.do(effect{datagram: appendPCP(nil, pcpAnnounce, 0, g.at.local)})
	} else {
		g.do(effect{datagram: appendPMPAddress(nil)})
	}
}

// onControl handles a datagram from the control port of the router.
func (g *gateway) onControl(now time.Time, b []byte) {
	if len(b) == 0 {
		return
	}
	switch b[0] {
	case pcpVersion:
		if r, err := parsePCP(b); err == nil && !g.control.pcp.off {
			g.onPCP(now, &r)
		}
	case pmpVersion:
		if r, err := parsePMP(b); err == nil {
			g.onPMP(now, &r)
		}
	}
	g.work(now)
}

// onUnreachable handles the news that nothing listens at the control port.
func (g *gateway) onUnreachable(now time.Time) {
	for _, d := range []*dialect{&g.control.pcp, &g.control.pmp} {
		if !d.off && d.tries > 1 { // one may come from a router that is just starting
			d.refused(now)
			g.leave(d.by)
		}
	}
	g.work(now)
}

// onAnnounce handles a message that the router may have sent to all: that it has started
// again (RFC 6887, section 14.1), or has another address (RFC 6886, section 3.2.1).
func (g *gateway) onAnnounce(now time.Time) {
	c := &g.control
	if c.obey.IsZero() {
		c.obey = now
		if next := c.heard.Add(announceGap); !c.heard.IsZero() && next.After(now) {
			c.obey = next
		}
	}
	g.work(now)
}

// obeyAnnounce asks the router for everything again, since anybody could have sent the
// announce. Its clock may not show a restart that followed soon on another one.
func (g *gateway) obeyAnnounce(now time.Time) {
	c := &g.control
	if c.obey.IsZero() || now.Before(c.obey) {
		return
	}
	c.heard, c.obey = now, time.Time{}
	c.pcp.begin(now)
	c.pmp.begin(now)
	g.igd.poll(now)
	g.renewAll(now, PCP)
	g.renewAll(now, NATPMP)
}

func (g *gateway) onPCP(now time.Time, r *pcpResponse) {
	d := &g.control.pcp
	switch r.result {
	case pcpUnsupportedVersion: // the answer to NAT-PMP of a server that speaks PCP alone
		if !g.control.pmp.off {
			g.control.pmp.refused(now)
			g.leave(NATPMP)
		}
		return
	case pcpAddressMismatch:
		d.refused(now)
		g.leave(PCP)
		return
	}
	d.answered(now)
	lost := d.clock.observe(now, r.epoch, false)
	g.arrive(PCP)
	if lost {
		g.lost(now)
	}
	if r.mapped {
		g.onPCPMap(now, r)
	}
}

func (g *gateway) onPMP(now time.Time, r *pmpResponse) {
	d := &g.control.pmp
	if r.result == pmpUnsupportedVersion {
		// The server speaks NAT-PMP alone (RFC 6887, appendix A).
		g.control.pcp.refused(now)
		g.leave(PCP)
		return
	}
	if d.off {
		return
	}
	lost := d.clock.observe(now, r.epoch, true)
	switch {
	case r.opcode != pmpAddress:
		if g.control.external.IsValid() {
			d.answered(now)
		}
	case r.result != pmpSuccess || !possible(r.address):
		d.answered(now)
		d.due = now.Add(repairFirst)
		g.control.external = netip.Addr{}
		g.leave(NATPMP)
	default:
		d.answered(now)
		g.control.external = r.address
		g.arrive(NATPMP)
		g.moveExternal(NATPMP, r.address)
	}
	if lost {
		g.lost(now)
	}
	if r.opcode != pmpAddress {
		g.onPMPMap(now, r)
	}
}

// lost asks for all mappings again: the router has started again, whichever protocol says so.
func (g *gateway) lost(now time.Time) {
	for _, m := range methods {
		g.renewAll(now, m)
	}
}
