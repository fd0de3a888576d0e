package core

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// A chaos drives a torrent by bytes: its peers and its disk do whatever they
// say, in any order. It keeps the books that a driver would.
type chaos struct {
	t       *testing.T
	torrent *Torrent
	now     time.Time
	script  []byte
	refs    PeerRef
	open    map[PeerRef]bool // Connected and not Closed
	dropped map[PeerRef]bool
	verify  []uint32
	dialled []netip.AddrPort
	asked   map[PeerRef][]block.Ref
	actions []Action
	paused  bool
	buffers int // blocks that were neither stored nor discarded
	answers *replies
	v2      *chaosV2
}

func (c *chaos) byte() int {
	if len(c.script) == 0 {
		return 0
	}
	b := c.script[0]
	c.script = c.script[1:]
	return int(b)
}

func (c *chaos) step(e Event) {
	if e.Kind == ReceivedBlock {
		c.buffers++
	}
	c.torrent.Step(c.now, e)
	c.act()
}

func (c *chaos) act() {
	c.torrent.check()
	c.actions = c.torrent.Actions(c.actions[:0])
	for i := range c.actions {
		c.carryOut(&c.actions[i])
	}
	c.checkAnswers()
	if c.buffers != 0 {
		c.t.Fatalf("%d blocks were neither stored nor discarded", c.buffers)
	}
}

func (c *chaos) carryOut(a *Action) {
	switch a.Kind {
	case Send, Upload, Answer, Drop:
		if !c.open[a.Peer] || c.dropped[a.Peer] {
			c.t.Fatalf("%s: the peer is gone", showAction(a))
		}
		if a.Kind == Drop {
			c.dropped[a.Peer] = true
		}
		if a.Msg.ID == wire.Request && a.Kind == Send {
			c.asked[a.Peer] = append(c.asked[a.Peer], a.Msg.Ref)
		}
	case Dial:
		if c.paused {
			c.t.Fatal("a dial while paused")
		}
		c.dialled = append(c.dialled, a.Endpoint.Addr)
	case Store, Discard:
		c.buffers--
	case Verify:
		c.verify = append(c.verify, a.Ref.Piece)
	}
	c.answered(a)
	c.v2.carryOut(a)
}

// peer returns one of the connections, also one that was dropped.
func (c *chaos) peer() PeerRef {
	if c.refs == 0 {
		return 1
	}
	return PeerRef(c.byte())%c.refs + 1
}

func (c *chaos) event() {
	switch op := c.byte() % 24; op {
	case 0, 1:
		c.connect()
	case 2:
		if ref := c.peer(); c.open[ref] {
			delete(c.open, ref)
			c.step(Event{Kind: Closed, Peer: ref})
		}
	case 3, 4, 5, 6:
		c.answer()
	case 7:
		c.sent(c.peer(), c.byte()%8)
	case 8:
		c.readFailed(c.peer())
	case 9, 10, 11:
		c.verified()
	case 12:
		c.step(Event{Kind: []EventKind{StorageFailed, StorageWorks, StorageWorks}[c.byte()%3],
			Ref: c.block()})
	case 13:
		addr := netip.AddrFrom4([4]byte{20, byte(c.byte()), 0, 1})
		c.step(Event{Kind: Found, Endpoint: endpoint.IP(netip.AddrPortFrom(addr, uint16(c.byte()))),
			Source: book.Source(c.byte() % 8)})
	case 14, 15:
		c.now = c.now.Add(time.Duration(c.byte()) * 100 * time.Millisecond)
		c.step(Event{Kind: Tick})
	case 16:
		c.step(Event{Kind: ReceivedBlock, Peer: c.peer(), Ref: c.block()})
	case 17:
		c.torrent.Prioritize(c.now, c.byte()%20, 4)
		c.torrent.Prioritize(c.now, c.byte()%20, 0)
		c.act()
	case 18:
		c.dials()
	case 19:
		c.hashes()
	default:
		c.message()
	}
}

// pause pauses the torrent or ends its pause.
func (c *chaos) pause(on bool) {
	if c.paused = on; !on {
		c.step(Event{Kind: Resumed})
		return
	}
	c.step(Event{Kind: Paused})
}

