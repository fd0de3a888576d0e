package sim

import (
	"time"

	"swarmnode/swarm/endpoint"
)

// holeFor is how long a router lets in those whom somebody behind it has sent something to.
const holeFor = 30 * time.Second

// The SYNs of an attempt to reach a node behind a router, after its beginning: uTP begins a
// quarter of a second after TCP, and repeats its SYN after a second. An introduction makes
// them follow each other quickly.
var (
	knocks        = [...]time.Duration{250 * time.Millisecond, 1250 * time.Millisecond}
	knocksHurried = [...]time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond,
		750 * time.Millisecond, 1750 * time.Millisecond}
)

// open makes the router of n let in the SYNs of another node.
func (n *node) open(to *node) { n.holes[to] = n.world.now }

// lets reports whether the router of n lets in the SYNs of another node. Every router keeps
// one port for all destinations, and lets in only whom something was sent to there.
func (n *node) lets(from *node) bool {
	at, ok := n.holes[from]
	return !n.nat || ok && n.world.now-at < int64(holeFor)
}

// knock sends the SYNs of an attempt to reach a node behind a router.
func (w *world) knock(i uint32, to *node, introduced bool) {
	d := &w.dials[i]
	d.router, d.to, d.peer = true, to, to.life
	d.until = w.now + int64(dialTimeout)
	d.from.calls[d.at] = i
	times := knocks[:]
	if introduced {
		times = knocksHurried[:]
	}
	for _, after := range times {
		w.schedule(after+d.from.distance+to.distance, event{kind: evKnock, node: int32(to.id),
			arg: i})
	}
}

// hasten makes an attempt that is under way send its SYNs again, and reports whether there is
// one.
func (n *node) hasten(at endpoint.Endpoint) bool {
	i, ok := n.calls[at]
	if !ok {
		return false
	}
	w := n.world
	d := &w.dials[i]
	n.open(d.to)
	if !d.met {
		w.knock(i, d.to, true)
	}
	return true
}

// knocked ends the way of a SYN: if it was let in, the connection is made after two more
// trips.
func (w *world) knocked(i uint32) {
	d := &w.dials[i]
	if d.over || d.met || !d.from.up() || d.from.life != d.life || !d.to.up() ||
		d.to.life != d.peer {
		return
	}
	if d.from.open(d.to); !d.to.lets(d.from) {
		return
	}
	d.met = true
	w.schedule(2*(d.from.distance+d.to.distance), event{kind: evDial, node: int32(d.from.id),
		arg: i})
}

// goesOn reports whether an attempt does not end although the time of an end has come: it has
// ended before, or it was hastened. An attempt whose SYNs were not let in leads nowhere.
func (w *world) goesOn(i uint32) bool {
	d := &w.dials[i]
	switch {
	case d.over:
		return true
	case !d.router || d.met:
		return false
	case w.now < d.until:
		w.at(d.until, event{kind: evDial, node: int32(d.from.id), arg: i})
		return true
	}
	d.to = nil
	return false
}
