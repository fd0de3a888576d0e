package core

import (
	"net/netip"
	"slices"
	"time"

	"swarmnode/swarm/picker"
)

// Prioritize ranks a piece: picker.Skip if it is not wanted, otherwise a higher
// priority is fetched before a lower one. It does nothing before InfoReady, or for a
// piece that the torrent does not have, and so do SetDeadline and ClearDeadline.
// Actions may follow.
func (t *Torrent) Prioritize(now time.Time, piece int, priority picker.Priority) {
	t.advance(now)
	if piece < 0 || !t.validPiece(uint32(piece)) {
		return
	}
	needed := t.pick.Needed().Has(piece)
	t.pick.SetPriority(uint32(piece), priority)
	is := t.pick.Needed().Has(piece)
	if is == needed {
		return
	}
	t.progress.need(piece, is)
	for _, p := range t.peers.snapshot() {
		p.has.need(uint32(piece), is)
		t.showInterest(p)
	}
	t.checkComplete()
	t.requests.refillSoon(t.now)
}

// evict drops a peer to make room, and reports whether there was one.
func (t *Torrent) evict(p *peer) bool {
	if p == nil {
		return false
	}
	t.drop(p, ReasonEvicted)
	return true
}

// Evict drops the least useful peer among the useless ones whose address may allows, and
// reports whether there was one. It is for drivers that need room for a peer of another
// torrent. A nil may allows every address. Actions may follow.
func (t *Torrent) Evict(now time.Time, may func(netip.Addr) bool) bool {
	t.advance(now)
	return t.evict(t.peers.eviction(t.now, t.book.Priority).leastUseful(nil,
		func(q *peer) bool { return may == nil || may(q.endpoint.Host()) }))
}

// EvictFrom drops the youngest peer of a network, preferably one that neither gives nor
// takes blocks, and reports whether there was one. It is for drivers, when the network
// has more connections in all torrents together than any other. Actions may follow.
func (t *Torrent) EvictFrom(now time.Time, network netip.Prefix) bool {
	t.advance(now)
	return t.evict(t.peers.eviction(t.now, t.book.Priority).ofNet(network))
}

// Sourceless reports whether no peer has some needed piece between first, included, and
// end.
func (t *Torrent) Sourceless(first, end int) bool {
	if t.pick == nil {
		return false
	}
	for piece := t.pick.Needed().Next(first); piece >= 0 &&
		piece < end; piece = t.pick.Needed().Next(piece + 1) {
		if !slices.ContainsFunc(t.peers.all(), func(p *peer) bool {
			return p.has.piece(uint32(piece))
		}) {
			return true
		}
	}
	return false
}

// SetSequential makes pieces be fetched in order, or the rarest first again.
func (t *Torrent) SetSequential(on bool) {
	if t.pick != nil {
		t.pick.SetSequential(on)
	}
}

// SetDeadline makes a piece be fetched before all pieces that have a later deadline or
// none. It reports whether the deadline was set: a torrent has at most 1,024.
func (t *Torrent) SetDeadline(piece int, at time.Time) bool {
	if piece < 0 || !t.validPiece(uint32(piece)) || t.pick.State(uint32(piece)) == picker.Have {
		return false
	}
	t.requests.refillSoon(t.now)
	return t.pick.SetDeadline(uint32(piece), at.Sub(t.start))
}

// ClearDeadline removes the deadline of a piece.
func (t *Torrent) ClearDeadline(piece int) {
	if piece >= 0 && t.validPiece(uint32(piece)) {
		t.pick.ClearDeadline(uint32(piece))
	}
}
