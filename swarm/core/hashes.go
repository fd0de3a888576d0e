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
	peers    *peerTable
	out      *outbox
	timers   *timers
	requests *requests
	counters *counters
	// refute gives up a whole piece with a wrong hash, for it to be fetched again.
	// banSender bans the sender of a wrong block of a piece.
	refute    func(piece uint32)
	banSender func(sender PeerRef, piece uint32)

	long   metainfo.Hash256 // the v2 info-hash; zero if there is none, or it is not known
	pick   *picker.Picker   // nil until the metadata is known
	layout *metainfo.Layout

	search   hashes.Search
	deferred hashes.Deferred
	recheck  hashes.Recheck
	blame    hashes.Blame
}

// init sets what hashing needs of the rest of the torrent.
func (h *hashing) init(t *Torrent) {
	h.peers, h.out, h.timers, h.requests = &t.peers, &t.out, &t.timers, &t.requests
	h.counters, h.refute, h.banSender = &t.counters, t.refute, t.banSender
	h.long = t.cfg.HashV2
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

// join lets a peer be asked for hashes if its link has the v2 info-hash. Common clients
// end a link of the v1 hash on which messages of BEP 52 come.
func (h *hashing) join(p *peer) {
	if h.isLong(p.hash) {
		h.search.Join(uint32(p.ref))
	}
}

// leave forgets a peer that is gone, and schedules asking others for its ranges.
func (h *hashing) leave(ref PeerRef, now time.Duration) {
	if h.search.Leave(uint32(ref)) {
		h.timers.by(timerHashes, now)
	}
}

// isLong reports whether h is the v2 info-hash, as handshakes have it.
func (h *hashing) isLong(hash metainfo.Hash) bool {
	return h.long != (metainfo.Hash256{}) && hash == h.long.Short()
}

// onV2 reports whether the link of a peer has the v2 info-hash.
func (h *hashing) onV2(ref PeerRef) bool { return h.search.Has(uint32(ref)) }

// layersKnown reports whether every piece layer is known.
func (h *hashing) layersKnown() bool { return h.search.LayersKnown() }

// suspects reports whether a piece had a wrong hash and the sender of the wrong blocks is
// not known.
func (h *hashing) suspects(piece uint32) bool { return h.blame.Knows(piece) }

// mayTell reports whether hashes are missing and a peer has not refused to tell any.
func (h *hashing) mayTell(ref PeerRef) bool {
	return h.search.Wants() && h.search.Promising(uint32(ref))
}

// askable returns the pieces of have that may be asked for: of a hybrid the pieces with
// both hashes known, or all of them if the hashes in the tree will hardly come.
func (h *hashing) askable(now time.Duration, have *bits.Set) *bits.Set {
	if !h.recheck.Waits(now) || !h.search.CanTell(now) {
		return have
	}
	return h.recheck.Among(have)
}

// awaitsData reports whether no piece may be asked for yet: as long as no deferred piece has
// turned out to be right, the data on disk may be somebody else's.
func (h *hashing) awaitsData(have *bits.Set) bool { return h.deferred.Active() && have.None() }

// mayUpgrade reports whether the link to p should be replaced: the metadata has shown that
// the torrent is a hybrid, and the peer knows its v2 side too, but the link has the v1
// info-hash, on which no piece layer is told (BEP 52, "upgrade path").
func (h *hashing) mayUpgrade(p *peer) bool {
	return h.layout.Kind() == metainfo.Hybrid && p.knowsV2 && !h.onV2(p.ref) &&
		p.listen.IsValid() && !h.layout.HashesKnown()
}

// open begins to look for missing hashes, once the metadata is known. late holds the
// pieces whose data is there and cannot be verified yet, nil if there are none: they are
// verified before any peer is asked for a piece.
func (h *hashing) open(now time.Duration, info *metainfo.Info, pick *picker.Picker,
	late *bits.Set) {
	h.pick, h.layout = pick, info.Layout()
	if long, ok := info.HashV2(); ok {
		h.long = long
	}
	for _, p := range h.peers.all() {
		h.join(p)
	}
	kind, files := h.layout.Kind(), 0
	if kind.HasV2() {
		files = len(h.layout.Files)
	}
	h.search.Begin(h.layout, files, hashPeers{h.peers})
	switch {
	case kind == metainfo.Hybrid && !h.layout.HashesKnown():
		h.timers.by(timerRefill, h.recheck.Begin(now, h.layout.Pieces(), h.layout.KnowsTree))
	case kind == metainfo.V2 && late != nil && late.Len() == pick.Pieces():
		for piece := range late.Members() {
			pick.Hold(uint32(piece))
		}
		h.deferred.Begin(late)
	}
}

// counted schedules questions to a peer whose pieces have become known.
func (h *hashing) counted(ref PeerRef, now time.Duration) {
	if h.search.Wants() && h.onV2(ref) {
		h.timers.by(timerHashes, now)
	}
}

// verify frees the pieces whose hashes have become known, and verifies more of the pieces
// that were waiting for their hashes.
func (h *hashing) verify(now time.Duration) {
	standing := func(piece int) hashes.Standing { return standings[h.pick.State(uint32(piece))] }
	for run := range h.search.Known() {
		for piece := run.First; piece < min(run.End, h.pick.Pieces()); piece++ {
			h.recheck.Know(piece, standing(piece))
			if !h.deferred.Know(piece) {
				h.pick.Free(uint32(piece))
			}
		}
		h.requests.refillSoon(now)
	}
	for piece, ok := h.recheck.Next(standing); ok; piece, ok = h.recheck.Next(standing) {
		h.out.do(Action{Kind: Verify, Ref: block.Ref{Piece: uint32(piece)}})
	}
	h.recheck.Finish()
	for piece, ok := h.deferred.Next(); ok; piece, ok = h.deferred.Next() {
		if h.pick.Suppose(uint32(piece)) {
			h.out.do(Action{Kind: Verify, Ref: block.Ref{Piece: uint32(piece)}})
		} else {
			h.deferred.Done(piece)
		}
	}
	if h.deferred.Finish() {
		h.requests.refillSoon(now)
	}
}

// standings translates the states of a piece.
var standings = [...]hashes.Standing{picker.InFlight: hashes.Coming,
	picker.Unverified: hashes.Coming, picker.Have: hashes.There}

// verified records that a piece was verified, or cannot be.
func (h *hashing) verified(piece uint32, now time.Duration) {
	h.recheck.Done(int(piece))
	if h.deferred.Done(int(piece)) {
		h.requests.refillSoon(now)
	}
	h.verify(now)
}

// hold remembers a piece with a wrong hash, whose blocks have the given hashes. It reports
// whether the piece is held until its blocks are judged.
func (h *hashing) hold(piece uint32, leaves []metainfo.Hash256, now time.Duration) (held bool) {
	if len(leaves) != (piecesOf{h.layout}).Blocks(int(piece)) {
		return false
	}
	senders := make([]uint32, len(leaves))
	for i := range senders {
		senders[i] = h.pick.Sender(picker.Block{Piece: piece, Index: uint32(i)})
	}
	var except uint32
	if hashes.Alone(senders) {
		except = senders[0]
	}
	held = h.search.CanTellLeaves(now, piece, except)
	released, ok := h.blame.Open(now, piece, leaves, senders, held)
	for _, r := range released {
		h.search.ForgetLeaves(r.Piece)
		if r.Held {
			h.refute(r.Piece)
		}
	}
	if ok {
		h.search.WantLeaves(piece)
		h.timers.by(timerHashes, now)
	}
	return ok && held
}

// judge carries out a verdict on a piece: it bans the senders of wrong blocks, and once all
// blocks are judged it clears the other senders and reopens a held piece, so that its wrong
// blocks are fetched again.
func (h *hashing) judge(v hashes.Verdict, now time.Duration) {
	for _, ref := range v.Liars {
		h.banSender(PeerRef(ref), v.Piece) // first: its right blocks of this piece stay
	}
	if !v.Done {
		return
	}
	h.search.ForgetLeaves(v.Piece)
	for _, ref := range v.Honest {
		if p := h.peers.live(PeerRef(ref)); p != nil && p.trust.acquit() {
			h.requests.refillSoon(now)
		}
	}
	switch {
	case !v.Held:
	case h.pick.Reopen(v.Piece, slices.Values(v.Wrong)):
		for _, i := range v.Wrong {
			wrong := blockRef(h.layout, picker.Block{Piece: v.Piece, Index: i})
			h.counters.wasted(ReasonBadPiece, int(wrong.Length))
		}
		h.requests.refillSoon(now)
	default:
		h.refute(v.Piece)
	}
}

// hashed judges an earlier copy of a piece that was wrong, by the hashes of the blocks of
// the copy that is there.
func (h *hashing) hashed(piece uint32, leaves []metainfo.Hash256, now time.Duration) {
	if h.pick.State(piece) == picker.Have {
		h.judge(h.blame.JudgeByCopy(piece, leaves), now)
	}
}

// ask asks peers for missing hashes, and gives up on what has taken too long.
func (h *hashing) ask(now time.Duration) {
	if !h.search.Wants() {
		return
	}
	h.search.Fill()
	h.verify(now)
	for _, piece := range h.blame.Expire(now, nil) {
		h.search.ForgetLeaves(piece)
	}
	canTell := func(piece uint32) bool { return h.search.CanTellLeaves(now, piece, 0) }
	unheld, unhold := h.blame.Unhold(now, canTell, nil)
	for _, piece := range unheld {
		h.refute(piece)
	}
	asks, again := h.search.Ask(now)
	for _, a := range asks {
		if p := h.peers.live(PeerRef(a.Peer)); p != nil {
			h.out.send(p, wire.Message{ID: wire.HashRequest,
				Payload: wire.AppendHashRange(nil, wire.HashRange(a.Range))})
		}
	}
	h.timers.by(timerHashes, min(again, unhold))
}

// answered handles the hashes that a peer sent for a range, and returns what they are
// worth.
func (h *hashing) answered(p *peer, r metainfo.HashRange, list []byte,
	now time.Duration) hashes.Worth {
	got := h.search.Answered(now, uint32(p.ref), r, list)
	switch got.Worth {
	case hashes.ProvenLayer:
		p.flood.useful()
		h.verify(now)
	case hashes.ProvenLeaves:
		p.flood.useful()
		h.judge(h.blame.Judge(got.Piece, got.First, got.Leaves), now)
	}
	return got.Worth
}

// check panics when an invariant does not hold.
func (h *hashing) check() {
	h.search.Check()
	h.deferred.Check()
	h.recheck.Check()
	h.blame.Check()
}

// failedCheck handles a piece that has the wrong hash and was verified only because hashes
// came late: no peer is to blame for it. It reports false for any other piece.
func (t *Torrent) failedCheck(piece uint32) bool {
	h := &t.hashes
	again, late := h.recheck.Done(int(piece)), h.deferred.Done(int(piece))
	if !again && !late {
		return false
	}
	defer h.verify(t.now)
	if again && !t.pick.Recheck(piece) {
		return false // it could not be read meanwhile, and this is the answer to that, too
	}
	t.pick.Refuted(piece)
	if again { // both hashes are of the same content: it was damaged on disk
		t.onPieceLost(piece)
		missed(t)
		t.checkComplete()
	}
	t.requests.refillSoon(t.now)
	return true
}

// onHashMessage handles a message of BEP 52.
func (t *Torrent) onHashMessage(p *peer, id wire.ID, payload []byte) {
	parsed, list, err := wire.ParseHashRange(payload)
	r := metainfo.HashRange(parsed)
	switch {
	case err != nil && id == wire.HashRequest && len(payload) == wire.HashRangeSize:
		// Clients differ in what they hold for a range. The peer is told that we
		// reject this one, and stays.
		t.out.send(p, wire.Message{ID: wire.HashReject, Payload: payload})
		t.strike(p, strikeRequest)
	case err != nil, id != wire.Hashes && len(list) > 0:
		t.drop(p, ReasonProtocol)
	case id == wire.HashRequest && !t.hashes.onV2(p.ref):
		p.flood.pointless()
		t.out.rejectHashes(p, r)
	case id == wire.HashRequest:
		if !t.answers.askedHashes(p, r) {
			t.strike(p, strikeRequest)
		}
	case id == wire.HashReject && !t.hashes.search.Rejected(t.now, uint32(p.ref), r):
		t.strike(p, strikeReject)
	case id == wire.HashReject:
		t.hashes.ask(t.now)
	default:
		t.onHashes(p, r, list)
	}
}

// onHashes handles the hashes that a peer sent for a range.
func (t *Torrent) onHashes(p *peer, r metainfo.HashRange, list []byte) {
	switch t.hashes.answered(p, r, list, t.now) {
	case hashes.Unasked:
		t.strike(p, strikeUnsolicited)
		return
	case hashes.Lies:
		t.dropAndBan(p, ReasonBadHashes)
	case hashes.ProvenLayer:
		t.checkComplete()
	}
	t.hashes.ask(t.now)
}

// onHashed hands on the hashes of the blocks of a piece; none if it could not be read.
func (t *Torrent) onHashed(piece uint32, leaves []metainfo.Hash256) {
	if t.validPiece(piece) {
		t.hashes.hashed(piece, leaves, t.now)
		t.answers.hashed(piece, leaves)
	}
}
