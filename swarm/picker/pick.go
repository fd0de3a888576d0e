package picker

import (
	"slices"
	"time"

	"swarmnode/swarm/bits"
)

// A Query asks which blocks one peer should be asked for.
type Query struct {
	Peer uint32    // the number of the peer, not 0
	Have *bits.Set // the pieces of the peer
	Max  int       // blocks wanted
	// Whole: the peer fetches pieces by itself as long as there are some.
	Whole bool
	// Alone: no other peer may contribute to the pieces that the peer begins.
	Alone bool
	// Pieces bounds how many pieces the peer may own; 0 means no bound.
	Pieces int
	// RareOnly: the peer begins only pieces that only seeds have.
	RareOnly bool
	// Only: if not nil, the peer is asked for these pieces alone (BEP 6, "Allowed
	// Fast").
	Only []uint32
	// First: pieces to begin before others, the last one first (BEP 6, "Suggest
	// Piece").
	First []uint32
	// Along: the peer begins pieces in a row, Next and those after it, while these
	// have the highest priority that is wanted; Pick moves Next on. This is for web
	// servers, which have all pieces, and where each row costs a request.
	Along bool
	Next  uint32
	// Onward: with Along, the peer begins the first possible piece from Next on, and
	// only then the pieces before Next. This is for web servers that can only read
	// on.
	Onward bool
	// Overtake: if not nil and no piece is left to begin, the peer is asked for blocks
	// that another peer was asked for, if Overtake reports true for that peer.
	Overtake func(peer uint32) bool
	// Rescue: if not nil, the peer is asked for blocks that another peer was asked for
	// of the first pieces with a deadline, if Rescue reports true for that peer, the
	// block, and the deadline of its piece. The piece must lack few blocks.
	Rescue func(peer uint32, b Block, due time.Duration) bool
	// Replace: if not nil and no piece is left to begin, the peer takes over a piece
	// that another peer fetches alone, if Replace reports true for the two. lacks and
	// all count the piece's missing blocks and all of its blocks; times is how often
	// it was taken over before. The caller cancels the other peer's outstanding
	// requests for the piece.
	Replace func(peer, piece uint32, lacks, all, times int) bool
}

const (
	// missesMax bounds how many pieces a search passes over, rarest first, before
	// it chooses from a sample.
	missesMax = 1024
	// sampleMax is how many candidates a sample has. The rarest of them is rare
	// enough.
	sampleMax = 32
	// rescueBlocks is how many blocks of a piece are outstanding at most when some of them
	// may be rescued, rescueMax is how many of them one Pick takes, and rescuePieces is
	// how many pieces are looked at: a reader waits for one, and soon for the next.
	rescueBlocks = 16
	rescueMax    = 4
	rescuePieces = 2
	// overtakeMax is how many blocks one Pick asks for a second time: each may turn
	// out to be waste.
	overtakeMax = 4
	// partialsPerPeer bounds, with partialsSpare, how many pieces are in
	// flight before peers share pieces rather than begin more.
	partialsPerPeer = 2
	partialsSpare   = 4
)

// Pick appends to dst the blocks to ask for, at most q.Max, and counts them as
// asked. Blocks of one piece are in order.
func (p *Picker) Pick(q *Query, dst []Block) []Block {
	limit := len(dst) + q.Max
	if q.Only != nil {
		return p.pickOnly(q, dst, limit)
	}
	dst = p.pickUrgent(q, dst, limit)
	owned := 0
	for _, pt := range p.active {
		switch {
		case pt.owner != q.Peer, p.priority[pt.piece] == Skip:
		case !q.Have.Has(int(pt.piece)):
			pt.owner = 0 // the peer has lost the piece since (BEP 54)
		default:
			owned++
			dst = p.take(pt, q.Peer, dst, limit)
		}
	}
	crowded := len(p.active) >= partialsPerPeer*p.peers+partialsSpare
	room := q.Pieces == 0 || owned < q.Pieces
	if len(dst) < limit && room && !q.Alone {
		dst = p.pickBegun(q, dst, limit, q.Whole && !crowded)
	}
	for len(dst) < limit && (q.Pieces == 0 || owned < q.Pieces) {
		piece, ok := p.next(q)
		if !ok {
			break
		}
		owned++
		q.Next = piece + 1
		dst = p.take(p.begin(piece, q.Peer, q.Alone), q.Peer, dst, limit)
	}
	if len(dst) < limit && room {
		dst = p.pickFailed(q, dst, limit)
		dst = p.pickBegun(q, dst, limit, false)
	}
	if len(dst) == limit-q.Max && q.Overtake != nil && !p.untouched() {
		dst = p.pickOvertake(q, dst, min(limit, len(dst)+overtakeMax))
	}
	return dst
}

// pickOnly takes blocks of the only pieces that the peer lets us ask for.
func (p *Picker) pickOnly(q *Query, dst []Block, limit int) []Block {
	for _, piece := range q.Only {
		if len(dst) < limit && q.Have.Has(int(piece)) {
			dst = p.pickPiece(q, piece, dst, limit)
		}
	}
	return dst
}

