package utp

import "time"

const (
	// aliveEvery is how long a connection may be quiet before it says something. libutp's
	// authors measured it on routers.
	aliveEvery = 29 * time.Second
	// partAfter is how long, beside two timeouts, a finished connection answers a peer that
	// has not heard so.
	partAfter = 3 * time.Second
	// partWait is how long a connection that nobody reads waits for the peer's FIN.
	partWait = 10 * time.Second
	// stallMax is how long data may go unacknowledged by a peer that says other things.
	stallMax = time.Minute
	// closedMax is the same for a peer whose window has no room.
	closedMax = 15 * time.Minute
	// askMax bounds how long a peer whose window has no room is not asked for some.
	askMax = 4 * time.Second
	// silentMin is after which silence a packet means that the path works again.
	silentMin = time.Second
	// starvedEvery is how often a writer that there is no memory for tries again, beside
	// each time that its connection has given some back.
	starvedEvery = 50 * time.Millisecond
	// probeMin is the least time after which the last packet is sent again (RFC 8985, 7.2).
	probeMin = 10 * time.Millisecond
)

// timers are the deadlines of a machine, 0 for none.
type timers struct {
	connect time.Duration // an answer must have come
	syn     time.Duration // the SYN is sent again
	synAt   time.Duration // it was sent
	synSent int
	synSoon int // how many more SYNs follow each other quickly, and synDone how many did
	synDone int

	retry      time.Duration // something must have been acknowledged
	retryProbe bool          // then the last packet is sent again; else everything counts as lost
	probed     bool          // the last packet was sent again since something was acknowledged
	tail       bool          // it has to be
	expired    int           // timeouts in a row
	progressAt time.Duration // when something was acknowledged, or began to wait for it

	reorder time.Duration // packets may have become lost
	ask     time.Duration // the peer's window is asked for
	askNow  bool
	asked   int
	ack     time.Duration // an acknowledgement is due
	pace    time.Duration // more may be sent
	alive   time.Duration // a keep-alive is due
	heardAt time.Duration // the last packet came
	part    time.Duration // the connection is over
	memory  time.Duration // there may be memory again for what is written
}

// heard records that a packet came. After a silence, whatever waits for a timeout that was
// doubled is sent again soon, since the path works again.
func (m *machine) heard(now time.Duration) {
	silent := now - m.timers.heardAt
	m.timers.heardAt = now
	if m.timers.alive == 0 {
		m.timers.alive = now + aliveEvery
	}
	if silent > silentMin && m.rtt.backoff > 1 && m.timers.retry > now+probeMin {
		m.rtt.backoff = 1
		m.timers.retry = min(m.timers.retry, now+max(probeMin, m.rtt.smoothed))
	}
}

// arm sets the timer for the acknowledgement of what is in flight (RFC 6298, 5, with the tail
// loss probe of RFC 8985, 7).
func (m *machine) arm(now time.Duration) {
	t := &m.timers
	t.retry, t.retryProbe = 0, false
	if m.flight.packets() == 0 {
		return
	}
	t.retry = now + m.rtt.timeout()
	if t.probed || m.rtt.smoothed == 0 || m.flight.sent.n == 0 || t.expired > 0 {
		return
	}
	probe := 2*m.rtt.smoothed + m.rtt.variation
	if m.flight.sent.n == 1 {
		probe += 2 * ackDelay
	}
	if at := now + max(probe, probeMin); at < t.retry {
		t.retry, t.retryProbe = at, true
	}
}

// deadline returns when tick has to be called, the zero time for never.
func (m *machine) deadline() time.Time {
	var first time.Duration
	t := &m.timers
	for _, at := range [...]time.Duration{t.connect, t.syn, t.retry, t.reorder, t.askAt(m),
		t.ack, t.pace, t.alive, t.part, t.memory, m.review.next, t.idleAt(m)} {
		if at != 0 && (first == 0 || at < first) {
			first = at
		}
	}
	if first == 0 || m.phase == phaseClosed {
		return time.Time{}
	}
	return m.start.Add(first - 1)
}

