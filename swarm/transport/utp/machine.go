package utp

import (
	"math"
	"time"
)

// A phase says how far a connection is.
type phase uint8

const (
	phaseDialling phase = iota // our SYN is out
	phaseAnswered              // their SYN is answered; they have not shown that they heard
	phaseOpen                  // both ends know of each other
	phaseParting               // both directions are finished; late packets are answered
	phaseClosed                // over; err says why
)

const (
	receiveBufferMax = 4 << 20
	sendBufferMax    = 4 << 20
	// capacityMin is the least that the receive window shrinks to for want of memory.
	capacityMin = 32 << 10
	// backlogMin and backlogMax bound what waits to be sent for the first time: about a
	// window, so that what the user takes back has rarely been buffered yet.
	backlogMin = 64 << 10
	backlogMax = 1 << 20
	// packetsMax bounds a flight for peers that are not known to take more. libutp drops
	// packets that are 1,024 ahead of the last one in order, libtorrent those that are
	// about 950 ahead.
	packetsMax = 900
	// packetsMaxNear bounds it while such a peer is nearTrip away at most, on this machine or
	// next to it. Its system, not the path, holds what is in flight then. The default buffer
	// of a socket of Linux has room for about 90 full packets and drops the rest.
	packetsMaxNear = 64
	nearTrip       = 500 * time.Microsecond
	// packetsMaxWide bounds it for peers that say wideFlights.
	packetsMaxWide = heldMax / 2
	// wideFlights is our extension bit: the sender keeps packets that are up to heldMax
	// ahead, and reads datagrams of any length.
	wideFlights = 1 << 56
)

// machineConfig is what a machine is made of. Zero values mean the defaults.
type machineConfig struct {
	// id is the connection id at which a dialled connection receives. The other one is the
	// next number.
	id uint16
	// first is the number of the first packet. It should be random.
	first seq
	// mtu is the largest payload of UDP that the interface takes, in bytes; mtuBase if 0.
	mtu int
	// budget bounds the buffers, if it is not nil.
	budget Budget
	// receiveBuffer and sendBuffer bound the buffers of the directions, in bytes.
	receiveBuffer, sendBuffer int
	// connectTimeout is how long a dialled connection waits for an answer. Default 10 s.
	connectTimeout time.Duration
	// silence is how long packets may go unanswered before the connection ends. Default
	// 40 s.
	silence time.Duration
	// idle is how long a connection may go without hearing from its peer. Default 5 min.
	idle time.Duration
}

// machine is one connection. It is not safe for concurrent use. Whoever owns it calls output
// after each other call that takes the time, and tick at the deadline.
type machine struct {
	config machineConfig
	start  time.Time
	latest time.Duration // the last time that at returned
	phase  phase
	err    error

	receiveID, sendID uint16
	bits              uint64 // extension bits of the peer

	// Sending. unsent is the place in out of what was never sent.
	out        stream
	unsent     int64
	flight     flight
	window     window
	pacer      pacer
	rtt        rtt
	loss       loss
	mtu        mtu
	peerWindow int
	windowAt   uint32 // the peer's timestamp when it advertised peerWindow
	windowMax  int    // the largest window of the peer so far
	duplicates int    // acknowledgements in a row that bring nothing
	finish     finish
	// starved says that there was no memory for what was written. It is so until a chunk
	// of out is free again, or until timers.memory.
	starved bool

	// Receiving.
	in         incoming
	capacity   int // of the receive buffer
	roof       int // most that capacity may be for want of memory
	shrunkAt   time.Duration
	advertised int
	promised   int64 // place in the stream up to which the peer was told to have room
	appetite   appetite
	difference uint32 // what we tell the peer of the delay of its packets
	discard    bool   // the user reads no more

	// The delays of both directions, and of round trips.
	ours, theirs, trips delay

	ack    ackState
	timers timers
	review review
	stats  counters
	memory memory
	checks uint64
}

// finish is how far the end of our direction is.
type finish struct {
	asked bool // nothing is written any more
	sent  bool // the FIN has its number
	acked bool
}

// ackState says whether an acknowledgement is due.
type ackState struct {
	packets int  // packets of data that are not acknowledged yet
	now     bool // one is due at once
	reset   bool // a RESET is due
	syn     bool // the first packet of the connection is due: SYN, or the answer to one
	alive   bool // a keep-alive is due
}

