package choke

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
)

// A counter counts bytes, and those of each second.
type counter struct {
	total   int64
	seconds map[int64]int64
}

func (c *counter) add(now time.Duration, n int64) {
	if c.seconds == nil {
		c.seconds = map[int64]int64{}
	}
	c.total += n
	c.seconds[int64(now/time.Second)] += n
}

// rate returns bytes per second over the last seconds.
func (c *counter) rate(now time.Duration, seconds int64) int64 {
	var sum int64
	last := int64(now / time.Second)
	for s := last - seconds + 1; s <= last; s++ {
		sum += c.seconds[s]
	}
	return sum / min(seconds, last+1)
}

// A link is a connection of the tests.
type link struct {
	got, sent   counter
	interesting bool
	asked       bool
}

func (l *link) Got() int64                       { return l.got.total }
func (l *link) GotRate(now time.Duration) int64  { return l.got.rate(now, 20) }
func (l *link) Sent() int64                      { return l.sent.total }
func (l *link) SentRate(now time.Duration) int64 { return l.sent.rate(now, 20) }
func (l *link) Interesting() bool                { return l.interesting }
func (l *link) Asked() bool                      { return l.asked }

// everything says of each piece that its hash is known.
type everything struct{ pieces int }

func (e everything) Pieces() int        { return e.pieces }
func (e everything) Blocks(int) int     { return pieceBlocks }
func (e everything) CanVerify(int) bool { return true }

const (
	pieces      = 64
	pieceBlocks = 16
	pieceLength = pieceBlocks * block.Size
)

// A stage is a torrent that uploads, on a clock that the test moves.
type stage struct {
	t       *testing.T
	now     time.Duration
	swept   time.Duration
	choker  *Choker
	pick    *picker.Picker
	sent    counter
	peers   map[Ref]*Peer
	links   map[Ref]*link
	has     map[Ref]*bits.Set
	answers func(Step) // what a peer does about a step
}

// newStage returns a torrent that has the pieces of have, nil for all of them.
func newStage(t *testing.T, cfg Config, have *bits.Set) *stage {
	s := &stage{t: t, peers: map[Ref]*Peer{}, links: map[Ref]*link{}, has: map[Ref]*bits.Set{},
		answers: func(Step) {}}
	if have == nil {
		have = bits.Full(pieces)
	}
	if cfg.SlotsMax == 0 {
		cfg.SlotsMax = 64
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(1, 0x5eed))
	}
	cfg.SentRate = func(now time.Duration) int64 { return s.sent.rate(now, 20) }
	s.pick = picker.New(everything{pieces}, have, cfg.Rand)
	s.choker = New(cfg)
	s.choker.Start(s.pick, pieceLength, func(int) int { return pieceLength })
	return s
}

// join adds a peer that has nothing, and is interested.
func (s *stage) join(ref Ref) *Peer {
	s.joinSilently(ref)
	s.has[ref] = bits.New(pieces)
	s.pick.AddPeer(s.has[ref], false)
	s.choker.Knows(s.now, s.peers[ref], s.has[ref])
	s.settle()
	s.says(ref, true)
	return s.peers[ref]
}

// joinSilently adds a peer that does not say what it has.
func (s *stage) joinSilently(ref Ref) {
	s.links[ref] = &link{}
	s.peers[ref] = s.choker.Join(s.now, ref, true, s.links[ref])
	s.choker.Welcome(s.now)
	s.settle()
}

// settle does what follows, and the next things after that.
func (s *stage) settle() {
	for steps := slices.Clone(s.choker.Plan()); len(steps) > 0; {
		for _, step := range steps {
			s.answers(step)
		}
		steps = slices.Clone(s.choker.Plan())
	}
	s.choker.Check()
}

func (s *stage) says(ref Ref, interested bool) {
	s.choker.SetInterested(s.now, s.peers[ref], interested)
	s.settle()
}

func (s *stage) request(ref Ref, r block.Ref) Verdict {
	v := s.choker.Request(s.now, s.peers[ref], r)
	s.settle()
	return v
}

// goesOut lets the writer of a peer be done with its oldest blocks.
func (s *stage) goesOut(ref Ref, count int) {
	for _, r := range s.peers[ref].Flying()[:min(count, len(s.peers[ref].Flying()))] {
		s.links[ref].sent.add(s.now, int64(r.Length))
		s.sent.add(s.now, int64(r.Length))
	}
	s.choker.Sent(s.now, s.peers[ref], count)
	s.settle()
}

// gets records that a peer says that it has a piece.
func (s *stage) gets(ref Ref, piece uint32) {
	if s.has[ref] == nil {
		s.has[ref] = bits.New(pieces)
		s.pick.AddPeer(s.has[ref], false)
		s.choker.Knows(s.now, s.peers[ref], s.has[ref])
	}
	if s.has[ref].Add(int(piece)) {
		s.pick.PeerHas(piece)
		s.choker.Spread(s.now, piece)
	}
	s.settle()
}

// pass moves the clock, and has the Choker look when it wants to.
func (s *stage) pass(d time.Duration) {
	s.now += d
	if s.now-s.swept >= sweepEvery {
		s.swept = s.now
		for _, p := range s.choker.peers {
			s.choker.Sweep(s.now, p, s.links[p.ref].sent.rate(s.now, 3))
		}
		s.choker.Swept(s.now)
		s.settle()
	}
	if s.choker.Next() <= s.now {
		s.choker.Expire(s.now)
		s.settle()
	}
}

// unchoked returns who has a slot, in order.
func (s *stage) unchoked() (refs []Ref) {
	for ref, p := range s.peers {
		if p.Unchoked() {
			refs = append(refs, ref)
		}
	}
	slices.Sort(refs)
	return refs
}
