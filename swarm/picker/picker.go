package picker

import (
	"math/rand/v2"
	"slices"
	"time"

	"swarmnode/swarm/bits"
)

// State is what a piece is at. It is in exactly one at a time.
type State uint8

// The states of a piece.
const (
	Skipped    State = iota // not there and not wanted
	Held                    // wanted, but nothing of it may be asked for yet
	Wanted                  // nothing of it was asked for
	InFlight                // some of its blocks are asked for or have come
	Unverified              // all of its blocks have come
	Have                    // its hash is right
	stateCount
)

// Priority ranks pieces: a higher one is picked first.
type Priority uint8

// The priorities between which all others lie.
const (
	Skip    Priority = 0 // not wanted
	Normal  Priority = 4 // what pieces start with
	Highest Priority = 7
)

// A Block names a block: which one of which piece.
type Block struct {
	Piece uint32
	Index uint32
}

const (
	// randomFirst is how many pieces are picked at random before rarity
	// counts: enough to have something to trade.
	randomFirst = 4
	// availabilityMax bounds the number of ranks. Beyond it pieces are equally
	// common.
	availabilityMax = 1023
	// deadlinesMax bounds the pieces that may have a deadline at a time.
	deadlinesMax = 1024
)

// Pieces is what a Picker asks about the pieces of its torrent.
type Pieces interface {
	// Pieces returns how many there are.
	Pieces() int
	// Blocks returns how many blocks a piece has, at least one.
	Blocks(piece int) int
	// CanVerify reports whether the hash of a piece is known. Once it is, it
	// stays so.
	CanVerify(piece int) bool
}

// A Picker knows the state of every piece. It is for one goroutine at a time.
//
// A piece without a hash is Held or Skipped, or somebody else has found that we
// Have it. From there it gets nowhere: no block of it is given out, taken in or
// judged.
type Picker struct {
	pieces Pieces
	rng    *rand.Rand

	state    []State
	priority []Priority
	avail    []uint16
	pos      []uint32   // index in the rank of its priority, when Wanted
	part     []*partial // when InFlight or Unverified

	ranks  [Highest + 1]rank // Wanted pieces by priority, then by availability
	active []*partial        // InFlight, in the order in which they were begun
	idle   []*partial        // to be used again

	counts [stateCount]int
	have   *bits.Set // Have
	needed *bits.Set // of a priority above Skip, and not Have
	listed *bits.Set // Wanted
	failed *bits.Set // came with a wrong hash before
	held   *bits.Set // not to be asked for: Held, Skipped or Have

	peers, seeds int
	unseen       int // pieces that no peer but seeds has
	sequential   bool
	deadlines    []deadline // by time
}

type deadline struct {
	piece uint32
	at    time.Duration
}

// New returns a Picker for the pieces of a torrent. Those in have, which New takes
// over, are in state Have; nil means none. The others are Held without a hash, and
// Wanted with one.
func New(pieces Pieces, have *bits.Set, rng *rand.Rand) *Picker {
	n := pieces.Pieces()
	if have == nil {
		have = bits.New(n)
	}
	p := &Picker{
		pieces:   pieces,
		rng:      rng,
		state:    make([]State, n),
		priority: slices.Repeat([]Priority{Normal}, n),
		avail:    make([]uint16, n),
		pos:      make([]uint32, n),
		part:     make([]*partial, n),
		have:     have,
		needed:   bits.New(n),
		listed:   bits.New(n),
		failed:   bits.New(n),
		held:     bits.New(n),
		unseen:   n,
	}
	for piece := range uint32(n) {
		p.counts[p.begins(piece)]++
	}
	return p
}

// begins gives a piece its first state, and returns it.
func (p *Picker) begins(piece uint32) State {
	if !p.pieces.CanVerify(int(piece)) {
		p.held.Add(int(piece))
	}
	first := p.atRest(piece)
	if p.have.Has(int(piece)) {
		first = Have
	}
	p.state[piece] = first
	if first == Wanted {
		p.list(piece)
	}
	p.need(piece)
	return first
}

// Pieces returns the number of pieces.
func (p *Picker) Pieces() int { return len(p.state) }

// State returns the state of a piece.
func (p *Picker) State(piece uint32) State { return p.state[piece] }

// Count returns how many pieces are in state s.
func (p *Picker) Count(s State) int { return p.counts[s] }

// Have returns the pieces whose hash is right. It is the Picker's own set.
func (p *Picker) Have() *bits.Set { return p.have }

// Needed returns the pieces that are wanted and not yet verified. It is the
// Picker's own set.
func (p *Picker) Needed() *bits.Set { return p.needed }

// Done reports whether every wanted piece is verified.
func (p *Picker) Done() bool { return p.needed.None() }

