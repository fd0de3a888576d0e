package core

import (
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

// refillEvery is the least time between two rounds in which every peer is asked for
// more.
const refillEvery = 20 * time.Millisecond

// requests asks peers for blocks: how many each peer is asked for, which ones the
// picker gives out, and which are given up in favour of others. What one peer was
// asked for is in its asks.
type requests struct {
	peers  *peerTable
	out    *outbox
	timers *timers
	max    int // live requests of all peers

	pick   *picker.Picker // nil until the metadata is known
	layout *metainfo.Layout
	// may reports whether anything may be asked for now; among returns the pieces of a
	// set that may.
	may   func() bool
	among func(have *bits.Set) *bits.Set

	live     int           // requests of all peers
	refilled time.Duration // when every peer was asked for more last

	round *round // nil before the first refill
}

// A round is the refill of one peer. It is kept for the next one, to save allocations. A seed
// has none: thousands of torrents at rest take that much less memory.
type round struct {
	query      picker.Query
	blocks     []picker.Block
	asking     *peer
	now        time.Duration
	overtaking func(peer uint32) bool
	replacing  func(peer, piece uint32, lacks, all, times int) bool
	rescuing   func(peer uint32, b picker.Block, due time.Duration) bool
	replaced   []handed  // by the last Pick
	rest       *bits.Set // of beyondDirect
}

// init sets what requests needs of the rest of the torrent.
func (r *requests) init(t *Torrent) {
	r.peers, r.out, r.timers = &t.peers, &t.out, &t.timers
	r.max = t.cfg.Limits.RequestsMax
	r.may = func() bool { return t.downloading() && !t.hashes.awaitsData(t.pick.Have()) }
	r.among = func(have *bits.Set) *bits.Set { return t.hashes.askable(t.now, have) }
}

// open tells the pieces of the torrent, once the metadata is known.
func (r *requests) open(pick *picker.Picker, layout *metainfo.Layout) {
	r.pick, r.layout = pick, layout
}

// count returns how many blocks are asked for and not yet received.
func (r *requests) count() int { return r.live }

// refill asks p for as many more blocks as it should have on its list.
func (r *requests) refill(p *peer, now time.Duration) {
	room := r.room(p, now)
	if room <= 0 {
		return
	}
	r.begin(now)
	r.prepare(p, room, now)
	r.round.blocks = r.pick.Pick(&r.round.query, r.round.blocks[:0])
	r.cancelReplaced()
	p.ask.next = r.round.query.Next
	for _, b := range r.round.blocks {
		r.ask(p, b)
	}
}

// begin makes a round that happens now.
func (r *requests) begin(now time.Duration) {
	if r.round == nil {
		r.round = &round{overtaking: r.mayOvertake, replacing: r.mayReplacePiece,
			rescuing: r.mayRescue}
	}
	r.round.now = now
}

// room returns how many more blocks p may be asked for now. Few are not worth
// the search.
func (r *requests) room(p *peer, now time.Duration) int {
	a := &p.ask
	if p.gone || !r.may() || !p.interesting() || now < a.until {
		return 0
	}
	if a.choking && len(p.fastx.mayAsk()) == 0 || p.trust.isAwaited() {
		return 0
	}
	most := p.ext.queueMax()
	target := min(r.target(p, now), most)
	// No peer gets more of the budget than is left for others, so peers that do not
	// answer cannot use it up.
	spare := r.max - r.live
	share := max((spare-a.live)/2, min(spare, asksMin-a.live))
	room := min(target-a.live, most-len(a.unanswered()), share)
	if room <= target/16 && a.live > 0 {
		return 0
	}
	return room
}

// prepare sets the query for p.
func (r *requests) prepare(p *peer, room int, now time.Duration) {
	a, probation := &p.ask, p.trust.onProbation()
	q := &r.round.query
	*q = picker.Query{Peer: uint32(p.ref), Have: r.among(p.has.pieces()), Max: room}
	if p.costly() {
		q.Have = r.beyondDirect(q.Have, now)
	}
	q.Alone = p.trust.isSuspect()
	q.Whole = probation || a.quick(int64(r.layout.PieceLength)) || p.isServer()
	q.Along, q.Onward, q.Next = p.isServer(), a.onward, a.next
	if probation {
		q.Pieces = 1
	}
	if a.choking {
		q.Only = p.fastx.mayAsk()
	}
	q.First = p.fastx.hints()
	if a.live == 0 && !a.snubbed && r.worthy(p) {
		r.round.asking = p
		q.Overtake, q.Replace = r.round.overtaking, r.round.replacing
	}
	q.RareOnly = r.spareSeed(p)
	if r.pick.Urgent(now+rescueWithin) && r.worthy(p) {
		r.round.asking = p
		q.Rescue = r.round.rescuing
	}
}

// spareSeed reports whether the seed p should be asked only for what nobody but
// seeds has, because there is such a piece, and others can give the rest.
func (r *requests) spareSeed(p *peer) bool {
	if !p.has.isSeed() || !r.pick.Rare() {
		return false
	}
	for _, q := range r.peers.all() {
		if q != p && q.interesting() && !q.ask.choking && !q.has.isSeed() && !q.ask.snubbed {
			return true
		}
	}
	return false
}

// ask sends the request for a block that the picker gave out for p. A request
// that was given up too early lives again.
func (r *requests) ask(p *peer, b picker.Block) {
	ref := blockRef(r.layout, b)
	r.live++
	if p.ask.revive(ref, r.round.now) {
		return
	}
	p.ask.push(ref, r.round.now)
	r.out.sendRef(p, wire.Request, ref)
}

// blockRef returns a block as the wire names it.
func blockRef(layout *metainfo.Layout, b picker.Block) block.Ref {
	begin := int(b.Index) * block.Size
	length := min(block.Size, layout.PieceSize(int(b.Piece))-begin)
	return block.Ref{Piece: b.Piece, Begin: uint32(begin), Length: uint32(length)}
}

// blockOf returns the block that the wire names so.
func blockOf(r block.Ref) picker.Block {
	return picker.Block{Piece: r.Piece, Index: uint32(r.Index())}
}

// refillSoon schedules a round in which every peer is asked for more.
func (r *requests) refillSoon(now time.Duration) {
	r.timers.by(timerRefill, max(now, r.refilled+refillEvery))
}

// refillAll asks every peer for more.
func (r *requests) refillAll(now time.Duration) {
	r.refilled = now
	for _, p := range r.peers.all() {
		r.refill(p, now)
	}
}

// answered takes the request out that a block answers. It reports whether p was
// asked for the block, and whether we still waited for it.
func (r *requests) answered(p *peer, ref block.Ref, now time.Duration) (waited, asked bool) {
	i := p.ask.find(ref, false)
	if i < 0 {
		return false, false
	}
	o := p.ask.remove(i)
	if o.state == askLive {
		r.live--
	}
	p.ask.came(o, now)
	return o.state == askLive, true
}

// rejected records that p will not send a block (BEP 6, "Reject Request"), and
// reports whether p was asked for it. A peer that rejects although it does not
// choke us is left alone for a while.
func (r *requests) rejected(p *peer, ref block.Ref, now time.Duration) bool {
	i := p.ask.find(ref, true)
	if i < 0 {
		return false
	}
	r.release(p, &p.ask.unanswered()[i], askReleased, now)
	o := p.ask.remove(i)
	if p.fastx.revoke(ref.Piece) {
		return true
	}
	lacks := p.has.lacks(ref.Piece)
	if p.isServer() && (lacks || p.ask.choking) {
		return true // it says itself when to ask again
	}
	p.ask.refuse(ref.Piece, o.state, lacks, now)
	return true
}

// release gives a live request up in favour of others, which are looked for
// soon.
func (r *requests) release(p *peer, o *ask, to askState, now time.Duration) {
	if o.state != askLive {
		o.state = max(o.state, to)
		return
	}
	o.state = to
	p.ask.live--
	r.live--
	r.pick.Release(blockOf(o.ref), uint32(p.ref))
	r.refillSoon(now)
}

// releaseAll gives all live requests of p up but those for allowed pieces.
func (r *requests) releaseAll(p *peer, to askState, allowed []uint32, now time.Duration) {
	if r.pick == nil {
		return
	}
	for i := range p.ask.unanswered() {
		o := &p.ask.unanswered()[i]
		if !slices.Contains(allowed, o.ref.Piece) {
			if to == askCancelled {
				o.at = now
			}
			r.release(p, o, to, now)
		}
	}
	r.pick.Leave(uint32(p.ref))
}

// elsewhere has what p was asked for asked of others; its answers are welcome all
// the same.
func (r *requests) elsewhere(p *peer, now time.Duration) {
	r.releaseAll(p, askReleased, nil, now)
}

// leave forgets all requests of a peer that is gone.
func (r *requests) leave(p *peer, now time.Duration) {
	r.releaseAll(p, askCancelled, nil, now)
	p.ask.queue, p.ask.head = nil, 0
}

// cancel takes a request back.
func (r *requests) cancel(p *peer, o *ask, now time.Duration) {
	if o.state == askCancelled {
		return
	}
	if o.state == askLive {
		p.ask.live--
		r.live--
	}
	o.state, o.at = askCancelled, now
	r.out.sendRef(p, wire.Cancel, o.ref)
}

// cancelBlock takes a request back that another peer has answered.
func (r *requests) cancelBlock(ref PeerRef, b block.Ref, now time.Duration) {
	p := r.peers.live(ref)
	if p == nil {
		return
	}
	if i := p.ask.find(b, false); i >= 0 {
		r.cancel(p, &p.ask.unanswered()[i], now)
		r.refill(p, now)
	}
}

// cancelPiece takes back every request for blocks of a piece.
func (r *requests) cancelPiece(piece uint32, now time.Duration) {
	for _, p := range r.peers.all() {
		for i := range p.ask.unanswered() {
			if o := &p.ask.unanswered()[i]; o.ref.Piece == piece {
				r.cancel(p, o, now)
			}
		}
	}
}

// withdraw gives up every request to p for blocks of the pieces from first up to
// end, and takes it back.
func (r *requests) withdraw(p *peer, first, end int, now time.Duration) {
	for i := range p.ask.unanswered() {
		if o := &p.ask.unanswered()[i]; int(o.ref.Piece) >= first && int(o.ref.Piece) < end {
			r.release(p, o, askReleased, now)
			r.cancel(p, o, now)
		}
	}
}

// withdrawUnwanted gives up every request for blocks of pieces that are not wanted any
// more, and takes it back. What came of these pieces stays.
func (r *requests) withdrawUnwanted(now time.Duration) {
	for _, p := range r.peers.all() {
		for i := range p.ask.unanswered() {
			if o := &p.ask.unanswered()[i]; !r.pick.Needed().Has(int(o.ref.Piece)) {
				r.release(p, o, askReleased, now)
				r.cancel(p, o, now)
			}
		}
	}
}

// halt gives up every live request and takes it back: blocks cannot be stored.
func (r *requests) halt(now time.Duration) {
	for _, p := range r.peers.all() {
		for i := range p.ask.unanswered() {
			if o := &p.ask.unanswered()[i]; o.state == askLive {
				r.release(p, o, askReleased, now)
				r.cancel(p, o, now)
			}
		}
	}
}

// choked records that p answers no more, and reports whether it did before. Without
// BEP 6 what it was asked for is dropped. With BEP 6 p rejects at once what is not
// on its way already; if it does not, sweep gives up waiting.
func (r *requests) choked(p *peer, now time.Duration) bool {
	if p.ask.choking {
		return false
	}
	p.ask.choking, p.ask.choked = true, now
	if !p.fast {
		r.releaseAll(p, askCancelled, nil, now)
	}
	return true
}

// unchoked records that p answers, and reports whether it did not before.
func (r *requests) unchoked(p *peer, now time.Duration) bool {
	if !p.ask.choking {
		return false
	}
	p.ask.unchoked()
	r.refill(p, now)
	return true
}

// check panics when a count of requests is wrong, or their limit is passed.
func (r *requests) check() {
	live := 0
	for _, p := range r.peers.all() {
		live += p.ask.check()
	}
	if live != r.live {
		panic("core: the count of requests is wrong")
	}
	if r.live > r.max {
		panic("core: the limit of requests is passed")
	}
}