// counters counts what happened to a connection.
type counters struct {
	sentPackets, sentBytes         uint64 // data, repeats included
	receivedPackets, receivedBytes uint64
	repeats                        uint64 // packets sent again
	spurious                       uint64 // of these, without need
	timeouts                       uint64
	duplicates                     uint64 // packets received twice
	dropped                        uint64 // packets received and not taken
	invalid                        uint64 // packets that no peer of ours can have sent
}

func newMachine(now time.Time, config machineConfig) *machine {
	if config.mtu == 0 {
		config.mtu = mtuBase
	}
	if config.receiveBuffer == 0 {
		config.receiveBuffer = receiveBufferMax
	}
	if config.sendBuffer == 0 {
		config.sendBuffer = sendBufferMax
	}
	if config.connectTimeout == 0 {
		config.connectTimeout = 10 * time.Second
	}
	if config.silence == 0 {
		config.silence = 40 * time.Second
	}
	if config.idle == 0 {
		config.idle = 5 * time.Minute
	}
	m := &machine{config: config, start: now, mtu: newMTU(min(config.mtu, mtuCommon))}
	m.memory.budget = config.budget
	m.in.mem, m.flight.mem = &m.memory, &m.memory
	m.roof = config.receiveBuffer
	m.capacity = min(m.roof, capacityFirst)
	m.flight.una, m.flight.next = config.first, config.first
	m.window = newWindow(m.mss())
	return m
}

// newDialled returns a connection that dials: its first output is a SYN.
func newDialled(now time.Time, config machineConfig) *machine {
	m := newMachine(now, config)
	m.receiveID, m.sendID = config.id, config.id+1
	m.flight.una++
	m.flight.next++
	m.ack.syn = true
	return m
}

// newAccepted returns a connection that was dialled by the given SYN. Its first output is the
// answer. It sends nothing else before the peer has shown that it received the answer, so a
// forged source address gets one small packet for each one that it is said to have sent.
func newAccepted(now time.Time, config machineConfig, syn header) *machine {
	m := newMachine(now, config)
	m.phase = phaseAnswered
	m.receiveID, m.sendID = syn.id+1, syn.id
	m.in.ack = syn.seq
	m.noteBits(syn.bits)
	m.noteWindow(&syn)
	m.difference = m.clock(0) - syn.timestamp
	m.ack.syn = true
	return m
}

// newAnswered returns a connection whose SYN was answered, and not remembered. Its other end has
// acknowledged config.first, the number of the answer, by the given packet.
func newAnswered(now time.Time, config machineConfig, h *header) *machine {
	m := newAccepted(now, config, header{id: h.id - 1, seq: h.seq - 1, timestamp: h.timestamp,
		window: h.window})
	m.ack.syn = false
	return m
}

// noteBits takes what the peer says about itself in its SYN, or in the answer to ours.
func (m *machine) noteBits(bits uint64) {
	m.bits = bits
	if bits&wideFlights != 0 {
		m.mtu.raise(m.config.mtu)
	}
}

// at returns a time as the machine's parts count it: 1 ns at the start, so that 0 can mean
// never. Time does not go back, even if a caller took it before another one that came first.
func (m *machine) at(now time.Time) time.Duration {
	m.latest = max(m.latest, now.Sub(m.start)+1, 1)
	return m.latest
}

// clock returns the time as it is put on the wire: in microseconds, and never 0, which means
// no time to some.
func (m *machine) clock(now time.Duration) uint32 {
	return max(1, uint32(now/time.Microsecond)+uint32(m.config.first)<<16)
}

// mss returns how much payload a full packet carries.
func (m *machine) mss() int { return m.mtu.size - headerSize }

// connected reports whether the other end has answered.
func (m *machine) connected() bool { return m.phase >= phaseOpen && m.err == nil }

// closed reports whether the connection is over, and why; nil if both directions were
// finished in order. What was received can still be read.
func (m *machine) closed() (bool, error) { return m.phase == phaseClosed, m.err }

// readable returns how many bytes can be read.
func (m *machine) readable() int { return m.in.stream.size() }

// eof reports whether the peer has finished its direction and everything has been read.
func (m *machine) eof() bool { return m.in.finished() && m.in.stream.size() == 0 }

