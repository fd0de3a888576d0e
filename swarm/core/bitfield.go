package core

import (
	"errors"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/wire"
)

// earlyMax bounds the HAVEs of one peer that are kept while the number of
// pieces is not known: what a quick peer gets while we fetch the metadata.
const earlyMax = 16 << 10

// holdings is what a peer says that it has.
type holdings struct {
	set     *bits.Set // nil until the metadata is known
	useful  int       // pieces of set that we need
	counted bool      // the picker was told of set
	asSeed  bool      // and as of a seed

	// What came before the metadata.
	all   bool
	raw   []byte
	early []uint32
}

func (h *holdings) isSeed() bool {
	return h.set != nil && h.set.All() || h.set == nil && h.all
}

// pieces returns the pieces that the peer has, nil while the metadata is not known.
func (h *holdings) pieces() *bits.Set { return h.set }

// lacks reports whether the peer has said that it does not have a piece.
func (h *holdings) lacks(piece uint32) bool { return h.counted && !h.set.Has(int(piece)) }

// settle makes the set of n pieces of what came before. It reports whether that
// fits.
func (h *holdings) settle(n int) bool {
	switch {
	case h.all:
		h.set = bits.Full(n)
	case h.raw != nil:
		set, err := bits.FromWire(h.raw, n)
		if err != nil && !errors.Is(err, bits.ErrSpare) {
			return false
		}
		h.set = set
	default:
		h.set = bits.New(n)
	}
	for _, piece := range h.early {
		if int64(piece) >= int64(n) {
			return false
		}
		h.set.Add(int(piece))
	}
	h.raw, h.early = nil, nil
	return true
}

// onPieces takes in a bitfield, HaveAll or HaveNone. A repeated one replaces
// what was known: common clients do send them again. aria2 does so in place of a
// few HAVEs, some hundred times in a download, so a bitfield that only adds
// pieces is no fault: it takes no more time than its length and those HAVEs.
func (t *Torrent) onPieces(p *peer, m *wire.Message) {
	h := &p.has
	if !h.counted && !h.all && h.raw == nil {
		p.flood.sound() // what it has, for the first time
	}
	if t.pick == nil {
		h.all, h.raw, h.early = m.ID == wire.HaveAll, nil, nil
		if m.ID == wire.Bitfield {
			h.raw = m.Payload
		}
		return
	}
	if m.ID == wire.Bitfield && t.grow(p, m.Payload) {
		return
	}
	if !p.isServer() { // whose messages are our own
		t.strike(p, strikePieces)
	}
	if p.gone {
		return
	}
	t.uncount(p)
	*h = holdings{all: m.ID == wire.HaveAll}
	if m.ID == wire.Bitfield {
		h.raw = m.Payload
	}
	t.count(p)
}

// grow takes in a bitfield like HAVEs of the pieces that it adds. It reports whether
// there are any, and none that was there before is missing.
func (t *Torrent) grow(p *peer, raw []byte) bool {
	h := &p.has
	if !h.counted {
		return false
	}
	set, err := bits.FromWire(raw, t.pick.Pieces())
	if err != nil && !errors.Is(err, bits.ErrSpare) {
		return false
	}
	if set.Count() <= h.set.Count() || h.set.AnyNotIn(set) {
		return false
	}
	p.flood.sound()
	for piece := range set.Members() {
		if h.set.Has(piece) {
			continue
		}
		if t.onHave(p, uint32(piece)); p.gone {
			break
		}
	}
	return true
}

// count makes p's pieces count, or drops p if they do not fit the torrent.
func (t *Torrent) count(p *peer) {
	h := &p.has
	if !h.settle(t.pick.Pieces()) {
		t.drop(p, ReasonProtocol)
		return
	}
	h.asSeed = h.set.All()
	t.pick.AddPeer(h.set, h.asSeed)
	h.counted = true
	t.recount(p)
	t.grantFast(p)
	if p.v2 && t.wantsHashes() {
		t.timers.by(timerHashes, t.now)
	}
	t.choker.Knows(t.now, p.slot, p.has.set)
	t.carryOut()
	if t.useless(p) {
		t.drop(p, ReasonUseless)
	}
}

func (t *Torrent) uncount(p *peer) {
	if p.has.counted {
		t.pick.RemovePeer(p.has.set, p.has.asSeed)
		p.has.counted = false
		t.choker.Knows(t.now, p.slot, nil)
	}
}

// recount finds out how many of p's pieces we need.
func (t *Torrent) recount(p *peer) {
	needed := t.pick.Needed()
	few, other := p.has.set, needed
	if needed.Count() < few.Count() {
		few, other = needed, p.has.set
	}
	p.has.useful = 0
	if p.has.set.All() {
		p.has.useful = needed.Count()
	} else {
		for piece := range few.Members() {
			if other.Has(piece) {
				p.has.useful++
			}
		}
	}
	t.showInterest(p)
}

// onHave records that p has got a piece.
func (t *Torrent) onHave(p *peer, piece uint32) {
	h := &p.has
	if t.pick == nil {
		if len(h.early) == earlyMax || piece >= wire.PiecesMax {
			t.drop(p, ReasonProtocol)
			return
		}
		h.early = append(h.early, piece)
		return
	}
	if int64(piece) >= int64(t.pick.Pieces()) {
		t.drop(p, ReasonProtocol)
		return
	}
	if !h.counted { // HAVEs in place of a bitfield
		if t.count(p); p.gone {
			return
		}
	}
	if !h.set.Add(int(piece)) {
		p.flood.pointless()
		return
	}
	p.flood.sound()
	if h.asSeed {
		return
	}
	t.pick.PeerHas(piece)
	t.choker.Spread(t.now, piece)
	t.carryOut()
	if t.pick.Needed().Has(int(piece)) {
		h.useful++
		t.showInterest(p)
		if p.ask.waiting() == 0 {
			t.requests.refill(p, t.now)
		}
	}
	if h.set.All() && t.useless(p) {
		t.drop(p, ReasonUseless)
	}
}

// onDontHave records that p has lost a piece (BEP 54).
func (t *Torrent) onDontHave(p *peer, piece uint32) {
	h := &p.has
	if t.pick == nil || !h.counted || int64(piece) >= int64(t.pick.Pieces()) {
		return
	}
	if !h.set.Has(int(piece)) {
		return
	}
	if h.asSeed { // from now on its pieces count one by one
		t.pick.RemovePeer(h.set, true)
		t.pick.AddPeer(h.set, false)
		h.asSeed = false
	}
	h.set.Remove(int(piece))
	t.pick.PeerLost(piece)
	if t.pick.Needed().Has(int(piece)) {
		h.useful--
		t.showInterest(p)
	}
	if p.ask.explained(piece, t.now) {
		t.requests.refillSoon(t.now)
	}
}

// showInterest tells p whether it has anything for us, when that changes.
func (t *Torrent) showInterest(p *peer) {
	wanted := p.has.useful > 0
	if wanted == p.interesting {
		return
	}
	p.interesting = wanted
	if wanted {
		t.out.sendID(p, wire.Interested)
		t.requests.refill(p, t.now) // it may have unchoked us before
		return
	}
	t.out.sendID(p, wire.NotInterested)
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
		t.choker.Cover() // count reveals the first piece
	case t.pick.Have().All() && p.fast:
		t.out.sendID(p, wire.HaveAll)
	default:
		t.out.send(p, wire.Message{ID: wire.Bitfield, Payload: t.pick.Have().AppendWire(nil)})
	}
}
