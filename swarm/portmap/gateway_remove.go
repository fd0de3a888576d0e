package portmap

import (
	"net/netip"
	"slices"
	"time"
)

// A removal is a mapping that the router must remove.
type removal struct {
	want  Want
	nonce nonce
	had   grant
	tries int
	due   time.Time // of the next datagram; zero once UPnP has been asked
	// seconds is the lifetime that PCP is asked for: zero, or one for a server that refuses to
	// remove what it has renewed, as miniupnpd 2.3 does with pinholes.
	seconds uint32
}

// remove begins to remove a mapping.
func (g *gateway) remove(now time.Time, w Want, n nonce, had grant) {
	if had.by == UPnP && g.at.local.Is6() && had.pinhole == "" {
		return // the firewall was off, and nothing was made
	}
	if len(g.removed) < removalsMax {
		g.removed = append(g.removed, &removal{want: w, nonce: n, had: had, due: now})
	}
}

// abandon removes what was mapped for a lease, or may have been.
func (g *gateway) abandon(now time.Time, l *lease) {
	if l.held.by != None {
		g.remove(now, l.want, l.nonce, l.held)
	}
	g.igd.drop(l) // onAdded removes what a request on its way may still map
	if by := l.try.by; by != None && by != UPnP && by != l.held.by {
		g.remove(now, l.want, l.nonce, grant{by: by})
	}
}

// spare stops the removal of the mapping of a want that is wanted again.
func (g *gateway) spare(l *lease) {
	g.removed = slices.DeleteFunc(g.removed, func(r *removal) bool {
		if r.want != l.want || g.igd.removing(r) {
			return false
		}
		g.igd.queue = slices.DeleteFunc(g.igd.queue, func(j job) bool { return j.removal == r })
		if r.had.by == PCP {
			l.nonce = r.nonce
		}
		return true
	})
}

// removeOn sends what is due of the removals.
func (g *gateway) removeOn(now time.Time) {
	g.removed = slices.DeleteFunc(g.removed, func(r *removal) bool {
		if r.due.IsZero() || now.Before(r.due) {
			return false
		}
		if r.had.by == UPnP {
			r.due = time.Time{}
			g.igd.push(job{kind: jobRemove, removal: r})
			return false
		}
		if r.tries >= removeTries {
			return true
		}
		r.due = now.Add(removeFirst << r.tries)
		r.tries++
		if r.had.by == NATPMP {
			g.do(effect{datagram: appendPMPMap(nil, &r.want, 0, 0)})
			return false
		}
		none := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		if g.at.local.Is6() {
			none = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
		g.do(effect{datagram: appendPCPMap(nil, g.at.local, &r.want, r.nonce, none,
			r.seconds)})
		return false
	})
}

// onPCPRemoved handles the response to a removal by PCP, and reports whether it was one.
func (g *gateway) onPCPRemoved(now time.Time, r *pcpResponse) bool {
	is := func(d *removal) bool { return d.had.by == PCP && d.nonce == r.nonce }
	i := slices.IndexFunc(g.removed, is)
	if i < 0 {
		return false
	}
	d := g.removed[i]
	switch {
	case r.result != pcpSuccess && d.seconds == 0:
		d.seconds, d.tries, d.due = 1, 0, now
	case r.result != pcpSuccess, r.lifetime == 0, d.seconds > 0:
		g.onRemoved(is)
	}
	return true
}

// onRemoved records that the router has removed the mapping for which is returns true, and
// reports whether there was one.
func (g *gateway) onRemoved(is func(*removal) bool) bool {
	i := slices.IndexFunc(g.removed, is)
	if i < 0 {
		return false
	}
	g.removed = slices.Delete(g.removed, i, i+1)
	return true
}
