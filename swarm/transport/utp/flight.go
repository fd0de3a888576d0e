package utp

import (
	"time"
	"unsafe"
)

// The states of a packet of a flight.
type packetState uint8

const (
	packetFree  packetState = iota
	packetSent              // in flight, as far as anybody knows
	packetLost              // lost, and not sent again yet
	packetAcked             // acknowledged selectively
)

// A sentPacket is a packet that has been sent and is not acknowledged up to its number.
type sentPacket struct {
	offset    int64         // place of its payload in the stream
	sentAt    time.Duration // the last time
	delivered int64         // bytes that had been delivered in all when it was sent
	next      seq           // neighbours in its list
	prev      seq
	size      uint16 // of its payload
	pad       uint16 // bytes of padding: not 0 if it is a probe for larger datagrams
	sends     uint8  // how often it was sent, up to 255
	state     packetState
	fin       bool
	tail      bool // it was sent again to provoke an answer, not because it was lost
}

// wireSize is the size of its datagram when it was sent first, without the extensions that
// are no padding.
func (p *sentPacket) wireSize() int { return headerSize + int(p.size) + int(p.pad) }

// A seqList is a list of packets of a flight, linked by their numbers.
type seqList struct {
	first, last seq
	n           int
}

// A flight is the packets that have been sent and are not acknowledged. Its packets lie in
// a ring, at their number.
//
//	una <= next <= una + len(ring); bytes is the payload of the packets in sent, owed that of
//	those in lost
type flight struct {
	mem  *memory      // has the ring, if it is not nil
	ring []sentPacket // its length is a power of two, or 0
	una  seq          // the first packet that is not acknowledged
	next seq          // the number of the next new packet
	// sent lists the packets in flight in the order in which they were sent, lost those
	// to be sent again.
	sent, lost seqList
	bytes      int
	owed       int
	acked      int // packets that are acknowledged selectively
}

// ringMin is the first size of a ring, in packets.
const ringMin = 16

func (f *flight) at(n seq) *sentPacket { return &f.ring[int(n)&(len(f.ring)-1)] }

// packets returns how many packets are sent and not acknowledged up to their number.
func (f *flight) packets() int { return int(f.next - f.una) }

// sentSize is what a place in the ring takes, in bytes.
const sentSize = int(unsafe.Sizeof(sentPacket{}))

// place reports whether there is a place for another packet. It makes places if there is memory
// for them; a flight without any needs some.
func (f *flight) place() bool {
	if f.packets() < len(f.ring) {
		return true
	}
	size := max(ringMin, 2*len(f.ring))
	if !f.mem.charge((size-len(f.ring))*sentSize, len(f.ring) == 0) {
		return false
	}
	f.grow(size)
	return true
}

// push adds a new packet, which has just been sent, and for which there is a place.
func (f *flight) push(p sentPacket) seq {
	n := f.next
	f.next++
	p.state, p.sends = packetSent, 1
	*f.at(n) = p
	f.append(&f.sent, n)
	f.bytes += int(p.size)
	return n
}

// grow makes a ring of size places.
func (f *flight) grow(size int) {
	ring := make([]sentPacket, size)
	for n := f.una; n != f.next; n++ {
		ring[int(n)&(len(ring)-1)] = *f.at(n)
	}
	f.ring = ring
}

// rest gives the memory of the ring back if nothing is in flight.
func (f *flight) rest() {
	if f.packets() == 0 {
		f.free()
	}
}

// free gives the memory of the ring back, and with it all packets.
func (f *flight) free() {
	f.mem.refund(len(f.ring) * sentSize)
	*f = flight{mem: f.mem, una: f.next, next: f.next}
}

func (f *flight) append(l *seqList, n seq) {
	if l.n == 0 {
		l.first = n
	} else {
		f.at(l.last).next = n
		f.at(n).prev = l.last
	}
	l.last = n
	l.n++
}

func (f *flight) remove(l *seqList, n seq) {
	p := f.at(n)
	l.n--
	switch {
	case l.n == 0:
	case n == l.first:
		l.first = p.next
	case n == l.last:
		l.last = p.prev
	default:
		f.at(p.prev).next = p.next
		f.at(p.next).prev = p.prev
	}
}

// lose marks a packet in flight as lost.
func (f *flight) lose(n seq) {
	p := f.at(n)
	f.remove(&f.sent, n)
	f.bytes -= int(p.size)
	f.owed += int(p.size)
	p.state = packetLost
	f.append(&f.lost, n)
}

