package transport

import (
	"net/netip"
	"time"
)

const (
	// lookEvery is the least time between two looks at a stream.
	lookEvery = 250 * time.Millisecond
	// queueMax is how much longer than the shortest round trip a round trip may take. What
	// takes longer stands in a queue that CUBIC keeps full; it delays everybody behind the
	// same router.
	queueMax = 120 * time.Millisecond
	// lossesMax is in how many looks packets may have been lost that no full queue
	// explains.
	lossesMax = 1
	// Streams share the uplink when at least sharersMin send at a time. A shared stream
	// that has sent for sharedFor, less than sharedRate in bytes per second, does better
	// without a queue: one that takes longer than sharedQueue and an eighth of the shortest
	// round trip, which is more than chance does. Before sharedFor is over, the slow start
	// of CUBIC overshoots less than that of BBR.
	sharersMin  = 3
	sharedFor   = time.Second
	sharedRate  = 2 << 20
	sharedQueue = 5 * time.Millisecond
)

// A Path watches how the path of a TCP stream to a peer treats what is sent, and makes the
// system send by the congestion control BBR where the usual ones harm us or others. Those
// take every loss for a full queue, and fill every queue:
//
//   - Packets are lost at random. Over 50 ms, a loss of 1 % leaves 3 Mbit/s to CUBIC, however
//     fast the path is. BBR sends at the rate that has arrived.
//   - The queue is deep, as before the uplink of a home. CUBIC fills all of it, and others at
//     home wait. BBR keeps about as much in the queue as there is on the way.
//   - Several slow streams share the uplink. CUBIC keeps the queues of both ends full, and what
//     peers ask and tell each other waits there, behind blocks and behind packets that are
//     sent again.
//
// Elsewhere the system's own control stays, which is a little faster on a clean path. A
// stream changes once and does not change back.
//
// A Path does nothing on systems that have no BBR or do not allow it to this process; on
// Linux, net.ipv4.tcp_allowed_congestion_control lists what everybody may use. A Path is for
// one goroutine. A nil Path does nothing.
type Path struct {
	socket  socket
	uplink  *Uplink
	flow    flow      // the uplink's
	next    time.Time // when to tell the uplink again
	due     time.Time // when to look again
	first   time.Time // the first look
	lost    uint32    // packets sent again, at the last look
	losses  int       // looks that found losses without a queue
	changed bool      // to BBR, whether that worked or not
}

// A condition is what the system knows of the path of a stream.
type condition struct {
	rtt, rttMin time.Duration // smoothed, and the shortest
	lost        uint32        // packets sent again since the stream began
	rate        uint64        // bytes per second that arrived lately
	acked       uint64        // bytes that have arrived since the stream began
	unsent      uint32        // bytes that wait for the path
	sharers     int           // streams that send, this one included
}

// sharedSpace is for hosts of one provider behind its NAT (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// Distant reports whether the way to ip leads over the internet, and so through our uplink.
func Distant(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !sharedSpace.Contains(ip)
}

// Sent looks at the path, if it was not looked at just now. It is called when something
// was sent.
func (p *Path) Sent(now time.Time) {
	if p == nil || now.Before(p.next) {
		return
	}
	p.next = now.Add(politeEvery)
	sharers := p.uplink.sends(now, &p.flow)
	if p.changed || now.Before(p.due) {
		return
	}
	p.due = now.Add(lookEvery)
	c, ok := p.socket.condition()
	if !ok {
		p.next = now.Add(time.Hour) // the stream has ended
		return
	}
	c.sharers = sharers
	if p.harms(now, c) {
		p.socket.keepPace()
		p.changed = true
	}
}

// harms reports whether the usual congestion control harms us or others on such a path.
func (p *Path) harms(now time.Time, c condition) bool {
	lost := c.lost - p.lost // it may wrap
	p.lost = c.lost
	if p.first.IsZero() {
		p.first = now
		lost = 0 // what came before may have been sent long ago
	}
	queue := c.rtt - c.rttMin
	if queue > queueMax {
		return true
	}
	if c.sharers >= sharersMin && c.rate < sharedRate && now.Sub(p.first) >= sharedFor &&
		queue > c.rttMin/8+sharedQueue {
		return true
	}
	// A full queue has its length at the moment of the loss, and at least a good part of
	// it a round trip later.
	if lost > 0 && queue < c.rttMin/4+5*time.Millisecond {
		p.losses++
	}
	return p.losses > lossesMax
}
