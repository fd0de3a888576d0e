package sim

import (
	"time"

	"swarmnode/swarm/stream"
)

// A player consumes the pieces of its node in order. It reads as far ahead of what it plays
// as its buffer holds.
type player struct {
	plan    *stream.Plan
	head    *stream.Head
	next    int   // first piece that is missing
	started int64 // when it began to play; 0: not yet
	startup time.Duration
	stalled time.Duration
}

// lasts returns the playing time of a piece.
func (n *node) lasts() time.Duration {
	return duration(int64(n.world.scenario.PieceLength), n.class().Rate)
}

// played records that the node has another piece.
func (n *node) played() {
	if n.class().Rate == 0 {
		return
	}
	p, lasts, now := &n.player, n.lasts(), n.world.now
	for ; n.have.Has(p.next); p.next++ {
		if p.started == 0 {
			continue
		}
		due := p.started + int64(p.stalled) + int64(lasts)*int64(p.next)
		if now > due {
			p.stalled += time.Duration(now - due)
		}
	}
	if p.started == 0 && time.Duration(p.next)*lasts >= n.class().StartBuffer {
		p.started = now
		p.startup = time.Duration(now - n.joined)
	}
	n.play()
}

// play gives deadlines to the pieces that will be played soon.
func (n *node) play() {
	if n.class().Rate == 0 {
		return
	}
	p, s := &n.player, n.world.scenario
	if p.plan == nil {
		p.plan = stream.New(s.PieceLength)
		p.head = p.plan.Open(0, s.Length())
	}
	p.head.Read(int(n.reads() - p.head.At()))
	n.core.SetDeadlines(n.time(), p.plan.Deadlines(n.core.DownRate(), n.have.Has))
}

// reads returns how many bytes the player has read: what it has played and a full buffer
// beyond, or as much of that as there is.
func (n *node) reads() int64 {
	p, length := &n.player, int64(n.world.scenario.PieceLength)
	there := int64(p.next) * length
	if p.started == 0 {
		return there
	}
	playing := time.Duration(n.world.now-p.started) - p.stalled + n.class().StartBuffer
	return min(there, int64(playing.Seconds()*float64(n.class().Rate)))
}
