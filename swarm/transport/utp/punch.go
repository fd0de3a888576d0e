package utp

import (
	"context"
	"net"
	"net/netip"
	"time"
)

const (
	// synSoonEvery is the time between the SYNs of a connection whose other end connects to
	// us at the same moment, and synSoonMax how many of them follow the first. The router in
	// front of the other end drops those that come before it has sent its own.
	synSoonEvery = 250 * time.Millisecond
	synSoonMax   = 3
)

// Punch is Dial for a peer that connects to us at the same moment (BEP 55): the first SYNs
// follow each other quickly.
func (s *Socket) Punch(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	return s.dial(ctx, addr, true)
}

// Hasten makes the connections that are being dialled to addr send their SYNs again at once,
// and then quickly: its peer connects to us at this moment.
func (s *Socket) Hasten(addr netip.AddrPort) {
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	var found []*Conn
	s.mu.Lock()
	for key, c := range s.conns {
		if key.remote == addr {
			found = append(found, c)
		}
	}
	s.mu.Unlock()
	now := time.Now()
	for _, c := range found {
		c.mu.Lock()
		if c.m.hasten(now) {
			c.update(now)
		}
		c.mu.Unlock()
	}
}

// hasten makes a dialled connection send its SYN again at once, and then quickly. It reports
// whether there is anything to send.
func (m *machine) hasten(now time.Time) bool {
	if m.phase != phaseDialling || m.timers.synSent == 0 {
		return false
	}
	m.at(now)
	m.timers.synSoon, m.timers.syn = synSoonMax, 0
	m.ack.syn = true
	return true
}

// synWait returns the time from the SYN that was just sent to the next one.
func (m *machine) synWait() time.Duration {
	if m.timers.synSoon > 0 {
		m.timers.synSoon--
		m.timers.synDone++
		return synSoonEvery
	}
	return rtoFirst << min(max(m.timers.synSent-1-m.timers.synDone, 0), 3)
}
