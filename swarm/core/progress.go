package core

import (
	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/picker"
)

// progress counts the bytes of files that are there and that are not. Padding
// (BEP 47) counts in none of them.
//
//	got <= wanted <= all, and have+left <= all
type progress struct {
	layout *metainfo.Layout
	parts  []int32 // bytes of wanted files in each piece; nil for all

	all, have, left int64 // in all, verified, and in needed pieces
	wanted, got     int64 // of the files that are wanted, and of them verified
}

// newProgress returns the progress of a torrent that has the pieces have and needs
// the pieces needed. Parts of another number of pieces count as none.
func newProgress(layout *metainfo.Layout, parts []int32, have, needed *bits.Set) progress {
	g := progress{layout: layout}
	g.want(parts)
	g.recount(have, needed)
	return g
}

// want changes how many bytes of each piece are of wanted files, before recount.
func (g *progress) want(parts []int32) {
	if len(parts) != g.layout.Pieces() {
		parts = nil
	}
	g.parts = parts
}

// recount finds out how many bytes of files there are, and where they are.
func (g *progress) recount(have, needed *bits.Set) {
	g.all, g.have, g.left, g.got = g.layout.Size(), 0, 0, 0
	for piece := range have.Members() {
		g.have += g.size(piece)
		g.got += g.wantedIn(piece)
	}
	if g.wanted = g.all; g.parts != nil {
		g.wanted = 0
		for _, n := range g.parts {
			g.wanted += int64(n)
		}
	}
	for piece := range needed.Members() {
		g.left += g.size(piece)
	}
}

// size returns how many bytes of a piece are of files.
func (g *progress) size(piece int) int64 { return int64(g.layout.ContentSize(piece)) }

// wantedIn returns how many bytes of a piece are of files that are wanted.
func (g *progress) wantedIn(piece int) int64 {
	if g.parts != nil {
		return int64(g.parts[piece])
	}
	return g.size(piece)
}

// verified records that a piece is there, which was needed or was not.
func (g *progress) verified(piece int, needed bool) {
	g.have += g.size(piece)
	g.got += g.wantedIn(piece)
	if needed {
		g.left -= g.size(piece)
	}
}

// lost records that a piece is there no longer, which is needed again or is not.
func (g *progress) lost(piece int, needed bool) {
	g.have -= g.size(piece)
	g.got -= g.wantedIn(piece)
	if needed {
		g.left += g.size(piece)
	}
}

// check panics when the counts differ from the pieces.
func (g *progress) check(have, needed *bits.Set) {
	again := *g
	again.recount(have, needed)
	if again.have != g.have || again.left != g.left || again.got != g.got {
		panic("core: the bytes of progress are wrong")
	}
}

// need records that a piece is needed that was not, or is needed no longer.
func (g *progress) need(piece int, needed bool) {
	if needed {
		g.left += g.size(piece)
	} else {
		g.left -= g.size(piece)
	}
}

// missing returns how many bytes of files, wanted or not, are not there.
func (g *progress) missing() int64 { return g.all - g.have }

// show puts the pieces and the bytes into a snapshot.
func (g *progress) show(s *Snapshot, pick *picker.Picker) {
	s.Pieces = pick.Pieces()
	s.PiecesHave = pick.Count(picker.Have)
	s.PiecesWanted = s.PiecesHave + pick.Needed().Count()
	s.Length, s.Have, s.Left, s.Wanted, s.Got = g.all, g.have, g.left, g.wanted, g.got
}
