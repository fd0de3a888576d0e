package choke

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
)

// The pieces of a drawing: of common two peers beyond it have a copy, of rare one, and of
// unseen none.
const (
	common = 0
	rare   = 1
	unseen = 2
)

// drawn is when a drawing is looked at.
const drawn = 1000 * time.Second

// draw returns a torrent with the peers of a drawing, which is "U i r10 | C i w30". A
// letter begins each word:
//
//	U, C   it has a slot; it is choked
//	i      it is interested in us
//	k      we are interested in it
//	rN     it gives us N kB/s
//	tN     it takes N kB/s from us
//	sN     it got N kB from us before
//	wN     it has had a slot, or none, for N ms; 10 s if not said
//	q      blocks are on their way to it, and it reads them
//	x      it was found not to read, y it does not read and was not found
//	b      it never gave, and we were interested for long
//	u      it let three slots stand unused
//	v      a relay carries what it gets
//	n      it is new
//	o      its slot is optimistic
//	p      it has a part of a piece that nobody has, P it was promised one
//	f      its last piece has come no further
//	g      it had its turn at a sole seed
func draw(t *testing.T, mode, drawing string, seed uint64) *stage {
	cfg := Config{Rand: rand.New(rand.NewPCG(seed, 1))}
	var have *bits.Set
	if mode == "fetch" {
		have = bits.New(pieces)
	}
	s := newStage(t, cfg, have)
	s.now, s.choker.now, s.choker.sentAt = drawn, drawn, drawn
	first, second := bits.New(pieces), bits.New(pieces)
	first.Add(common)
	second.Add(common)
	second.Add(rare)
	switch mode {
	case "seed": // and there is another
		s.pick.AddPeer(bits.Full(pieces), true)
	case "last": // piece
		first = bits.Full(pieces)
		first.Remove(unseen)
	}
	s.pick.AddPeer(first, false)
	s.pick.AddPeer(second, false)
	s.choker.owner = make([]*Peer, pieces)
	for i, text := range strings.Split(drawing, "|") {
		l := &link{}
		p := s.choker.Join(0, Ref(i+1), true, l)
		p.since = drawn - 10*time.Second
		s.peers[p.ref], s.links[p.ref] = p, l
		for _, word := range strings.Fields(text) {
			s.paint(p, l, word)
		}
	}
	s.choker.now = drawn
	return s
}

// paint does what one word of a drawing says.
func (s *stage) paint(p *Peer, l *link, word string) {
	n, _ := strconv.Atoi(word[1:])
	fly := func(moved time.Duration) {
		p.flying, p.moved = []block.Ref{{Piece: common, Length: block.Size}}, moved
	}
	switch word[0] {
	case 'U':
		p.unchoked = true
	case 'C':
	case 'i':
		p.interested = true
	case 'k':
		l.interesting = true
	case 'r':
		l.got.add(drawn, int64(n)*20_000)
	case 't':
		l.sent.add(drawn, int64(n)*20_000)
	case 's':
		l.sent.add(0, int64(n)*1000)
	case 'w':
		p.since = drawn - time.Duration(n)*time.Millisecond
	case 'q':
		fly(drawn)
	case 'x':
		fly(drawn - time.Minute)
		p.deaf = p.moved
	case 'y':
		fly(drawn - time.Minute)
	case 'b':
		p.wanted = barrenAfter
	case 'u':
		p.unused = unusedMax
	case 'v':
		s.choker.SetCostly(p, true)
	case 'n':
		p.joined = drawn
	case 'o':
		p.optimistic = true
	case 'p':
		s.choker.assign(p, unseen)
		p.promised[0].asked, p.promised[0].sent = true, block.Size
	case 'P':
		s.choker.assign(p, unseen)
	case 'f':
		p.piece = rare
	case 'g':
		p.given = s.choker.turn
	default:
		s.t.Fatalf("unknown word %q", word)
	}
}

// The things that a test has a Choker do with a drawing.
func fills(c *Choker)   { c.fill() }
func looks(c *Choker)   { c.look() }
func rotates(c *Choker) { c.rounds = 0; c.round() }
func rests(c *Choker)   { c.sentAt = drawn - time.Minute; c.fill() }
func rounds(c *Choker)  { c.rounds = 1; c.round() }

