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
}

// advance sets the time of what follows.
func (o *outbox) advance(now time.Duration) { o.now = now }

// do adds an action that is no message.
func (o *outbox) do(a Action) { o.actions = append(o.actions, a) }

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
