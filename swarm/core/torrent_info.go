package core

import (
	"math/rand/v2"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

// havesMax is how many HAVEs tell a peer what we found on disk after it had
// connected. With more, connecting again is cheaper: then they fit a bitfield.
const havesMax = 512

// onInfoReady starts the exchange of pieces.
func (t *Torrent) onInfoReady(e *Event) {
	if t.pick != nil || e.Info == nil {
		return
	}
	t.standing.ready()
	t.info, t.layout = e.Info, e.Info.Layout()
	t.pick = newPicker(t.layout, e, t.cfg.MetadataOnly, t.rng)
	t.requests.open(t.pick, t.layout)
	t.choker.Start(t.pick, t.layout.PieceLength, t.layout.PieceSize)
	t.meta = nil
	t.answers.open(t.info, t.pick.Have())
	t.hashes.open(t.now, t.info, t.pick, e.Late)
	t.progress = newProgress(t.layout, e.Parts, t.pick.Have(), t.pick.Needed())
	if t.info.Private() {
		t.onPrivate()
	}
	many := t.pick.Have().Count() > havesMax
	for _, p := range t.peers.snapshot() {
		switch {
		case many:
			t.drop(p, ReasonRefresh)
		case t.hashes.mayUpgrade(p):
			t.drop(p, ReasonUpgrade)
		}
	}
	t.hashes.ask(t.now) // before any piece, so that they come first
	for _, p := range t.peers.snapshot() {
		t.tellInfo(p)
	}
	t.checkComplete()
}

// newPicker returns a picker for the pieces that an InfoReady names: for none at all if
// only the metadata is wanted. Sets of another number of pieces count as none.
func newPicker(layout *metainfo.Layout, e *Event, metadataOnly bool,
	rng *rand.Rand) *picker.Picker {
	pieces := layout.Pieces()
	have, need := e.Have, e.Need
	if have != nil && have.Len() != pieces || metadataOnly {
		have = nil
	}
	if need != nil && need.Len() != pieces {
		need = nil
	}
	if metadataOnly {
		need = bits.New(pieces)
	}
	pick := picker.New(piecesOf{layout}, have, rng)
	for piece := 0; need != nil && piece < pieces; piece++ {
		if !need.Has(piece) {
			pick.SetPriority(uint32(piece), picker.Skip)
		}
	}
	return pick
}

// piecesOf is a layout as the picker sees it.
type piecesOf struct{ *metainfo.Layout }

// Blocks returns how many blocks a piece has.
func (p piecesOf) Blocks(piece int) int {
	return (p.PieceSize(piece) + block.Size - 1) / block.Size
}

// tellInfo brings a connection up to date that was made before the metadata
// was known.
func (t *Torrent) tellInfo(p *peer) {
	if p.extended {
		t.sendExtHandshake(p)
	}
	for piece := range t.pick.Have().Members() {
		t.out.sendPiece(p, wire.Have, uint32(piece))
	}
	t.countPieces(p)
}

// onInfoFailed gives up: a torrent whose metadata cannot be used needs no peers.
func (t *Torrent) onInfoFailed(err error) {
	if t.pick != nil {
		return
	}
	t.meta = nil
	t.standing.refuse(err)
	for _, p := range t.peers.snapshot() {
		t.drop(p, ReasonUseless)
	}
}
