package core

import (
	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

// havesMax is how many HAVEs tell a peer what we found on disk after it had
// connected. With more, connecting anew is cheaper: then they fit a bitfield.
const havesMax = 512

// onInfoReady starts the exchange of pieces.
func (t *Torrent) onInfoReady(e *Event) {
	info, have := e.Info, e.Have
	if t.pick != nil || info == nil {
		return
	}
	t.opening, t.unusable = false, nil
	t.info, t.layout, t.parts = info, info.Layout(), e.Parts
	if len(t.parts) != t.layout.Pieces() {
		t.parts = nil
	}
	pieces := t.layout.Pieces()
	if have != nil && have.Len() != pieces || t.cfg.MetadataOnly {
		have = nil
	}
	t.pick = picker.New(piecesOf{t.layout}, have, t.rng)
	t.requests.open(t.pick, t.layout)
	t.choker.Start(t.pick, t.layout.PieceLength, t.layout.PieceSize)
	need := e.Need
	if need != nil && need.Len() != pieces {
		need = nil
	}
	if t.cfg.MetadataOnly {
		need = bits.New(pieces)
	}
	for piece := 0; need != nil && piece < pieces; piece++ {
		if !need.Has(piece) {
			t.pick.SetPriority(uint32(piece), picker.Skip)
		}
	}
	t.endMetadata()
	t.learnV2()
	t.startHashes(e.Late)
	t.countBytes()
	if info.Private() {
		t.onPrivate()
	}
	many := t.pick.Have().Count() > havesMax
	for _, p := range t.peers.snapshot() {
		switch {
		case many:
			t.drop(p, ReasonRefresh)
		case t.mayUpgrade(p):
			t.drop(p, ReasonUpgrade)
		}
	}
	t.askHashes() // before any piece, so that they come first
	for _, p := range t.peers.snapshot() {
		t.tellInfo(p)
	}
	t.checkComplete()
}

// piecesOf is a layout as the picker sees it.
type piecesOf struct{ *metainfo.Layout }

// Blocks returns how many blocks a piece has.
func (p piecesOf) Blocks(piece int) int {
	return (p.PieceSize(piece) + block.Size - 1) / block.Size
}

func (t *Torrent) blocksOf(piece int) int { return piecesOf{t.layout}.Blocks(piece) }

// counts are bytes of files, without padding.
type counts struct {
	all, have, left int64 // in all, verified, and in needed pieces
	wanted, got     int64 // of the files that are wanted, and of them verified
}

// wantedIn returns how many bytes of a piece are of files that are wanted.
func (t *Torrent) wantedIn(piece int) int64 {
	if t.parts != nil {
		return int64(t.parts[piece])
	}
	return int64(t.layout.ContentSize(piece))
}

// countBytes finds out how many bytes of files there are, and where they are.
func (t *Torrent) countBytes() {
	t.bytes = counts{all: t.layout.Size()}
	for piece := range t.pick.Have().Members() {
		t.bytes.have += int64(t.layout.ContentSize(piece))
		t.bytes.got += t.wantedIn(piece)
	}
	if t.bytes.wanted = t.bytes.all; t.parts != nil {
		t.bytes.wanted = 0
		for _, n := range t.parts {
			t.bytes.wanted += int64(n)
		}
	}
	for piece := range t.pick.Needed().Members() {
		t.bytes.left += int64(t.layout.ContentSize(piece))
	}
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
	t.count(p)
}

func (t *Torrent) onInfoFailed(err error) {
	if t.pick != nil {
		return
	}
	t.opening, t.unusable = false, err
	for _, p := range t.peers.snapshot() {
		t.drop(p, ReasonUseless)
	}
}

// onBlock takes in a block: it leads to one Store or one Discard.
func (t *Torrent) onBlock(e *Event) {
	n := int(e.Ref.Length)
	t.down.add(t.now, n)
	p := t.heard(e.Peer)
	if p == nil {
		t.discard(e, WasteClosed)
		return
	}
	p.down.add(t.now, n)
	waited, asked := t.requests.answered(p, e.Ref, t.now)
	if !asked {
		t.discard(e, ReasonUnsolicited)
		p.flood.came(n)
		t.strike(p, strikeUnsolicited)
		return
	}
	t.keep(p, waited, e)
	t.requests.refill(p, t.now)
}

// keep stores a block that was asked for, if it is still of use. We waited for it,
// or it was asked elsewhere.
func (t *Torrent) keep(p *peer, waited bool, e *Event) {
	b := blockOf(e.Ref)
	if p.isServer() && !p.has.set.Has(int(b.Piece)) { // it is distrusted
		t.pick.Release(b, uint32(p.ref))
		t.discard(e, WasteLate)
		return
	}
	if t.stalled != nil {
		t.pick.Release(b, uint32(p.ref))
		t.discard(e, WasteStorage)
		return
	}
	got := t.pick.Received(b, uint32(p.ref))
	if !got.Fresh {
		why := WasteDuplicate
		if !waited {
			why = WasteLate
		}
		t.discard(e, why)
		return
	}
	p.flood.useful()
	t.out.do(Action{Kind: Store, Ref: e.Ref, Buf: e.Buf})
	if got.Other != 0 {
		t.requests.cancelBlock(PeerRef(got.Other), e.Ref, t.now)
	}
	if got.Complete {
		p.trust.awaited = p.trust.onProbation()
		t.out.do(Action{Kind: Verify, Ref: block.Ref{Piece: b.Piece}})
	}
}

func (t *Torrent) discard(e *Event, why Reason) {
	t.counters.wasted(why, int(e.Ref.Length))
	t.out.do(Action{Kind: Discard, Ref: e.Ref, Buf: e.Buf})
}

// validPiece reports whether an event of the driver names a piece.
func (t *Torrent) validPiece(piece uint32) bool {
	return t.pick != nil && int64(piece) < int64(t.pick.Pieces())
}

// onVerified makes a piece ours and says so at once: to those who lack it, and
// to those who have it, because a seed goes by what was passed on.
func (t *Torrent) onVerified(piece uint32) {
	if !t.validPiece(piece) {
		return
	}
	t.lateDone(piece)
	defer t.checkSecond(piece)
	t.senders = t.pick.Senders(piece, t.senders[:0])
	needed := t.pick.Needed().Has(int(piece))
	if !t.pick.Verified(piece) {
		return
	}
	size := int64(t.layout.ContentSize(int(piece)))
	t.bytes.have += size
	t.bytes.got += t.wantedIn(int(piece))
	if needed {
		t.bytes.left -= size
	}
	for _, ref := range t.senders {
		t.praise(PeerRef(ref))
	}
	t.reviewBlame(piece)
	for _, p := range t.peers.all() {
		if !p.has.counted {
			continue
		}
		if needed && p.has.set.Has(int(piece)) {
			p.has.useful--
		}
		t.out.sendPiece(p, wire.Have, piece)
	}
	for _, p := range t.peers.snapshot() {
		if p.has.counted {
			t.showInterest(p)
		}
	}
	t.checkComplete()
}

// checkComplete says so when every wanted piece is there, and lets those go
// who can be of no use any more.
func (t *Torrent) checkComplete() {
	if !t.pick.Done() || t.cfg.MetadataOnly && !t.HashesKnown() {
		t.complete = false
		return
	}
	if t.complete {
		return
	}
	t.complete = true
	t.out.do(Action{Kind: Complete})
	if t.cfg.MetadataOnly {
		return
	}
	t.tellUploadOnly()
	for _, p := range t.peers.snapshot() {
		if t.useless(p) {
			t.drop(p, ReasonUseless)
		}
	}
	t.choker.Complete(t.now)
	t.carryOut()
}

// onStorageFailed stops the download until storage works again.
func (t *Torrent) onStorageFailed(piece uint32, err error) {
	if !t.validPiece(piece) {
		return
	}
	t.stalled = err
	if err == nil {
		t.stalled = errStorage
	}
	t.requests.cancelPiece(piece, t.now)
	t.lose(piece)
	t.lateDone(piece)
	t.checkSecond(piece)
	t.requests.halt(t.now)
}

// lose makes a piece needed again, as far as it is wanted.
func (t *Torrent) lose(piece uint32) {
	had := t.pick.State(piece) == picker.Have
	for _, ref := range t.pick.Senders(piece, nil) {
		if p := t.peers.live(PeerRef(ref)); p != nil {
			p.trust.awaited = false
		}
	}
	t.pick.Lost(piece)
	if had {
		t.tellLost(piece)
		t.lacks()
	}
}

// tellLost takes the HAVE of a piece back (BEP 54).
func (t *Torrent) tellLost(piece uint32) {
	for _, p := range t.peers.all() {
		if n := p.ext.numbers.Number(wire.ExtDontHave); n != 0 {
			t.out.sendExtended(p, n, wire.AppendDontHave(nil, piece))
		}
	}
}

// lacks settles what follows when a piece that we had is needed again.
func (t *Torrent) lacks() {
	t.complete = t.complete && t.pick.Done()
	t.countBytes()
	for _, p := range t.peers.all() {
		if p.has.counted {
			t.recount(p)
		}
	}
}

func (t *Torrent) onStorageWorks() {
	if t.stalled != nil {
		t.stalled = nil
		t.requests.refillSoon(t.now)
	}
}

// onReadFailed records that a block could not be read: the piece is not
// trusted until it was hashed again.
func (t *Torrent) onReadFailed(ref PeerRef, r block.Ref) {
	if p := t.peers.live(ref); p != nil && p.fast {
		t.out.sendRef(p, wire.Reject, r)
	}
	if t.validPiece(r.Piece) && t.pick.Recheck(r.Piece) {
		t.tellLost(r.Piece)
		t.lacks()
		t.out.do(Action{Kind: Verify, Ref: block.Ref{Piece: r.Piece}})
	}
	t.onSent(ref, 1)
}
