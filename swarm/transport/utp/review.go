package utp

import "time"

const (
	// reviewEvery is how often a connection is looked at whose memory depends on its peer.
	reviewEvery = 5 * time.Second
	// gapMax is how long packets wait for earlier ones. libutp and libtorrent send what is
	// lost again for about half a minute.
	gapMax = time.Minute
	// The same bounds hold for what is sent and for what waits for a gap while the budget is
	// short: shortStall without an acknowledgement, or with the same gap, and shortTurn until
	// everything that was written or waited at some moment has gone. 64 KiB take that long at
	// 1 KiB/s.
	shortStall = 15 * time.Second
	shortTurn  = time.Minute
)

// review watches a peer on whose answers memory of ours depends: what is written until it is
// acknowledged, and the packets after a gap until the gap is filled. A mark is the last byte or
// packet of what there is at some moment.
type review struct {
	next   time.Duration // 0 while nothing is held
	out    int64         // mark in the stream that is sent
	outAt  time.Duration // when the mark was set
	in     seq           // mark in the packets that wait
	inAt   time.Duration // when the mark was set
	gapAt  time.Duration // since when the next packet in order is missing
	filled seq           // the last packet in order at gapAt
}

// watch begins to look at the connection, if it does not already.
func (m *machine) watch(now time.Duration) {
	if r := &m.review; r.next == 0 {
		*r = review{next: now + reviewEvery, out: m.out.end, outAt: now, in: m.in.top, inAt: now,
			gapAt: now, filled: m.in.ack}
	}
}

// look moves the marks on, and ends the connection if its peer has held memory for too long.
func (m *machine) look(now time.Duration) {
	r := &m.review
	if m.out.size() == 0 && m.in.count == 0 {
		r.next = 0
		return
	}
	r.next = now + reviewEvery
	if m.out.start >= r.out {
		r.out, r.outAt = m.out.end, now
	}
	if m.in.count == 0 || !m.in.ack.before(r.in) {
		r.in, r.inAt = m.in.top, now
	}
	if m.in.count == 0 || m.in.ack != r.filled {
		r.filled, r.gapAt = m.in.ack, now
	}
	if m.overdue(now) {
		m.ack.reset = true
		m.fail(ErrTimeout)
	}
}

// overdue reports whether the peer has held memory for too long.
func (m *machine) overdue(now time.Duration) bool {
	r := &m.review
	if now-r.gapAt >= gapMax {
		return true
	}
	if !m.memory.short() {
		return false
	}
	stalled := m.flight.packets() > 0 && m.peerWindow >= m.mss() &&
		now-m.timers.progressAt >= shortStall
	return stalled || now-r.gapAt >= shortStall || now-r.outAt >= shortTurn ||
		now-r.inAt >= shortTurn
}
