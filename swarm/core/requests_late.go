package core

import "time"

const (
	// snubAfter is how long a peer may leave requests without any block before all of
	// them are asked elsewhere.
	snubAfter = 20 * time.Second
	// blockAfter is how long one block may take before it is asked elsewhere.
	blockAfter = 30 * time.Second
	// urgentAfter is how long a block may take of a piece whose deadline comes
	// within urgentWithin.
	urgentAfter  = 2500 * time.Millisecond
	urgentWithin = 2 * time.Second
	// rejectAfter is how long a peer that chokes us may take to reject what it
	// will not send (BEP 6), before that is asked elsewhere.
	rejectAfter = 3 * time.Second
	// forgetAfter is how long a cancelled request may still be answered, and
	// lostAfter how long a request may that was asked elsewhere: what a peer has
	// dropped without a word must not fill its queue for good.
	forgetAfter = 60 * time.Second
	lostAfter   = 3 * time.Minute
)

// sweep is called once a second. It gives up what p is late with, and asks it for more.
func (r *requests) sweep(p *peer, now time.Duration) {
	a := &p.ask
	a.adapt(p.down.recent(now))
	a.forget(now)
	if a.live > 0 {
		r.expire(p, now)
	}
	r.refill(p, now)
}

// expire gives up the requests that have taken too long, in favour of other peers.
func (r *requests) expire(p *peer, now time.Duration) {
	a := &p.ask
	if a.choking && now-a.choked > rejectAfter {
		r.releaseAll(p, askCancelled, p.fastx.mayAsk(), now)
	}
	urgent := r.pick.Urgent(now + urgentWithin)
	for i := range a.unanswered() {
		o := &a.unanswered()[i]
		late := now-o.at > blockAfter ||
			urgent && now-o.at > urgentAfter && r.pick.Due(o.ref.Piece, now+urgentWithin)
		if o.state == askLive && late {
			r.release(p, o, askReleased, now)
		}
	}
	if a.live > 0 && now-a.moved > snubAfter {
		a.snub(now)
		r.elsewhere(p, now)
	}
}