// Availability returns how many peers that are no seeds have the piece.
func (p *Picker) Availability(piece uint32) int { return int(p.avail[piece]) }

// Seeds returns how many seeds there are.
func (p *Picker) Seeds() int { return p.seeds }

// Unseen returns how many pieces no peer but seeds has.
func (p *Picker) Unseen() int { return p.unseen }

// Failed reports whether the piece came with a wrong hash before.
func (p *Picker) Failed(piece uint32) bool { return p.failed.Has(int(piece)) }

// move is the only way from one state into another.
func (p *Picker) move(piece uint32, to State) {
	from := p.state[piece]
	if from == Wanted {
		p.unlist(piece)
	}
	p.counts[from]--
	p.counts[to]++
	p.state[piece] = to
	if to == Wanted {
		p.list(piece)
	}
	if to == Have {
		p.have.Add(int(piece))
	} else {
		p.have.Remove(int(piece))
	}
	p.need(piece)
}

// need keeps the set of needed pieces true.
func (p *Picker) need(piece uint32) {
	if p.priority[piece] == Skip || p.state[piece] == Have {
		p.needed.Remove(int(piece))
	} else {
		p.needed.Add(int(piece))
	}
}

// atRest returns the state of a piece that is neither there nor being fetched.
func (p *Picker) atRest(piece uint32) State {
	switch {
	case p.priority[piece] == Skip:
		return Skipped
	case p.held.Has(int(piece)):
		return Held
	}
	return Wanted
}

// drop moves a piece that is no longer fetched back to where it came from.
func (p *Picker) drop(piece uint32) { p.move(piece, p.atRest(piece)) }

// Hold makes nothing of a piece be asked for until Free or Suppose. It has no
// effect on a piece that has blocks or outstanding requests.
func (p *Picker) Hold(piece uint32) {
	switch p.state[piece] {
	case Skipped, Wanted:
		p.held.Add(int(piece))
		p.drop(piece)
	}
}

// Free ends the Hold of a piece whose hash is known. It reports whether there
// was one and it is over.
func (p *Picker) Free(piece uint32) bool {
	if !p.held.Has(int(piece)) || !p.pieces.CanVerify(int(piece)) {
		return false
	}
	p.held.Remove(int(piece))
	if p.state[piece] == Held {
		p.drop(piece)
	}
	return true
}

// untouched reports whether there are pieces left to begin, now or later.
func (p *Picker) untouched() bool { return p.counts[Wanted]+p.counts[Held] > 0 }

// SetPriority ranks a piece. What was asked for of a piece that is no longer
// wanted may still come, and count.
func (p *Picker) SetPriority(piece uint32, priority Priority) {
	priority = min(priority, Highest)
	was := p.priority[piece]
	if was == priority {
		return
	}
	if p.state[piece] == Wanted {
		p.unlist(piece)
		p.priority[piece] = priority
		p.list(piece)
	}
	p.priority[piece] = priority
	p.need(piece)
	switch p.state[piece] {
	case Skipped, Held, Wanted:
		if rest := p.atRest(piece); rest != p.state[piece] {
			p.move(piece, rest)
		}
	}
}

// SetSequential makes pieces be picked in order, or by rarity again.
func (p *Picker) SetSequential(on bool) { p.sequential = on }

// SetDeadline makes a piece be picked before all that have a later deadline or
// none. It reports whether there was room for it; the earliest are kept.
func (p *Picker) SetDeadline(piece uint32, at time.Duration) bool {
	p.ClearDeadline(piece)
	i, _ := slices.BinarySearchFunc(p.deadlines, at, func(d deadline, at time.Duration) int {
		if d.at <= at {
			return -1
		}
		return 1
	})
	if i == deadlinesMax {
		return false
	}
	if len(p.deadlines) == deadlinesMax {
		p.deadlines = p.deadlines[:deadlinesMax-1]
	}
	p.deadlines = slices.Insert(p.deadlines, i, deadline{piece, at})
	return true
}

// ClearDeadline takes the deadline of a piece away.
func (p *Picker) ClearDeadline(piece uint32) {
	p.deadlines = slices.DeleteFunc(p.deadlines, func(d deadline) bool { return d.piece == piece })
}

// Due reports whether the piece has a deadline, and one before at.
func (p *Picker) Due(piece uint32, at time.Duration) bool {
	for _, d := range p.deadlines {
		if d.at > at {
			return false
		}
		if d.piece == piece {
			return true
		}
	}
	return false
}

// Urgent reports whether any piece has a deadline before at.
func (p *Picker) Urgent(at time.Duration) bool {
	return len(p.deadlines) > 0 && p.deadlines[0].at <= at
}
