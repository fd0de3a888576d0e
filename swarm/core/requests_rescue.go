package core

import (
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
)

const (
	// asksAheadUrgent is what asksAhead is while a piece is due within rescueWithin: what
	// is due next must not wait for what is due later.
	asksAheadUrgent = 600 * time.Millisecond
	// rescueWithin is how soon a piece must be due for its last blocks to be asked of a
	// second peer.
	rescueWithin = time.Second
	// rescueSpare is by how much the second peer must be sooner, besides half of its own
	// time: a cancel takes as long to arrive, and rates are not steady.
	rescueSpare = 200 * time.Millisecond
)

// target returns how many live requests p should have.
func (r *requests) target(p *peer, now time.Duration) int {
	if !r.pick.Urgent(now + rescueWithin) {
		return int(p.ask.target)
	}
	rate := p.down.recent(now)
	if rate == 0 && !p.isServer() {
		return min(int(p.ask.target), asksMin)
	}
	ahead := min(p.ask.rtt, 2*time.Second) + asksAheadUrgent
	few := int(float64(rate)*ahead.Seconds()/block.Size) + 2
	return min(int(p.ask.target), max(few, asksMin))
}

// mayRescue reports whether a peer that was asked for a block sends it after the piece is
// due, and so much later than asking would that the block is worth a second request.
func (r *requests) mayRescue(ref uint32, b picker.Block, due time.Duration) bool {
	other := r.peers.live(PeerRef(ref))
	if other == nil {
		return true
	}
	rate := r.round.asking.down.recent(r.round.now)
	if rate == 0 {
		return false
	}
	theirs := r.arrival(other, blockRef(r.layout, b))
	if r.round.now+theirs <= due {
		return false
	}
	mine := wait(rate, r.round.asking.ask.live+1)
	return theirs > mine+mine/2+rescueSpare
}

// arrival estimates how long it takes until a block comes that p was asked for. Peers
// answer in order. A peer that is slower than it was, or that has sent nothing yet, is
// assumed to need as long again as it has been silent.
func (r *requests) arrival(p *peer, ref block.Ref) time.Duration {
	ahead, silent := 0, r.round.now-p.ask.moved
	for i := range p.ask.unanswered() {
		o := &p.ask.unanswered()[i]
		if o.state != askCancelled {
			ahead++
		}
		if o.ref == ref && o.state == askLive {
			silent = min(silent, r.round.now-o.at)
			break
		}
	}
	rate := p.down.recent(r.round.now)
	if rate == 0 {
		return 2 * silent
	}
	return max(wait(rate, ahead), silent)
}

// redirect takes back requests for what is not due soon, if a piece that is due now was not
// begun, as after a jump of a reader: otherwise its blocks would come after everything that
// its peers were asked for before.
func (r *requests) redirect(now time.Duration) {
	if r.pick == nil {
		return
	}
	first, ok := r.pick.First(now)
	if !ok || r.pick.State(first) != picker.Wanted {
		return
	}
	for _, p := range r.peers.all() {
		if p.ask.choking || !p.has.piece(first) || now < p.ask.until || p.trust.isAwaited() {
			continue // it could not be asked for the piece now
		}
		for i := range p.ask.unanswered() {
			o := &p.ask.unanswered()[i]
			if o.state == askLive && !r.pick.Due(o.ref.Piece, now+rescueWithin) {
				r.release(p, o, askReleased, now)
				r.cancel(p, o, now)
			}
		}
	}
}
