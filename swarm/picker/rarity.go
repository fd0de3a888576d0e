package picker

import "swarmnode/swarm/bits"

// A rank holds the Wanted pieces of one priority, sorted by availability in one
// array: those of availability a are order[ends[a-1]:ends[a]]. A piece becomes more
// common or rarer by one through a swap with the edge of its run, at the same cost
// however many pieces there are.
type rank struct {
	order []uint32
	ends  []uint32
}

// run returns where the pieces of availability a begin and end.
func (r *rank) run(a int) (from, to uint32) {
	if a > 0 {
		from = r.ends[a-1]
	}
	return from, r.ends[a]
}

// grow adds empty runs up to availability a.
func (r *rank) grow(a int) {
	for len(r.ends) <= a {
		r.ends = append(r.ends, uint32(len(r.order)))
	}
}

// put sets the place of a piece.
func (r *rank) put(piece, at uint32, pos []uint32) {
	r.order[at] = piece
	pos[piece] = at
}

// insert adds a piece. It makes room by moving one piece of each more common run
// from the front of the run to its end.
func (r *rank) insert(piece uint32, a int, pos []uint32) {
	r.grow(a)
	hole := uint32(len(r.order))
	r.order = append(r.order, 0)
	for b := len(r.ends) - 1; b > a; b-- {
		from, _ := r.run(b)
		if from != hole {
			r.put(r.order[from], hole, pos)
		}
		hole = from
		r.ends[b]++
	}
	r.put(piece, hole, pos)
	r.ends[a]++
}

// remove takes a piece out: the reverse of insert.
func (r *rank) remove(piece uint32, a int, pos []uint32) {
	hole := pos[piece]
	for b := a; b < len(r.ends); b++ {
		r.ends[b]--
		last := r.ends[b]
		if last != hole {
			r.put(r.order[last], hole, pos)
		}
		hole = last
	}
	r.order = r.order[:len(r.order)-1]
}

// up moves a piece from availability a to a+1.
func (r *rank) up(piece uint32, a int, pos []uint32) {
	r.grow(a + 1)
	r.ends[a]--
	edge, at := r.ends[a], pos[piece]
	r.put(r.order[edge], at, pos)
	r.put(piece, edge, pos)
}

// down moves a piece from availability a to a-1.
func (r *rank) down(piece uint32, a int, pos []uint32) {
	edge, at := r.ends[a-1], pos[piece]
	r.put(r.order[edge], at, pos)
	r.put(piece, edge, pos)
	r.ends[a-1]++
}

// list enters a piece that becomes Wanted.
func (p *Picker) list(piece uint32) {
	p.listed.Add(int(piece))
	p.ranks[p.priority[piece]].insert(piece, min(int(p.avail[piece]), availabilityMax), p.pos)
}

// unlist removes a piece that is Wanted no longer.
func (p *Picker) unlist(piece uint32) {
	p.listed.Remove(int(piece))
	p.ranks[p.priority[piece]].remove(piece, min(int(p.avail[piece]), availabilityMax), p.pos)
}

// AddPeer counts a peer with these pieces, or a seed. RemovePeer must be told the
// same.
func (p *Picker) AddPeer(have *bits.Set, seed bool) {
	p.peers++
	if seed {
		p.seeds++
		return
	}
	for piece := range have.Members() {
		p.commoner(uint32(piece))
	}
}

// RemovePeer undoes AddPeer and every PeerHas of the peer.
func (p *Picker) RemovePeer(have *bits.Set, seed bool) {
	p.peers--
	if seed {
		p.seeds--
		return
	}
	for piece := range have.Members() {
		p.rarer(uint32(piece))
	}
}

// PeerHas counts one more peer with the piece.
func (p *Picker) PeerHas(piece uint32) { p.commoner(piece) }

// PeerLost counts one peer fewer with the piece.
func (p *Picker) PeerLost(piece uint32) { p.rarer(piece) }

func (p *Picker) commoner(piece uint32) {
	a := int(p.avail[piece])
	p.avail[piece]++
	if a == 0 {
		p.unseen--
	}
	if p.state[piece] == Wanted && a < availabilityMax {
		p.ranks[p.priority[piece]].up(piece, a, p.pos)
	}
}

func (p *Picker) rarer(piece uint32) {
	a := int(p.avail[piece])
	p.avail[piece]--
	if a == 1 {
		p.unseen++
	}
	if p.state[piece] == Wanted && a <= availabilityMax {
		p.ranks[p.priority[piece]].down(piece, a, p.pos)
	}
}

// Rare reports whether there is a piece to begin that only seeds have.
func (p *Picker) Rare() bool {
	for i := Skip + 1; i <= Highest; i++ {
		if ends := p.ranks[i].ends; len(ends) > 0 && ends[0] > 0 {
			return true
		}
	}
	return false
}
