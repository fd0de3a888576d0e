package peer

import (
	"math/bits"
	"time"

	"swarmnode/swarm/transport"
)

const (
	// stepMin bounds from below what one write is given, in bytes: a block and its header
	// count as one. batchMax bounds it from above.
	stepMin = 16 << 10
	// stepFirst is what the first writes of a stream are given.
	stepFirst = 64 << 10
	// stepTime is how long a write may take: control messages wait for its end.
	stepTime = 30 * time.Millisecond
	// paceTime and paceBytes bound what the rate is measured over. A single write may take
	// long because the peer paused for a moment.
	paceTime  = 100 * time.Millisecond
	paceBytes = 512 << 10
	// aheadSlow is the step up to which the system takes but one step ahead of what the path
	// carries. The time of half a step is what the writer has to wake up, which is too
	// short on a quick stream: there it takes transport.NotSentLowat.
	aheadSlow = 32 << 10
)

// A pace decides how many bytes of blocks go into one write, and how many the system takes
// ahead. Behind those, a message waits for its turn: with nine peers on a full uplink of
// 20 Mbit/s, half a megabyte takes two seconds. So a slow stream gets little at a time, and a
// quick one much, which costs fewer calls.
//
//	stepMin <= step <= batchMax, a power of two
type pace struct {
	step  int
	ahead int             // as the system was told last
	tell  func(bytes int) // sets the most that the system takes ahead; nil if it cannot

	bytes int // written since the rate was measured last
	took  time.Duration
}

func newPace(ahead int, tell func(bytes int)) pace {
	return pace{step: stepFirst, ahead: ahead, tell: tell}
}

// wrote records that a write of n bytes took so long.
func (p *pace) wrote(n int, took time.Duration) {
	p.bytes += n
	p.took += took
	if p.took < paceTime && p.bytes < paceBytes {
		return
	}
	fits := batchMax
	if p.took > 0 {
		fits = int(min(float64(p.bytes)*float64(stepTime)/float64(p.took), batchMax))
	}
	p.bytes, p.took = 0, 0
	p.step = max(stepMin, floorPower(fits))
	ahead := transport.NotSentLowat
	if p.step <= aheadSlow {
		ahead = p.step
	}
	if ahead != p.ahead && p.tell != nil {
		p.ahead = ahead
		p.tell(ahead)
	}
}

// floorPower returns the greatest power of two that is at most n, or 1.
func floorPower(n int) int {
	return 1 << (max(bits.Len(uint(max(n, 0))), 1) - 1)
}