// TestSlots draws states and says who has a slot afterwards, whatever the dice say: + for
// always, - for never, ? for now and then. Each case fails without its number of the
// package's checklist.
func TestSlots(t *testing.T) {
	for _, c := range []struct {
		name    string
		mode    string
		drawing string
		do      func(c *Choker)
		slots   int
		want    string
		given   int // slots, if it is always the same number and not seen in want
	}{
		{"everybody when there is room", "fetch", "C i | C i | C i", rounds, 4, "+++", 0},
		{"1: a peer that gives nothing for its slot comes last", "fetch",
			"U i r5 | U i k w61000 | C i w1000 | C i w1000", rounds, 3, "+-++", 0},
		{"1: unless we want nothing from it", "fetch",
			"U i r5 | U i w61000 | C i w1000 | C i w1000", rounds, 3, "++??", 0},
		{"2: the peers that give most come first, and one in turn", "fetch",
			"U i r1 | U i r9 | C i r5 | C i r3", rounds, 3, "-+++", 0},
		{"2: between the rounds too", "fetch", "C i r1 | C i r9 | C i r5", fills, 1, "-+-", 0},
		{"3: a peer that never gave comes after others", "seed",
			"U i b q t9 w5000 | C i | C i | C i | C i", rounds, 2, "-????", 2},
		{"3: and few of them have a slot", "fetch", "C i b | C i b | C i", rounds, 3, "??+", 2},
		{"3: unless there is nobody else", "fetch", "C i b | C i b | C i b", rounds, 3, "+++", 0},
		{"3: none of them has one between the rounds", "seed", "C i b", fills, 3, "-", 0},
		{"3: but while the uplink rests", "seed", "C i b", rests, 3, "+", 0},
		{"4: a peer that used no slot comes after others", "seed",
			"C i u w50000 | C i w1000", fills, 1, "-+", 0},
		{"4: and so does one that a relay carries", "seed",
			"C i v w50000 | C i w1000", fills, 1, "-+", 0},
		{"4: but it gets a slot that is free", "seed", "C i v | C i", fills, 2, "++", 0},
		{"4: and one that gives more comes first", "fetch",
			"C i v r9 | C i r5", fills, 1, "+-", 0},
		{"5: a sole seed lets a peer finish a piece", "sole",
			"C i w50000 | C i p w1000", fills, 1, "-+", 0},
		{"5: but not for longer than a turn: it may take its time", "sole",
			"U i q p w61000 | U i q p w61000 | C i w9000 | C i w8000", rounds, 2, "--++", 0},
		{"6: and prefers those whose pieces go further", "sole",
			"C i f w50000 | C i w1000", fills, 1, "-+", 0},
		{"6: another seed does not", "seed", "C i f w50000 | C i w1000", fills, 1, "+-", 0},
		{"7: a seed gives each its turn, for a minute", "seed",
			"U i q t9 w500000 | U i q t1 w5000 | C i w30000 | C i w80000", rounds, 3, "-+++", 0},
		{"7: those that take most stay", "seed",
			"U i q t1 w5000 | U i q t9 w5000 | U i q t5 w5000 | C i | C i", rounds, 3, "-++??", 0},
		{"7: and those that have just got their slot", "seed",
			"U i w500 | U i w500 | C i w90000 | C i w90000", rounds, 3, "++??", 3},
		{"7: and those that take nothing do not", "seed",
			"U i w15000 | U i q w15000 | C i w1000 | C i w2000", rounds, 3, "-+++", 0},
		{"8: of equals those with a slot keep it", "fetch",
			"U i w5000 s9 | U i w5000 s9 | C i w90000 | C i w90000", rounds, 3, "++??", 3},
		{"9: a peer that had less from us comes first", "fetch",
			"C i w9000 s50 | C i w1000 s10", fills, 1, "-+", 0},
		{"10: a peer that has waited longer comes first", "seed",
			"C i w1000 | C i w9000", fills, 1, "-+", 0},
		{"11: the optimistic slot stays", "fetch",
			"U i r9 | U i r8 | U i r7 | U i o | C i | C i | C i", rounds, 4, "++++---", 0},
		{"11: until it goes round", "fetch",
			"U i r9 | U i r8 | U i r7 | U i o | C i | C i | C i", rotates, 4, "+++-???", 4},
		{"12: a peer that does not read takes no slot from others", "fetch",
			"U i x | C i", fills, 1, "++", 0},
		{"12: and gets no other", "fetch", "C i x | C i w1000", fills, 1, "-+", 0},
		{"12: two more are given for it, once", "fetch",
			"U i y | C i | C i | C i | C i", looks, 1, "+????", 4},
		{"12: and none for one that was found before", "fetch",
			"U i x | U i q | C i | C i", looks, 1, "++--", 0},
		{"13: a slot that is not used goes on", "seed", "U i w1000 | C i", rests, 1, "-+", 0},
		{"13: but not at once", "seed", "U i w100 | C i", rests, 1, "+-", 0},
		{"14: at a sole seed the next peer is ready in time", "sole",
			"U i q g w1000 | C i", fills, 1, "++", 0},
		{"14: another seed waits for the end of the turn", "seed",
			"U i q g w1000 | C i", fills, 1, "+-", 0},
		{"16: no slot for repeats while the last pieces go out", "last",
			"C i w50000 | U i q P", fills, 2, "-+", 0},
		{"16: but when the uplink rests", "last", "C i w50000 | U i q P", rests, 2, "++", 0},
		{"16: or a piece is left", "sole", "C i w50000 | U i q P", fills, 2, "++", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			const runs = 50
			had := make([]int, strings.Count(c.drawing, "|")+1)
			for seed := range uint64(runs) {
				s := draw(t, c.mode, c.drawing, seed)
				s.choker.slots = c.slots
				c.do(s.choker)
				for _, ref := range s.unchoked() {
					had[ref-1]++
				}
				if n := len(s.unchoked()); c.given > 0 && n != c.given {
					t.Fatalf("%d have a slot, want %d", n, c.given)
				}
			}
			got := ""
			for _, n := range had {
				switch n {
				case 0:
					got += "-"
				case runs:
					got += "+"
				default:
					got += "?"
				}
			}
			if got != c.want {
				t.Errorf("%s: slots %s, want %s", c.drawing, got, c.want)
			}
		})
	}
}

