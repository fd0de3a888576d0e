package sim

import (
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

const (
	// messageSize and blockOverhead are the bytes that a message and a block
	// take on the wire beside their payload, headers of the lower layers
	// included in the proportion that full packets have.
	messageSize   = 20
	blockOverhead = 13 + block.Size/25
	// packetMessages is how many messages travel together at most.
	packetMessages = 64
	// unlimited is what a link without a limit has: 10 Gbit/s.
	unlimited = 10_000 * Mbit
	// retransmission is what the loss of a packet costs beside a round trip.
	retransmission = 20 * time.Millisecond
)

// An item is a message, or a block.
type item struct {
	msg    wire.Message
	answer bool // it is an Answer
	ref    block.Ref
	block  bool
	wrong  bool // its content is not what it should be
}

func (i *item) size(streams bool) int64 {
	switch {
	case i.block && streams:
		return int64(i.ref.Length) + streamOverhead
	case i.block:
		return int64(i.ref.Length) + blockOverhead
	}
	return messageSize + int64(len(i.msg.Payload))
}

// A packet is what travels at once: messages, and at most one block, which
// comes last.
type packet struct {
	to    uint32 // end
	bytes int64
	items []item
}

// An end is one side of a connection. Number 2i+1 is the other side of 2i.
type end struct {
	node   *node
	life   uint32
	ref    core.PeerRef
	open   bool  // its core was told Connected, and not yet Closed
	queued bool  // it is in the list of the uplink
	given  int   // blocks that its node has been told to send
	talk   queue // messages, which go before the blocks; without Streams everything
	blocks queue
	last   int64  // when the last packet to it arrives: they keep their order
	window window // of what it sends
}

// A queue holds items to be sent.
type queue struct {
	items []item
	head  int // items[:head] is gone
}

func (q *queue) empty() bool { return q.head == len(q.items) }

func (q *queue) push(it ...item) { q.items = append(q.items, it...) }

func (q *queue) pop() item {
	it := q.items[q.head]
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return it
}

// empty reports whether the end has nothing that it may send now.
func (e *end) empty() bool {
	return e.talk.empty() && (e.blocks.empty() || !e.window.open())
}

// A conn is a connection.
type conn struct {
	ends    [2]end
	latency time.Duration
	loss    float64
	broken  bool
}

// A dial is a connection attempt.
type dial struct {
	from, to   *node
	at         endpoint.Endpoint
	life, peer uint32 // lives of the two
	router     bool   // the peer is behind one, which may let the SYNs in
	until      int64  // when it fails, if it does
	met, over  bool
}

func (w *world) end(i uint32) *end { return &w.conns[i/2].ends[i%2] }

// dial begins a connection attempt of n to the node there.
func (w *world) dial(n *node, at endpoint.Endpoint, introduced bool) {
	to := w.nodeAt(at)
	if introduced && n.hasten(at) {
		return
	}
	w.dials = append(w.dials, dial{from: n, at: at, life: n.life})
	d := &w.dials[len(w.dials)-1]
	after := dialTimeout
	if to != nil {
		n.open(to)
	}
	switch {
	case to == nil || !to.up():
	case to.nat:
		w.knock(uint32(len(w.dials)-1), to, introduced)
	default:
		d.to, d.peer = to, to.life
		after = 3 * (n.distance + to.distance) // SYN, SYN-ACK, handshake
	}
	w.schedule(after, event{kind: evDial, node: int32(n.id), arg: uint32(len(w.dials) - 1)})
}

// dialled ends a connection attempt.
func (w *world) dialled(i uint32) {
	if from := w.dials[i].from; !from.up() || from.life != w.dials[i].life || w.goesOn(i) {
		return
	}
	w.dials[i].over = true
	d := w.dials[i]
	delete(d.from.calls, d.at)
	if d.to == nil || !d.to.up() || d.to.life != d.peer {
		d.from.step(core.Event{Kind: core.DialFailed, Endpoint: d.at})
		return
	}
	at := uint32(len(w.conns))
	latency := d.from.distance + d.to.distance
	w.conns = append(w.conns, conn{latency: latency, loss: d.from.class().Loss + d.to.class().Loss})
	c := &w.conns[at]
	for side, n := range [...]*node{d.from, d.to} {
		n.refs++
		c.ends[side] = end{node: n, life: n.life, ref: n.refs, open: true,
			window: newWindow(w.scenario)}
		n.links[n.refs] = 2*at + uint32(side)
	}
	d.from.connected(2*at, d.to, true, d.router)
	d.to.connected(2*at+1, d.from, false, d.router)
}

// send queues an item at one end, for the other. With Streams, messages overtake blocks, but
// for a choke, which goes behind the blocks queued before it, as with a real writer.
func (n *node) send(i uint32, it item) {
	e := n.world.end(i)
	if n.world.conns[i/2].broken {
		return // its core is about to learn that
	}
	if it.block && n.world.scenario.Streams {
		e.blocks.push(it)
	} else {
		if it.msg.ID == wire.Choke && !it.block {
			e.talk.push(e.blocks.items[e.blocks.head:]...)
			e.blocks = queue{items: e.blocks.items[:0]}
		}
		e.talk.push(it)
	}
	n.ready(i)
	n.startUplink()
}

// ready lists an end that has something to send.
func (n *node) ready(i uint32) {
	if e := n.world.end(i); !e.queued && !e.empty() {
		e.queued = true
		n.sending = append(n.sending, i)
	}
}

// startUplink fills the queue of the uplink, from the connections in turn.
func (n *node) startUplink() {
	w := n.world
	for n.room() && len(n.sending) > n.nextSending {
		i := n.sending[n.nextSending]
		n.nextSending++
		if n.nextSending > 64 && n.nextSending*2 > len(n.sending) {
			n.sending = n.sending[:copy(n.sending, n.sending[n.nextSending:])]
			n.nextSending = 0
		}
		e := w.end(i)
		e.queued = false
		if w.conns[i/2].broken || e.empty() {
			continue
		}
		index := w.newPacket(i ^ 1)
		p := &w.packets[index]
		e.fill(p, w, w.conns[i/2].latency)
		n.ready(i) // its turn comes again
		n.uplink.push(index, p.bytes)
		if len(n.uplink.packets) == 1 {
			n.transmit()
		}
	}
}

// room reports whether the queue of the uplink takes one more packet. Without Streams there
// is none.
func (n *node) room() bool {
	if !n.world.scenario.Streams {
		return len(n.uplink.packets) == 0
	}
	return n.uplink.backlog < queueBytes(n.class().Up)
}

// fill moves messages and at most one block into a packet.
func (e *end) fill(p *packet, w *world, latency time.Duration) {
	streams := w.scenario.Streams
	for len(p.items) < packetMessages {
		var it item
		switch {
		case !e.talk.empty():
			it = e.talk.pop()
		case !e.blocks.empty() && e.window.open():
			it = e.blocks.pop()
		default:
			if streams {
				p.bytes += packetOverhead
			}
			return
		}
		p.items = append(p.items, it)
		p.bytes += it.size(streams)
		if it.block {
			e.window.sent(w.now, latency)
			return
		}
	}
}

func duration(bytes, rate int64) time.Duration {
	if rate <= 0 {
		rate = unlimited
	}
	return time.Duration(float64(bytes) / float64(rate) * float64(time.Second))
}

// transmit begins with the first packet of the queue. The acknowledgements of what came
// meanwhile go with it.
func (n *node) transmit() {
	w := n.world
	bytes := w.packets[n.uplink.packets[0]].bytes + n.acks // there are none without Streams
	n.acks = 0
	w.schedule(duration(bytes, n.class().Up), event{kind: evUplink, node: int32(n.id),
		life: n.life})
}

// uplinked sends the packet that has left the uplink on its way, and tells the
// core that its block is out.
func (n *node) uplinked() {
	w := n.world
	index := n.uplink.pop(func(i uint32) int64 { return w.packets[i].bytes })
	if len(n.uplink.packets) > 0 {
		n.transmit()
	}
	n.startUplink()
	p := &w.packets[index]
	from := w.end(p.to ^ 1)
	last := p.items[len(p.items)-1]
	answers := 0
	for i := range p.items {
		if p.items[i].answer {
			answers++
		}
	}
	w.travel(index, last.block)
	if last.block && from.open {
		n.sentBytes += int64(last.ref.Length)
		if w.timeline != nil && n.class().Seed {
			w.timeline.uploaded(w.scenario, last.ref)
		}
		n.step(core.Event{Kind: core.Sent, Peer: from.ref, Count: 1})
	}
	if answers > 0 && from.open {
		n.step(core.Event{Kind: core.Answered, Peer: from.ref, Count: answers})
	}
}

// travel takes a packet from an uplink to the other end, and its acknowledgement back. A
// block that finds the queue of the downlink full is lost, as one in so many is at
// random. It comes a round trip later, and its sender slows down.
func (w *world) travel(index uint32, block bool) {
	p := &w.packets[index]
	c := &w.conns[p.to/2]
	to, from := w.end(p.to), w.end(p.to^1)
	at := w.now + int64(c.latency)
	lost := c.loss > 0 && w.rng.Float64() < c.loss
	streams := w.scenario.Streams
	if streams && block && to.node.downFree-at > int64(queueFor) {
		lost = true
	}
	if lost {
		at += int64(2*c.latency + retransmission)
		from.window.lost(w.now, c.latency)
	}
	at = max(at, to.node.downFree) + int64(duration(p.bytes, to.node.class().Down))
	to.node.downFree = at
	at = max(at, to.last)
	to.last = at
	w.at(at, event{kind: evArrive, node: int32(to.node.id), arg: index})
	if streams && block {
		w.at(at+int64(c.latency), event{kind: evAck, node: int32(from.node.id), arg: p.to ^ 1})
	}
}

// acked tells a sender that a block has come.
func (w *world) acked(i uint32) {
	e := w.end(i)
	if w.conns[i/2].broken || !e.open || !e.node.up() || e.node.life != e.life {
		return
	}
	n := e.node
	n.downFree = max(n.downFree, w.now) + int64(duration(ackBytes, n.class().Down))
	e.window.acked()
	n.ready(i)
	n.startUplink()
}

// arrive delivers a packet.
func (w *world) arrive(index uint32) {
	p := &w.packets[index]
	i := p.to
	for k := range p.items {
		e := w.end(i)
		if !e.open || !e.node.up() || e.node.life != e.life {
			break
		}
		if w.scenario.Streams && w.packets[index].items[k].block {
			e.node.acks = min(e.node.acks+ackBytes, acksMax)
		}
		e.node.receive(e.ref, &w.packets[index].items[k])
	}
	w.freePacket(index)
}

func (w *world) newPacket(to uint32) uint32 {
	if last := len(w.spare) - 1; last >= 0 {
		i := w.spare[last]
		w.spare = w.spare[:last]
		w.packets[i].to, w.packets[i].bytes = to, 0
		return i
	}
	w.packets = append(w.packets, packet{to: to})
	return uint32(len(w.packets) - 1)
}

func (w *world) freePacket(i uint32) {
	clear(w.packets[i].items)
	w.packets[i].items = w.packets[i].items[:0]
	w.spare = append(w.spare, i)
}

// hangUp ends a connection from one side. The core of that side learns of it at
// once, the other core when the packets under way have arrived.
func (w *world) hangUp(i uint32) {
	c := &w.conns[i/2]
	if c.broken {
		return
	}
	c.broken = true
	other := w.end(i ^ 1)
	mine := w.end(i)
	mine.talk, mine.blocks, other.talk, other.blocks = queue{}, queue{}, queue{}, queue{}
	w.at(w.now, event{kind: evClosed, node: int32(mine.node.id), arg: i})
	w.at(max(w.now+int64(c.latency), other.last), event{kind: evClosed, node: int32(other.node.id),
		arg: i ^ 1})
}

// closed tells one side that its connection is gone.
func (w *world) closed(i uint32) {
	e := w.end(i)
	if !e.open {
		return
	}
	e.open = false
	if !e.node.up() || e.node.life != e.life {
		return
	}
	delete(e.node.links, e.ref)
	e.node.step(core.Event{Kind: core.Closed, Peer: e.ref})
}