// read fills p with bytes that have been received.
func (m *machine) read(now time.Time, p []byte) int {
	ack := m.in.ack
	t := m.at(now)
	n := m.in.read(p, m.discard)
	m.appetite.read(t, n)
	m.fit(t)
	if m.in.ack != ack && m.phase == phaseOpen {
		m.ack.now = true // packets that were waiting for memory are in order now
	}
	m.openWindow(t)
	return n
}

// writable returns how many bytes write would take, if there is memory for them. It is 0 from
// a write that there was no memory for until there may be some.
func (m *machine) writable() int {
	if m.starved || m.finish.asked || m.phase == phaseClosed || m.phase == phaseParting {
		return 0
	}
	backlog := min(max(min(m.window.limit(), m.peerWindow), backlogMin), backlogMax)
	room := min(backlog-int(m.out.end-m.unsent), m.config.sendBuffer-m.out.size())
	return max(0, room)
}

// write takes as much of p as the send buffer has room for, and returns how much.
func (m *machine) write(now time.Time, p []byte) int {
	p = p[:min(len(p), m.writable())]
	n := m.out.append(p, &m.memory)
	if n < len(p) {
		m.starved = true
		m.timers.memory = m.at(now) + starvedEvery
	}
	return n
}

// dropAcked gives up what was written and is acknowledged.
func (m *machine) dropAcked() {
	chunks := len(m.out.chunks)
	m.out.drop(m.flight.startOf(m.unsent), &m.memory)
	if len(m.out.chunks) < chunks {
		m.fed()
	}
}

// fed records that there may be memory for what is written.
func (m *machine) fed() { m.starved, m.timers.memory = false, 0 }

// end finishes our direction: a FIN follows what was written.
func (m *machine) end(now time.Time) { m.finish.asked = true }

// forget says that the user reads no more: what was received and what still comes is
// acknowledged and dropped.
func (m *machine) forget(now time.Time) {
	m.discard = true
	m.in.forget()
	m.openWindow(m.at(now))
}

// abort ends the connection at once. The peer is sent a RESET if it has shown that it knows the
// connection: an address that may be forged is sent no more than its SYN.
func (m *machine) abort(now time.Time) {
	if m.phase == phaseClosed {
		return
	}
	m.ack.reset = m.phase > phaseAnswered
	m.fail(ErrAborted)
}

// fail ends the connection.
func (m *machine) fail(err error) {
	m.phase, m.err = phaseClosed, err
	m.timers, m.review = timers{}, review{}
	m.out.free(&m.memory)
	m.unsent = m.out.end
	m.flight.free()
	m.ack = ackState{reset: m.ack.reset}
}

// free gives all memory back. Nothing can be read afterwards.
func (m *machine) free() {
	if m.phase != phaseClosed {
		m.fail(ErrAborted)
	}
	m.in.free()
}

// packetsLimit returns how many packets may be in flight.
func (m *machine) packetsLimit() int {
	if m.bits&wideFlights != 0 {
		return packetsMaxWide
	}
	if trip := m.rtt.min(); trip > 0 && trip < nearTrip {
		return packetsMaxNear
	}
	return packetsMax
}

// receiveWindow returns how much the peer may have in flight.
func (m *machine) receiveWindow() int {
	return min(max(0, m.capacity-m.in.size()), math.MaxInt32)
}

// openWindow makes an acknowledgement due if the receive window has opened so far that the
// peer should hear of it.
func (m *machine) openWindow(now time.Duration) {
	if m.phase != phaseOpen {
		return
	}
	window := m.receiveWindow()
	if m.advertised < m.capacity/2 && window-m.advertised >= m.capacity/4 {
		m.ack.now = true
	}
}

// queue returns the queueing delay of our direction. The one-way delay cannot be more than
// what the round trip took beyond the shortest one, whatever clocks that drift say. And it is
// not much less than that minus the delay of the other direction, whatever the peer claims.
func (m *machine) queue() time.Duration {
	const slack = 2 * delayAim
	trip := m.trips.queue()
	least := trip - m.theirs.queue()
	if !m.ours.started {
		return max(0, least)
	}
	return max(min(m.ours.queue(), trip), least-slack, 0)
}