// pickUrgent takes blocks of pieces with a deadline. It rescues blocks of the first of them
// from slow peers before it goes on to later ones.
func (p *Picker) pickUrgent(q *Query, dst []Block, limit int) []Block {
	looked := 0
	for _, d := range p.deadlines {
		if len(dst) == limit {
			break
		}
		if !q.Have.Has(int(d.piece)) {
			continue
		}
		dst = p.pickPiece(q, d.piece, dst, limit)
		if q.Rescue != nil && looked < rescuePieces && p.state[d.piece] == InFlight {
			looked++
			dst = p.rescue(q, p.part[d.piece], d.at, dst, min(limit, len(dst)+rescueMax))
		}
	}
	return dst
}

// rescue takes the last blocks of a piece that one other peer was asked for and that it
// sends too late.
func (p *Picker) rescue(q *Query, pt *partial, due time.Duration, dst []Block,
	limit int) []Block {
	if pt.alone || pt.free > 0 || len(pt.slots)-pt.stored > rescueBlocks {
		return dst
	}
	for i := range pt.slots {
		s := &pt.slots[i]
		b := Block{pt.piece, uint32(i)}
		if len(dst) < limit && !s.stored && s.asks == 1 && s.peer[0] != q.Peer &&
			q.Rescue(s.peer[0], b, due) {
			s.peer[1], s.asks = q.Peer, 2
			dst = append(dst, b)
		}
	}
	return dst
}

// pickPiece takes blocks of one piece, whether begun or not.
func (p *Picker) pickPiece(q *Query, piece uint32, dst []Block, limit int) []Block {
	switch p.state[piece] {
	case Wanted:
		return p.take(p.begin(piece, q.Peer, q.Alone), q.Peer, dst, limit)
	case InFlight:
		if p.priority[piece] == Skip {
			return dst
		}
		if pt := p.part[piece]; !pt.alone || pt.owner == q.Peer {
			return p.take(pt, q.Peer, dst, limit)
		}
	}
	return dst
}

// pickBegun takes blocks of pieces that others have begun, or, if left, only of
// those that have no owner any more. These get a new owner.
func (p *Picker) pickBegun(q *Query, dst []Block, limit int, left bool) []Block {
	for _, pt := range p.active {
		if len(dst) == limit {
			break
		}
		if pt.free == 0 || p.priority[pt.piece] == Skip || pt.alone || left && pt.owner != 0 ||
			!q.Have.Has(int(pt.piece)) ||
			q.RareOnly && p.avail[pt.piece] > 0 {
			continue
		}
		if pt.owner == 0 {
			pt.owner = q.Peer
		}
		dst = p.take(pt, q.Peer, dst, limit)
	}
	return dst
}

// pickFailed takes over pieces that one peer had to fetch alone, if that peer has left
// them or fetches them too slowly. The blocks that came from others are fetched again,
// so that there is one peer to blame.
func (p *Picker) pickFailed(q *Query, dst []Block, limit int) []Block {
	for _, pt := range p.active {
		if len(dst) == limit {
			break
		}
		if !pt.alone || p.priority[pt.piece] == Skip || !q.Have.Has(int(pt.piece)) ||
			pt.owner != 0 && !p.replaces(q, pt) {
			continue
		}
		if pt.owner != 0 {
			pt.replaced++
		}
		pt.owner = q.Peer
		pt.reset(q.Peer)
		dst = p.take(pt, q.Peer, dst, limit)
	}
	return dst
}

// replaces reports whether q's peer takes over pt from the peer that fetches it
// alone, which may never finish.
func (p *Picker) replaces(q *Query, pt *partial) bool {
	return q.Replace != nil && pt.owner != q.Peer && !p.untouched() &&
		q.Replace(pt.owner, pt.piece, len(pt.slots)-pt.stored, len(pt.slots), pt.replaced)
}

// pickOvertake takes blocks that one other peer was asked for (endgame), the last
// blocks of a piece first: the earlier ones are more likely to be on their way.
func (p *Picker) pickOvertake(q *Query, dst []Block, limit int) []Block {
	if len(p.active) == 0 {
		return dst
	}
	start := p.rng.IntN(len(p.active))
	for i := range p.active {
		pt := p.active[(start+i)%len(p.active)]
		if pt.alone || p.priority[pt.piece] == Skip || !q.Have.Has(int(pt.piece)) {
			continue
		}
		for j := len(pt.slots) - 1; j >= 0; j-- {
			if len(dst) == limit {
				return dst
			}
			s := &pt.slots[j]
			if s.stored || s.asks != 1 || s.peer[0] == q.Peer || !q.Overtake(s.peer[0]) {
				continue
			}
			s.peer[1], s.asks = q.Peer, 2
			dst = append(dst, Block{pt.piece, uint32(j)})
		}
	}
	return dst
}