// dials has a dial fail or be put off, or an own address be told; now and then
// the torrent turns out to be private.
func (c *chaos) dials() {
	switch n := c.byte(); {
	case n == 0:
		c.step(Event{Kind: Private})
	case n%16 == 1, n%16 == 5:
		c.pause(n%16 == 1)
	case n%16 == 9:
		c.step(Event{Kind: Doubted, Ref: c.block()})
	case n%4 == 0:
		c.torrent.SetExternal(netip.AddrFrom4([4]byte{50, 0, 0, byte(c.byte())}))
		c.step(Event{Kind: PublicPortsChanged, Count: PublicPorts(uint16(n), 0)})
		for _, k := range c.torrent.Known(8) {
			c.step(Event{Kind: Found, Endpoint: k.Endpoint, Source: book.SourceResume, Met: k.Met,
				Vouched: k.Vouched})
		}
	case len(c.dialled) > 0:
		i := c.byte() % len(c.dialled)
		addr := c.dialled[i]
		c.dialled = append(c.dialled[:i], c.dialled[i+1:]...)
		c.step(Event{Kind: []EventKind{DialFailed, DialPutOff}[n%2], Endpoint: endpoint.IP(addr)})
	}
}

func (c *chaos) connect() {
	c.refs++
	hello := wire.Hello{}
	hello.PeerID[0] = byte(c.byte() % 16)
	if c.byte()%4 > 0 {
		hello.Reserved = hello.Reserved.With(wire.FeatureFast).With(wire.FeatureExtension)
	}
	if c.v2 != nil {
		c.v2.greet(&hello, c.byte())
	}
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{20, byte(c.byte() % 16), 0, 1}),
		uint16(c.byte()))
	c.open[c.refs] = true
	if hello.Reserved.Has(wire.FeatureFast) {
		c.answers.fast[c.refs] = true
	}
	c.step(Event{Kind: Connected, Peer: c.refs, Endpoint: endpoint.IP(addr), Hello: &hello,
		Outgoing: c.byte()%2 == 0})
	if ref := c.refs; c.byte()%2 == 0 { // a good start
		c.step(Event{Kind: Received, Peer: ref, Msg: wire.Message{ID: wire.Bitfield,
			Payload: []byte{0xff, 0xff, 0xf0}}})
		c.step(Event{Kind: Received, Peer: ref, Msg: wire.Message{ID: wire.Unchoke}})
		c.step(Event{Kind: Received, Peer: ref, Msg: wire.Message{ID: wire.Interested}})
	}
}

// answer sends a block that the peer was asked for.
func (c *chaos) answer() {
	ref := c.peer()
	if asked := c.asked[ref]; len(asked) > 0 && c.open[ref] {
		i := c.byte() % len(asked)
		r := asked[i]
		c.asked[ref] = append(asked[:i], asked[i+1:]...)
		c.step(Event{Kind: ReceivedBlock, Peer: ref, Ref: r})
	}
}

func (c *chaos) verified() {
	if len(c.verify) == 0 {
		return
	}
	piece := c.verify[0]
	c.verify = c.verify[1:]
	e := Event{Kind: Verified, Ref: block.Ref{Piece: piece}}
	if c.byte()%4 == 0 {
		e.Kind = Failed
		e.Hashes = c.v2.blocks(int(piece), c.byte())
	}
	c.step(e)
}

func (c *chaos) block() block.Ref {
	r := block.Ref{Piece: uint32(c.byte() % 24), Begin: uint32(c.byte()%4) * block.Size,
		Length: block.Size}
	if c.byte()%8 == 0 {
		r.Length = binary.BigEndian.Uint32([]byte{byte(c.byte()), byte(c.byte()), byte(c.byte()),
			byte(c.byte())})
	}
	return r
}

var chaosIDs = []wire.ID{
	wire.Choke, wire.Unchoke, wire.Interested, wire.NotInterested, wire.Have, wire.Bitfield,
	wire.Request, wire.Request,
	wire.Cancel, wire.Suggest, wire.HaveAll, wire.HaveNone, wire.Reject, wire.AllowedFast,
	wire.Extended, wire.Extended,
	wire.HashRequest, wire.Port, wire.KeepAlive,
}

func (c *chaos) message() {
	ref := c.peer()
	m := wire.Message{ID: chaosIDs[c.byte()%len(chaosIDs)], Ref: c.block()}
	if asked := c.asked[ref]; m.ID == wire.Reject && len(asked) > 0 {
		m.Ref = asked[0]
	}
	switch m.ID {
	case wire.Bitfield:
		m.Payload = []byte{byte(c.byte()), byte(c.byte()), byte(c.byte()) & 0xf0}
	case wire.Extended:
		m.Ext = uint8(c.byte() % 6)
		n := min(c.byte(), len(c.script))
		m.Payload = c.script[:n]
		if m.Ext == 0 && c.byte()%2 == 0 {
			m.Payload = wire.AppendExtHandshake(nil, wire.ExtHandshake{
				Extensions: wire.OurExtensions(wire.ExtMetadata, wire.ExtPEX, wire.ExtDontHave,
					wire.ExtUploadOnly),
				MetadataSize: int64(c.byte()) * 100, Port: uint16(c.byte()), Reqq: c.byte(),
				UploadOnly: c.byte()%4 == 0,
			})
		} else if m.Ext == uint8(wire.ExtMetadata) {
			m.Payload = wire.AppendMetadata(nil, wire.Metadata{
				Type: wire.MetadataType(c.byte() % 3), Piece: uint32(c.byte() % 3),
				Data: make([]byte, c.byte()),
			})
		}
	}
	if m.ID == wire.Request {
		c.askedOf(ref, m.Ref)
	}
	c.step(Event{Kind: Received, Peer: ref, Msg: m})
}

