package sim

import "time"

// playAhead is how far before they are played pieces get a deadline.
const playAhead = 30 * time.Second

// A player consumes the pieces of its node in order.
type player struct {
	next    int   // first piece that is missing
	urgent  int   // pieces before this one have a deadline
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
	p, lasts := &n.player, n.lasts()
	at := 0
	if p.started > 0 {
		at = int(time.Duration(n.world.now-p.started) / lasts)
	}
	for ; p.urgent < n.world.scenario.Pieces && p.urgent <= at+int(playAhead/lasts); p.urgent++ {
		n.core.SetDeadline(p.urgent, n.time().Add(time.Duration(p.urgent-at)*lasts))
	}
}
