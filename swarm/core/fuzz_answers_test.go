package core

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// replies keeps the books of BEP 6: every request of a peer that knows of it gets
// one answer, a block or a reject, and nothing is answered that was not asked.
type replies struct {
	fast   map[PeerRef]bool
	owed   map[PeerRef][]block.Ref // asked, and not answered
	flying map[PeerRef][]block.Ref // Uploads that are with the writer
}

func newReplies() *replies {
	return &replies{fast: map[PeerRef]bool{}, owed: map[PeerRef][]block.Ref{},
		flying: map[PeerRef][]block.Ref{}}
}

// askedOf notes a request of a peer that is about to be told to the torrent.
func (c *chaos) askedOf(ref PeerRef, r block.Ref) {
	if c.open[ref] && !c.dropped[ref] {
		c.answers.owed[ref] = append(c.answers.owed[ref], r)
	}
}

// answered takes in what the torrent does about requests.
func (c *chaos) answered(a *Action) {
	ans := c.answers
	r := a.Ref
	switch {
	case a.Kind == Upload:
		ans.flying[a.Peer] = append(ans.flying[a.Peer], r)
	case a.Kind == Send && a.Msg.ID == wire.Reject:
		if r = a.Msg.Ref; !ans.fast[a.Peer] {
			c.t.Fatalf("a reject of %v to peer %d, which does not know them", r, a.Peer)
		}
	default:
		return
	}
	i := slices.Index(ans.owed[a.Peer], r)
	if i < 0 {
		c.t.Fatalf("%s: %v was not asked for, or answered before", showAction(a), r)
	}
	ans.owed[a.Peer] = slices.Delete(ans.owed[a.Peer], i, i+1)
}

// checkAnswers: what is not answered yet waits in the queue of its peer.
func (c *chaos) checkAnswers() {
	for ref := range c.answers.fast {
		p := c.torrent.peers.live(ref)
		if p == nil {
			continue
		}
		if owed := c.answers.owed[ref]; len(owed) != p.slot.Waiting() {
			c.t.Fatalf("peer %d waits for %d answers, and %d are to come: %v", ref, len(owed),
				p.slot.Waiting(), owed)
		}
	}
}

// sent has the writer of a peer be done with some Uploads.
func (c *chaos) sent(ref PeerRef, count int) {
	c.answers.flying[ref] = c.answers.flying[ref][min(count, len(c.answers.flying[ref])):]
	c.step(Event{Kind: Sent, Peer: ref, Count: count})
	c.step(Event{Kind: Answered, Peer: ref, Count: count})
}

// readFailed reports that an Upload failed, of a peer that must then get a reject, or of
// a peer that is gone.
func (c *chaos) readFailed(ref PeerRef) {
	r := c.block()
	if c.open[ref] && !c.dropped[ref] {
		flying := c.answers.flying[ref]
		if len(flying) == 0 {
			return
		}
		i := c.byte() % len(flying)
		r = flying[i]
		c.answers.flying[ref] = slices.Delete(flying, i, i+1)
		if c.answers.fast[ref] {
			c.askedOf(ref, r)
		}
	}
	c.step(Event{Kind: ReadFailed, Peer: ref, Ref: r})
}

// settle has the writers go on: then every request is answered in the end. Peers
// say something now and then, lest they count as gone.
func (c *chaos) settle() {
	for range 300 {
		waits := false
		for ref := PeerRef(1); ref <= c.refs; ref++ {
			if p := c.torrent.peers.live(ref); p != nil && p.slot.Busy() {
				waits = true
				c.step(Event{Kind: Received, Peer: ref, Msg: wire.Message{ID: wire.KeepAlive}})
				c.sent(ref, 8)
			}
		}
		if !waits {
			return
		}
		c.now = c.now.Add(time.Second)
		c.step(Event{Kind: Tick})
	}
	for ref := PeerRef(1); ref <= c.refs; ref++ {
		if p := c.torrent.peers.live(ref); p != nil && p.slot.Busy() {
			c.t.Fatalf("peer %d waits for an answer for good: %d in the queue, %v with the writer",
				ref, p.slot.Waiting(), p.slot.Flying())
		}
	}
}

// TestRequestsAnswered has random peers ask, cancel and come and go, while slots
// change hands and reads fail: each request gets one answer (BEP 6).
func TestRequestsAnswered(t *testing.T) {
	const message, idInterested, idRequest, idCancel, idHaveNone = 20, 2, 6, 8, 11
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 6))
		var script []byte
		say := func(peer, id byte) {
			script = append(script, message, peer, id, byte(rng.UintN(20)), byte(rng.UintN(3)), 1)
		}
		for peer := range byte(6) {
			script = append(script, 0, peer, 1, peer, 1, 0, 1) // connects, and knows of rejects
			say(peer, idHaveNone)
			say(peer, idInterested)
		}
		for range 100 {
			peer := byte(rng.UintN(6))
			switch rng.UintN(8) {
			case 0:
				script = append(script, byte(rng.UintN(24)), byte(rng.Uint32())) // whatever
			case 1, 2:
				script = append(script, 14, byte(rng.Uint32())) // time passes
			case 3:
				script = append(script, 8, peer, 0, 0, 1, 0) // a read fails
			case 4:
				script = append(script, 7, peer, 3) // blocks went out
			default:
				for range 1 + rng.UintN(20) {
					say(peer, idRequest)
				}
				for range rng.UintN(12) {
					say(peer, idCancel)
				}
			}
		}
		t.Logf("script %d", seed)
		runChaos(t, 4*seed, script)
	}
}
