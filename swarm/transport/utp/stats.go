package utp

import "time"

// Stats show how a connection stands.
type Stats struct {
	// RTT is the smoothed round-trip time, and RTTMin the shortest one of late. Both are 0
	// until something was acknowledged.
	RTT, RTTMin time.Duration
	// Queue is how long packets of ours wait on their way, beyond the time that the path takes.
	Queue time.Duration
	// Window is how much may be in flight, and InFlight how much is, in bytes of payload.
	Window, InFlight int
	// PeerWindow is how much the other end has room for, in bytes.
	PeerWindow int
	// Datagram is the size of full datagrams, in bytes of UDP payload.
	Datagram int
	// Sent and Received count packets with data, repeated ones included.
	Sent, Received uint64
	// Repeats count packets that were sent again, Timeouts how often nothing was
	// acknowledged for too long.
	Repeats, Timeouts uint64
}

// Stats returns how the connection stands.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.m
	return Stats{RTT: m.rtt.smoothed, RTTMin: m.rtt.min(), Queue: m.queue(),
		Window: m.window.limit(), InFlight: m.flight.bytes, PeerWindow: m.peerWindow,
		Datagram: m.mtu.size, Sent: m.stats.sentPackets, Received: m.stats.receivedPackets,
		Repeats: m.stats.repeats, Timeouts: m.stats.timeouts}
}

// Delivery returns how many bytes the other end has acknowledged since the connection began,
// and how long packets of ours wait on their way, beyond the time that the path takes.
func (c *Conn) Delivery() (acked uint64, queue time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return uint64(c.m.window.delivered), c.m.queue()
}

// Unacked returns for how long the other end has said nothing, while something that was
// sent waits to be acknowledged. It is 0 if nothing waits.
func (c *Conn) Unacked() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.unacked(time.Now())
}

// unacked is Unacked at a moment.
func (m *machine) unacked(now time.Time) time.Duration {
	if m.flight.packets() == 0 {
		return 0
	}
	return max(0, m.at(now)-max(m.timers.heardAt, m.timers.progressAt))
}
