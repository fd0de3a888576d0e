package core

import "swarmnode/swarm/wire"

// onPieces records a bitfield, HaveAll or HaveNone. A repeated message replaces
// what was known: common clients do send them again. aria2 does so in place of a
// few HAVEs, some hundred times in a download, so a bitfield that only adds
// pieces is no fault: it takes no more time than its length and those HAVEs.
func (t *Torrent) onPieces(p *peer, m *wire.Message) {
	if !p.has.said() {
		p.flood.sound()
	}
	if t.pick == nil {
		p.has.replace(m)
		return
	}
	if m.ID == wire.Bitfield && t.onMorePieces(p, m.Payload) {
		return
	}
	if !p.isServer() { // whose messages are our own
		t.strike(p, strikePieces)
	}
	if p.gone {
		return
	}
	p.has.leave(t.pick)
	t.choker.Knows(t.now, p.slot, nil)
	p.has.replace(m)
	t.countPieces(p)
}

// onMorePieces handles a bitfield as HAVEs of the pieces that it adds. It reports
// whether there are any, and no piece that the peer had is missing.
func (t *Torrent) onMorePieces(p *peer, raw []byte) bool {
	set := p.has.more(raw, t.pick.Pieces())
	if set == nil {
		return false
	}
	p.flood.sound()
	for piece := range set.Members() {
		if p.has.piece(uint32(piece)) {
			continue
		}
		if t.onHave(p, uint32(piece)); p.gone {
			break
		}
	}
	return true
}

// countPieces makes p's pieces count, or drops p if they do not fit the torrent.
func (t *Torrent) countPieces(p *peer) {
	if !p.has.enter(t.pick) {
		t.drop(p, ReasonProtocol)
		return
	}
	t.showInterest(p)
	t.grantFast(p)
	t.hashes.counted(p.ref, t.now)
	t.choker.Knows(t.now, p.slot, p.has.pieces())
	t.carryOut()
	if t.useless(p) {
		t.drop(p, ReasonUseless)
	}
}

// onHave records that p has got a piece.
func (t *Torrent) onHave(p *peer, piece uint32) {
	if t.pick == nil {
		if !p.has.addEarly(piece) {
			t.drop(p, ReasonProtocol)
		}
		return
	}
	if !t.validPiece(piece) {
		t.drop(p, ReasonProtocol)
		return
	}
	if !p.has.known() { // HAVEs in place of a bitfield
		if t.countPieces(p); p.gone {
			return
		}
	}
	if !p.has.add(piece, t.pick) {
		p.flood.pointless()
		return
	}
	p.flood.sound()
	t.choker.Spread(t.now, piece)
	t.carryOut()
	if t.pick.Needed().Has(int(piece)) {
		t.showInterest(p)
		if p.ask.waiting() == 0 {
			t.requests.refill(p, t.now)
		}
	}
	if p.has.isSeed() && t.useless(p) {
		t.drop(p, ReasonUseless)
	}
}

// onDontHave records that p has lost a piece (BEP 54).
func (t *Torrent) onDontHave(p *peer, piece uint32) {
	if !t.validPiece(piece) || !p.has.piece(piece) {
		return
	}
	p.has.lose(piece, t.pick)
	t.showInterest(p)
	if p.ask.explained(piece, t.now) {
		t.requests.refillSoon(t.now)
	}
}

// showInterest tells p whether it has anything for us, when that changes.
func (t *Torrent) showInterest(p *peer) {
	switch {
	case !p.has.turn():
	case p.interesting():
		t.out.sendID(p, wire.Interested)
		t.requests.refill(p, t.now) // it may have unchoked us before
	default:
		t.out.sendID(p, wire.NotInterested)
	}
}

// sendPieces says which pieces we have: the first message on a connection.
func (t *Torrent) sendPieces(p *peer) {
	switch {
	case t.pick == nil || t.pick.Have().None():
		if p.fast {
			t.out.sendID(p, wire.HaveNone)
		}
	case t.choker.Hides():
		if p.fast {
			t.out.sendID(p, wire.HaveNone)
		}
		t.choker.Cover() // countPieces reveals the first piece
	case t.pick.Have().All() && p.fast:
		t.out.sendID(p, wire.HaveAll)
	default:
		t.out.send(p, wire.Message{ID: wire.Bitfield, Payload: t.pick.Have().AppendWire(nil)})
	}
}
