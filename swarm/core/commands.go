package core

import (
	"net/netip"
	"slices"
	"time"

	"swarmnode/swarm/picker"
	"swarmnode/swarm/stream"
)

// Prioritize ranks a piece: picker.Skip if it is not wanted, otherwise a higher
// priority is fetched before a lower one. It does nothing before InfoReady, or for a
// piece that the torrent does not have. Actions may follow.
func (t *Torrent) Prioritize(now time.Time, piece int, priority picker.Priority) {
	t.advance(now)
	if piece < 0 || !t.validPiece(uint32(piece)) {
		return
	}
	t.command(rankCommand(piece, priority))
	needed := t.pick.Needed().Has(piece)
	t.pick.SetPriority(uint32(piece), priority)
	is := t.pick.Needed().Has(piece)
	if is == needed {
		return
	}
	if !is {
		t.requests.withdrawUnwanted(t.now)
	}
	t.progress.need(piece, is)
	if t.standing.unfinish(t.pick.Done()) {
		reopen(t)
	}
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

// evictBy is evict by order of the driver.
func (t *Torrent) evictBy(p *peer) bool {
	if p != nil {
		t.command(evictCommand(p))
	}
	return t.evict(p)
}

// Evict drops the least useful peer among the useless ones whose address may allows, and
// reports whether there was one. It is for drivers that need room for a peer of another
// torrent. A nil may allows every address. Actions may follow.
func (t *Torrent) Evict(now time.Time, may func(netip.Addr) bool) bool {
	t.advance(now)
	return t.evictBy(t.peers.eviction(t.now, t.book.Priority).leastUseful(nil,
		func(q *peer) bool { return may == nil || may(q.endpoint.Host()) }))
}

// EvictFrom drops the youngest peer of a network, preferably one that neither gives nor
// takes blocks, and reports whether there was one. It is for drivers, when the network
// has more connections in all torrents together than any other. Actions may follow.
func (t *Torrent) EvictFrom(now time.Time, network netip.Prefix) bool {
	t.advance(now)
	return t.evictBy(t.peers.eviction(t.now, t.book.Priority).ofNet(network))
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
	t.command(onCommand(didSetSequential, on))
	if t.pick != nil {
		t.pick.SetSequential(on)
	}
}

// SetDeadlines makes pieces be fetched before all pieces without a deadline, those with the
// earliest deadline first. They replace the deadlines that were set before. Pieces that we
// have are left out.
func (t *Torrent) SetDeadlines(now time.Time, list []stream.Deadline) {
	t.advance(now)
	if t.pick == nil {
		return
	}
	t.command(deadlinesCommand(list))
	t.pick.SetDeadlines(func(yield func(uint32, time.Duration) bool) {
		for _, d := range list {
			missing := d.Piece >= 0 && t.validPiece(uint32(d.Piece)) &&
				t.pick.State(uint32(d.Piece)) != picker.Have
			if missing && !yield(uint32(d.Piece), t.now+d.In) {
				return
			}
		}
	})
	t.requests.redirect(t.now)
	t.requests.refillSoon(t.now)
}

// Has reports whether a piece is verified.
func (t *Torrent) Has(piece int) bool {
	return t.pick != nil && piece >= 0 && t.pick.Have().Has(piece)
}

// DownRate returns how many payload bytes come in a second: in the last few seconds, or in
// the last 20, whichever is more.
func (t *Torrent) DownRate() int64 { return max(t.down.recent(t.now), t.down.rate(t.now)) }
