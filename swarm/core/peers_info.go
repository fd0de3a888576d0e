package core

import (
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
)

// A PeerInfo is what a torrent knows of one of its connections.
type PeerInfo struct {
	Peer        PeerRef
	Endpoint    endpoint.Endpoint
	Listen      endpoint.Endpoint // where it accepts connections; not valid until known
	Source      book.Source       // who named it first; SourceIncoming if it connected to us
	ID          [20]byte
	Client      string // the name that it gives itself (BEP 10), without control characters
	Transport   endpoint.Transport
	Outgoing    bool
	Encrypted   bool // the handshake was
	Seed        bool
	UploadOnly  bool // it says that it wants nothing (BEP 21)
	Choking     bool // it chokes us
	Interested  bool // it is interested in us
	Unchoked    bool // by us
	Optimistic  bool // its slot was given by lot
	Interesting bool // we are interested in it
	Snubbed     bool // it leaves our requests without any block
	Wait        Wait
	Pieces      int
	Asked       int   // blocks that we wait for
	Queued      int   // blocks that it waits for
	Down, Up    int64 // payload bytes
	DownRate    int64 // bytes per second
	UpRate      int64
	Age         time.Duration // of the connection
	// LastDown and LastUp are how long ago a block came or went last; negative if none
	// did.
	LastDown, LastUp time.Duration
}

// A Wait is what a connection waits for while no block moves.
type Wait uint8

// The waits. The first one that holds is shown: what we wait for comes before what the peer
// waits for.
const (
	WaitNone     Wait = iota // blocks are on their way
	WaitMetadata             // we do not know the metadata yet
	WaitStorage              // we cannot write to disk
	WaitPieces               // the peer has not said which pieces it has
	WaitAnswers              // the peer leaves our requests without any block
	WaitUnchoke              // we wait until the peer unchokes us
	WaitBackoff              // the peer rejected requests and is left alone for a while
	WaitVerify               // the first piece of the peer is being verified
	WaitTurn                 // others are asked for what the peer has
	WaitSlot                 // the peer waits for a slot of ours
	WaitRequests             // the peer has a slot and requests nothing
	WaitInterest             // neither side has anything that the other one wants
	waitCount
)

var waitNames = [waitCount]string{
	"blocks are on their way",
	"we do not know the metadata yet",
	"we cannot write to disk",
	"it has not said which pieces it has",
	"it does not answer our requests",
	"we wait until it unchokes us",
	"it rejected requests, and we pause",
	"we verify its first piece",
	"other peers are asked for what it has",
	"it waits for an upload slot",
	"it has an upload slot and requests nothing",
	"neither side has anything that the other wants",
}

// String returns a sentence about the peer, without a capital and a full stop.
func (w Wait) String() string {
	if w < waitCount {
		return waitNames[w]
	}
	return "unknown"
}

// waitsFor returns what the connection, of the torrent t, waits for.
func (p *peer) waitsFor(t *Torrent) Wait {
	switch {
	case t.pick == nil:
		return WaitMetadata
	case t.seeding():
	case t.standing.isStalled():
		return WaitStorage
	case !p.has.known():
		return WaitPieces
	case !p.interesting():
	case p.ask.snubs():
		return WaitAnswers
	case p.ask.waiting() > 0:
		return WaitNone
	case p.chokesUs():
		return WaitUnchoke
	case p.ask.isPaused(t.now):
		return WaitBackoff
	case p.trust.isAwaited():
		return WaitVerify
	case !p.slot.Busy():
		return WaitTurn
	}
	switch {
	case p.slot.Busy() && p.slot.Unchoked():
		return WaitNone
	case p.slot.Interested() && !p.slot.Unchoked():
		return WaitSlot
	case p.slot.Interested():
		return WaitRequests
	}
	return WaitInterest
}

// Peers appends a PeerInfo of each connection to buf, oldest first.
func (t *Torrent) Peers(now time.Time, buf []PeerInfo) []PeerInfo {
	t.advance(now)
	for _, p := range t.peers.all() {
		buf = append(buf, p.info(t))
	}
	return buf
}

// info describes the connection, of the torrent t.
func (p *peer) info(t *Torrent) PeerInfo {
	source := book.SourceIncoming
	if p.outgoing {
		source, _ = t.book.SourceOf(p.endpoint)
	}
	since := func(last time.Duration) time.Duration {
		if last == 0 {
			return -1
		}
		return t.now - last
	}
	return PeerInfo{
		Peer: p.ref, Endpoint: p.endpoint, Listen: p.listen, Source: source,
		ID: p.id, Client: p.ext.program(), Transport: p.transport,
		Outgoing: p.outgoing, Encrypted: p.encrypted,
		Seed: p.has.isSeed(), UploadOnly: p.ext.wantsNothing(),
		Choking: p.chokesUs(), Interested: p.slot.Interested(),
		Unchoked: p.slot.Unchoked(), Optimistic: p.slot.Optimistic(),
		Interesting: p.interesting(), Snubbed: p.ask.snubs(), Wait: p.waitsFor(t),
		Pieces: p.has.count(), Asked: p.ask.waiting(),
		Queued: p.slot.Waiting() + len(p.slot.Flying()),
		Down:   p.down.sum(), Up: p.up.sum(),
		DownRate: p.down.rate(t.now), UpRate: p.up.rate(t.now),
		Age: t.now - p.since, LastDown: since(p.down.latest()), LastUp: since(p.up.latest()),
	}
}