// FuzzTorrent lets peers and disk do what they like, and checks the invariants
// after every step. A torrent with one honest peer then completes.
func FuzzTorrent(f *testing.F) {
	f.Add(uint64(1), []byte("peers come and go, and send each other blocks, or not; the disk "+
		"fails now and then"))
	f.Add(uint64(4), []byte{0, 1, 2, 3, 0, 0, 0, 1, 3, 0, 0, 9, 1, 9, 5, 14, 100, 3, 0, 0, 12, 0,
		12, 1, 18, 0, 6})
	f.Fuzz(func(t *testing.T, seed uint64, script []byte) {
		if len(script) <= 4096 {
			runChaos(t, seed, script)
		}
	})
}

// runChaos runs a script on a torrent that begins complete, empty or without
// metadata, as the seed has it.
func runChaos(t *testing.T, seed uint64, script []byte) {
	info := testInfo(20, 3*block.Size, 20*3*block.Size-5000)
	c := &chaos{
		t: t, now: time.Unix(1, 0), script: script,
		open: map[PeerRef]bool{}, dropped: map[PeerRef]bool{}, asked: map[PeerRef][]block.Ref{},
		answers: newReplies(),
	}
	c.torrent = New(c.now, Config{
		InfoHash: info.Hash(), PeerID: [20]byte{8}, Seed: seed, SuperSeed: seed%5 == 0,
		Limits: Limits{PeersMax: 6, RequestsMax: 40, SlotsMax: 3},
	})
	ready := Event{Kind: InfoReady, Info: info}
	if seed%4 == 0 {
		ready.Have = bits.Full(20)
	}
	if seed%2 == 0 {
		c.step(ready)
	}
	for i := 0; len(c.script) > 0; i++ {
		c.event()
		if i == 20 && seed%2 == 1 {
			c.step(ready)
		}
	}
	if seed%2 == 1 {
		c.step(ready)
	}
	c.settle()
	c.finish()
}

// finish lets an honest seed take part, and everybody else go.
func (c *chaos) finish() {
	c.step(Event{Kind: StorageWorks})
	c.pause(false)
	for ref := PeerRef(1); ref <= c.refs; ref++ {
		if c.open[ref] {
			delete(c.open, ref)
			c.step(Event{Kind: Closed, Peer: ref})
		}
	}
	c.verify = nil
	for piece := range uint32(20) {
		c.torrent.Prioritize(c.now, int(piece), 4)
		c.act()
		c.step(Event{Kind: Failed, Ref: block.Ref{Piece: piece}})
	}
	c.refs++
	ref := c.refs
	hello := wire.Hello{PeerID: [20]byte{99}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast)
	if c.v2 != nil {
		c.v2.greet(&hello, 1)
	}
	c.open[ref] = true
	c.answers.fast[ref] = true
	addr := netip.MustParseAddrPort("30.0.0.1:6881")
	// It may be private by now.
	c.step(Event{Kind: Found, Endpoint: endpoint.IP(addr), Source: book.SourceTracker})
	c.step(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(addr), Hello: &hello,
		Outgoing: true})
	c.step(Event{Kind: Received, Peer: ref, Msg: wire.Message{ID: wire.HaveAll}})
	c.step(Event{Kind: Received, Peer: ref, Msg: wire.Message{ID: wire.Unchoke}})
	for range 1000 {
		if c.torrent.Snapshot().State == Seeding {
			return
		}
		for _, r := range c.asked[ref] {
			c.asked[ref] = c.asked[ref][1:]
			c.step(Event{Kind: ReceivedBlock, Peer: ref, Ref: r})
		}
		for len(c.verify) > 0 {
			piece := c.verify[0]
			c.verify = c.verify[1:]
			c.step(Event{Kind: Verified, Ref: block.Ref{Piece: piece}})
		}
		c.honestHashes(ref)
		c.now = c.now.Add(time.Second)
		c.step(Event{Kind: Received, Peer: ref, Msg: wire.Message{ID: wire.KeepAlive}})
	}
	s := c.torrent.Snapshot()
	c.t.Fatalf("an honest seed could not complete the torrent: %v, %d of %d pieces, %d asked",
		s.State, s.PiecesHave, s.Pieces, s.Asked)
}
