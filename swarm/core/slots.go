package core

import "time"

const (
	// slotGrace is how long a slot counts as used before its peer asks, and
	// slotHaste how long when nobody else gets anything either: a round trip.
	slotGrace = 2 * time.Second
	slotHaste = 200 * time.Millisecond
	// slotGather is how long is waited for more peers to choose from.
	slotGather = 50 * time.Millisecond
	// stuckAfter is how long a peer may read nothing, beside what it takes others
	// to read stuckBlocks, before its slot is given to another as well.
	stuckAfter = time.Second
	// stuckBlocks is how many blocks all slots could have got in the time after
	// which a peer that got none counts as stuck.
	stuckBlocks = 4
	// deafLook is how often is looked for those who are stuck while others wait,
	// and deafShare how many slots are given for each that is found.
	deafLook  = 200 * time.Millisecond
	deafShare = 3
	// unusedMax is how many slots in a row a peer may let stand unused before it
	// comes after others: once may be by chance, or because others gave it more.
	unusedMax = 3
	// uplinkRest is how long nothing has to go out to anybody for the uplink to
	// count as free.
	uplinkRest = time.Second / 2
)

// stuck reports whether p does not read what it asked for: blocks are with its
// writer, and none has gone out for longer than the slots take for several at
// the rate of late, or than one slot does while nobody else gets any either. It
// has no use for a slot. Who was found so remains so until it reads: the rate says
// little when it is low because nobody reads.
func (t *Torrent) stuck(p *peer) bool {
	if len(p.serve.flying) == 0 {
		return false
	}
	if p.deaf() {
		return true
	}
	patience, rest := stuckAfter, uplinkRest
	if rate := t.up.rate(t.now); rate > 0 {
		patience += wait(rate, stuckBlocks*t.choker.slots)
		rest += wait(rate, stuckBlocks)
	}
	quiet := t.now - p.serve.moved
	return quiet > patience || quiet > rest && t.now-t.sentAt > rest
}

// spare reports whether p has no use for its slot: it wants nothing and waits for no
// block, nor do we wait for one of its, or it is stuck.
func (t *Torrent) spare(p *peer) bool {
	return t.stuck(p) || !p.interested && !p.serve.busy() && p.ask.waiting() == 0
}

// slotFor reports whether one more peer may be unchoked. When there are as many as
// there may be, one that has no use for its slot is choked for it.
func (t *Torrent) slotFor() bool {
	if t.unchoked() < t.cfg.Limits.SlotsMax {
		return true
	}
	for _, p := range t.peers.all() {
		if p.unchoked && t.spare(p) {
			t.choke(p)
			return true
		}
	}
	return false
}

// slotsUsed returns how many slots are in use: by peers that wait for blocks
// and read them, whether or not they say that they want more, or were unchoked a
// moment ago. While the uplink is at rest the moment is short, and nobody else
// uses one.
func (t *Torrent) slotsUsed() int {
	n, fresh, busy := 0, 0, false
	resting := t.now-t.sentAt > uplinkRest
	for _, p := range t.peers.all() {
		if !p.unchoked || !p.interested && !p.serve.busy() || t.stuck(p) || t.hadTurn(p) {
			continue
		}
		switch age := t.now - p.slot.since; {
		case resting && age > uplinkRest:
		case p.serve.busy():
			n++
			busy = true
		case age < slotHaste:
			n++
		case age < slotGrace:
			fresh++
		}
	}
	if !busy {
		return n
	}
	return n + fresh
}

// deaf reports whether p was found stuck and has read nothing since.
func (p *peer) deaf() bool { return p.slot.deaf != 0 && p.slot.deaf == p.serve.moved }

// lookForDeaf gives slots in place of those that are found stuck. For each there
// are deafShare, once: so a crowd that does not read is through within a second or
// two, since each look finds more of it, and cannot have slots multiplied again.
func (t *Torrent) lookForDeaf() {
	found, others := 0, false
	for _, p := range t.peers.all() {
		switch {
		case !p.unchoked || len(p.serve.flying) == 0 || p.deaf():
		case t.stuck(p):
			found += ifThen(p.slot.deaf == 0, 1, 0)
			p.slot.deaf = p.serve.moved
		default:
			others = true
		}
	}
	if found > 0 {
		t.giveSlots(t.choker.slots - t.slotsUsed() + (deafShare-1)*found)
	}
	if others && t.awaited() {
		t.timers.by(timerDeaf, t.now+deafLook)
	}
}

// deserves reports whether p is to get a free slot before q: as it gives us more,
// or has a part of what nobody has, or passes on what it gets, or had less from us,
// or has waited longer.
func (t *Torrent) deserves(p, q *peer) bool {
	if a, b := p.down.rate(t.now), q.down.rate(t.now); a != b && !t.seeding() {
		return a > b
	}
	if a, b := p.barren(), q.barren(); a != b {
		return b
	}
	if a, b := p.idled(), q.idled(); a != b {
		return b
	}
	if t.seeder.alone(t) {
		if a, b := t.seeder.unfinished(t, p), t.seeder.unfinished(t, q); a != b {
			return a
		}
		if a, b := t.passesOn(p), t.passesOn(q); a != b {
			return a
		}
	}
	if !t.seeding() && p.up.sum() != q.up.sum() {
		return p.up.sum() < q.up.sum()
	}
	return p.slot.since < q.slot.since
}

// idled reports whether p let slots stand unused again and again.
func (p *peer) idled() bool { return p.slot.unused >= unusedMax }

func (t *Torrent) unchoked() int {
	n := 0
	for _, p := range t.peers.all() {
		if p.unchoked {
			n++
		}
	}
	return n
}

// fillSlots gives free slots to those who wait, without waiting for the round.
// A slot whose peer asks for nothing is as good as free, so that the uplink is
// used as long as anybody wants something; but then its peer loses it, or in the
// end everybody would have one. Among equals chance decides.
func (t *Torrent) fillSlots() {
	if t.pick != nil && t.peers.count() > 0 {
		t.giveSlots(t.choker.slots - t.slotsUsed())
	}
}

func (t *Torrent) giveSlots(free int) {
	reserved := free > 0 && t.seeder.reserved(t)
	for ; free > 0; free-- {
		var next *peer
		start := t.rng.IntN(t.peers.count())
		for i := range t.peers.all() {
			p := t.peers.all()[(start+i)%t.peers.count()]
			if p.interested && !p.unchoked && !t.stuck(p) && (!reserved ||
				t.seeder.owed(t, p)) && (next == nil || t.deserves(p, next)) {
				next = p
			}
		}
		if next == nil || next.barren() && t.now-t.sentAt < uplinkRest || !t.slotFor() {
			return
		}
		t.swapIdle()
		t.unchoke(next)
	}
}

// swapIdle takes the slot of the peer that has made no use of it for longest, if
// all slots are given.
func (t *Torrent) swapIdle() {
	n := 0
	var idle *peer
	for _, p := range t.peers.all() {
		if !p.unchoked || !p.interested {
			continue
		}
		n++
		if !p.serve.busy() && t.now-p.slot.since >= slotHaste && (idle == nil ||
			p.serve.moved < idle.serve.moved) {
			idle = p
		}
	}
	if n >= t.choker.slots && idle != nil {
		t.choke(idle)
	}
}
