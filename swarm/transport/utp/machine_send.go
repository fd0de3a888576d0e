package utp

import "time"

// output appends the datagrams that are due to an outbox, and reports whether there are more
// of them than it has room for.
func (m *machine) output(now time.Time, out *outbox) bool {
	if checked {
		defer m.checkNow()
	}
	t := m.at(now)
	if m.phase == phaseClosed {
		if m.ack.reset {
			m.ack.reset = false
			m.sendState(t, out, typeReset)
		}
		return false
	}
	if m.ack.syn {
		m.sendSyn(t, out)
	}
	more := false
	if m.phase == phaseOpen {
		more = m.sendData(t, out)
	}
	if m.ack.now {
		m.sendState(t, out, typeState)
	}
	if m.ack.alive {
		m.sendAlive(t, out)
	}
	return more
}

// sendSyn sends the SYN of a dialled connection, or the answer of an accepted one.
func (m *machine) sendSyn(now time.Duration, out *outbox) {
	m.ack.syn = false
	if m.phase == phaseAnswered {
		m.sendState(now, out, typeState)
		if m.timers.connect == 0 {
			m.timers.connect = now + m.config.connectTimeout
		}
		return
	}
	h := m.header(now, typeSyn)
	h.id, h.seq, h.ack, h.bits = m.receiveID, m.config.first, 0, wideFlights
	start := len(out.data)
	out.data = appendHeader(out.data, &h, 0)
	out.end(start, false)
	m.timers.synAt = now
	m.timers.synSent++
	m.timers.syn = now + m.synWait()
	if m.timers.connect == 0 {
		m.timers.connect = now + m.config.connectTimeout
	}
}

// header returns a header with everything that does not depend on the kind of the packet.
func (m *machine) header(now time.Duration, kind packetType) header {
	m.advertised = m.receiveWindow()
	m.promised = m.in.stream.end + int64(m.advertised)
	return header{kind: kind, id: m.sendID, timestamp: m.clock(now), difference: m.difference,
		window: uint32(m.advertised), seq: m.flight.next, ack: m.in.ack}
}

// sendState sends a packet without payload: an acknowledgement, or a RESET.
func (m *machine) sendState(now time.Duration, out *outbox, kind packetType) {
	h := m.header(now, kind)
	if m.phase == phaseAnswered && m.bits != 0 {
		h.bits = wideFlights
	}
	var bits [sackBytesMax]byte
	h.sack = m.in.sack(bits[:0])
	start := len(out.data)
	out.data = appendHeader(out.data, &h, 0)
	out.end(start, false)
	m.acknowledged(now)
}

// sendAlive keeps mappings of routers alive. It acknowledges one packet less, as libutp does,
// so that nobody takes it for news.
func (m *machine) sendAlive(now time.Duration, out *outbox) {
	m.ack.alive = false
	m.retract(now)
	h := m.header(now, typeState)
	h.ack--
	start := len(out.data)
	out.data = appendHeader(out.data, &h, 0)
	out.end(start, false)
	m.timers.alive = now + aliveEvery
}

// acknowledged records that everything received is acknowledged.
func (m *machine) acknowledged(now time.Duration) {
	m.ack.packets, m.ack.now = 0, false
	m.timers.ack = 0
	m.timers.alive = now + aliveEvery
}

// sendData sends what is lost and what is new, as far as the windows and the pacer allow.
func (m *machine) sendData(now time.Duration, out *outbox) (more bool) {
	m.timers.pace = 0
	if m.timers.tail {
		m.sendTail(now, out)
	}
	for m.flight.lost.n > 0 {
		if !out.fits(m.mtu.limit) {
			return true
		}
		if !m.allowed(now, int(m.flight.at(m.flight.lost.first).size)) {
			return false
		}
		m.resend(now, out, m.flight.lost.first)
	}
	for {
		size, fin := m.nextPacket()
		if size == 0 && !fin {
			break
		}
		if !out.fits(m.mtu.limit) {
			return true
		}
		if !m.allowed(now, size) || !m.place(now) {
			return false
		}
		m.sendNew(now, out, size, fin)
	}
	m.scheduleAsk(now)
	m.rest()
	return false
}

// sendTail sends the last packet in flight again. If nothing is lost after all, its
// acknowledgement says so.
func (m *machine) sendTail(now time.Duration, out *outbox) {
	m.timers.tail = false
	if m.flight.sent.n == 0 {
		return
	}
	n := m.flight.sent.last
	if p := m.flight.at(n); p.pad > 0 {
		m.mtu.dropped()
	}
	m.resend(now, out, n)
	m.flight.at(n).tail = true
}

