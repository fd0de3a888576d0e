package core

import (
	"slices"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

const (
	// asksFirst is how many blocks a peer is asked for to begin with, and the
	// number grows by one with each that comes: it doubles every round trip.
	asksFirst = 8
	// asksMin and asksMax bound the requests out to one peer.
	asksMin = 4
	asksMax = 1024
	// asksServer is what asksFirst is for web seeds: a megabyte, since each
	// request of theirs costs a round trip in which nothing comes.
	asksServer = 64
	// asksAhead is how much more than a round trip's worth is asked for, so
	// that the sender's queue never runs dry.
	asksAhead = time.Second
	// snubAfter is how long a peer may leave requests without any block before
	// all are asked elsewhere.
	snubAfter = 20 * time.Second
	// blockAfter is how long one block may take before it is asked elsewhere.
	blockAfter = 30 * time.Second
	// urgentAfter is how long one may take of a piece whose deadline comes
	// within urgentWithin.
	urgentAfter  = 1500 * time.Millisecond
	urgentWithin = 5 * time.Second
	// rejectAfter is how long a peer that chokes us may take to reject what it
	// will not send (BEP 6), before that is asked elsewhere.
	rejectAfter = 3 * time.Second
	// forgetAfter is how long a cancelled request may still be answered, and
	// lostAfter how long one that was asked elsewhere may: what a peer has
	// dropped without a word must not fill its queue for good.
	forgetAfter = 60 * time.Second
	lostAfter   = 3 * time.Minute
	// refusedMax is how many requests in a row a peer may reject, choking us or
	// not, before it is left alone for a while.
	refusedMax = 64
	// backoffFirst and backoffLast bound the pause of a peer that was snubbed,
	// or rejects what we ask for. It doubles with each.
	backoffFirst = 5 * time.Second
	backoffLast  = 5 * time.Minute
	// refillEvery is the least time between two rounds in which every peer is
	// looked at.
	refillEvery = 20 * time.Millisecond
	// wholeWithin is how long a piece may take a peer that fetches whole pieces.
	wholeWithin = 10 * time.Second
)

// askState is what a request is at that was not answered yet.
type askState uint8

const (
	askLive      askState = iota // we wait for it
	askReleased                  // asked elsewhere, but welcome
	askCancelled                 // not wanted any more
)

// An ask is one request that was not answered yet.
type ask struct {
	ref     block.Ref
	at      time.Duration // when it was sent, revived or cancelled
	state   askState
	revived bool // it was given up once, and lives again
}

// asks are the requests out to one peer, oldest first.
type asks struct {
	queue  []ask
	head   int // queue[:head] is answered
	live   int
	next   uint32 // the piece after the last that was begun
	onward bool   // pieces are to follow next in order

	target  float64       // live requests to have
	growing bool          // as in the slow start of TCP
	rtt     time.Duration // shortest time from a request to its block; 0: unknown
	rate    int64         // bytes per second at the last sweep
	moved   time.Duration // when a block came last, or the first request of a row went out
	snubbed bool
	refused int           // rejects since a block came
	backoff time.Duration // the next pause
	until   time.Duration // no requests before
	refusal int64         // the piece whose reject set until; -1 for other reasons
	choked  time.Duration // when it choked us last
}

func (a *asks) init() {
	a.target, a.growing, a.backoff, a.refusal = asksFirst, true, backoffFirst, -1
}

func (a *asks) open() []ask { return a.queue[a.head:] }

func (a *asks) push(r block.Ref, now time.Duration) {
	if a.head > 64 && a.head*2 > len(a.queue) {
		a.queue = a.queue[:copy(a.queue, a.queue[a.head:])]
		a.head = 0
	}
	if a.live == 0 {
		a.moved = now
	}
	a.queue = append(a.queue, ask{ref: r, at: now})
	a.live++
}

// find returns the index in open of the request for r in the best state, or of
// the oldest one; -1 if there is none.
func (a *asks) find(r block.Ref, oldest bool) int {
	found := -1
	for i, o := range a.open() {
		if o.ref != r {
			continue
		}
		if oldest || o.state == askLive {
			return i
		}
		if found < 0 || o.state < a.open()[found].state {
			found = i
		}
	}
	return found
}

// remove takes the i-th open request out.
func (a *asks) remove(i int) ask {
	open := a.open()
	o := open[i]
	if o.state == askLive {
		a.live--
	}
	copy(open[1:i+1], open[:i]) // blocks come in order: i is 0 nearly always
	a.head++
	return o
}

// came notes that a block came for the request o.
func (a *asks) came(o ask, now time.Duration) {
	if o.state == askLive {
		if took := max(now-o.at, time.Microsecond); a.rtt == 0 || took < a.rtt {
			a.rtt = took
		}
		if a.growing {
			a.target = min(a.target+1, asksMax)
		}
	}
	a.moved = now
	a.snubbed, a.backoff, a.refused = false, backoffFirst, 0
	a.until = min(a.until, now)
}

// restart forgets the rate of a time that is over: what it is now is to be found
// out.
func (a *asks) restart() {
	if !a.snubbed && a.live == 0 {
		a.target, a.growing, a.rate = max(a.target, asksFirst), true, 0
	}
}

// pause puts off further requests.
func (a *asks) pause(now time.Duration) {
	a.until, a.refusal = now+a.backoff, -1
	a.backoff = min(2*a.backoff, backoffLast)
}

// explained ends the pause that the reject of a piece began: the peer says that it
// has lost the piece, so that others are worth asking for. It reports whether there
// was such a pause.
func (a *asks) explained(piece uint32, now time.Duration) bool {
	if a.refusal != int64(piece) || a.refused >= refusedMax {
		return false
	}
	a.until, a.refusal = min(a.until, now), -1
	a.backoff = max(a.backoff/2, backoffFirst)
	return true
}

// adapt sets the target by what came within the last seconds.
func (a *asks) adapt(recent int64) {
	if a.snubbed {
		a.target = 1
		return
	}
	if a.growing && (recent == 0 || float64(recent) > 1.1*float64(a.rate)) {
		a.rate = recent
		return
	}
	a.growing = false
	a.rate = recent
	ahead := (min(a.rtt, 2*time.Second) + asksAhead).Seconds()
	a.target = min(max(float64(recent)*ahead/block.Size+1, asksMin), asksMax)
}

// refill asks p for as many more blocks as it should have on its list.
func (t *Torrent) refill(p *peer) {
	room := t.room(p)
	if room <= 0 {
		return
	}
	t.prepare(p, room)
	t.blocks = t.pick.Pick(&t.query, t.blocks[:0])
	t.cancelReplaced()
	p.ask.next = t.query.Next
	for _, b := range t.blocks {
		t.askFor(p, b)
	}
}

// room returns how many more blocks p may be asked for now. Few are not worth
// the search.
func (t *Torrent) room(p *peer) int {
	if p.gone || !t.downloading() || t.awaitsLate() || !p.interesting || t.now < p.ask.until {
		return 0
	}
	if p.choking && len(p.fastx.allowed) == 0 || p.trust.awaited {
		return 0
	}
	a := &p.ask
	target := min(int(a.target), p.ext.reqq)
	// Nobody gets more of the budget than is left for others, so that those who
	// do not answer cannot use it up.
	spare := t.cfg.Limits.RequestsMax - t.asked
	share := max((spare-a.live)/2, min(spare, asksMin-a.live))
	room := min(target-a.live, p.ext.reqq-len(a.open()), share)
	if room <= target/16 && a.live > 0 {
		return 0
	}
	return room
}

// prepare sets the query for p.
func (t *Torrent) prepare(p *peer, room int) {
	q := &t.query
	*q = picker.Query{Peer: uint32(p.ref), Have: t.withTrees(p.has.set), Max: room}
	q.Alone = p.trust.suspect
	q.Whole = p.trust.onProbation() || t.isQuick(p) || p.isServer()
	q.Along, q.Onward, q.Next = p.isServer(), p.ask.onward, p.ask.next
	if p.trust.onProbation() {
		q.Pieces = 1
	}
	if p.choking {
		q.Only = p.fastx.allowed
	}
	q.First = p.fastx.suggested
	if p.ask.live == 0 && !p.ask.snubbed && t.worthy(p) {
		t.asking = p
		q.Overtake, q.Replace = t.overtaking, t.replacing
	}
	q.RareOnly = t.spareSeed(p)
}

// isServer reports whether p is a web server in the seat of a peer, which is asked
// for long runs: it has all pieces, and takes any number of requests.
func (p *peer) isServer() bool { return p.endpoint.IsWebSeed() }

// isQuick reports whether p fetches a whole piece in good time.
func (t *Torrent) isQuick(p *peer) bool {
	return p.ask.rate*int64(wholeWithin/time.Second) >= int64(t.layout.PieceLength)
}

// spareSeed reports whether the seed p should be asked only for what nobody but
// seeds has, because there is such a piece, and others can give the rest.
func (t *Torrent) spareSeed(p *peer) bool {
	if !p.has.isSeed() || !t.pick.Rare() {
		return false
	}
	for _, q := range t.peers.all() {
		if q != p && q.interesting && !q.choking && !q.has.isSeed() && !q.ask.snubbed {
			return true
		}
	}
	return false
}

// ref returns the block as the wire names it.
func (t *Torrent) ref(b picker.Block) block.Ref {
	begin := int(b.Index) * block.Size
	length := min(block.Size, t.layout.PieceSize(int(b.Piece))-begin)
	return block.Ref{Piece: b.Piece, Begin: uint32(begin), Length: uint32(length)}
}

// askFor sends the request for a block that the picker gave out for p. One
// that p was asked for already, and that was given up too early, lives again.
func (t *Torrent) askFor(p *peer, b picker.Block) {
	r := t.ref(b)
	t.asked++
	if p.ask.live < len(p.ask.open()) {
		for i := range p.ask.open() {
			if o := &p.ask.open()[i]; o.ref == r && o.state == askReleased && !o.revived {
				if p.ask.live == 0 {
					p.ask.moved = t.now
				}
				o.state, o.at, o.revived = askLive, t.now, true
				p.ask.live++
				return
			}
		}
	}
	p.ask.push(r, t.now)
	t.out.sendRef(p, wire.Request, r)
}

// release gives a live request up in favour of others, which are looked for
// soon.
func (t *Torrent) release(p *peer, o *ask, to askState) {
	if o.state != askLive {
		o.state = max(o.state, to)
		return
	}
	o.state = to
	p.ask.live--
	t.asked--
	t.pick.Release(blockOf(o.ref), uint32(p.ref))
	t.refillSoon()
}

func blockOf(r block.Ref) picker.Block {
	return picker.Block{Piece: r.Piece, Index: uint32(r.Index())}
}

// releaseAll gives all live requests of p up but those for allowed pieces.
func (t *Torrent) releaseAll(p *peer, to askState, allowed []uint32) {
	if t.pick == nil {
		return
	}
	for i := range p.ask.open() {
		o := &p.ask.open()[i]
		if !slices.Contains(allowed, o.ref.Piece) {
			if to == askCancelled {
				o.at = t.now
			}
			t.release(p, o, to)
		}
	}
	t.pick.Leave(uint32(p.ref))
}

// abandonAsks forgets all requests of a peer that is gone.
func (t *Torrent) abandonAsks(p *peer) {
	t.releaseAll(p, askCancelled, nil)
	p.ask.queue, p.ask.head = nil, 0
}

// cancel takes a request back that another peer has answered.
func (t *Torrent) cancel(ref PeerRef, r block.Ref) {
	p := t.peers.live(ref)
	if p == nil {
		return
	}
	if i := p.ask.find(r, false); i >= 0 {
		t.cancelAsk(p, &p.ask.open()[i])
		t.refill(p)
	}
}

func (t *Torrent) cancelAsk(p *peer, o *ask) {
	if o.state == askCancelled {
		return
	}
	if o.state == askLive {
		p.ask.live--
		t.asked--
	}
	o.state, o.at = askCancelled, t.now
	t.out.sendRef(p, wire.Cancel, o.ref)
}

// cancelPiece takes back every request for blocks of a piece.
func (t *Torrent) cancelPiece(piece uint32) {
	for _, p := range t.peers.all() {
		for i := range p.ask.open() {
			if o := &p.ask.open()[i]; o.ref.Piece == piece {
				t.cancelAsk(p, o)
			}
		}
	}
}

// refillSoon has every peer looked at once what is at hand is done.
func (t *Torrent) refillSoon() {
	t.timers.by(timerRefill, max(t.now, t.refilled+refillEvery))
}

func (t *Torrent) refillAll() {
	t.refilled = t.now
	for _, p := range t.peers.all() {
		t.refill(p)
	}
}

// sweepAsks looks once a second for what p is late with.
func (t *Torrent) sweepAsks(p *peer) {
	a := &p.ask
	a.adapt(p.down.recent(t.now))
	t.forgetAsks(p)
	if a.live > 0 {
		t.expireAsks(p)
	}
	t.refill(p)
}

// forgetAsks forgets requests that will hardly be answered.
func (t *Torrent) forgetAsks(p *peer) {
	a := &p.ask
	for i := 0; i < len(a.open()); i++ {
		o := &a.open()[i]
		age := t.now - o.at
		if o.state == askCancelled && age >= forgetAfter ||
			o.state == askReleased && age >= lostAfter {
			a.remove(i)
			i-- // the next one is there now
		}
	}
	if a.head == len(a.queue) {
		a.queue, a.head = a.queue[:0], 0
	}
}

// expireAsks has what takes too long asked elsewhere.
func (t *Torrent) expireAsks(p *peer) {
	a := &p.ask
	if p.choking && t.now-a.choked > rejectAfter {
		t.releaseAll(p, askCancelled, p.fastx.allowed)
	}
	urgent := t.pick.Urgent(t.now + urgentWithin)
	for i := range a.open() {
		o := &a.open()[i]
		late := t.now-o.at > blockAfter ||
			urgent && t.now-o.at > urgentAfter && t.pick.Due(o.ref.Piece, t.now+urgentWithin)
		if o.state == askLive && late {
			t.release(p, o, askReleased)
		}
	}
	if a.live > 0 && t.now-a.moved > snubAfter {
		a.snubbed = true
		a.target = 1
		a.pause(t.now)
		t.releaseAll(p, askReleased, nil)
	}
}

// onChoke records that p answers no more. Without BEP 6 what it was asked for
// is dropped. With it what is not on its way already is rejected at once, and
// only if that does not happen we do not wait any longer.
func (t *Torrent) onChoke(p *peer) {
	if p.choking {
		p.flood.pointless()
		return
	}
	p.choking = true
	p.ask.choked = t.now
	if !p.fast {
		t.releaseAll(p, askCancelled, nil)
	}
}

func (t *Torrent) onUnchoke(p *peer) {
	if !p.choking {
		p.flood.pointless()
		return
	}
	p.choking = false
	p.ask.restart()
	t.refill(p)
}
