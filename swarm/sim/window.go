package sim

import (
	"time"

	"swarmnode/swarm/block"
)

const (
	// queueFor is how long a full queue makes the last packet wait, at an uplink and at
	// a downlink.
	queueFor = 100 * time.Millisecond
	// streamOverhead is what a block takes with Streams: the headers of its packets, and the
	// 1.5 % of them that are sent twice. packetOverhead is that of a packet without a block.
	streamOverhead = 13 + block.Size*(66+22)/1448
	packetOverhead = 66
	// ackBytes are the bytes of the acknowledgements of a block: a header for two full
	// packets, and more while packets are missing. acksMax bounds those that wait at
	// an idle uplink, where they would not have waited.
	ackBytes = block.Size * 26 / 1000
	acksMax  = 4 * ackBytes
	// windowFirst and windowMax bound the blocks of a connection that are not yet
	// acknowledged: ten packets at first (RFC 6928), and the buffer of a socket.
	windowFirst = 1
	windowMax   = 256
	// windowKept is how long a connection that sends nothing keeps its window, besides
	// a round trip: the least retransmission time-out of Linux.
	windowKept = 200 * time.Millisecond
	// segments are the full packets of a block.
	segments = block.Size/1448 + 1
)

// queueBytes returns the length of the queue of a link of rate bytes per second.
func queueBytes(rate int64) int64 {
	if rate <= 0 {
		rate = unlimited
	}
	return int64(float64(rate) * queueFor.Seconds())
}

// A window is the congestion window of one side of a connection, in blocks: a slow start,
// then a packet more each round trip, and less after a loss, as Reno and CUBIC do
// at the rates of home lines.
//
//	windowFirst <= size <= windowMax, unless it is endless
type window struct {
	endless bool // nothing limits it, without Streams
	size    float64
	flying  int // blocks that are not yet acknowledged
	steady  bool
	moved   int64 // when it sent a block last
	cut     int64 // when it lost one last
}

func newWindow(s *Scenario) window {
	if !s.Streams {
		return window{endless: true}
	}
	return window{size: windowFirst}
}

// open reports whether one more block may be sent.
func (v *window) open() bool { return v.endless || float64(v.flying) < v.size }

// sent records that a block is sent. After a pause the slow start begins again.
func (v *window) sent(now int64, latency time.Duration) {
	if v.flying == 0 && now-v.moved > int64(windowKept+2*latency) {
		v.size, v.steady = windowFirst, false
	}
	v.flying++
	v.moved = now
}

// acked records that a block has come.
func (v *window) acked() {
	v.flying = max(v.flying-1, 0)
	if v.steady {
		v.size = min(v.size+1/(v.size*segments), windowMax)
		return
	}
	v.size = min(v.size+1, windowMax)
}

// lost records a loss, of which one counts within a round trip.
func (v *window) lost(now int64, latency time.Duration) {
	v.steady = true
	if v.cut > 0 && now-v.cut < int64(2*latency+queueFor) {
		return
	}
	v.cut = now
	v.size = max(windowFirst, v.size*0.7)
}

// A line is the queue of an uplink: packets that leave one after the other.
type line struct {
	packets []uint32
	backlog int64 // bytes
}

func (l *line) push(packet uint32, bytes int64) {
	l.packets = append(l.packets, packet)
	l.backlog += bytes
}

// pop takes the first packet out.
func (l *line) pop(bytes func(packet uint32) int64) uint32 {
	p := l.packets[0]
	l.packets = l.packets[:copy(l.packets, l.packets[1:])]
	l.backlog -= bytes(p)
	return p
}