// rest gives up memory that an idle connection does not need.
func (m *machine) rest() {
	if m.flight.packets() == 0 && m.out.size() == 0 {
		m.flight.rest()
		m.in.rest()
	} else if m.memory.short() {
		m.in.rest()
	}
}

// allowed reports whether a packet may be sent now.
func (m *machine) allowed(now time.Duration, size int) bool {
	if m.flight.sent.n > 0 && m.flight.bytes+size > m.window.limit() {
		m.window.full()
		return false
	}
	if !m.pacer.ready(now) {
		m.timers.pace = m.pacer.next()
		return false
	}
	return true
}

// place reports whether there is memory for another packet in flight. If there is none, the
// next acknowledgement makes a place, or it is tried again soon.
func (m *machine) place(now time.Duration) bool {
	if m.flight.place() {
		return true
	}
	if m.flight.packets() == 0 {
		m.timers.memory = now + starvedEvery
	}
	return false
}

// nextPacket returns the size of the next new packet, 0 if there is none to send yet, and
// whether it is the FIN.
func (m *machine) nextPacket() (size int, fin bool) {
	if m.flight.packets() >= m.packetsLimit() {
		return 0, false
	}
	left := int(m.out.end - m.unsent)
	if left == 0 {
		return 0, m.finish.asked && !m.finish.sent
	}
	size = min(left, m.mss())
	// What is lost takes room when it comes again.
	room := m.peerWindow - m.flight.bytes - m.flight.owed
	if size > room {
		if m.flight.packets() > 0 {
			return 0, false
		}
		return m.squeeze(size), false
	}
	if size < m.mss() && !m.finish.asked && m.flight.bytes > m.window.limit()/2 &&
		m.flight.bytes > 4*m.mss() {
		// More is about to be written: acknowledgements come and make room for it.
		return 0, false
	}
	return size, false
}

// squeeze returns the size of a packet for a window that has no room for a full one, while
// nothing is in flight: what there is room for if that is not silly, a single byte if it is
// time to ask, else nothing (RFC 9293, 3.8.6).
func (m *machine) squeeze(size int) int {
	if m.peerWindow > 0 && m.peerWindow >= m.windowMax/2 {
		return min(size, m.peerWindow)
	}
	if m.timers.askNow {
		m.timers.askNow = false
		return max(1, min(size, m.peerWindow))
	}
	return 0
}

// sendNew sends a packet for the first time.
func (m *machine) sendNew(now time.Duration, out *outbox, size int, fin bool) {
	p := sentPacket{offset: m.unsent, sentAt: now, delivered: m.window.delivered,
		size: uint16(size), fin: fin}
	if want := m.mtu.want(now); want > 0 && size == m.mss() && m.flight.lost.n == 0 &&
		m.rtt.smoothed > 0 {
		p.pad = uint16(want - m.mtu.size)
		m.mtu.sent(want)
	}
	if m.flight.packets() == 0 {
		m.timers.progressAt = now
	}
	m.watch(now)
	n := m.flight.push(p)
	m.unsent += int64(size)
	m.finish.sent = m.finish.sent || fin
	m.put(now, out, n)
	if m.timers.retry == 0 {
		m.arm(now)
	}
}

// resend sends a packet again.
func (m *machine) resend(now time.Duration, out *outbox, n seq) {
	m.flight.again(n, now, m.window.delivered)
	m.stats.repeats++
	m.put(now, out, n)
	if m.timers.retry == 0 {
		m.arm(now)
	}
}

// put appends the datagram of a packet.
func (m *machine) put(now time.Duration, out *outbox, n seq) {
	p := m.flight.at(n)
	kind := typeData
	if p.fin {
		kind = typeFin
	}
	h := m.header(now, kind)
	h.seq = n
	start := len(out.data)
	out.data = appendHeader(out.data, &h, int(p.pad))
	payload := len(out.data)
	out.data = append(out.data, make([]byte, p.size)...)
	m.out.copy(out.data[payload:], p.offset)
	size := len(out.data) - start
	out.end(start, p.pad == 0 && size > m.mtu.size)
	m.pacer.spend(size)
	m.stats.sentPackets++
	m.stats.sentBytes += uint64(p.size)
	if m.in.count == 0 {
		m.acknowledged(now)
	}
}
