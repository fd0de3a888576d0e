package core

import (
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/hashes"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

// hashing is what a torrent does about the hashes that the metadata of v2 leaves out
// (BEP 52). The package hashes decides; here its decisions become messages, and
// states of pieces.
type hashing struct {
	search   hashes.Search
	server   hashes.Server
	deferred hashes.Deferred
	recheck  hashes.Recheck
	blame    hashes.Blame
}

// hashPeers is the table of peers as a hashes.Search sees it.
type hashPeers struct{ table *peerTable }

func (h hashPeers) IsSeed(peer uint32) bool {
	p := h.table.live(PeerRef(peer))
	return p != nil && p.has.isSeed()
}

func (h hashPeers) HasPiece(peer uint32, piece int) bool {
	p := h.table.live(PeerRef(peer))
	return p != nil && p.has.piece(uint32(piece))
}

// join makes a peer one that can tell hashes if its link has the v2 info-hash. Common
// clients end a link of the v1 hash on which messages of BEP 52 come.
func (h *hashing) join(p *peer, long metainfo.Hash256) {
	if long != (metainfo.Hash256{}) && p.hash == long.Short() {
		h.search.Join(uint32(p.ref))
	}
}

// onV2 reports whether the link of a peer has the v2 info-hash.
func (h *hashing) onV2(ref PeerRef) bool { return h.search.Has(uint32(ref)) }

// leave forgets a peer that is gone. It reports whether others are to be asked for what
// the peer was asked for.
func (h *hashing) leave(ref PeerRef) bool {
	h.server.Leave(uint32(ref))
	return h.search.Leave(uint32(ref))
}

// mayTell reports whether hashes are missing that a peer has not refused to tell.
func (h *hashing) mayTell(ref PeerRef) bool {
	return h.search.Wants() && h.search.Promising(uint32(ref))
}

// askable returns the pieces of have that may be asked for: of a hybrid those that can
// be compared with both hashes, or all of them when the second ones will hardly come.
func (h *hashing) askable(now time.Duration, have *bits.Set) *bits.Set {
	if !h.recheck.Waits(now) || !h.search.CanTell(now) {
		return have
	}
	return h.recheck.Among(have)
}

// awaitsData reports whether nothing is asked for yet: as long as no deferred piece has
// turned out to be right, what lies on disk may be somebody else's.
func (h *hashing) awaitsData(have *bits.Set) bool { return h.deferred.Active() && have.None() }

// mayUpgrade reports whether the link to p should be replaced: the metadata has shown that
// the torrent is a hybrid, of which the peer knows the v2 side too, but the link is one of
// v1, on which no piece layer is told (BEP 52, "upgrade path").
func (h *hashing) mayUpgrade(l *metainfo.Layout, p *peer) bool {
	return l.Kind() == metainfo.Hybrid && p.knowsV2 && !h.onV2(p.ref) && p.listen.IsValid() &&
		!l.HashesKnown()
}

// startHashes begins to look for missing hashes, once the metadata is known. late are
// the pieces whose data is there and cannot be verified yet, if any: they are verified
// before anything is asked of peers.
func (t *Torrent) startHashes(late *bits.Set) {
	if long, ok := t.info.HashV2(); ok {
		t.cfg.HashV2 = long
	}
	h, kind, files := &t.hashes, t.layout.Kind(), 0
	for _, p := range t.peers.all() {
		h.join(p, t.cfg.HashV2)
	}
	if kind.HasV2() {
		files = len(t.layout.Files)
	}
	h.search.Begin(t.layout, files, hashPeers{&t.peers})
	h.server.Begin(t.layout, t.pick.Have().Has, wire.HashRangeSize)
	switch {
	case kind == metainfo.Hybrid && !t.layout.HashesKnown():
		t.timers.by(timerRefill, h.recheck.Begin(t.now, t.layout.Pieces(), t.layout.KnowsTree))
	case kind == metainfo.V2 && late != nil && late.Len() == t.pick.Pieces():
		for piece := range late.Members() {
			t.pick.Hold(uint32(piece))
		}
		h.deferred.Begin(late)
	}
}

// checkHashes lets pieces be asked for whose hashes have become known, and verifies more
// of those that were waiting for their hashes.
func (t *Torrent) checkHashes() {
	h := &t.hashes
	standing := func(piece int) hashes.Standing { return standings[t.pick.State(uint32(piece))] }
	for run := range h.search.Known() {
		for piece := run.First; piece < min(run.End, t.pick.Pieces()); piece++ {
			h.recheck.Know(piece, standing(piece))
			if !h.deferred.Know(piece) {
				t.pick.Free(uint32(piece))
			}
		}
		t.requests.refillSoon(t.now)
	}
	for piece, ok := h.recheck.Next(standing); ok; piece, ok = h.recheck.Next(standing) {
		t.out.do(Action{Kind: Verify, Ref: block.Ref{Piece: uint32(piece)}})
	}
	h.recheck.Finish()
	for piece, ok := h.deferred.Next(); ok; piece, ok = h.deferred.Next() {
		if t.pick.Suppose(uint32(piece)) {
			t.out.do(Action{Kind: Verify, Ref: block.Ref{Piece: uint32(piece)}})
		} else {
			h.deferred.Done(piece)
		}
	}
	if h.deferred.Finish() {
		t.requests.refillSoon(t.now)
	}
}

// standings translates the states of a piece.
var standings = [...]hashes.Standing{picker.InFlight: hashes.Coming,
	picker.Unverified: hashes.Coming, picker.Have: hashes.There}

// checked records that a piece was verified, or cannot be, and verifies more of those that
// were waiting for their hashes.
func (t *Torrent) checked(piece uint32) {
	t.hashes.recheck.Done(int(piece))
	if t.hashes.deferred.Done(int(piece)) {
		t.requests.refillSoon(t.now)
	}
	t.checkHashes()
}

// failedCheck takes in that a piece has the wrong hash if it was verified because of
// hashes that came late, so that it is no peer's fault. It reports whether it was.
func (t *Torrent) failedCheck(piece uint32) bool {
	h := &t.hashes
	again, late := h.recheck.Done(int(piece)), h.deferred.Done(int(piece))
	if !again && !late {
		return false
	}
	defer t.checkHashes()
	if again && !t.pick.Recheck(piece) {
		return false // it could not be read meanwhile, and this is the answer to that, too
	}
	t.pick.Refuted(piece)
	if again { // both hashes are of the same content: it was damaged on disk
		t.tellLost(piece)
		t.onPieceLost()
		t.checkComplete()
	}
	t.requests.refillSoon(t.now)
	return true
}

// openBlame remembers a piece with a wrong hash, whose blocks have the given hashes. It
// reports whether the piece is held until its blocks are judged.
func (t *Torrent) openBlame(piece uint32, leaves []metainfo.Hash256) (held bool) {
	if len(leaves) != (piecesOf{t.layout}).Blocks(int(piece)) {
		return false
	}
	h := &t.hashes
	senders := make([]uint32, len(leaves))
	for i := range senders {
		senders[i] = t.pick.Sender(picker.Block{Piece: piece, Index: uint32(i)})
	}
	var except uint32
	if hashes.Alone(senders) {
		except = senders[0]
	}
	held = h.search.CanTellLeaves(t.now, piece, except)
	released, ok := h.blame.Open(t.now, piece, leaves, senders, held)
	for _, r := range released {
		h.search.ForgetLeaves(r.Piece)
		if r.Held {
			t.refute(r.Piece)
		}
	}
	if ok {
		h.search.WantLeaves(piece)
		t.timers.by(timerHashes, t.now)
	}
	return ok && held
}

// judge carries out what right hashes have shown of a piece: it bans the senders of wrong
// blocks, and once all blocks are judged it clears the other senders, and has the wrong
// blocks of a held piece fetched again.
func (t *Torrent) judge(v hashes.Verdict) {
	for _, ref := range v.Liars {
		t.banSender(PeerRef(ref), v.Piece) // first: what it sent of this piece and is right stays
	}
	if !v.Done {
		return
	}
	t.hashes.search.ForgetLeaves(v.Piece)
	for _, ref := range v.Honest {
		if p := t.peers.live(PeerRef(ref)); p != nil && p.trust.suspect {
			p.trust.suspect = false
			t.requests.refillSoon(t.now)
		}
	}
	switch {
	case !v.Held:
	case t.pick.Reopen(v.Piece, slices.Values(v.Wrong)):
		for _, i := range v.Wrong {
			wrong := blockRef(t.layout, picker.Block{Piece: v.Piece, Index: i})
			t.counters.wasted(ReasonBadPiece, int(wrong.Length))
		}
		t.requests.refillSoon(t.now)
	default:
		t.refute(v.Piece)
	}
}

// askHashes asks peers for missing hashes, and gives up on what has taken too long.
func (t *Torrent) askHashes() {
	h := &t.hashes
	if t.pick == nil || !h.search.Wants() {
		return
	}
	h.search.Fill()
	t.checkHashes()
	for _, piece := range h.blame.Expire(t.now, nil) {
		h.search.ForgetLeaves(piece)
	}
	canTell := func(piece uint32) bool { return h.search.CanTellLeaves(t.now, piece, 0) }
	unheld, unhold := h.blame.Unhold(t.now, canTell, nil)
	for _, piece := range unheld {
		t.refute(piece)
	}
	asks, again := h.search.Ask(t.now)
	for _, a := range asks {
		if p := t.peers.live(PeerRef(a.Peer)); p != nil {
			t.out.send(p, wire.Message{ID: wire.HashRequest,
				Payload: wire.AppendHashRange(nil, wire.HashRange(a.Range))})
		}
	}
	t.timers.by(timerHashes, min(again, unhold))
}

// onHashMessage takes in a message of BEP 52.
func (t *Torrent) onHashMessage(p *peer, id wire.ID, payload []byte) {
	r, list, err := wire.ParseHashRange(payload)
	switch {
	case err != nil && id == wire.HashRequest && len(payload) == wire.HashRangeSize:
		// Clients differ in what they hold for a range. The peer is told that we
		// reject this one, and stays.
		t.out.send(p, wire.Message{ID: wire.HashReject, Payload: payload})
		t.strike(p, strikeRequest)
		return
	case err != nil, id != wire.Hashes && len(list) > 0:
		t.drop(p, ReasonProtocol)
		return
	case id == wire.HashRequest:
		t.onHashRequest(p, metainfo.HashRange(r))
		return
	case id == wire.HashReject:
		if !t.hashes.search.Rejected(t.now, uint32(p.ref), metainfo.HashRange(r)) {
			t.strike(p, strikeReject)
			return
		}
	default:
		got := t.hashes.search.Answered(t.now, uint32(p.ref), metainfo.HashRange(r), list)
		switch got.Worth {
		case hashes.Unasked:
			t.strike(p, strikeUnsolicited)
			return
		case hashes.Lies:
			t.dropAndBan(p, ReasonBadHashes)
		case hashes.ProvenLayer:
			p.flood.useful()
			t.checkHashes()
			t.checkComplete()
		case hashes.ProvenLeaves:
			p.flood.useful()
			t.judge(t.hashes.blame.Judge(got.Piece, got.First, got.Leaves))
		}
	}
	t.askHashes()
}
