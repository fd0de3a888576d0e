package core

import (
	"math/rand/v2"
	"testing"

	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

// pickerFor returns a picker of pieces as a picture draws them: # for a piece that is
// there, . for one that is needed, - for one that is not wanted.
func pickerFor(pieces string) *picker.Picker {
	n := len(pieces)
	layout := testInfo(n, block.Size, int64(n*block.Size)).Layout()
	have := picture(pieces)
	have.Clear()
	for i, c := range pieces {
		if c == '#' {
			have.Add(i)
		}
	}
	pick := picker.New(piecesOf{layout}, have, rand.New(rand.NewPCG(1, 2)))
	for i, c := range pieces {
		if c == '-' {
			pick.SetPriority(uint32(i), picker.Skip)
		}
	}
	return pick
}

func bitfield(pieces string) *wire.Message {
	return &wire.Message{ID: wire.Bitfield, Payload: picture(pieces).AppendWire(nil)}
}

// entered returns what a peer has, counted by the picker.
func entered(t *testing.T, pieces string, pick *picker.Picker) *holdings {
	t.Helper()
	var h holdings
	h.replace(bitfield(pieces))
	if !h.enter(pick) {
		t.Fatalf("%s does not fit", pieces)
	}
	h.turn()
	return &h
}

// What comes before the metadata is kept as it is, and fits or does not.
func TestHoldingsBeforeTheMetadata(t *testing.T) {
	for _, c := range []struct {
		name   string
		come   func(h *holdings)
		fits   bool
		pieces string
	}{
		{"nothing", func(h *holdings) {}, true, "...."},
		{"a bitfield", func(h *holdings) { h.replace(bitfield("x..x")) }, true, "x..x"},
		{"HaveAll", func(h *holdings) { h.replace(&wire.Message{ID: wire.HaveAll}) }, true, "xxxx"},
		{"a bitfield and a HAVE", func(h *holdings) {
			h.replace(bitfield("x..."))
			h.addEarly(2)
		}, true, "x.x."},
		{"HaveNone after a bitfield", func(h *holdings) {
			h.replace(bitfield("x..."))
			h.replace(&wire.Message{ID: wire.HaveNone})
		}, true, "...."},
		{"a HAVE of a piece too many", func(h *holdings) { h.addEarly(4) }, false, ""},
		{"a bitfield of more bytes", func(h *holdings) { h.replace(bitfield("x........")) }, false,
			""},
	} {
		pick := pickerFor("....")
		var h holdings
		c.come(&h)
		if h.known() || h.pieces() != nil || h.count() != 0 || h.piece(0) || h.lacks(0) {
			t.Errorf("%s: something is known before the metadata", c.name)
		}
		if got := h.enter(pick); got != c.fits {
			t.Errorf("%s: fits %v, want %v", c.name, got, c.fits)
			continue
		}
		if !c.fits {
			if h.known() {
				t.Errorf("%s: it counts", c.name)
			}
			continue
		}
		want := picture(c.pieces)
		for piece := range uint32(4) {
			if has := want.Has(int(piece)); h.piece(piece) != has || h.lacks(piece) == has {
				t.Errorf("%s: piece %d is there: %v, want %v", c.name, piece, !has, has)
			}
		}
		if h.count() != want.Count() || h.isSeed() != want.All() {
			t.Errorf("%s: %d pieces, seed %v", c.name, h.count(), h.isSeed())
		}
	}
}

func TestHoldingsSeedBeforeTheMetadata(t *testing.T) {
	var h holdings
	if h.said() || h.isSeed() {
		t.Error("a peer that has said nothing is a seed, or has said something")
	}
	h.replace(&wire.Message{ID: wire.HaveAll})
	if !h.said() || !h.isSeed() {
		t.Error("a peer that has everything is no seed")
	}
}

// The HAVEs that come before the metadata are bounded, and so are their numbers.
func TestHoldingsEarlyBound(t *testing.T) {
	var h holdings
	for i := range earlyMax {
		if !h.addEarly(uint32(i)) {
			t.Fatalf("there is no room for HAVE %d", i)
		}
	}
	if h.addEarly(0) {
		t.Error("there is room for more than earlyMax")
	}
	if (&holdings{}).addEarly(wire.PiecesMax) {
		t.Error("a piece that no torrent can have is kept")
	}
}

// Useful is what we need of what the peer has.
func TestHoldingsUseful(t *testing.T) {
	for _, c := range []struct {
		ours, theirs string
		useful       int
	}{
		{"....", "xxxx", 4}, {"##..", "xxx.", 1}, {"##..", "xx..", 0}, {"--..", "xxxx", 2},
		{"####", "xxxx", 0}, {"#...", ".x..", 1},
	} {
		pick := pickerFor(c.ours)
		h := entered(t, c.theirs, pick)
		if h.useful != c.useful || h.interested() != (c.useful > 0) {
			t.Errorf("of %s %d pieces are useful to %s, interest %v; want %d", c.theirs, h.useful,
				c.ours, h.interested(), c.useful)
		}
		h.check(pick.Needed())
	}
}

func TestHoldingsGrowAndShrink(t *testing.T) {
	pick := pickerFor("#..-")
	h := entered(t, "x...", pick)
	for _, c := range []struct {
		do     func() bool
		why    string
		did    bool
		useful int
		turns  bool
	}{
		{func() bool { return h.add(0, pick) }, "a HAVE of a piece that it had", false, 0, false},
		{func() bool { return h.add(1, pick) }, "a HAVE of a piece that we need", true, 1, true},
		{func() bool { return h.add(3, pick) }, "a HAVE of an unwanted piece", true, 1, false},
		{func() bool { return h.add(2, pick) }, "the last HAVE", true, 2, false},
		{func() bool { h.lose(1, pick); return true }, "a loss", true, 1, false},
		{func() bool { h.need(2, false); return true }, "a piece came from others", true, 0, true},
		{func() bool { h.need(1, false); return true }, "and one that it lacks", true, 0, false},
		{func() bool { h.need(2, true); return true }, "and was lost again", true, 1, true},
	} {
		if got := c.do(); got != c.did || h.useful != c.useful {
			t.Errorf("%s: news %v, %d useful, want %v and %d", c.why, got, h.useful, c.did,
				c.useful)
		}
		if got := h.turn(); got != c.turns {
			t.Errorf("%s: our interest changes: %v, want %v", c.why, got, c.turns)
		}
	}
}

// A seed counts as one for the picker; once it has lost a piece its pieces count one by
// one.
func TestHoldingsOfASeed(t *testing.T) {
	pick := pickerFor("....")
	h := entered(t, "xxxx", pick)
	if pick.Seeds() != 1 {
		t.Fatalf("%d seeds, want 1", pick.Seeds())
	}
	if h.lose(2, pick); pick.Seeds() != 0 || pick.Availability(1) != 1 ||
		pick.Availability(2) != 0 || h.isSeed() {
		t.Errorf("after a loss: %d seeds, piece 1 with %d, piece 2 with %d", pick.Seeds(),
			pick.Availability(1), pick.Availability(2))
	}
	h.leave(pick)
	h.leave(pick)
	for piece := range uint32(4) {
		if n := pick.Availability(piece); n != 0 {
			t.Errorf("piece %d is with %d peers after the last has left", piece, n)
		}
	}
	pick.Check()
}

// A bitfield that only adds pieces is handled as HAVEs; any other replaces what was known.
func TestHoldingsMore(t *testing.T) {
	pick := pickerFor("....")
	h := entered(t, "xx..", pick)
	for _, c := range []struct {
		pieces string
		more   bool
	}{
		{"xxx.", true}, {"xxxx", true}, {"xx..", false}, {"x...", false}, {"x.xx", false},
		{"xxx......", false},
	} {
		if got := h.more(picture(c.pieces).AppendWire(nil), 4) != nil; got != c.more {
			t.Errorf("%s after xx..: more %v, want %v", c.pieces, got, c.more)
		}
	}
	if (&holdings{}).more(picture("xxxx").AppendWire(nil), 4) != nil {
		t.Error("a first bitfield adds to nothing")
	}
}

// A peer that repeats what it has is told of our interest only when that changes.
func TestHoldingsKeepOurInterest(t *testing.T) {
	pick := pickerFor("....")
	h := entered(t, "x...", pick)
	h.leave(pick)
	h.replace(bitfield("xx.."))
	if !h.enter(pick) || h.turn() || !h.interested() {
		t.Error("our interest changed although the peer still has something")
	}
	h.leave(pick)
	h.replace(&wire.Message{ID: wire.HaveNone})
	if !h.enter(pick) || !h.turn() || h.interested() {
		t.Error("our interest did not end")
	}
}

// What the counts say agrees with a recount, whatever happens.
func TestHoldingsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 50 {
		pick := pickerFor("#.......--")
		h := entered(t, "..........", pick)
		for range 200 {
			piece := uint32(r.IntN(10))
			switch r.IntN(4) {
			case 0:
				h.add(piece, pick)
			case 1:
				if h.piece(piece) {
					h.lose(piece, pick)
				}
			default:
				before := pick.Needed().Has(int(piece))
				pick.SetPriority(piece, picker.Priority(r.IntN(2)*int(picker.Normal)))
				if after := pick.Needed().Has(int(piece)); after != before {
					h.need(piece, after)
				}
			}
			h.turn()
			h.check(pick.Needed())
		}
		pick.Check()
	}
}
