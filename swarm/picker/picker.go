package picker

import (
	"cmp"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"swarmnode/swarm/bits"
)

// State is how far a piece has come. A piece is in exactly one State at a time.
type State uint8

// The states of a piece.
const (
	Skipped    State = iota // not there and not wanted
	Held                    // wanted, but not to be asked for yet
	Wanted                  // wanted, and none of its blocks is asked for or has come
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
	Normal  Priority = 4 // the priority of a new piece
	Highest Priority = 7
)

// A Block names a block of a piece.
type Block struct {
	Piece uint32
	Index uint32
}

const (
	// randomFirst is how many pieces are picked at random before rarity
	// counts: enough to have something to trade.
	randomFirst = 4
	// availabilityMax bounds the number of ranks. Pieces of a higher availability
	// are equally common.
	availabilityMax = 1023
	// deadlinesMax bounds how many pieces have a deadline at a time.
	deadlinesMax = 1024
)

// Pieces answers the questions of a Picker about the pieces of its torrent.
type Pieces interface {
	// Pieces returns how many there are.
	Pieces() int
	// Blocks returns how many blocks a piece has, at least one.
	Blocks(piece int) int
	// CanVerify reports whether the hash of a piece is known. A hash that is
	// known stays known.
	CanVerify(piece int) bool
}

// A Picker knows the state of every piece. It is for one goroutine at a time.
//
// A piece without a hash is Held or Skipped, or was in Have from the start. It
// does not leave these states: none of its blocks is given out, taken in or
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
	failed *bits.Set // had a wrong hash before
	held   *bits.Set // not to be asked for: each is Held, Skipped or Have

	peers, seeds int
	unseen       int // pieces that only seeds have
	sequential   bool
	deadlines    []deadline // by time
}

type deadline struct {
	piece uint32
	at    time.Duration
}

// New returns a Picker for the pieces of a torrent. The Picker takes have over: the
// pieces in it are in state Have; nil means none. Of the others those with a known
// hash are Wanted, and the rest is Held.
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

// begins gives a piece its first state, and returns that state.
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

// Have returns the pieces in state Have. The set is the Picker's own.
func (p *Picker) Have() *bits.Set { return p.have }

// Needed returns the pieces that are wanted and not yet verified. The set is the
// Picker's own.
func (p *Picker) Needed() *bits.Set { return p.needed }

// Done reports whether every wanted piece is verified.
func (p *Picker) Done() bool { return p.needed.None() }

// Availability returns how many peers that are no seeds have the piece.
func (p *Picker) Availability(piece uint32) int { return int(p.avail[piece]) }

// Seeds returns how many seeds there are.
func (p *Picker) Seeds() int { return p.seeds }

// Unseen returns how many pieces only seeds have.
func (p *Picker) Unseen() int { return p.unseen }

// Failed reports whether the piece had a wrong hash before.
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

// need brings the set of needed pieces up to date.
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

// drop moves a piece that is no longer fetched back to its state at rest.
func (p *Picker) drop(piece uint32) { p.move(piece, p.atRest(piece)) }

// Hold keeps a piece from being asked for until Free or Suppose. It has no effect
// on a piece that has blocks or outstanding requests.
func (p *Picker) Hold(piece uint32) {
	switch p.state[piece] {
	case Skipped, Wanted:
		p.held.Add(int(piece))
		p.drop(piece)
	}
}

// Free ends the Hold of a piece whose hash is known. It reports whether it ended
// one.
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

// untouched reports whether pieces are left to begin, now or later.
func (p *Picker) untouched() bool { return p.counts[Wanted]+p.counts[Held] > 0 }

// SetPriority ranks a piece. Blocks that were asked for may still come and count
// after the piece is no longer wanted, but no more of them are given out. What has come
// stays, for the time when the piece is wanted again.
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

// SetSequential chooses between picking pieces in order and by rarity.
func (p *Picker) SetSequential(on bool) { p.sequential = on }

// SetDeadlines puts pieces before all pieces without a deadline, those with the earliest
// deadline first. They replace all deadlines that were set before. Each piece comes once;
// the earliest 1,024 are kept.
func (p *Picker) SetDeadlines(due iter.Seq2[uint32, time.Duration]) {
	p.deadlines = p.deadlines[:0]
	for piece, at := range due {
		p.deadlines = append(p.deadlines, deadline{piece, at})
	}
	slices.SortStableFunc(p.deadlines, func(a, b deadline) int { return cmp.Compare(a.at, b.at) })
	p.deadlines = p.deadlines[:min(len(p.deadlines), deadlinesMax)]
}

// clearDeadline removes the deadline of a piece.
func (p *Picker) clearDeadline(piece uint32) {
	p.deadlines = slices.DeleteFunc(p.deadlines, func(d deadline) bool { return d.piece == piece })
}

// Due reports whether the piece has a deadline that is not after at.
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

// First returns the piece with the earliest deadline, if that is not after at.
func (p *Picker) First(at time.Duration) (piece uint32, ok bool) {
	if !p.Urgent(at) {
		return 0, false
	}
	return p.deadlines[0].piece, true
}

// Urgent reports whether any piece has a deadline that is not after at.
func (p *Picker) Urgent(at time.Duration) bool {
	return len(p.deadlines) > 0 && p.deadlines[0].at <= at
}
