//go:build linux

package lab

import (
	"math/rand/v2"
	"time"
)

// frameBytes is what a packet costs a link besides its own length: an Ethernet header, as
// the rates of traffic control count it.
const frameBytes = 14

// Way is one direction of a modelled link. A packet waits its turn in a queue, takes its
// length over the rate to leave, is lost at random or not, and arrives after the delay.
// The zero Way passes everything at once.
type Way struct {
	Rate  float64       // in Mbit/s; 0: no limit, and no queue
	Delay time.Duration // of propagation
	// Queue is how long the last packet of a full queue waits. Packets that would wait
	// longer are dropped. 0: 100 ms.
	Queue time.Duration
	Loss  float64 // the share of packets that are lost at random, at most 1
	Seed  uint64  // of the random losses
}

// queueDefault is the queue of a Way that names none.
const queueDefault = 100 * time.Millisecond

// A Tally counts the packets of one direction of a link.
type Tally struct {
	Packets int64         // that arrived, or will
	Bytes   int64         // of those packets, from the IP header on
	Dropped int64         // packets that found the queue full
	Lost    int64         // packets that were lost at random
	Waited  time.Duration // the longest wait in the queue
}

// A line is the state of one direction of a link. It is pure: the times are arguments,
// and packets are lengths. Packets leave in the order in which they came.
type line struct {
	way   Way
	free  time.Duration // when the packets that are waiting have left
	rand  *rand.Rand
	tally Tally
}

func newLine(w Way) *line {
	if w.Queue == 0 {
		w.Queue = queueDefault
	}
	return &line{way: w, rand: rand.New(rand.NewPCG(w.Seed, 0x6c6162))}
}

// send puts a packet of so many bytes on the line. It returns when the packet arrives, and
// false if it never does.
func (l *line) send(now time.Duration, bytes int) (arrives time.Duration, ok bool) {
	l.free = max(l.free, now)
	wait := l.free - now
	if l.way.Rate > 0 {
		if wait > l.way.Queue {
			l.tally.Dropped++
			return 0, false
		}
		bits := float64(bytes+frameBytes) * 8
		l.free += time.Duration(bits / l.way.Rate * float64(time.Microsecond))
	}
	l.tally.Waited = max(l.tally.Waited, wait)
	if l.way.Loss > 0 && l.rand.Float64() < l.way.Loss {
		l.tally.Lost++
		return 0, false
	}
	l.tally.Packets++
	l.tally.Bytes += int64(bytes)
	return l.free + l.way.Delay, true
}
