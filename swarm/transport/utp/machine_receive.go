package utp

import (
	"math"
	"time"
)

const (
	// ackOldMax is how far behind the acknowledgement of a packet may be that was
	// overtaken on its way, in packets. Older ones are not from this connection.
	ackOldMax = 1024
	// ackPackets is how many packets of data one acknowledgement may cover, and ackDelay
	// how long it waits for them (RFC 5681, 4.2).
	ackPackets = 2
	ackDelay   = 20 * time.Millisecond
	// overtakenMax is by how much a packet may be overtaken. One that seems to be older
	// is from a clock that was set.
	overtakenMax = 10 * time.Second
	// noDifference is what some versions of uTorrent send as the difference before they
	// have any.
	noDifference = math.MaxInt32
	// tripSlack is by how much the timestamps of a trip may exceed what it took.
	tripSlack = time.Millisecond
)

// receive takes a packet whose id is that of the connection. The header and the payload are
// the caller's again afterwards.
func (m *machine) receive(now time.Time, h *header, payload []byte) {
	if m.phase == phaseClosed {
		return
	}
	t := m.at(now)
	switch {
	case h.kind == typeSyn:
		m.receiveSyn(h)
		return
	case h.kind == typeReset:
		m.receiveReset(h)
		return
	case m.phase == phaseDialling && !m.answered(t, h), !m.plausible(h):
		m.stats.invalid++
		return
	}
	if m.phase == phaseAnswered {
		m.phase, m.timers.connect = phaseOpen, 0
	}
	m.heard(t)
	if h.timestamp != 0 {
		m.difference = m.clock(t) - h.timestamp
		m.theirs.sample(t, m.difference, math.MaxInt32*time.Microsecond)
	}
	m.receiveAck(t, h)
	if h.kind == typeData || h.kind == typeFin {
		m.receiveData(t, h, payload)
	}
	m.part(t)
	if checked {
		m.checkNow()
	}
}

// receiveSyn answers the SYN of a connection again whose first answer was lost.
func (m *machine) receiveSyn(h *header) {
	if m.phase == phaseAnswered && h.seq == m.in.ack {
		m.ack.syn, m.bits = true, h.bits // the answer is no longer than this SYN
		return
	}
	m.stats.invalid++
}

// receiveReset ends the connection if the RESET names a packet of ours that may have
// provoked it.
func (m *machine) receiveReset(h *header) {
	switch {
	case !m.provoked(h):
		m.stats.invalid++
	case m.phase == phaseDialling:
		m.fail(ErrRefused)
	case m.phase == phaseParting || m.delivered():
		m.fail(nil)
	default:
		m.fail(ErrReset)
	}
}

// provoked reports whether a RESET may be the answer to a packet of ours. A stranger would
// have to guess its number as well as the id.
func (m *machine) provoked(h *header) bool {
	if m.phase == phaseDialling {
		return h.ack == m.config.first
	}
	oldest := m.flight.una - 1 - packetsMax
	return !h.ack.before(oldest) && !m.flight.next.before(h.ack)
}

// answered reports whether a packet answers our SYN, and opens the connection if it does. The
// number of the answer is that of the peer's first packet of data to come. libutp does it
// so, and differs from the picture of BEP 29 in that.
func (m *machine) answered(now time.Duration, h *header) bool {
	if h.kind != typeState || h.ack != m.config.first {
		return false
	}
	m.phase = phaseOpen
	m.in.ack = h.seq - 1
	m.noteBits(h.bits)
	// The other end learns that we are here even if it speaks first.
	m.ack.syn, m.ack.now = false, true
	if m.timers.synSent == 1 {
		m.rtt.sample(now, now-m.timers.synAt)
	}
	m.timers.connect, m.timers.syn = 0, 0
	return true
}

// plausible reports whether a packet can be from our peer: whether it acknowledges nothing
// that was not sent, and nothing that was acknowledged long ago.
func (m *machine) plausible(h *header) bool {
	last := m.flight.una - 1
	if m.phase == phaseAnswered {
		return h.ack == last
	}
	return !(m.flight.next - 1).before(h.ack) && h.ack.until(last) <= ackOldMax
}

// noteWindow takes over the window of the peer, unless a packet that was sent a little later
// has told a later one.
func (m *machine) noteWindow(h *header) {
	age := time.Duration(int32(m.windowAt-h.timestamp)) * time.Microsecond
	if age > 0 && age < overtakenMax && m.windowAt != 0 {
		return
	}
	closed := m.peerWindow < m.mss()
	m.windowAt = h.timestamp
	m.peerWindow = int(min(h.window, math.MaxInt32))
	if closed && m.peerWindow >= m.mss() && m.timers.expired > 0 {
		// What the peer had no room for is not waited for any longer.
		m.loseAll()
	}
	m.windowMax = max(m.windowMax, m.peerWindow)
}

// receiveAck takes what a packet acknowledges.
func (m *machine) receiveAck(now time.Duration, h *header) {
	last := m.flight.una - 1
	if h.ack.before(last) {
		return
	}
	m.noteWindow(h)
	a := acks{now: now, min: m.rtt.min(), newestAt: noTime, rttAt: noTime}
	m.flight.ackTo(h.ack, &a)
	m.flight.ackBits(h.ack+2, h.sack, &a)
	m.countDuplicates(h, last, &a)
	if a.packets > 0 {
		m.progress(now, h, &a)
	}
	m.findLost(now)
	if m.flight.packets() == 0 {
		m.finish.acked = m.finish.sent
	}
	m.dropAcked()
	if a.packets > 0 {
		m.arm(now)
	}
}

