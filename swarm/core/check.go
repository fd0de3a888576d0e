package core

import (
	"swarmnode/swarm/picker"
)

const (
	checkPieces = 64
	checkEvery  = 256
)

// checks counts the steps, to choose the ones that are checked.
type checks struct{ steps uint64 }

// due reports whether a step should be checked. Those of large torrents are checked now
// and then, because a check takes time in proportion to the pieces.
func (c *checks) due(pick *picker.Picker) bool {
	c.steps++
	return pick == nil || pick.Pieces() <= checkPieces || c.steps%checkEvery == 0
}

// check panics when an invariant does not hold.
func (t *Torrent) check() {
	for _, p := range t.peers.all() {
		p.check(t)
	}
	checkPause(t)
	t.requests.check()
	t.book.Check()
	t.choker.Check()
	t.meta.check()
	t.hashes.check()
	t.answers.check()
	if t.pick != nil {
		t.pick.Check()
		t.progress.check(t.pick.Have(), t.pick.Needed())
	}
}

// check panics when an invariant of a peer does not hold.
func (p *peer) check(t *Torrent) {
	if p.gone {
		panic("core: a dropped peer is listed")
	}
	p.answer.check()
	p.flood.check()
	if t.pick == nil {
		return
	}
	p.has.check(t.pick.Needed())
}
