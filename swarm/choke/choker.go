package choke

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
)

// A Ref names a peer. Zero names nobody.
type Ref uint32

// Pieces is what a Choker asks about the pieces of its torrent. A picker.Picker
// is one.
type Pieces interface {
	// Pieces returns how many there are.
	Pieces() int
	// Availability returns how many peers that are no seeds have the piece.
	Availability(piece uint32) int
	// Seeds returns how many peers are seeds.
	Seeds() int
	// Unseen returns how many pieces no peer but seeds has.
	Unseen() int
	// Have returns the pieces that we have.
	Have() *bits.Set
	// Done reports whether we have every piece that we want.
	Done() bool
}

// A Link is what a Choker asks about a connection, besides what it is told.
type Link interface {
	// Got returns how many bytes of blocks came from the peer.
	Got() int64
	// GotRate returns how many of them came lately, in bytes per second.
	GotRate(now time.Duration) int64
	// Sent returns how many bytes of blocks went to the peer.
	Sent() int64
	// SentRate returns how many of them went out lately, in bytes per second.
	SentRate(now time.Duration) int64
	// Interesting reports whether the peer has something that we want.
	Interesting() bool
	// Asked reports whether a request of ours is open with the peer.
	Asked() bool
}

// A Kind is what a Step does.
type Kind uint8

// The kinds of steps.
const (
	Unchoke Kind = iota // tell the peer that it may ask
	Choke               // tell the peer that it may not ask any longer
	Reject              // tell the peer that Step.Block will not come
	Suggest             // suggest the piece of Step.Block to the peer (BEP 6)
	Have                // tell the peer that we have the piece of Step.Block (BEP 16)
	ShowAll             // tell every peer of every piece that we have; no Peer
	Send                // give Step.Block to the writer of the peer
)

// A Step is one thing that the policy wants done.
type Step struct {
	Kind  Kind
	Peer  Ref
	Block block.Ref
}

// A Config is what a Choker is told at its birth.
type Config struct {
	// SlotsMax is the most peers that are unchoked at a time.
	SlotsMax int
	// SuperSeed asks for the behaviour of BEP 16 while we are the only source.
	SuperSeed bool
	// Rand draws every random number.
	Rand *rand.Rand
	// SentRate returns how much went out to all peers lately, in bytes per second.
	SentRate func(now time.Duration) int64
}

// A Choker holds the upload side of every connection of one torrent, and decides
// who may ask and what goes out next. It is for one goroutine at a time.
//
// Each method that is told something records it. Plan returns what follows, and
// Next when the Choker wants to look again.
type Choker struct {
	cfg    Config
	pieces Pieces // nil until Start
	size   func(piece int) int
	turn   int64 // bytes of a turn at a sole seed

	now    time.Duration
	sentAt time.Duration // when a block went out last
	peers  []*Peer       // in the order in which they joined
	steps  []Step
	at     [deadlineCount]time.Duration

	slots    int
	rounds   int
	capacity float64 // the greatest recent upload rate, in bytes per second

	// What a sole seed knows, see promises.go.
	owner   []*Peer // by piece: whom it is promised to; empty until needed
	covered bool    // some peer was not told of all pieces
	holds   bool    // some peer's requests wait in favour of others
}

// A deadline names a moment at which a Choker looks again.
type deadline uint8

const (
	dueRound deadline = iota // all slots are reassigned
	dueFill                  // free slots are given
	dueStuck                 // peers with a slot may turn out not to read
	deadlineCount
)

// Never is the Next of a Choker that waits for nothing.
const Never = time.Duration(math.MaxInt64)

// New returns a Choker without peers for a torrent whose pieces are not known.
func New(cfg Config) *Choker {
	c := &Choker{cfg: cfg, slots: min(slotsFirst, cfg.SlotsMax)}
	for i := range c.at {
		c.at[i] = Never
	}
	return c
}

// Start tells the pieces of the torrent: how long all of them are but the last, and
// the size of each.
func (c *Choker) Start(pieces Pieces, length int, size func(piece int) int) {
	c.pieces, c.size = pieces, size
	c.turn = max(int64(length), turnBytes)
}

// Plan returns the steps that the caller must carry out, in order, and forgets them. The
// slice is good until the next call of any method.
func (c *Choker) Plan() []Step {
	steps := c.steps
	c.steps = c.steps[:0]
	return steps
}

