package picker

import (
	"iter"
	"slices"
)

// askersMax is how many peers may be asked for one block at a time: the first
// one, and one that overtakes it in the endgame.
const askersMax = 2

// A slot is one block of a partial. It is stored, asked of some peers, or free.
type slot struct {
	stored bool
	asks   uint8
	// peer holds the peers that were asked for a block that is not stored. Of a
	// stored block the first element is its sender.
	peer [askersMax]uint32
}

// A partial is a piece in flight or unverified.
//
//	free + asked + stored == len(slots)
type partial struct {
	piece uint32
	owner uint32 // the peer that fetches it; 0 if there is none any more
	alone bool   // all of its blocks must come from the owner
	// replaced is how often it was taken from an owner that was too slow.
	replaced int
	free     int // blocks neither stored nor asked for
	stored   int
	first    int // no slot before it is free
	slots    []slot
}

// begin starts to fetch a Wanted piece.
func (p *Picker) begin(piece, owner uint32, alone bool) *partial {
	p.move(piece, InFlight)
	pt := p.recycled()
	n := p.pieces.Blocks(int(piece))
	*pt = partial{
		piece: piece,
		owner: owner,
		alone: alone || p.failed.Has(int(piece)),
		free:  n,
		slots: slices.Grow(pt.slots[:0], n)[:n],
	}
	clear(pt.slots)
	p.part[piece] = pt
	p.active = append(p.active, pt)
	return pt
}

func (p *Picker) recycled() *partial {
	if last := len(p.idle) - 1; last >= 0 {
		pt := p.idle[last]
		p.idle = p.idle[:last]
		return pt
	}
	return new(partial)
}

// deactivate takes pt out of the partials that still need blocks.
func (p *Picker) deactivate(pt *partial) {
	if i := slices.Index(p.active, pt); i >= 0 {
		p.active = slices.Delete(p.active, i, i+1)
	}
}

// end forgets the blocks of pt.
func (p *Picker) end(pt *partial) {
	p.part[pt.piece] = nil
	p.idle = append(p.idle, pt)
}

// take marks free blocks of pt as asked of peer and appends them to dst, until dst
// has limit blocks.
func (p *Picker) take(pt *partial, peer uint32, dst []Block, limit int) []Block {
	for ; pt.free > 0 && len(dst) < limit; pt.first++ {
		s := &pt.slots[pt.first]
		if s.stored || s.asks > 0 {
			continue
		}
		s.asks, s.peer[0] = 1, peer
		pt.free--
		dst = append(dst, Block{pt.piece, uint32(pt.first)})
	}
	return dst
}

// release marks the slot as no longer asked of peer.
func (pt *partial) release(index int, peer uint32) {
	s := &pt.slots[index]
	if s.stored {
		return
	}
	for i := range int(s.asks) {
		if s.peer[i] != peer {
			continue
		}
		s.asks--
		s.peer[i] = s.peer[s.asks]
		s.peer[s.asks] = 0
		if s.asks == 0 {
			pt.free++
			pt.first = min(pt.first, index)
		}
		return
	}
}

// reset frees the blocks that other peers than peer sent or were asked for.
func (pt *partial) reset(peer uint32) {
	for i := range pt.slots {
		s := &pt.slots[i]
		if s.peer[0] == peer && (s.stored || s.asks == 1) {
			continue
		}
		if s.stored {
			pt.stored--
		}
		if s.stored || s.asks > 0 {
			pt.free++
		}
		*s = slot{}
	}
	pt.first = 0
}

// Release records that the block will not come from the peer, or not soon. Other
// peers may be asked for it.
func (p *Picker) Release(b Block, peer uint32) {
	pt := p.partial(b)
	if pt == nil || p.state[b.Piece] != InFlight {
		return
	}
	pt.release(int(b.Index), peer)
	p.unbegin(pt)
}

// unbegin makes a piece Wanted again if none of its blocks has come or is asked
// for.
func (p *Picker) unbegin(pt *partial) {
	if pt.stored > 0 || pt.free < len(pt.slots) {
		return
	}
	p.deactivate(pt)
	p.end(pt)
	p.drop(pt.piece)
}

// Leave records that the peer owns no pieces any more. The caller releases the
// blocks that the peer was asked for, one by one.
func (p *Picker) Leave(peer uint32) {
	for _, pt := range p.active {
		if pt.owner == peer {
			pt.owner = 0
		}
	}
}

// partial returns the partial that b belongs to, or nil if there is none.
func (p *Picker) partial(b Block) *partial {
	if b.Piece >= uint32(len(p.part)) {
		return nil
	}
	pt := p.part[b.Piece]
	if pt == nil || b.Index >= uint32(len(pt.slots)) {
		return nil
	}
	return pt
}

// A Receipt says what a received block is good for.
type Receipt struct {
	// Fresh: the block has to be stored. Otherwise it is of no use.
	Fresh bool
	// Complete: the block was the last of its piece, which is Unverified now.
	Complete bool
	// Other is another peer that was asked for the block too, or 0.
	Other uint32
}

