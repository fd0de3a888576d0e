package core

import (
	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

// onBlock handles a block that came: each leads to one Store or one Discard.
func (t *Torrent) onBlock(e *Event) {
	n := int(e.Ref.Length)
	t.down.add(t.now, n)
	p := t.peers.heard(e.Peer, t.now)
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

// keep stores a block that was requested, if it is still needed. waited says whether we
// still waited for it; otherwise it was asked of another peer, or cancelled.
func (t *Torrent) keep(p *peer, waited bool, e *Event) {
	b := blockOf(e.Ref)
	if p.isServer() && p.has.lacks(b.Piece) { // it is distrusted
		t.pick.Release(b, uint32(p.ref))
		t.discard(e, WasteLate)
		return
	}
	if t.standing.isStalled() {
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
		p.trust.delivered()
		t.out.do(Action{Kind: Verify, Ref: block.Ref{Piece: b.Piece}})
	}
}

// discard gives the buffer of a block back and counts the block as waste.
func (t *Torrent) discard(e *Event, why Reason) {
	t.counters.wasted(why, int(e.Ref.Length))
	t.out.do(Action{Kind: Discard, Ref: e.Ref, Buf: e.Buf})
}

// validPiece reports whether an event of the driver names a piece.
func (t *Torrent) validPiece(piece uint32) bool {
	return t.pick != nil && int64(piece) < int64(t.pick.Pieces())
}

// onVerified records that we have a piece, and tells every peer at once: those that have
// it too, because a sole seed counts how far its pieces have spread.
func (t *Torrent) onVerified(piece uint32) {
	if !t.validPiece(piece) {
		return
	}
	defer t.hashes.verified(piece, t.now)
	var room [8]uint32
	senders := t.pick.Senders(piece, room[:0])
	needed := t.pick.Needed().Has(int(piece))
	if !t.pick.Verified(piece) {
		return
	}
	t.progress.verified(int(piece), needed)
	for _, ref := range senders {
		t.praise(PeerRef(ref))
	}
	if t.hashes.suspects(piece) {
		t.out.do(Action{Kind: HashBlocks, Ref: block.Ref{Piece: piece}})
	}
	for _, p := range t.peers.all() {
		if p.has.known() {
			if needed {
				p.has.need(piece, false)
			}
			t.out.sendPiece(p, wire.Have, piece)
		}
	}
	for _, p := range t.peers.snapshot() {
		t.showInterest(p)
	}
	t.checkComplete()
}

// checkComplete emits Complete once every wanted piece is there, and drops the peers that
// are of no use any more.
func (t *Torrent) checkComplete() {
	if !t.standing.finish(t.pick.Done() && (!t.cfg.MetadataOnly || t.hashes.layersKnown())) {
		return
	}
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
	t.standing.stall(err)
	t.requests.cancelPiece(piece, t.now)
	t.lose(piece)
	t.hashes.verified(piece, t.now)
	t.requests.halt(t.now)
}

// lose makes a piece that is wanted needed again.
func (t *Torrent) lose(piece uint32) {
	had := t.pick.State(piece) == picker.Have
	for _, ref := range t.pick.Senders(piece, nil) {
		if p := t.peers.live(PeerRef(ref)); p != nil {
			p.trust.lost()
		}
	}
	t.pick.Lost(piece)
	if had {
		t.onPieceLost(piece)
	}
	missed(t)
}

// onPieceLost tells every peer that we no longer have a piece, and counts what is missing.
func (t *Torrent) onPieceLost(piece uint32) {
	needed := t.pick.Needed().Has(int(piece))
	t.losses.add(piece, t.pick.Pieces())
	t.standing.unfinish(t.pick.Done())
	t.progress.lost(int(piece), needed)
	t.peers.tellLost(&t.out, piece)
	for _, p := range t.peers.all() {
		if needed && p.has.known() {
			p.has.need(piece, true)
			t.showInterest(p)
		}
	}
}

// onReadFailed records that a block could not be read: the piece counts as lost until it
// has been hashed again.
func (t *Torrent) onReadFailed(ref PeerRef, r block.Ref) {
	if p := t.peers.live(ref); p != nil {
		t.out.reject(p, r)
	}
	if t.validPiece(r.Piece) && t.pick.Recheck(r.Piece) {
		t.onPieceLost(r.Piece)
		t.out.do(Action{Kind: Verify, Ref: block.Ref{Piece: r.Piece}})
	}
	t.onSent(ref, 1)
}