// Next returns when Expire is due, or Never.
func (c *Choker) Next() time.Duration { return slices.Min(c.at[:]) }

// Expire does what is due.
func (c *Choker) Expire(now time.Duration) {
	c.now = now
	if c.due(dueRound) {
		c.round()
	}
	if c.due(dueFill) {
		c.fill()
	}
	if c.due(dueStuck) {
		c.look()
	}
}

// by moves a deadline if it is later than at.
func (c *Choker) by(which deadline, at time.Duration) { c.at[which] = min(c.at[which], at) }

// due reports whether a deadline is over, and ends it.
func (c *Choker) due(which deadline) bool {
	if c.at[which] > c.now {
		return false
	}
	c.at[which] = Never
	return true
}

func (c *Choker) do(kind Kind, p *Peer, r block.Ref) {
	c.steps = append(c.steps, Step{Kind: kind, Peer: p.ref, Block: r})
}

func (c *Choker) doPiece(kind Kind, p *Peer, piece uint32) {
	c.do(kind, p, block.Ref{Piece: piece})
}

// Join adds a connection. With fast both sides have BEP 6.
func (c *Choker) Join(now time.Duration, ref Ref, fast bool, link Link) *Peer {
	c.now = now
	p := &Peer{ref: ref, fast: fast, link: link, joined: now, window: 2 * windowMin}
	c.peers = append(c.peers, p)
	return p
}

// SetCostly says whether a relay carries what the peer gets.
func (c *Choker) SetCostly(p *Peer, costly bool) { p.costly = costly }

// Welcome records that a connection that joined stays.
func (c *Choker) Welcome(now time.Duration) { c.by(dueRound, now+roundEvery) }

// Leave takes a connection out that is gone. Its slot goes to another.
func (c *Choker) Leave(now time.Duration, p *Peer) {
	c.now = now
	if i := slices.Index(c.peers, p); i >= 0 {
		c.peers = slices.Delete(c.peers, i, i+1)
	}
	c.forget(p)
	if p.unchoked {
		p.unchoked = false
		c.fill()
	}
}

// Knows records which pieces the peer has. The set is the caller's own, which adds
// to it and takes from it; nil means that the peer has not said so.
func (c *Choker) Knows(now time.Duration, p *Peer, has *bits.Set) {
	c.now = now
	if p.has = has; has == nil {
		return
	}
	if c.Hides() {
		c.reveal(p)
	}
	c.steer(p)
}

// Spread records that some peer has got a piece.
func (c *Choker) Spread(now time.Duration, piece uint32) {
	c.now = now
	c.out(piece)
}

// Complete records that we have every piece that we want.
func (c *Choker) Complete(now time.Duration) {
	c.now = now
	for _, p := range c.peers {
		c.steer(p)
	}
	c.by(dueRound, now)
}

// Sweep is called once a second for each peer. The rate is what went out to it in the
// last seconds.
func (c *Choker) Sweep(now time.Duration, p *Peer, rate int64) {
	c.now = now
	if p.link.Interesting() {
		p.wanted += sweepEvery
	}
	c.lapse(p)
	p.window = min(max(int(float64(rate)*windowAhead.Seconds()/block.Size), 2*windowMin), windowMax)
}

// Swept is called when all peers were swept.
func (c *Choker) Swept(now time.Duration) {
	c.now = now
	c.fill()
	c.resume()
}

// Unchoked returns how many peers have a slot.
func (c *Choker) Unchoked() int {
	n := 0
	for _, p := range c.peers {
		if p.unchoked {
			n++
		}
	}
	return n
}

// seeding reports whether we want nothing more, and have something.
func (c *Choker) seeding() bool {
	return c.pieces != nil && c.pieces.Done() && !c.pieces.Have().None()
}

// Check panics when an invariant does not hold.
func (c *Choker) Check() {
	for i, p := range c.peers {
		if len(p.queue) > QueueMax || len(p.flying) > windowMax {
			panic("choke: a queue is too long")
		}
		if len(p.promised) > steerMax {
			panic("choke: too much is promised to a peer")
		}
		if slices.Contains(c.peers[:i], p) {
			panic("choke: a peer is listed twice")
		}
	}
}
