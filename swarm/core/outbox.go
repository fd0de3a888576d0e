package core

import (
	"slices"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// An outbox collects the actions of a step. Every message to a peer goes through
// it, so the silence of the peer's connection is always up to date.
type outbox struct {
	now     time.Duration
	actions []Action
	digest  uint64 // of all actions until now
	count   uint64 // of those in digest
}

// advance sets the time of what follows.
func (o *outbox) advance(now time.Duration) { o.now = now }

// do adds an action that is no message.
func (o *outbox) do(a Action) {
	o.actions = append(o.actions, a)
	o.digestOf(&o.actions[len(o.actions)-1])
}

// digestOf takes an action into the digest. What an action says of addresses is left out, and so
// are the pieces of Allowed Fast, which follow from an address: a replay has others.
func (o *outbox) digestOf(a *Action) {
	if a.Kind == Send && a.Msg.ID == wire.AllowedFast {
		return
	}
	const prime = 1099511628211 // of FNV-1a
	kind := uint64(a.Kind) | uint64(a.Reason)<<8 | uint64(a.Msg.ID)<<16 | uint64(a.Msg.Ext)<<24 |
		uint64(a.Peer)<<32
	if a.Ban {
		kind |= 1 << 7
	}
	ref := &a.Ref
	if a.Kind == Send {
		ref = &a.Msg.Ref
	}
	h := (o.digest ^ kind) * prime
	h = (h ^ uint64(ref.Piece) ^ uint64(ref.Begin)<<32) * prime
	o.digest = h ^ h>>29
	o.count++
}

// digest64 returns the digest of all actions until now, digest8 eight bits of it, and total
// how many actions are in it.
func (o *outbox) digest64() uint64 { return o.digest }
func (o *outbox) digest8() uint8   { return uint8(o.digest >> 56) }
func (o *outbox) total() uint64    { return o.count }

// take appends the actions to buf and forgets them.
func (o *outbox) take(buf []Action) []Action {
	buf = append(buf, o.actions...)
	clear(o.actions) // buffers and payloads are the driver's now
	o.actions = o.actions[:0]
	return buf
}

// send queues a message to p.
func (o *outbox) send(p *peer, m wire.Message) {
	p.silence.speak(o.now)
	o.do(Action{Kind: Send, Peer: p.ref, Msg: m})
}

// sendID queues a message that is nothing but its id.
func (o *outbox) sendID(p *peer, id wire.ID) { o.send(p, wire.Message{ID: id}) }

// sendPiece queues a message about a piece.
func (o *outbox) sendPiece(p *peer, id wire.ID, piece uint32) {
	o.send(p, wire.Message{ID: id, Ref: block.Ref{Piece: piece}})
}

// sendRef queues a message about a block.
func (o *outbox) sendRef(p *peer, id wire.ID, r block.Ref) {
	o.send(p, wire.Message{ID: id, Ref: r})
}

// reject says that a request will not be answered, to peers that wait for an answer to
// each (BEP 6, "Reject Request").
func (o *outbox) reject(p *peer, r block.Ref) {
	if p.fast {
		o.sendRef(p, wire.Reject, r)
	}
}

// sendExtended queues a message of the extension protocol (BEP 10).
func (o *outbox) sendExtended(p *peer, number uint8, payload []byte) {
	o.send(p, wire.Message{ID: wire.Extended, Ext: number, Payload: payload})
}

// upload queues a block to p.
func (o *outbox) upload(p *peer, r block.Ref) {
	p.silence.queue(o.now)
	o.do(Action{Kind: Upload, Peer: p.ref, Ref: r})
}

// answer queues a message to p that counts as payload. Its payload goes on with
// tail, which never changes.
func (o *outbox) answer(p *peer, m wire.Message, tail []byte) {
	p.silence.queue(o.now)
	o.do(Action{Kind: Answer, Peer: p.ref, Msg: m, Info: tail})
}

// wrote records that payload to p went out.
func (o *outbox) wrote(p *peer) { p.silence.write(o.now) }

// mark returns the place of the next action, for spokeTo.
func (o *outbox) mark() int { return len(o.actions) }

// spokeTo reports whether there are messages to p among the actions since mark.
func (o *outbox) spokeTo(p *peer, mark int) bool {
	return slices.ContainsFunc(o.actions[mark:], func(a Action) bool {
		return a.Kind == Send && a.Peer == p.ref
	})
}
