package core

import (
	"slices"

	"swarmnode/swarm/wire"
)

const (
	// allowedMax bounds the pieces that a peer may let us ask for while it
	// chokes us.
	allowedMax = 64
	// suggestedMax bounds the suggestions of a peer that are kept: the last
	// ones.
	suggestedMax = 32
	// grantBelow is the number of pieces from which on a peer is not let ask
	// for any while choked: it has something to trade (BEP 6, "Allowed Fast").
	grantBelow = wire.AllowedFastMax
)

// fastState is what two peers granted each other (BEP 6).
type fastState struct {
	allowed   []uint32 // it lets us ask for these while it chokes us
	suggested []uint32 // it would rather send these, oldest first
}

// mayAsk returns the pieces that the peer may be asked for while it chokes us.
func (f *fastState) mayAsk() []uint32 { return f.allowed }

// hints returns the pieces that the peer would rather send, oldest first.
func (f *fastState) hints() []uint32 { return f.suggested }

// revoke takes back that the peer may be asked for a piece while it chokes us. It
// reports whether that was so.
func (f *fastState) revoke(piece uint32) bool {
	i := slices.Index(f.allowed, piece)
	if i < 0 {
		return false
	}
	f.allowed = slices.Delete(f.allowed, i, i+1)
	return true
}

// onAllowedFast records that a piece may be asked for while choked. It may be
// of no use: the sender need not have it.
func (t *Torrent) onAllowedFast(p *peer, piece uint32) {
	f := &p.fastx
	if t.pick != nil && !t.validPiece(piece) {
		t.drop(p, ReasonProtocol)
		return
	}
	if len(f.allowed) == allowedMax || slices.Contains(f.allowed, piece) {
		p.flood.pointless()
		return
	}
	f.allowed = append(f.allowed, piece)
	t.requests.refill(p, t.now)
}

// onSuggest records that a piece would suit the peer.
func (t *Torrent) onSuggest(p *peer, piece uint32) {
	f := &p.fastx
	if t.pick != nil && !t.validPiece(piece) {
		t.drop(p, ReasonProtocol)
		return
	}
	if p.isServer() {
		p.ask.readOn() // it can do nothing but read on
		return
	}
	if slices.Contains(f.suggested, piece) {
		p.flood.pointless()
		return
	}
	if len(f.suggested) == suggestedMax {
		f.suggested = slices.Delete(f.suggested, 0, 1)
	}
	f.suggested = append(f.suggested, piece)
	if p.ask.waiting() == 0 {
		t.requests.refill(p, t.now)
	}
}

// dropHints forgets allowed and suggested pieces that the torrent does not
// have, once their number is known.
func (f *fastState) dropHints(pieces int) {
	beyond := func(piece uint32) bool { return int64(piece) >= int64(pieces) }
	f.allowed = slices.DeleteFunc(f.allowed, beyond)
	f.suggested = slices.DeleteFunc(f.suggested, beyond)
}

// grantFast lets a peer that has little ask for a few pieces at once, so that
// it gets something to trade. Not so as the only source of pieces: those of one
// network would all get the same ones.
func (t *Torrent) grantFast(p *peer) {
	p.fastx.dropHints(t.pick.Pieces())
	if !p.fast || p.slot.Granted() > 0 || p.has.count() >= grantBelow || t.choker.Sole() {
		return
	}
	for _, piece := range t.granted(p) {
		if t.pick.Have().Has(int(piece)) && p.has.lacks(piece) {
			p.slot.Grant(piece)
			t.out.sendPiece(p, wire.AllowedFast, piece)
		}
	}
}
