package core

import (
	"net/netip"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/choke"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

const keepAlive = wire.KeepAlive

// A peer is one connection, from Connected to Closed. What belongs to one
// concern is in a struct of that concern.
type peer struct {
	ref       PeerRef
	endpoint  endpoint.Endpoint // remote end
	source    netip.Addr        // of endpoint, as limit.SourceOf has it
	network   netip.Prefix      // the same; not valid for what does not count by network
	listen    endpoint.Endpoint // where it accepts connections; not valid until known
	id        [20]byte
	hash      metainfo.Hash // info-hash of the handshake
	transport endpoint.Transport
	outgoing  bool
	punched   bool // the two sides dialled each other by arrangement (BEP 55)
	encrypted bool // its handshake was
	fast      bool // both sides have BEP 6
	extended  bool // both sides have BEP 10
	knowsV2   bool // it can make a link of the v1 info-hash one of v2 (BEP 52)
	gone      bool // dropped: only Closed is awaited

	since  time.Duration // connected
	turned time.Duration // another connection of the peer was turned down; 0 for never

	down, up meter

	has     holdings
	ask     asks
	slot    *choke.Peer // the upload side
	ext     extension
	fastx   fastState
	trust   trust
	answer  answering
	flood   flood
	silence silence
	pex     pexState
	probe   probe
	relayed relayed
	punch   punchState
}

// isServer reports whether p is a web server in the seat of a peer, which is asked
// for long runs: it has all pieces, and takes any number of requests.
func (p *peer) isServer() bool { return p.endpoint.IsWebSeed() }

// cameByUTP reports whether p connected to us by uTP (BEP 29). Programs dial and accept uTP
// with one socket, so the port that p came from is one at which it can be met. Behind a
// router it may be another port than the one that p names (BEP 10, "p").
func (p *peer) cameByUTP() bool { return !p.outgoing && p.transport == endpoint.TransportUTP }

// listensAt records where p accepts connections.
func (p *peer) listensAt(e endpoint.Endpoint) { p.listen = e }

// A peerTable holds the connections of a torrent.
type peerTable struct {
	byRef map[PeerRef]*peer // with those dropped and not yet closed
	list  []*peer           // without them, oldest first
	past  past

	yielded time.Duration // when a useful peer was last dropped for another, or 0
}

func newPeerTable() peerTable {
	return peerTable{byRef: map[PeerRef]*peer{}}
}

func (pt *peerTable) add(p *peer) {
	pt.byRef[p.ref] = p
	pt.list = append(pt.list, p)
}

// unlist takes p out of the live peers; Closed will forget it.
func (pt *peerTable) unlist(p *peer) {
	if i := slices.Index(pt.list, p); i >= 0 {
		pt.list = slices.Delete(pt.list, i, i+1)
	}
}

// live returns the peer of ref, or nil if it was dropped or there is none.
func (pt *peerTable) live(ref PeerRef) *peer {
	if p := pt.byRef[ref]; p != nil && !p.gone {
		return p
	}
	return nil
}

// all returns the live peers, oldest first. It is for loops that drop nobody.
func (pt *peerTable) all() []*peer { return pt.list }

// count returns how many live peers there are.
func (pt *peerTable) count() int { return len(pt.list) }

// snapshot returns a copy of the live peers, for loops that may drop some.
func (pt *peerTable) snapshot() []*peer { return slices.Clone(pt.list) }

// heard returns the live peer of ref, noting that something came from it.
func (pt *peerTable) heard(ref PeerRef, now time.Duration) *peer {
	p := pt.live(ref)
	if p != nil {
		p.silence.hear(now)
	}
	return p
}

// tellLost tells every peer that knows BEP 54 that we have lost a piece.
func (pt *peerTable) tellLost(out *outbox, piece uint32) {
	for _, p := range pt.list {
		if n := p.ext.number(wire.ExtDontHave); n != 0 {
			out.sendExtended(p, n, wire.AppendDontHave(nil, piece))
		}
	}
}

// newPeer returns a connection that was made just now, as far as its handshake tells.
func newPeer(e *Event, home limit.Home, now time.Duration) *peer {
	hello := e.Hello
	if hello == nil {
		hello = &wire.Hello{}
	}
	p := &peer{
		ref:      e.Peer,
		endpoint: e.Endpoint,
		id:       hello.PeerID,
		outgoing: e.Outgoing, encrypted: e.Encrypted, transport: e.Transport,
		fast:     hello.Reserved.Has(wire.FeatureFast),
		extended: hello.Reserved.Has(wire.FeatureExtension),
		hash:     hello.InfoHash,
		knowsV2:  hello.Reserved.Has(wire.FeatureV2),
		since:    now,
		ask:      newAsks(asksFirst),
		silence:  newSilence(now),
	}
	p.ext.init(wire.ReqqDefault)
	ip := p.endpoint.Host()
	p.source = limit.SourceOf(ip)
	switch {
	case p.isServer():
		p.ext.init(asksMax)
		p.ask = newAsks(asksServer)
	case !home.Has(ip):
		p.network = limit.NetworkOf(ip)
	}
	if p.outgoing && book.Usable(p.endpoint) {
		p.listen = p.endpoint
	}
	if p.cameByUTP() {
		p.punch.observe(p.endpoint)
	}
	return p
}

// onConnected adds a connection, unless it is not welcome.
func (t *Torrent) onConnected(e *Event) {
	p := newPeer(e, t.cfg.Home, t.now)
	p.slot = t.choker.Join(t.now, choke.Ref(p.ref), p.fast, (*uploadLink)(p))
	t.peers.add(p)
	t.hashes.join(p)
	t.relays.join(t, p, uint16(e.Count))
	t.book.Connected(t.now, p.endpoint, book.Conn(p.ref), p.outgoing)
	t.punch.ended(p.endpoint)
	p.punched = t.book.Arranged(p.endpoint)
	if p.outgoing {
		t.book.Worked(p.endpoint, p.transport)
	}
	if reason := t.unwelcome(p); reason != ReasonNone {
		t.drop(p, reason)
		return
	}
	if !p.isServer() {
		t.counters.connected()
	}
	if p.outgoing {
		t.book.Stays(p.endpoint)
	}
	if p.cameByUTP() {
		t.reachableAt(p, p.endpoint.Addr)
		t.book.Worked(p.endpoint, p.transport)
	}
	t.timers.by(timerSweep, t.now+sweepEvery)
	t.choker.Welcome(t.now)
	t.carryOut()
	t.greet(p)
	t.timers.by(timerDial, t.now)
}

// unwelcome returns why p should not stay, or ReasonNone. It may drop another peer in
// favour of p.
func (t *Torrent) unwelcome(p *peer) Reason {
	switch {
	case p.id == t.cfg.PeerID:
		t.book.Self(p.endpoint)
		return ReasonSelf
	case t.book.Banned(t.now, p.endpoint):
		return ReasonBanned
	case t.standing.isPaused():
		return ReasonPaused
	case t.standing.isUnusable():
		return ReasonUseless
	case t.book.Private() && p.outgoing && book.Usable(p.endpoint) && !p.vouchedIn(t.book):
		return ReasonPrivate // the dial was under way when the torrent turned out private
	}
	if !t.resolveDuplicates(p) {
		return ReasonDuplicate
	}
	if t.dialer.full() {
		worst, yields := t.peers.eviction(t.now, t.book.Priority).replace(p)
		if !t.evict(worst) {
			return ReasonFull
		}
		if yields {
			t.peers.yielded = t.now
		}
	}
	return ReasonNone
}

// greet sends the first messages: which pieces we have, then the extension handshake.
func (t *Torrent) greet(p *peer) {
	t.sendPieces(p)
	if p.extended {
		t.sendExtHandshake(p)
	}
	if t.pick != nil && !p.fast { // a peer that has nothing need not say so (BEP 3)
		t.countPieces(p)
	}
}

// dropBlocked ends the connection of a peer that the user blocks. It serves the event Blocked.
func dropBlocked(t *Torrent, ref PeerRef) {
	if p := t.peers.byRef[ref]; p != nil {
		t.drop(p, ReasonBlocked)
	}
}

// drop ends a connection. Everything that depends on it ends at once, as if it were
// closed already.
func (t *Torrent) drop(p *peer, reason Reason) {
	if !p.gone {
		t.end(p, Action{Kind: Drop, Peer: p.ref, Reason: reason})
	}
}

// dropAndBan ends a connection like drop and bans its address. Of a peer that a relay of ours
// carries, the driver bans the way through relays alone: only the relay says where the peer is.
func (t *Torrent) dropAndBan(p *peer, reason Reason) {
	if !p.gone {
		if p.transport != endpoint.TransportRelay {
			t.book.Ban(t.now, p.endpoint, p.listen)
		}
		t.end(p, Action{Kind: Drop, Peer: p.ref, Reason: reason, Ban: true})
	}
}

// end ends a connection with a Drop action.
func (t *Torrent) end(p *peer, drop Action) {
	reason := drop.Reason
	t.counters.dropped(reason)
	t.out.do(drop)
	t.leave(p)
	t.relays.leave(t, p, false)
	t.dialer.closed(t.now, p, reason, false)
}

// leave takes a peer out of every concern; the table keeps it until Closed.
func (t *Torrent) leave(p *peer) {
	p.gone = true
	t.peers.unlist(p)
	// No other peer can have sent a wrong block, or is banned for one.
	if p.down.sum() > 0 && p.transport != endpoint.TransportRelay {
		t.peers.past.add(p.ref, p.endpoint, p.listen)
	}
	t.requests.leave(p, t.now)
	t.meta.leave(p.ref, t.now)
	t.hashes.leave(p.ref, t.now)
	t.answers.leave(p.ref)
	p.has.leave(t.pick)
	t.choker.Leave(t.now, p.slot)
	t.carryOut()
}

// onClosed forgets a connection that is closed.
func (t *Torrent) onClosed(ref PeerRef, broken bool) {
	p := t.peers.byRef[ref]
	if p == nil {
		return
	}
	delete(t.peers.byRef, ref)
	if !p.gone {
		t.leave(p)
		t.relays.leave(t, p, broken)
		t.dialer.closed(t.now, p, ReasonNone, broken)
		t.punch.deserted(t.now, p)
	}
}

// useless reports whether neither side can give the other anything.
func (t *Torrent) useless(p *peer) bool {
	if t.cfg.MetadataOnly {
		return false
	}
	if t.hashes.mayTell(p.ref) {
		return false
	}
	return t.seeding() && (p.has.isSeed() || p.ext.wantsNothing() && !p.slot.Interested())
}

// pastMax is how many ended connections are remembered: more than can have sent blocks
// of pieces that are not verified yet.
const pastMax = 256

// past remembers the connections that ended last, so that a peer can be blamed after it
// has left.
type past struct {
	ring []gonePeer
	next int
}

// A gonePeer is what is remembered of a connection.
type gonePeer struct {
	ref              PeerRef
	endpoint, listen endpoint.Endpoint
}

func (g *past) add(ref PeerRef, at, listen endpoint.Endpoint) {
	if len(g.ring) < pastMax {
		g.ring = append(g.ring, gonePeer{ref, at, listen})
		return
	}
	g.ring[g.next] = gonePeer{ref, at, listen}
	g.next = (g.next + 1) % pastMax
}

// former returns a connection that ended, if it is still remembered.
func (pt *peerTable) former(ref PeerRef) (gonePeer, bool) { return pt.past.find(ref) }

func (g *past) find(ref PeerRef) (gonePeer, bool) {
	for _, p := range g.ring {
		if p.ref == ref {
			return p, true
		}
	}
	return gonePeer{}, false
}