// next finds the piece to begin next.
func (p *Picker) next(q *Query) (piece uint32, ok bool) {
	for _, piece := range slices.Backward(q.First) {
		if p.fits(q, piece) {
			return piece, true
		}
	}
	for priority := Highest; priority > Skip; priority-- {
		if len(p.ranks[priority].order) == 0 {
			continue
		}
		switch {
		case p.sequential:
			piece, ok = p.nextInOrder(q, priority)
		case q.Along && int(q.Next) < len(p.state) && p.priority[q.Next] == priority &&
			p.fits(q, q.Next):
			return q.Next, true
		case q.Along && q.Onward:
			piece, ok = p.nextOnward(q, priority)
		case p.counts[Have] < randomFirst:
			piece, ok = p.sample(q, priority, 1)
		default:
			piece, ok = p.rarest(q, priority)
		}
		if ok {
			return piece, true
		}
	}
	return 0, false
}

// fits reports whether q's peer may begin the piece.
func (p *Picker) fits(q *Query, piece uint32) bool {
	return p.listed.Has(int(piece)) && q.Have.Has(int(piece)) && (!q.RareOnly ||
		p.avail[piece] == 0)
}

// nextOnward finds the first piece of a priority from Next on, or from the start if
// there is none.
func (p *Picker) nextOnward(q *Query, priority Priority) (uint32, bool) {
	for _, from := range []int{min(int(q.Next), len(p.state)), 0} {
		for i := p.listed.Next(from); i >= 0; i = p.listed.Next(i + 1) {
			if p.priority[i] == priority && p.fits(q, uint32(i)) {
				return uint32(i), true
			}
		}
	}
	return 0, false
}

// nextInOrder finds the first piece of a priority.
func (p *Picker) nextInOrder(q *Query, priority Priority) (uint32, bool) {
	for i := p.listed.Next(0); i >= 0; i = p.listed.Next(i + 1) {
		if p.priority[i] == priority && p.fits(q, uint32(i)) {
			return uint32(i), true
		}
	}
	return 0, false
}

// rarest finds the rarest piece of a priority that the peer has, and chooses among
// equally rare ones at random. For a peer that has none of the many rarest pieces it
// takes a sample.
func (p *Picker) rarest(q *Query, priority Priority) (uint32, bool) {
	r := &p.ranks[priority]
	misses := 0
	for a := range r.ends {
		if a > 0 && q.RareOnly {
			break
		}
		from, to := r.run(a)
		if from == to {
			continue
		}
		run := r.order[from:to]
		start := p.rng.IntN(len(run))
		for i := range run {
			if start+i == len(run) {
				start = -i
			}
			if piece := run[start+i]; q.Have.Has(int(piece)) {
				return piece, true
			}
			if misses++; misses == missesMax {
				return p.sample(q, priority, sampleMax)
			}
		}
	}
	return 0, false
}

// sample finds the rarest of the first n candidates from a random piece on. It goes
// through the pieces of the peer or the Wanted pieces, whichever are fewer.
func (p *Picker) sample(q *Query, priority Priority, n int) (piece uint32, ok bool) {
	set := p.listed
	if q.Have.Count() < set.Count() {
		set = q.Have
	}
	start := p.rng.IntN(len(p.state))
	var found int
	look := func(from, to int) {
		for i := set.Next(from); i >= 0 && i < to && found < n; i = set.Next(i + 1) {
			if p.priority[i] != priority || !p.fits(q, uint32(i)) {
				continue
			}
			found++
			if !ok || p.avail[i] < p.avail[piece] {
				piece, ok = uint32(i), true
			}
		}
	}
	look(start, len(p.state))
	look(0, start)
	return piece, ok
}

// Check panics when an invariant does not hold. It is for tests and race builds,
// because it takes time in proportion to the pieces.
func (p *Picker) Check() {
	var counts [stateCount]int
	for i, s := range p.state {
		counts[s]++
		if (s == InFlight || s == Unverified) != (p.part[i] != nil) && s != Unverified {
			panic("picker: partial without its state")
		}
		if p.have.Has(i) != (s == Have) || p.listed.Has(i) != (s == Wanted) ||
			p.needed.Has(i) != (s != Have && p.priority[i] != Skip) {
			panic("picker: a set disagrees with the states")
		}
		switch s {
		case Skipped, Have:
		case Held:
			if !p.held.Has(i) {
				panic("picker: a piece is held for no reason")
			}
		default:
			if p.held.Has(i) || !p.pieces.CanVerify(i) {
				panic("picker: a piece is used without its hash")
			}
		}
		if s == Wanted && p.ranks[p.priority[i]].order[p.pos[i]] != uint32(i) {
			panic("picker: a rank disagrees with the states")
		}
	}
	if counts != p.counts || len(p.active) != counts[InFlight] {
		panic("picker: counts disagree with the states")
	}
	for _, pt := range p.active {
		pt.check()
	}
	for i := range p.ranks {
		if !slices.IsSorted(p.ranks[i].ends) {
			panic("picker: runs of a rank overlap")
		}
	}
}

func (pt *partial) check() {
	free, stored := 0, 0
	for i := range pt.slots {
		switch s := &pt.slots[i]; {
		case s.stored:
			stored++
		case s.asks == 0:
			free++
			if i < pt.first {
				panic("picker: a free block would never be found")
			}
		}
	}
	if free != pt.free || stored != pt.stored {
		panic("picker: counts of a partial are wrong")
	}
}
