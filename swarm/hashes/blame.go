package hashes

import (
	"slices"
	"time"

	"swarmnode/metainfo"
)

const (
	// blameMax is how many pieces with a wrong hash from several senders are
	// remembered, and blameBlocksMax how many blocks of them: 1 MiB of hashes.
	blameMax       = 64
	blameBlocksMax = 32 << 10
	// holdFor is how long a piece with a wrong hash waits for the right hashes of
	// its blocks before all of it is fetched again: some round trips.
	holdFor = 5 * time.Second
	// blameAsk is how long peers are asked for the hashes of the blocks of such
	// a piece. By then another copy of the piece has come, or none will.
	blameAsk = time.Minute
)

// Blame remembers pieces with a wrong hash: the hash of each block, and its sender.
// The liars among the senders show when the right hashes are known: from peers,
// proven by the hash tree (BEP 52), or of a later copy of the piece. So each liar
// costs one piece, and no honest peer is taken for a liar.
//
// Such a piece may be held: it stays as it is, unverified, until its blocks are
// judged, so that only wrong blocks are fetched again.
type Blame struct {
	cases []blameCase // oldest first
}

// A blameCase is one piece with a wrong hash.
type blameCase struct {
	piece   uint32
	hashes  []metainfo.Hash256 // by block
	senders []uint32           // by block
	since   time.Duration
	held    bool
	asking  bool     // peers are asked for the right hashes
	judged  int      // blocks that were compared
	wrong   []uint32 // blocks whose hash was not right
	liars   []uint32 // their senders
}

// A Release is a piece about which Blame knows no more.
type Release struct {
	Piece uint32
	Held  bool // it was held, and has to be fetched again whole
}

// A Verdict says what some right hashes have shown of a piece.
type Verdict struct {
	Piece uint32
	Liars []uint32 // senders of wrong blocks that no Verdict has named before
	// Done: all blocks were compared, and Blame knows no more about the piece.
	Done   bool
	Honest []uint32 // once Done, the senders of none but right blocks
	Held   bool     // once Done: the piece was held
	Wrong  []uint32 // once Done: the blocks that have to be fetched again
}

// Open remembers a piece with a wrong hash. Its blocks have the given hashes and came
// from senders, block by block. A piece of a single sender is remembered only while it
// is held. Open reports whether it took the piece; older ones may have to go.
func (b *Blame) Open(now time.Duration, piece uint32, hashes []metainfo.Hash256, senders []uint32,
	held bool) (released []Release, ok bool) {
	n := len(hashes)
	if n != len(senders) || n == 0 || n > blameBlocksMax || !held && Alone(senders) {
		return nil, false
	}
	released = b.end(piece, nil)
	total := n
	for i := range b.cases {
		total += len(b.cases[i].hashes)
	}
	for len(b.cases) >= blameMax || total > blameBlocksMax {
		total -= len(b.cases[0].hashes)
		released = b.end(b.cases[0].piece, released)
	}
	b.cases = append(b.cases, blameCase{piece: piece, hashes: hashes, senders: senders, since: now,
		held: held, asking: true})
	return released, true
}

// Alone reports whether all blocks came from one sender.
func Alone(senders []uint32) bool {
	return !slices.ContainsFunc(senders, func(s uint32) bool { return s != senders[0] })
}

// Knows reports whether the piece is remembered.
func (b *Blame) Knows(piece uint32) bool { return b.find(piece) != nil }

// Holds reports whether the piece is held.
func (b *Blame) Holds(piece uint32) bool {
	c := b.find(piece)
	return c != nil && c.held
}

// Expire appends to dst the pieces for whose hashes peers are no longer to be asked.
func (b *Blame) Expire(now time.Duration, dst []uint32) []uint32 {
	for i := range b.cases {
		if c := &b.cases[i]; c.asking && now-c.since > blameAsk {
			c.asking = false
			dst = append(dst, c.piece)
		}
	}
	return dst
}

// Unhold appends to dst the pieces that are held no longer, because they have waited for
// too long, or nobody is left who can tell their hashes: they have to be fetched again
// whole. It returns when to call it again.
func (b *Blame) Unhold(now time.Duration, canTell func(piece uint32) bool,
	dst []uint32) (pieces []uint32, again time.Duration) {
	again = Never
	for i := range b.cases {
		c := &b.cases[i]
		if !c.held {
			continue
		}
		if end := c.since + holdFor; now < end && canTell(c.piece) {
			again = min(again, end)
			continue
		}
		c.held = false
		dst = append(dst, c.piece)
	}
	return dst, again
}

// Judge compares blocks of a piece with their right hashes, the first of which is that
// of block first.
func (b *Blame) Judge(piece uint32, first int, right []metainfo.Hash256) Verdict {
	c := b.find(piece)
	if c == nil || first < 0 || first >= len(c.hashes) {
		return Verdict{Piece: piece}
	}
	told := len(c.liars)
	right = right[:min(len(right), len(c.hashes)-first)]
	for i := range right {
		at := first + i
		if c.hashes[at] == right[i] {
			continue
		}
		c.wrong = append(c.wrong, uint32(at))
		if !slices.Contains(c.liars, c.senders[at]) {
			c.liars = append(c.liars, c.senders[at])
		}
	}
	c.judged += len(right)
	v := Verdict{Piece: piece, Liars: c.liars[told:]}
	if c.judged < len(c.hashes) {
		return v
	}
	v.Done, v.Held, v.Wrong = true, c.held, c.wrong
	for _, s := range c.senders {
		if !slices.Contains(c.liars, s) && !slices.Contains(v.Honest, s) {
			v.Honest = append(v.Honest, s)
		}
	}
	b.end(piece, nil)
	return v
}

// JudgeByCopy compares a whole piece with another copy of it that has the right hash.
// Without the hashes of the copy the piece is forgotten.
func (b *Blame) JudgeByCopy(piece uint32, right []metainfo.Hash256) Verdict {
	c := b.find(piece)
	if c == nil {
		return Verdict{Piece: piece}
	}
	if len(right) != len(c.hashes) {
		v := Verdict{Piece: piece, Done: true, Held: c.held}
		b.end(piece, nil)
		return v
	}
	c.judged, c.wrong = 0, nil
	return b.Judge(piece, 0, right)
}

// end forgets a piece, and appends it to dst if it was remembered.
func (b *Blame) end(piece uint32, dst []Release) []Release {
	i := slices.IndexFunc(b.cases, func(c blameCase) bool { return c.piece == piece })
	if i < 0 {
		return dst
	}
	dst = append(dst, Release{Piece: piece, Held: b.cases[i].held})
	b.cases = slices.Delete(b.cases, i, i+1)
	return dst
}

// find returns the case of a piece, or nil.
func (b *Blame) find(piece uint32) *blameCase {
	i := slices.IndexFunc(b.cases, func(c blameCase) bool { return c.piece == piece })
	if i < 0 {
		return nil
	}
	return &b.cases[i]
}

// Check panics when an invariant does not hold. It is for tests and race builds.
func (b *Blame) Check() {
	total := 0
	for i := range b.cases {
		c := &b.cases[i]
		total += len(c.hashes)
		if b.find(c.piece) != c || len(c.senders) != len(c.hashes) ||
			c.judged >= len(c.hashes) {
			panic("hashes: a piece is remembered twice, or after it was judged")
		}
	}
	if len(b.cases) > blameMax || total > blameBlocksMax {
		panic("hashes: too much is remembered of wrong pieces")
	}
}
