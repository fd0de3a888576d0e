package core

import (
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

const (
	// queueMax bounds the requests of one peer that wait.
	queueMax = 512
	// windowMin and windowMax bound the blocks of one peer that are with its
	// writer: few for a slow peer, so that a choke or a cancel bites soon, and
	// 1 MiB for a quick one, so that reads and writes can be large.
	windowMin = 4
	windowMax = 1 << 20 / block.Size
	// windowAhead is how long the blocks with the writer may take.
	windowAhead = time.Second / 2
	// chooseAmong is how many waiting requests are looked at for one that is
	// to go first.
	chooseAmong = 64
)

// serving are the requests of one peer, oldest first.
type serving struct {
	queue  []waiting
	flying []block.Ref // with the writer
	window int
	moved  time.Duration // when a block went out last, or the first was handed over
}

// A waiting request is one that was not handed to the writer yet.
type waiting struct {
	ref block.Ref
	at  time.Duration // when it came
}

func (s *serving) init() { s.window = 2 * windowMin }

// busy reports whether the peer waits for a block.
func (s *serving) busy() bool { return len(s.queue)+len(s.flying) > 0 }

// sweep adapts the window to what went out within the last seconds.
func (s *serving) sweep(now time.Duration, recent int64) {
	blocks := int(float64(recent) * windowAhead.Seconds() / block.Size)
	s.window = min(max(blocks, 2*windowMin), windowMax)
}

// servable reports whether r lies within a piece and is of a size that an honest
// peer may ask for. What cannot be verified is not sent.
func (t *Torrent) servable(r block.Ref) bool {
	return t.validPiece(r.Piece) && t.layout.CanVerify(int(r.Piece)) &&
		r.Length > 0 && r.Length <= wire.RequestLengthMax &&
		uint64(r.Begin)+uint64(r.Length) <= uint64(t.layout.PieceSizePadded(int(r.Piece)))
}

// onRequest queues a request, or rejects it. With BEP 6 every request gets one
// answer.
func (t *Torrent) onRequest(p *peer, r block.Ref) {
	if !t.servable(r) || !t.pick.Have().Has(int(r.Piece)) {
		t.refuse(p, r)
		t.strike(p, strikeRequest)
		return
	}
	if r.Length > wire.ServeLengthMax {
		t.refuse(p, r) // some clients can be told to ask for so much: no fault
		return
	}
	if !p.unchoked && !p.fastx.mayGive(r.Piece) {
		// It may have been on its way when we choked.
		t.refuse(p, r)
		if t.now-p.slot.since > forgetAfter {
			t.strike(p, strikeRequest)
		}
		return
	}
	if len(p.serve.queue) == queueMax {
		t.refuse(p, r)
		return
	}
	p.flood.sound()
	p.serve.queue = append(p.serve.queue, waiting{r, t.now})
	t.seeder.requested(t, p, r.Piece)
	t.pump(p)
}

func (t *Torrent) refuse(p *peer, r block.Ref) {
	if p.fast {
		t.out.sendRef(p, wire.Reject, r)
	}
}

// pump hands blocks to the writer as far as its window goes.
func (t *Torrent) pump(p *peer) {
	s := &p.serve
	for len(s.flying) < s.window && len(s.queue) > 0 {
		i, useful := t.seeder.choose(t, p)
		r := s.queue[i].ref
		if !useful && t.busyElse(p) {
			t.hold(p)
			return
		}
		if t.turnOver(p, r.Piece) {
			if len(s.flying) == 0 {
				t.endTurn(p)
			}
			return
		}
		p.slot.given += int64(r.Length)
		p.slot.piece = r.Piece
		s.queue = append(s.queue[:i], s.queue[i+1:]...)
		if len(s.flying) == 0 {
			s.moved = t.now
			t.timers.by(timerDeaf, t.now+deafLook)
		}
		s.flying = append(s.flying, r)
		t.seeder.handed(t, p, r)
		t.out.upload(p, r)
		if t.hadTurn(p) { // the next one is to be ready when the last block is out
			t.timers.by(timerSlots, t.now)
		}
	}
}

// onSent records that the writer is done with some blocks.
func (t *Torrent) onSent(ref PeerRef, count int) {
	p := t.peers.live(ref)
	if p == nil {
		return
	}
	s := &p.serve
	count = min(max(count, 0), len(s.flying))
	for _, r := range s.flying[:count] {
		p.up.add(t.now, int(r.Length))
		t.up.add(t.now, int(r.Length))
	}
	s.flying = s.flying[:copy(s.flying, s.flying[count:])]
	if count > 0 {
		s.moved, t.sentAt = t.now, t.now
		p.flood.useful()
	}
	if len(s.queue) > 0 { // it drains quicker than we fill: as in a slow start
		s.window = min(s.window+count, windowMax)
	}
	t.pump(p)
	if !s.busy() {
		t.timers.by(timerSlots, t.now+slotGather)
		if t.hadTurn(p) && t.awaited() {
			t.endTurn(p)
		}
	}
	t.pumpHeld()
}

// onCancel takes a request out of the queue. If it is with the writer already
// the block is the answer.
func (t *Torrent) onCancel(p *peer, r block.Ref) {
	s := &p.serve
	for i, q := range s.queue {
		if q.ref == r {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			t.refuse(p, r)
			return
		}
	}
	p.flood.pointless()
}

// rejectQueue empties the queue of a peer that was choked, but for what it may
// have all the same (BEP 6: choke first, then rejects).
func (t *Torrent) rejectQueue(p *peer) {
	s := &p.serve
	keep := s.queue[:0]
	for _, w := range s.queue {
		if p.fastx.mayGive(w.ref.Piece) {
			keep = append(keep, w)
			continue
		}
		t.refuse(p, w.ref)
	}
	s.queue = keep
}