// loseAll marks everything in flight as lost, in the order of the numbers. If packets wait for
// nothing but their acknowledgement, the first one counts as lost.
func (f *flight) loseAll() {
	f.owed += f.bytes
	f.sent, f.lost, f.bytes = seqList{}, seqList{}, 0
	for n := f.una; n != f.next; n++ {
		if p := f.at(n); p.state == packetSent || p.state == packetLost {
			p.state = packetLost
			f.append(&f.lost, n)
		}
	}
	if f.lost.n == 0 && f.packets() > 0 {
		// All are acknowledged selectively, and not up to their number: the acknowledgement
		// that said so is lost. The first one provokes another.
		f.at(f.una).state = packetLost
		f.acked--
		f.owed += int(f.at(f.una).size)
		f.append(&f.lost, f.una)
	}
}

// again records that a packet that was lost, or that is in flight, has been sent once more.
func (f *flight) again(n seq, now time.Duration, delivered int64) {
	p := f.at(n)
	if p.state == packetLost {
		f.remove(&f.lost, n)
		f.owed -= int(p.size)
		f.bytes += int(p.size)
		p.state = packetSent
	} else {
		f.remove(&f.sent, n)
	}
	f.append(&f.sent, n)
	p.sentAt, p.delivered, p.pad = now, delivered, 0
	p.sends = min(p.sends, 254) + 1
}

// acks is what an acknowledgement has brought.
type acks struct {
	now time.Duration // set before
	min time.Duration // set before: the least round-trip time, 0 if unknown

	packets   int
	bytes     int
	newest    seq           // of these packets, the one that was sent last
	newestAt  time.Duration // when it was sent
	delivered int64         // its sentPacket.delivered
	// when the newest packet was sent that was sent once and not lost, or noTime
	rttAt    time.Duration
	spurious int // packets that were thought lost and were not
	probed   int // size of the largest probe that has arrived
}

const noTime = time.Duration(-1)

// ackTo acknowledges all packets up to n, which must be of the flight or una-1.
func (f *flight) ackTo(n seq, a *acks) {
	for f.una != n+1 {
		f.ack(f.una, a)
		p := f.at(f.una)
		if p.state == packetAcked {
			f.acked--
		}
		p.state = packetFree
		f.una++
	}
}

// ackBits acknowledges the packets of a selective acknowledgement whose first bit stands
// for n. Bits of packets that are not in flight are ignored.
func (f *flight) ackBits(n seq, bits []byte, a *acks) {
	for _, b := range bits {
		for bit := n; b != 0; b, bit = b>>1, bit+1 {
			if b&1 != 0 && !bit.before(f.una) && bit.before(f.next) {
				f.ack(bit, a)
			}
		}
		n += 8
	}
}

func (f *flight) ack(n seq, a *acks) {
	p := f.at(n)
	lost := p.state == packetLost
	switch p.state {
	case packetSent:
		f.remove(&f.sent, n)
		f.bytes -= int(p.size)
	case packetLost:
		f.remove(&f.lost, n)
		f.owed -= int(p.size)
		a.spurious++
	default:
		return
	}
	p.state = packetAcked
	f.acked++
	a.packets++
	a.bytes += int(p.size)
	if p.sends > 1 && a.now-p.sentAt < a.min {
		// It is the first one that has arrived, not the repeat.
		if !p.tail {
			a.spurious++
		}
		return
	}
	if p.sends == 1 {
		if !lost {
			a.rttAt = max(a.rttAt, p.sentAt)
		}
		if p.pad > 0 {
			a.probed = max(a.probed, p.wireSize())
		}
	}
	if p.sentAt > a.newestAt || p.sentAt == a.newestAt && a.newest.before(n) {
		a.newest, a.newestAt, a.delivered = n, p.sentAt, p.delivered
	}
}

// trip returns how long the newest packet took there and back, if that is known. A packet that
// waited at the other end for the repeat of an earlier one says nothing of it: its
// acknowledgement came with that of the repeat.
func (a *acks) trip() (time.Duration, bool) {
	if a.rttAt == noTime || a.rttAt < a.newestAt {
		return 0, false
	}
	return a.now - a.rttAt, true
}

// startOf returns the place in the stream of the first byte that is not acknowledged, given
// the place of the first byte that was never sent.
func (f *flight) startOf(unsent int64) int64 {
	if f.packets() == 0 {
		return unsent
	}
	return f.at(f.una).offset
}
