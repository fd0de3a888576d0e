package utp

import (
	"math"
	"time"
)

// A cubic is a TCP flow without end, with the congestion control of RFC 9438: a model that is
// good enough to compete with. Its path keeps the order of packets.
type cubic struct {
	w           *world
	there, back *wire
	stopped     bool

	window, threshold float64 // packets
	inFlight          int
	next              int // numbers of packets
	arrived           map[int]bool
	una               int
	recover           int // losses up to this packet are answered

	max      float64 // the window at the last loss
	epoch    time.Duration
	rtt      time.Duration
	least    time.Duration
	got      int64
	progress time.Duration
}

const tcpPacket = 1448

func newCubic(w *world, there, back *wire) *cubic {
	c := &cubic{w: w, there: there, back: back, window: 10, threshold: math.Inf(1),
		arrived: make(map[int]bool)}
	c.send()
	c.watch()
	return c
}

// watch is the retransmission timer.
func (c *cubic) watch() {
	c.w.after(time.Second, func() {
		if c.stopped {
			return
		}
		if c.w.now-c.progress > time.Second {
			c.threshold, c.window = max(2, c.window/2), 2
			c.inFlight = 0
			c.send()
		}
		c.watch()
	})
}

// send fills the window. What was lost counts as sent again at once: the model cares for
// windows, not for which bytes come first.
func (c *cubic) send() {
	for !c.stopped && c.inFlight < int(c.window) {
		n, at := c.next, c.w.now
		c.next++
		c.inFlight++
		c.there.send(c.w, tcpPacket+52, false, func() {
			c.got += tcpPacket
			c.back.send(c.w, 52, false, func() { c.acked(n, c.w.now-at) })
		})
	}
}

func (c *cubic) acked(n int, rtt time.Duration) {
	c.progress = c.w.now
	c.inFlight = max(0, c.inFlight-1)
	c.rtt = rtt
	if c.least == 0 || rtt < c.least {
		c.least = rtt
	}
	// In order, so that a gap is a loss.
	for ; c.una < n; c.una++ {
		c.inFlight = max(0, c.inFlight-1)
		if c.una >= c.recover {
			c.recover = c.next
			c.max, c.epoch = c.window, c.w.now
			c.window = max(2, c.window*0.7)
			c.threshold = c.window
		}
	}
	c.una = n + 1
	switch {
	case c.window < c.threshold:
		c.window++
		if rtt > c.least+min(max(c.least/8, 4*time.Millisecond), 16*time.Millisecond) {
			c.threshold = c.window // HyStart
			c.max, c.epoch = c.window, c.w.now
		}
	default:
		const share = 0.4
		k := math.Cbrt(c.max * 0.3 / share)
		t := (c.w.now - c.epoch + rtt).Seconds()
		target := share*math.Pow(t-k, 3) + c.max
		reno := c.max*0.7 + 0.53*(c.w.now-c.epoch).Seconds()/rtt.Seconds()
		target = min(max(target, reno), 1.5*c.window)
		if target > c.window {
			c.window += (target - c.window) / c.window
		}
	}
	c.send()
}
