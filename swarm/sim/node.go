package sim

import (
	"cmp"
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// A node is one member of the swarm.
type node struct {
	world *world
	id    int
	ci    int // class
	seed  uint64
	nat   bool

	distance time.Duration
	core     *core.Torrent // nil while it is away
	life     uint32        // counted up each time it goes
	refs     core.PeerRef
	calls    map[endpoint.Endpoint]uint32 // attempts to reach nodes behind routers
	holes    map[*node]int64              // when we sent a node a SYN last
	links    map[core.PeerRef]uint32
	actions  []core.Action
	tickAt   int64
	asked    bool // addresses are under way
	paused   bool

	// Uplink and downlink.
	uplink      line
	acks        int64    // bytes of acknowledgements that go with the next packet
	sending     []uint32 // ends with something to send, in turn
	nextSending int
	downFree    int64

	// Disk.
	have  *bits.Set
	wrong map[block.Ref]bool // stored blocks with wrong content
	bad   bool               // the block being received is wrong
	from  []core.PeerRef     // sender of each piece that is not hashed yet, or several

	banned bool // by somebody
	shared int  // pieces of several senders that were wrong

	joined    int64
	done      int64 // when it had everything; 0: not yet
	left      int64 // when it left last
	sentBytes int64
	player    player
}

// several stands for more than one sender: no connection has its number.
const several = ^core.PeerRef(0)

// spoilAt is the number of the wrong block among those that a Spoiler sends to a
// peer. By then some of its pieces have been verified.
const spoilAt = 512

func newNode(w *world, id, ci int, seed uint64) *node {
	n := &node{world: w, id: id, ci: ci, seed: seed ^ uint64(id+1)*0x9e3779b97f4a7c15,
		wrong: map[block.Ref]bool{}}
	c := n.class()
	pieces := w.scenario.Pieces
	n.have = bits.New(pieces)
	n.from = make([]core.PeerRef, pieces)
	switch {
	case c.Seed:
		n.have.SetAll()
	case c.All > 0:
		for i := range pieces {
			if w.rng.Float64() < c.All {
				n.have.Add(i)
			}
		}
	}
	for _, i := range c.Without {
		n.have.Remove(i)
	}
	return n
}

func (n *node) class() *Class { return &n.world.scenario.Classes[n.ci] }

func (n *node) up() bool { return n.core != nil }

// leech reports whether the run waits for the node.
func (n *node) leech() bool { return n.class().leech() }

// leech reports whether a run waits for the nodes of the class.
func (c *Class) leech() bool {
	return !c.Seed && c.Acts != Liar && c.Acts != Mute && c.Acts != Spoiler
}

// endpoint returns where the node listens: its number, each in a network of its own.
func (n *node) endpoint() endpoint.Endpoint {
	var ip [4]byte
	binary.BigEndian.PutUint32(ip[:], uint32(n.id+1)<<8|1)
	ip[0] += 20
	return endpoint.IP(netip.AddrPortFrom(netip.AddrFrom4(ip), 6881))
}

func (w *world) nodeAt(at endpoint.Endpoint) *node {
	ip := at.Host().As4()
	ip[0] -= 20
	if i := int(binary.BigEndian.Uint32(ip[:])>>8) - 1; i >= 0 && i < len(w.nodes) {
		return w.nodes[i]
	}
	return nil
}

func (n *node) peerID() (id [20]byte) {
	copy(id[:], "-SN0000-")
	binary.BigEndian.PutUint64(id[12:], n.seed)
	return id
}

// join starts the node's core.
func (n *node) join() {
	w, c := n.world, n.class()
	n.core = core.New(n.time(), core.Config{
		InfoHash: w.info.Hash(), PeerID: n.peerID(), Seed: n.seed + uint64(n.life), Client: "sim",
		Port:      6881,
		SuperSeed: c.SuperSeed,
		Limits:    core.Limits{PeersMax: cmp.Or(c.PeersMax, w.scenario.PeersMax)},
	})
	n.core.SetExternal(n.endpoint().Host())
	n.links = map[core.PeerRef]uint32{}
	n.calls, n.holes = map[endpoint.Endpoint]uint32{}, map[*node]int64{}
	n.tickAt = -1
	n.uplink, n.acks, n.sending, n.nextSending = line{}, 0, nil, 0
	if n.joined == 0 {
		n.joined = max(w.now, 1)
	}
	if !c.Magnet || n.life > 0 {
		n.opened()
	}
	n.told()
	if c.Life > 0 {
		w.schedule(n.exponential(c.Life), n.event(evLeave, 0))
	}
	if n.paused = false; c.Runs > 0 {
		w.schedule(n.exponential(c.Runs), n.event(evPause, 0))
	}
}

func (n *node) exponential(mean time.Duration) time.Duration {
	return time.Duration(n.world.rng.ExpFloat64() * float64(mean))
}

func (n *node) event(kind eventKind, arg uint32) event {
	return event{kind: kind, node: int32(n.id), arg: arg, life: n.life}
}

// leave takes the node out of the swarm. Its pieces stay on its disk.
func (n *node) leave() {
	if !n.up() {
		return
	}
	for ref := core.PeerRef(1); ref <= n.refs; ref++ { // in order: maps have none
		if i, ok := n.links[ref]; ok {
			n.world.hangUp(i)
		}
	}
	n.core = nil
	n.life++
	n.left = n.world.now
	clear(n.wrong)
	clear(n.from)
	if away := n.class().Away; away > 0 {
		n.world.schedule(n.exponential(away), n.event(evJoin, 0))
	}
}

// pause pauses the node, or ends its pause.
func (n *node) pause() {
	n.paused = !n.paused
	kind, mean := core.Resumed, n.class().Runs
	if n.paused {
		kind, mean = core.Paused, n.class().Pause
	}
	n.step(core.Event{Kind: kind})
	if n.up() {
		n.world.schedule(n.exponential(mean), n.event(evPause, 0))
	}
}

// opened tells the core that its storage is open.
func (n *node) opened() {
	n.step(core.Event{Kind: core.InfoReady, Info: n.world.info, Have: n.have.Clone()})
	n.play()
}

func (n *node) time() time.Time { return epoch.Add(time.Duration(n.world.now)) }

// told gives the node addresses, as a tracker or the DHT does.
func (n *node) told() {
	if !n.up() {
		return
	}
	w := n.world
	n.asked = false
	if w.scenario.Introducer {
		if first := w.nodes[0]; n != first {
			n.step(core.Event{Kind: core.Found, Endpoint: first.endpoint(),
				Source: book.SourceUser})
		}
		return
	}
	for range min(trackerPeers, 4*len(w.nodes)) {
		other := w.nodes[w.rng.IntN(len(w.nodes))]
		if other != n && other.up() {
			n.step(core.Event{Kind: core.Found, Endpoint: other.endpoint(), Source: book.SourceDHT})
		}
	}
	w.schedule(trackerEvery, n.event(evTracker, 0))
}

func (n *node) tick(at int64) {
	if n.up() && n.tickAt == at {
		n.tickAt = -1
		n.step(core.Event{Kind: core.Tick})
	}
}

// step tells the core what happened and carries out its actions.
func (n *node) step(e core.Event) {
	if !n.up() {
		return
	}
	t := n.core
	t.Step(n.time(), e)
	n.actions = t.Actions(n.actions[:0])
	for i := range n.actions {
		n.do(&n.actions[i])
	}
	if n.core != t { // it left
		return
	}
	if next := t.NextTick(); !next.IsZero() {
		at := max(int64(next.Sub(epoch)), n.world.now)
		if n.tickAt < 0 || at < n.tickAt {
			n.tickAt = at
			n.world.at(at, n.event(evTick, 0))
		}
	}
}

func (n *node) do(a *core.Action) {
	w := n.world
	switch a.Kind {
	case core.Dial:
		w.dial(n, a.Endpoint, a.Told == limit.Introduced)
	case core.Send:
		if a.Msg.ID == wire.Unchoke && n.class().Acts == FreeRider {
			return
		}
		n.send(n.links[a.Peer], item{msg: a.Msg})
	case core.Answer:
		m := a.Msg
		m.Payload = slices.Concat(m.Payload, a.Info)
		n.send(n.links[a.Peer], item{msg: m, answer: true})
	case core.Upload:
		n.upload(a)
	case core.Drop:
		i := n.links[a.Peer]
		if a.Ban {
			w.end(i ^ 1).node.banned = true
		}
		w.hangUp(i)
	case core.Store:
		n.store(a.Ref)
	case core.Verify:
		w.schedule(duration(int64(w.scenario.PieceLength), hashRate),
			n.event(evHashed, a.Ref.Piece))
	case core.HashBlocks:
		w.schedule(duration(int64(w.scenario.PieceLength), hashRate), n.event(evRead, a.Ref.Piece))
	case core.UseInfo:
		w.schedule(time.Millisecond, n.event(evOpened, 0))
	case core.WantPeers:
		if !n.asked {
			n.asked = true
			w.schedule(trackerDelay, n.event(evTracker, 0))
		}
	case core.Complete:
		n.complete()
	}
}

// complete records that the node has everything.
func (n *node) complete() {
	w := n.world
	if n.done != 0 || !n.leech() {
		return
	}
	n.done = max(w.now, 1)
	w.waiting--
	if n.class().Leaves {
		w.schedule(time.Second, n.event(evLeave, 0))
	}
}

func (n *node) upload(a *core.Action) {
	switch n.class().Acts {
	case Mute:
		return
	case Liar:
		n.send(n.links[a.Peer], item{ref: a.Ref, block: true, wrong: true})
	case Spoiler:
		i := n.links[a.Peer]
		e := n.world.end(i)
		e.given++
		n.send(i, item{ref: a.Ref, block: true, wrong: e.given == spoilAt})
	default:
		n.send(n.links[a.Peer], item{ref: a.Ref, block: true})
	}
	if c := n.class(); c.Copies > 0 &&
		float64(n.sentBytes) >= c.Copies*float64(n.world.scenario.Length()) {
		n.leave()
	}
}

// store writes a block. A wrong one shows when its piece is hashed.
func (n *node) store(r block.Ref) {
	if n.bad {
		n.wrong[r] = true
	} else if len(n.wrong) > 0 {
		delete(n.wrong, r)
	}
}

// hashed ends the hashing of a piece.
func (n *node) hashed(piece uint32) {
	if !n.up() {
		return
	}
	e := core.Event{Kind: core.Verified, Ref: block.Ref{Piece: piece}}
	if n.spoilt(piece) {
		e.Kind, e.Hashes = core.Failed, n.blockHashes(piece)
		if n.from[piece] == several {
			n.shared++
		}
		for r := range n.blocks(piece) {
			delete(n.wrong, r)
		}
	} else {
		n.have.Add(int(piece))
		n.played()
	}
	n.from[piece] = 0
	n.step(e)
}

// blocks returns the blocks of a piece, in order.
func (n *node) blocks(piece uint32) iter.Seq[block.Ref] {
	return func(yield func(block.Ref) bool) {
		for begin := 0; begin < n.world.scenario.PieceLength; begin += block.Size {
			if !yield(block.Ref{Piece: piece, Begin: uint32(begin), Length: block.Size}) {
				return
			}
		}
	}
}

// spoilt reports whether a block of a piece is wrong.
func (n *node) spoilt(piece uint32) bool {
	if len(n.wrong) == 0 {
		return false
	}
	for r := range n.blocks(piece) {
		if n.wrong[r] {
			return true
		}
	}
	return false
}

// blockHashes returns the hashes of the blocks of a piece, as they are stored:
// of a right one always the same, of a wrong one another.
func (n *node) blockHashes(piece uint32) []metainfo.Hash256 {
	var all []metainfo.Hash256
	for r := range n.blocks(piece) {
		var h metainfo.Hash256
		binary.BigEndian.PutUint32(h[:], r.Piece)
		binary.BigEndian.PutUint32(h[4:], r.Begin)
		if n.wrong[r] {
			h[8] = 1
		}
		all = append(all, h)
	}
	return all
}

// connected tells the core of a new connection.
func (n *node) connected(i uint32, other *node, outgoing, punched bool) {
	e := n.world.end(i)
	hello := &wire.Hello{InfoHash: n.world.info.Hash(), PeerID: other.peerID()}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast).With(wire.FeatureExtension)
	at := other.endpoint()
	over := endpoint.TransportTCP
	if punched {
		over = endpoint.TransportUTP
	} else if !outgoing { // a port of the moment
		at = endpoint.IP(netip.AddrPortFrom(at.Host(), uint16(10000+i%50000)))
	}
	n.step(core.Event{Kind: core.Connected, Peer: e.ref, Endpoint: at, Outgoing: outgoing,
		Hello: hello, Transport: over})
}

// receive tells the core of a message or a block.
func (n *node) receive(ref core.PeerRef, it *item) {
	if it.block {
		switch from := &n.from[it.ref.Piece]; *from {
		case 0, ref:
			*from = ref
		default:
			*from = several
		}
		n.bad = it.wrong
		n.step(core.Event{Kind: core.ReceivedBlock, Peer: ref, Ref: it.ref})
		n.bad = false
		return
	}
	n.step(core.Event{Kind: core.Received, Peer: ref, Msg: it.msg})
}
