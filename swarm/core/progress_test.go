package core

import (
	"fmt"
	"testing"

	"swarmnode/swarm/bits"
)

// The bytes of a torrent of three pieces: two files of 20,000 and 10,000 bytes with
// padding between them, so the pieces hold 16,384, 3,616 and 10,000 bytes of files.
func progressOf(t *testing.T, parts []int32, have, needed string) (*progress, *bits.Set,
	*bits.Set) {
	t.Helper()
	layout := paddedInfo(t, 20_000, -12_768, 10_000).Layout()
	if layout.Pieces() != 3 {
		t.Fatalf("%d pieces, want 3", layout.Pieces())
	}
	h, n := picture(have), picture(needed)
	g := newProgress(layout, parts, h, n)
	return &g, h, n
}

func (g *progress) picture() string {
	return fmt.Sprintf("all %d have %d left %d wanted %d got %d", g.all, g.have, g.left, g.wanted,
		g.got)
}

func TestProgressCounts(t *testing.T) {
	for _, c := range []struct {
		name         string
		parts        []int32
		have, needed string
		want         string
	}{
		{"nothing is there", nil, "...", "xxx", "all 30000 have 0 left 30000 wanted 30000 got 0"},
		{"the first piece", nil, "x..", ".xx",
			"all 30000 have 16384 left 13616 wanted 30000 got 16384"},
		{"padding does not count", nil, ".x.", "x.x",
			"all 30000 have 3616 left 26384 wanted 30000 got 3616"},
		{"only the second file is wanted", []int32{0, 0, 10_000}, "x..", "..x",
			"all 30000 have 16384 left 10000 wanted 10000 got 0"},
		{"parts of another torrent", []int32{1, 2}, "...", "xxx",
			"all 30000 have 0 left 30000 wanted 30000 got 0"},
	} {
		g, _, _ := progressOf(t, c.parts, c.have, c.needed)
		if got := g.picture(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// What is counted step by step is what a recount finds.
func TestProgressFollows(t *testing.T) {
	g, have, needed := progressOf(t, []int32{16_384, 3616, 0}, "...", "xx.")
	agree := func(what string) {
		t.Helper()
		again := newProgress(g.layout, g.parts, have, needed)
		if g.picture() != again.picture() {
			t.Errorf("%s: %s, a recount says %s", what, g.picture(), again.picture())
		}
	}
	agree("at the beginning")
	g.verified(1, true)
	have.Add(1)
	needed.Remove(1)
	agree("a needed piece came")
	g.verified(2, false)
	have.Add(2)
	agree("a piece came that was not needed")
	g.need(0, false)
	needed.Remove(0)
	agree("a piece is needed no longer")
	g.need(0, true)
	needed.Add(0)
	agree("it is needed again")
	g.lost(1, true)
	have.Remove(1)
	needed.Add(1)
	agree("a piece was lost")
	g.lost(2, false)
	have.Remove(2)
	agree("a piece was lost that is not needed")
	defer func() {
		if recover() == nil {
			t.Error("wrong counts pass the check")
		}
	}()
	g.check(have, needed)
	g.lost(0, true)
	g.check(have, needed)
	if g.missing() != 20_000 {
		t.Errorf("%d bytes are missing, want 20,000", g.missing())
	}
}

func TestNewPickerForInfo(t *testing.T) {
	layout := testInfo(4, 16384, 4*16384).Layout()
	for _, c := range []struct {
		name         string
		e            Event
		metadataOnly bool
		have, needed int
	}{
		{"nothing is there", Event{}, false, 0, 4},
		{"some of it", Event{Have: picture("x.x.")}, false, 2, 2},
		{"some of it is wanted", Event{Have: picture("x..."), Need: picture("xx..")}, false, 1, 1},
		{"sets of another torrent", Event{Have: picture("xxx"), Need: picture("x")}, false, 0, 4},
		{"only the metadata is wanted", Event{Have: picture("x..."), Need: picture("xxxx")}, true,
			0, 0},
	} {
		pick := newPicker(layout, &c.e, c.metadataOnly, nil)
		if got := pick.Have().Count(); got != c.have {
			t.Errorf("%s: %d pieces are there, want %d", c.name, got, c.have)
		}
		if got := pick.Needed().Count(); got != c.needed {
			t.Errorf("%s: %d pieces are needed, want %d", c.name, got, c.needed)
		}
	}
}