// countDuplicates finds losses with peers that send no selective acknowledgements: each
// packet after a gap makes them repeat the last one (RFC 5681, 3.2).
func (m *machine) countDuplicates(h *header, last seq, a *acks) {
	if h.ack != last || h.kind != typeState || a.packets > 0 || len(h.sack) > 0 ||
		m.flight.packets() == 0 {
		m.duplicates = 0
		return
	}
	m.duplicates++
	if p := m.flight.at(m.flight.una); m.duplicates == lossPackets && p.state == packetSent {
		m.lose(p)
		m.flight.lose(m.flight.una)
	}
}

// progress takes what an acknowledgement has brought.
func (m *machine) progress(now time.Duration, h *header, a *acks) {
	m.timers.progressAt = now
	timedOut := m.timers.expired > 0
	m.timers.probed, m.timers.expired, m.timers.asked = false, 0, 0
	m.rtt.progress()
	took := m.rtt.smoothed
	trip, ok := a.trip()
	if !ok {
		trip, ok = m.tripAgain(h, a)
	}
	if ok {
		took = trip
		m.rtt.sample(now, took)
		m.trips.sample(now, uint32(took/time.Microsecond), math.MaxInt32*time.Microsecond)
	}
	if h.difference != 0 && h.difference != noDifference {
		m.ours.sample(now, h.difference, max(took, time.Millisecond))
	}
	if a.probed > 0 {
		m.mtu.arrived(a.probed)
		m.window.mss = m.mss()
	}
	m.stats.spurious += uint64(a.spurious)
	m.loss.acked(a, timedOut)
	if a.spurious > 0 {
		m.window.undo()
	}
	m.window.acked(now, ackSample{bytes: a.bytes, delivered: a.delivered, queue: m.queue(),
		inFlight: m.flight.bytes, rtt: &m.rtt})
	m.pacer.set(now, m.window.pace(&m.rtt), m.mtu.size)
}

// tripAgain returns how long the newest packet took there and back if that is a repeat, and
// the timestamps say that no earlier sending of it has arrived. While everything that arrives
// is a repeat, as after the loss of a whole window, nothing else tells of the path.
func (m *machine) tripAgain(h *header, a *acks) (time.Duration, bool) {
	if a.newestAt == noTime || a.newestAt <= a.rttAt || h.timestamp == 0 || h.difference == 0 ||
		h.difference == noDifference {
		return 0, false
	}
	// The way there by the clock of the peer, and the way back by ours: the offset between the
	// clocks cancels out.
	ways := time.Duration(int32(h.difference+m.difference)) * time.Microsecond
	trip := a.now - a.newestAt
	return trip, ways <= trip+tripSlack
}

// findLost marks packets as lost.
func (m *machine) findLost(now time.Duration) {
	m.timers.reorder = m.loss.detect(now, &m.flight, &m.rtt, m.lose)
	m.window.slump(m.flight.bytes)
}

// loseAll marks everything in flight as lost, and with it a probe for larger datagrams.
func (m *machine) loseAll() {
	m.flight.loseAll()
	if m.mtu.probe != 0 {
		m.mtu.dropped()
	}
}

// lose records the loss of a packet. That of a probe says that datagrams of its size do not
// get through.
func (m *machine) lose(p *sentPacket) {
	if p.pad > 0 && p.sends == 1 {
		m.mtu.dropped()
		return
	}
	m.window.lost(int(p.size))
}

// receiveData takes a packet of data or a FIN.
func (m *machine) receiveData(now time.Duration, h *header, payload []byte) {
	m.stats.receivedPackets++
	m.stats.receivedBytes += uint64(len(payload))
	fin := h.kind == typeFin
	if fin {
		payload = nil
	}
	m.fit(now)
	switch m.in.data(h.seq, payload, fin, m.capacity, m.discard) {
	case arrivedNext:
		m.ack.packets++
		m.ack.now = m.ack.now || fin || m.in.count > 0 || m.ack.packets >= ackPackets
		m.widen(now)
		if m.ack.packets == 1 {
			m.timers.ack = now + ackDelay
		}
	case arrivedAhead:
		m.ack.now = true
		m.watch(now)
	case arrivedAgain:
		m.stats.duplicates++
		m.ack.now = true
	case arrivedLost:
		m.stats.dropped++
		m.ack.now = true
		if m.in.size() < m.capacity/2 {
			m.shrink(now)
		}
	}
}

// part closes the connection once both directions are finished.
func (m *machine) part(now time.Duration) {
	if m.phase == phaseOpen && m.finish.acked && m.in.finished() {
		m.phase = phaseParting
		m.timers = timers{part: now + 2*m.rtt.timeout() + partAfter}
		m.review = review{}
		m.rest()
		return
	}
	if m.phase == phaseOpen && m.finish.acked && m.discard && m.timers.part == 0 {
		m.timers.part = now + partWait
	}
}