// TestSlotsMax: a peer that has no use for its slot makes room when there are as many as
// there may be; one that has a use does not.
func TestSlotsMax(t *testing.T) {
	for _, c := range []struct{ drawing, want string }{
		{"U i x | C i", "[2]"},
		{"U | C i", "[2]"},
		{"U i q | C i", "[1]"},
	} {
		s := draw(t, "fetch", c.drawing, 1)
		s.choker.slots, s.choker.cfg.SlotsMax = 2, 1
		s.choker.fill()
		if got := fmt.Sprint(s.unchoked()); got != c.want {
			t.Errorf("%s: %s, want %s", c.drawing, got, c.want)
		}
	}
	for _, drawing := range []string{
		"U q | U q | C i | C i", // they wait for blocks, and want no more
		"U | U q | C i | C i",
	} {
		s := draw(t, "fetch", drawing, 1)
		s.choker.slots, s.choker.cfg.SlotsMax = 2, 2
		s.choker.round()
		if got := s.unchoked(); len(got) != 2 || !slices.Contains(got, 2) {
			t.Errorf("%s: %v have a slot after a round, want 2 and one more", drawing, got)
		}
	}
	s := draw(t, "fetch", "U | C i", 1)
	s.links[1].asked = true // we wait for a block of it: it may want one for that
	s.choker.cfg.SlotsMax = 1
	if s.choker.fill(); s.peers[2].unchoked {
		t.Error("a peer that we wait for lost its slot")
	}
}

// TestNewcomersAreLikelier: the optimistic slot goes to new peers three times as often, and
// half as often to peers that never gave.
func TestNewcomersAreLikelier(t *testing.T) {
	had := map[Ref]int{}
	const runs = 9000
	for seed := range uint64(runs) {
		s := draw(t, "fetch", "C i r9 | C i n | C i | C i b", seed)
		s.choker.slots = 2
		s.choker.rounds = 3
		s.choker.round()
		for _, ref := range s.unchoked() {
			had[ref]++
		}
	}
	if had[1] != runs {
		t.Errorf("the peer that gives has a slot %d times of %d", had[1], runs)
	}
	for ref, want := range map[Ref]int{2: runs * 6 / 9, 3: runs * 2 / 9, 4: runs * 1 / 9} {
		if d := had[ref] - want; d < -want/8 || d > want/8 {
			t.Errorf("peer %d has the optimistic slot %d times of %d, want about %d", ref,
				had[ref], runs, want)
		}
	}
}

// TestEveryoneHasATurn: over many rounds every waiting peer gets a slot.
func TestEveryoneHasATurn(t *testing.T) {
	s := draw(t, "fetch", "C i r9 | C i r8 | C i r7 | C i | C i | C i | C i | C i | C i | C i", 1)
	had := map[Ref]bool{}
	for range 100 {
		s.choker.round()
		for _, ref := range s.unchoked() {
			had[ref] = true
		}
	}
	if len(had) != 10 {
		t.Errorf("only %d of 10 peers ever had a slot", len(had))
	}
}

func TestSlotsByRate(t *testing.T) {
	for _, c := range []struct {
		rate int64
		want int
	}{{0, slotsFirst}, {50_000, slotsMin}, {1_250_000, 6}, {2_500_000, 11}, {125_000_000, 52},
		{1 << 40, 64}} {
		ch := New(Config{SlotsMax: 64})
		ch.adapt(c.rate)
		if ch.slots != c.want {
			t.Errorf("%d bytes per second: %d slots, want %d", c.rate, ch.slots, c.want)
		}
	}
}
