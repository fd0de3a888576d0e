package core

import (
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/choke"
	"swarmnode/swarm/wire"
)

// uploadLink is what the upload policy may ask about a peer.
type uploadLink peer

func (l *uploadLink) Got() int64                       { return l.down.sum() }
func (l *uploadLink) GotRate(now time.Duration) int64  { return l.down.rate(now) }
func (l *uploadLink) Sent() int64                      { return l.up.sum() }
func (l *uploadLink) SentRate(now time.Duration) int64 { return l.up.rate(now) }
func (l *uploadLink) Interesting() bool                { return l.has.interested() }
func (l *uploadLink) Asked() bool                      { return l.ask.waiting() > 0 }

// carryOut does what the upload policy has decided. It follows each call that may
// have led to a decision.
func (t *Torrent) carryOut() {
	for _, s := range t.choker.Plan() {
		if s.Kind == choke.ShowAll {
			t.showAll()
			continue
		}
		p := t.peers.live(PeerRef(s.Peer))
		switch s.Kind {
		case choke.Unchoke:
			t.out.sendID(p, wire.Unchoke)
		case choke.Choke:
			t.out.sendID(p, wire.Choke)
		case choke.Reject:
			t.out.reject(p, s.Block)
		case choke.Suggest:
			t.out.sendPiece(p, wire.Suggest, s.Block.Piece)
		case choke.Have:
			t.out.sendPiece(p, wire.Have, s.Block.Piece)
		case choke.Send:
			t.out.upload(p, s.Block)
		}
	}
	t.timers.set(timerUpload, t.choker.Next())
}

// showAll tells all peers of all pieces, when some were hidden from them (BEP 16).
func (t *Torrent) showAll() {
	for _, p := range t.peers.all() {
		for piece := range t.pick.Have().Members() {
			if !p.has.piece(uint32(piece)) {
				t.out.sendPiece(p, wire.Have, uint32(piece))
			}
		}
	}
	t.tellUploadOnly()
}

// onInterested records that p wants something from us.
func (t *Torrent) onInterested(p *peer) {
	if !t.choker.SetInterested(t.now, p.slot, true) {
		p.flood.pointless()
		return
	}
	t.carryOut()
}

// onNotInterested records that p wants nothing from us.
func (t *Torrent) onNotInterested(p *peer) {
	if !t.choker.SetInterested(t.now, p.slot, false) {
		p.flood.pointless()
		return
	}
	t.carryOut()
	if t.useless(p) {
		t.drop(p, ReasonUseless)
	}
}

// servable reports whether r lies within a piece and is of a size that an honest
// peer may ask for. What cannot be verified is not sent.
func (t *Torrent) servable(r block.Ref) bool {
	return t.validPiece(r.Piece) && t.layout.CanVerify(int(r.Piece)) &&
		r.Length > 0 && r.Length <= wire.RequestLengthMax &&
		uint64(r.Begin)+uint64(r.Length) <= uint64(t.layout.PieceSizePadded(int(r.Piece)))
}

// onRequest queues a request, or rejects it. With BEP 6 every request gets one
// answer.
func (t *Torrent) onRequest(p *peer, r block.Ref) {
	if !t.servable(r) || !t.pick.Have().Has(int(r.Piece)) {
		t.out.reject(p, r)
		if t.losses.has(r.Piece) {
			return // the peer was told that we have it, and need not know BEP 54
		}
		t.strike(p, strikeRequest)
		return
	}
	if r.Length > wire.ServeLengthMax {
		t.out.reject(p, r) // some clients can be told to ask for so much: no fault
		return
	}
	switch t.choker.Request(t.now, p.slot, r) {
	case choke.Queued:
		p.flood.sound()
		t.carryOut()
	case choke.Crowded:
		t.out.reject(p, r)
	case choke.NoSlot:
		// The request may have been on its way when we choked.
		t.out.reject(p, r)
		if t.now-p.slot.Since() > forgetAfter {
			t.strike(p, strikeRequest)
		}
	}
}

// onSent records that the writer is done with some blocks.
func (t *Torrent) onSent(ref PeerRef, count int) {
	p := t.peers.live(ref)
	if p == nil {
		return
	}
	flying := p.slot.Flying()
	flying = flying[:min(max(count, 0), len(flying))]
	for _, r := range flying {
		p.up.add(t.now, int(r.Length))
		t.up.add(t.now, int(r.Length))
	}
	if len(flying) > 0 {
		t.out.wrote(p)
		p.flood.useful()
	}
	t.choker.Sent(t.now, p.slot, len(flying))
	t.carryOut()
}

// onCancel takes a request out of the queue. If the block is with the writer already,
// the block is the answer.
func (t *Torrent) onCancel(p *peer, r block.Ref) {
	if !t.choker.Cancel(p.slot, r) {
		p.flood.pointless()
		return
	}
	t.out.reject(p, r)
}