// askAt returns when the peer's window is asked for: while it has no room, and nothing that
// is in flight would bring an answer.
func (t *timers) askAt(m *machine) time.Duration {
	if !m.askable() {
		t.ask = 0
	}
	return t.ask
}

// scheduleAsk sets the timer for asking for the peer's window.
func (m *machine) scheduleAsk(now time.Duration) {
	t := &m.timers
	if t.ask == 0 && m.askable() {
		t.ask = now + min(rtoMin<<min(t.asked, 3), askMax)
	}
}

// askable reports whether data waits for a window that has no room for it.
func (m *machine) askable() bool {
	left := int(m.out.end - m.unsent)
	return m.phase == phaseOpen && m.flight.packets() == 0 && left > 0 &&
		m.peerWindow < min(left, m.mss())
}

// idleAt returns when the silence of the peer ends the connection.
func (t *timers) idleAt(m *machine) time.Duration {
	if m.phase != phaseOpen {
		return 0
	}
	return max(t.heardAt, 1) + m.config.idle
}

// tick does what is due.
func (m *machine) tick(now time.Time) {
	if m.phase == phaseClosed {
		return
	}
	n, t := m.at(now), &m.timers
	due := func(at time.Duration) bool { return at != 0 && n >= at }
	switch {
	case due(t.connect) && m.phase < phaseOpen:
		m.fail(ErrTimeout)
		return
	case due(t.part):
		m.ack.reset = m.phase == phaseOpen
		m.fail(nil)
		return
	case due(t.idleAt(m)):
		m.ack.reset = true
		m.fail(ErrTimeout)
		return
	}
	if due(m.review.next) {
		if m.look(n); m.phase == phaseClosed {
			return
		}
	}
	if due(t.syn) {
		t.syn, m.ack.syn = 0, true
	}
	if due(t.ack) {
		t.ack, m.ack.now = 0, true
	}
	if due(t.alive) {
		t.alive, m.ack.alive = 0, true
	}
	if due(t.reorder) {
		m.findLost(n)
	}
	if due(t.memory) {
		m.fed()
	}
	if due(t.askAt(m)) {
		t.ask, t.askNow = 0, true
		t.asked++
	}
	if due(t.retry) {
		m.retry(n)
	}
}

// retry answers the silence of the peer after something was sent.
func (m *machine) retry(now time.Duration) {
	t := &m.timers
	if t.retryProbe {
		t.probed, t.tail = true, true
		m.arm(now)
		return
	}
	stall := stallMax
	if m.peerWindow < m.mss() {
		stall = closedMax
	}
	if now-t.heardAt > m.config.silence && t.expired > 2 || now-t.progressAt > stall {
		if m.delivered() {
			m.fail(nil)
			return
		}
		m.ack.reset = true
		m.fail(ErrTimeout)
		return
	}
	m.stats.timeouts++
	t.expired++
	m.rtt.expired()
	if t.expired >= blackTimeouts && m.largeFirst() && m.mtu.black(now) {
		m.window.mss = m.mss()
	}
	m.loseAll()
	if m.peerWindow >= m.mss() {
		// Else the peer has no room for what was sent, which says nothing about the path.
		if t.expired == 1 {
			m.window.timedOut()
		} else {
			m.window.restart()
		}
		m.pacer.set(now, 0, m.mtu.size)
	}
	m.arm(now)
}

// delivered reports whether all that is left to do is that the peer, which has finished its
// direction, acknowledges our FIN: it has everything that was written.
func (m *machine) delivered() bool {
	return m.finish.sent && m.in.finished() && m.flight.packets() == 1 &&
		m.flight.at(m.flight.una).fin
}

// largeFirst reports whether the first packet that waits is larger than what every path
// carries.
func (m *machine) largeFirst() bool {
	return m.flight.packets() > 0 &&
		headerSize+int(m.flight.at(m.flight.una).size) > mtuFloor
}
