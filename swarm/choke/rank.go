package choke

import (
	"cmp"
	"time"
)

const (
	// snubbedAfter is how long a peer that we are interested in may give nothing for
	// its slot before it comes last.
	snubbedAfter = 60 * time.Second
	// barrenAfter is how long a peer that we are interested in has to give us
	// something before it comes after those that gave.
	barrenAfter = 20 * time.Second
	// unusedMax is how many slots in a row a peer may let stand unused before it
	// comes after others: once may be by chance, or because others gave it more.
	unusedMax = 3
	// turnMax is how long a peer keeps its slot at a seed while others wait.
	turnMax = 60 * time.Second
)

// A contender is an interested peer as the choice of slots sees it. The numbers are
// those of the package's checklist.
type contender struct {
	p        *Peer
	snubbed  bool          // 1: it gives nothing for its slot
	gives    int64         // 2: its rate, when we fetch
	barren   bool          // 3: it takes and never gave
	idles    bool          // 4: it let slots stand unused again and again
	costly   bool          // 4: a relay carries what it gets
	begun    bool          // 5: it has a part of a piece that nobody has, and its turn is not over
	passesOn bool          // 6: its last piece has come further
	inTurn   bool          // 7: it makes use of its slot at a seed
	takes    int64         // 7: its rate, when it is in turn
	over     bool          // 7: its turn at a seed is over
	keeps    bool          // 8: it has a slot, when we fetch
	had      int64         // 9: what it got from us, when we fetch
	waited   time.Duration // 10: how long it has had no slot, or had one
}

// contender looks at a peer.
func (c *Choker) contender(p *Peer) contender {
	e := contender{
		p:        p,
		barren:   p.barren(),
		idles:    p.unused >= unusedMax,
		costly:   p.costly,
		passesOn: true,
		waited:   c.now - p.since,
	}
	if !c.seeding() {
		e.gives = p.link.GotRate(c.now)
		e.snubbed = p.unchoked && e.gives == 0 && e.waited > snubbedAfter && p.link.Interesting()
		e.keeps, e.had = p.unchoked, p.link.Sent()
		return e
	}
	if p.unchoked {
		e.inTurn = e.waited < turnMax && (e.waited < idleGrace || p.Busy())
		e.over = !e.inTurn
	}
	if e.inTurn {
		e.takes = p.link.SentRate(c.now)
	}
	if c.Sole() {
		e.begun = !e.over && c.unfinished(p)
		e.passesOn = p.unchoked || c.passesOn(p)
	}
	return e
}

// compare is the one order in which peers get slots: it is negative if a comes before b,
// and 0 if chance decides.
func (a *contender) compare(b *contender) int {
	return cmp.Or(
		last(a.snubbed, b.snubbed),
		cmp.Compare(b.gives, a.gives),
		last(a.barren, b.barren),
		last(a.idles, b.idles),
		last(a.costly, b.costly),
		first(a.begun, b.begun),
		first(a.passesOn, b.passesOn),
		first(a.inTurn, b.inTurn),
		cmp.Compare(b.takes, a.takes),
		last(a.over, b.over),
		first(a.keeps, b.keeps),
		cmp.Compare(a.had, b.had),
		cmp.Compare(b.waited, a.waited),
	)
}

// first puts the one that is true first.
func first(a, b bool) int { return last(b, a) }

// last puts the one that is true last.
func last(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
