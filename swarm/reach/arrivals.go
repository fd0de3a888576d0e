package reach

import (
	"net/netip"
	"time"
)

const (
	// arrivalAge is how long an arrival proves that others can reach us.
	arrivalAge = time.Hour
	// arrivalGap is the least time between two arrivals that are taken in, so that a flood
	// costs nothing.
	arrivalGap = time.Second
)

// arrivals are the last times at which others have reached us unasked in one family. The
// zero Time stands for never.
type arrivals struct {
	udp   time.Time // from hosts that we had sent nothing to
	known time.Time // from another port of a host that we had sent to
	tcp   time.Time
}

// slot returns the time that an arrival sets.
func (a *arrivals) slot(c *Came) *time.Time {
	switch {
	case c.Via == TCP:
		return &a.tcp
	case c.Known:
		return &a.known
	}
	return &a.udp
}

// take takes in an arrival, and reports whether it is news.
func (a *arrivals) take(now time.Time, c *Came) bool {
	at := a.slot(c)
	if now.Sub(*at) < arrivalGap {
		return false
	}
	fresh := !lasts(now, *at)
	*at = now
	return fresh
}

// lasts reports whether an arrival still proves something.
func lasts(now, at time.Time) bool { return !at.IsZero() && now.Sub(at) < arrivalAge }

// next returns when the oldest proof ends after now, or the zero Time.
func (a *arrivals) next(now time.Time) (t time.Time) {
	for _, at := range []time.Time{a.udp, a.known, a.tcp} {
		if lasts(now, at) {
			t = earlier(t, at.Add(arrivalAge))
		}
	}
	return t
}

// earlier returns the earlier of two times, of which the zero Time stands for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// outside reports whether a host that has reached us is out on the internet: neither on a
// local network, nor behind the same NAT, nor on this machine.
func (m *Machine) outside(ip netip.Addr) bool {
	f := &m.families[familyOf(ip)]
	return public(ip) && ip != f.election.addr && !f.machine[ip]
}