// Received records that the peer has sent the block.
func (p *Picker) Received(b Block, peer uint32) Receipt {
	pt := p.partial(b)
	if pt == nil || p.state[b.Piece] != InFlight {
		return Receipt{}
	}
	s := &pt.slots[b.Index]
	if s.stored || pt.alone && pt.owner != peer {
		p.Release(b, peer) // it is not asked for any more
		return Receipt{}
	}
	var other uint32
	for i := range int(s.asks) {
		if s.peer[i] != peer {
			other = s.peer[i]
		}
	}
	if s.asks == 0 {
		pt.free--
	}
	*s = slot{stored: true, peer: [askersMax]uint32{peer}}
	pt.stored++
	done := pt.stored == len(pt.slots)
	if done {
		p.deactivate(pt)
		p.move(b.Piece, Unverified)
	}
	return Receipt{Fresh: true, Complete: done, Other: other}
}

// Senders appends to dst the senders of the blocks of an Unverified piece, each
// peer once.
func (p *Picker) Senders(piece uint32, dst []uint32) []uint32 {
	pt := p.part[piece]
	if pt == nil {
		return dst
	}
	from := len(dst)
	for i := range pt.slots {
		if s := &pt.slots[i]; s.stored && !slices.Contains(dst[from:], s.peer[0]) {
			dst = append(dst, s.peer[0])
		}
	}
	return dst
}

// Sender returns the sender of a block of a piece that is Unverified or InFlight, 0 if
// the block has not come.
func (p *Picker) Sender(b Block) uint32 {
	pt := p.partial(b)
	if pt == nil || !pt.slots[b.Index].stored {
		return 0
	}
	return pt.slots[b.Index].peer[0]
}

// BegunBy appends to dst the pieces that are InFlight and have a block of the
// peer.
func (p *Picker) BegunBy(peer uint32, dst []uint32) []uint32 {
	for _, pt := range p.active {
		sent := func(s slot) bool { return s.stored && s.peer[0] == peer }
		if slices.ContainsFunc(pt.slots, sent) {
			dst = append(dst, pt.piece)
		}
	}
	return dst
}

// Verified records that an Unverified piece has the right hash. It returns false
// if the piece is in another state.
func (p *Picker) Verified(piece uint32) bool {
	if p.state[piece] != Unverified {
		return false
	}
	if pt := p.part[piece]; pt != nil {
		p.end(pt)
	}
	p.failed.Remove(int(piece))
	p.clearDeadline(piece)
	p.move(piece, Have)
	return true
}

// Refuted records that an Unverified piece has the wrong hash: none of it is kept,
// and the next time it must come from one peer alone. It returns false if the
// piece is in another state.
func (p *Picker) Refuted(piece uint32) bool {
	if p.state[piece] != Unverified {
		return false
	}
	if p.part[piece] != nil {
		p.failed.Add(int(piece))
	}
	p.Lost(piece)
	return true
}

// Reopen records that some blocks of an Unverified piece are wrong, whose indices
// wrong yields: any peers are asked for these again, and the other blocks stay. It
// returns false if the piece is in another state, or if it was never fetched.
func (p *Picker) Reopen(piece uint32, wrong iter.Seq[uint32]) bool {
	pt := p.part[piece]
	if p.state[piece] != Unverified || pt == nil {
		return false
	}
	for index := range wrong {
		if int64(index) >= int64(len(pt.slots)) || !pt.slots[index].stored {
			continue
		}
		s := &pt.slots[index]
		*s = slot{}
		pt.stored--
		pt.free++
		pt.first = min(pt.first, int(index))
	}
	if pt.free == 0 {
		return false
	}
	pt.owner, pt.alone = 0, false
	p.active = append(p.active, pt)
	p.move(piece, InFlight)
	p.unbegin(pt)
	return true
}

// Lost records that the stored blocks of a piece are gone, by no fault of a peer.
// The caller cancels its outstanding requests.
func (p *Picker) Lost(piece uint32) {
	if pt := p.part[piece]; pt != nil {
		p.deactivate(pt)
		p.end(pt)
	}
	if s := p.state[piece]; s == InFlight || s == Unverified || s == Have {
		p.drop(piece)
	}
}

// Suppose makes a piece Unverified that was not asked for, because all of it may be
// there. That ends its Hold. It returns false if the piece is in another state, or
// its hash is not known.
func (p *Picker) Suppose(piece uint32) bool {
	if s := p.state[piece]; s != Held && s != Wanted && s != Skipped ||
		!p.pieces.CanVerify(int(piece)) {
		return false
	}
	p.held.Remove(int(piece))
	p.move(piece, Unverified)
	return true
}

// Recheck makes a piece in state Have Unverified. It returns false if the piece is
// in another state, or its hash is not known.
func (p *Picker) Recheck(piece uint32) bool {
	if p.state[piece] != Have || !p.pieces.CanVerify(int(piece)) {
		return false
	}
	p.move(piece, Unverified)
	return true
}
