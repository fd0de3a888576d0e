package swarm_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/core"
	"swarmnode/swarm/wire"
)

// prompt is more than a machine ten times slower takes, and less than the minute for
// which a peer may keep an upload slot while others wait. The tests of package core
// and limit hold the exact times, in virtual time.
const prompt = 50 * time.Second

// A foe is a hostile peer on a raw socket.
type foe struct {
	n      int // counts the foes of a test
	conn   net.Conn
	info   *metainfo.Info
	target netip.AddrPort
	hash   metainfo.Hash
	id     [20]byte
	stop   <-chan struct{}
}

// foes are the hostile peers of a test.
type foes struct {
	t      *testing.T
	info   *metainfo.Info
	target netip.AddrPort
	wait   sync.WaitGroup
	stop   chan struct{}
	utp    bool // they connect by uTP
	mu     sync.Mutex
	conns  []io.Closer
}

func newFoes(t *testing.T, info *metainfo.Info, target netip.AddrPort) *foes {
	return &foes{t: t, info: info, target: target, stop: make(chan struct{})}
}

// dial connects from an address of its own for each n.
func (fs *foes) dial(n int) net.Conn {
	fs.t.Helper()
	ip := net.IPv4(127, 0, byte(10+n/250), byte(1+n%250))
	if fs.utp {
		return fs.dialUTP(ip)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}, Timeout: patience}
	conn, err := d.DialContext(fs.t.Context(), "tcp", fs.target.String())
	if err != nil {
		fs.t.Fatal(err)
	}
	fs.mu.Lock()
	fs.conns = append(fs.conns, conn)
	fs.mu.Unlock()
	return conn
}

// attack starts count foes that have shaken hands.
func (fs *foes) attack(count int, id [20]byte, act func(*foe)) {
	fs.t.Helper()
	for n := range count {
		f := &foe{
			n: n, conn: fs.dial(n), info: fs.info, target: fs.target, hash: fs.info.Hash(), id: id,
			stop: fs.stop,
		}
		if f.id == ([20]byte{}) {
			copy(f.id[:], fmt.Sprintf("-XX0000-%012d", n))
		}
		f.shake()
		fs.wait.Go(func() { act(f) })
	}
}

// end closes every connection and waits for the foes.
func (fs *foes) end() {
	close(fs.stop)
	fs.mu.Lock()
	for _, c := range fs.conns {
		c.Close()
	}
	fs.mu.Unlock()
	fs.wait.Wait()
}

// shake shakes hands, and reports whether the other side did.
func (f *foe) shake() bool {
	r := wire.Reserved{}.With(wire.FeatureFast).With(wire.FeatureExtension)
	f.raw(wire.AppendHello(nil, wire.Hello{InfoHash: f.hash, PeerID: f.id, Reserved: r}))
	_, err := io.ReadFull(f.conn, make([]byte, wire.HelloSize))
	return err == nil
}

func (f *foe) raw(b []byte) bool {
	_, err := f.conn.Write(b)
	return err == nil
}

func (f *foe) send(list ...wire.Message) bool {
	var b []byte
	for i := range list {
		b = wire.Append(b, &list[i])
	}
	return f.raw(b)
}

// flood sends the messages again and again until nobody takes them.
func (f *foe) flood(list ...wire.Message) {
	var b []byte
	for len(b) < 32<<10 {
		for i := range list {
			b = wire.Append(b, &list[i])
		}
	}
	for f.raw(b) {
	}
}

// listen reads messages until the connection ends.
func (f *foe) listen(hear func(m wire.Message)) {
	f.hear(func(m wire.Message) bool {
		hear(m)
		return true
	})
}

// hear reads messages until the connection ends or on is false.
func (f *foe) hear(on func(m wire.Message) bool) {
	var size [4]byte
	for {
		if _, err := io.ReadFull(f.conn, size[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(f.conn, body); err != nil {
			return
		}
		if len(body) == 0 {
			continue
		}
		if m, err := wire.Parse(body); err == nil && !on(m) {
			return
		}
	}
}

// asksWhenUnchoked reads until it has a slot, sends the messages, and reads no more.
func (f *foe) asksWhenUnchoked(list []wire.Message) {
	f.hear(func(m wire.Message) bool { return m.ID != wire.Unchoke })
	f.send(list...)
}

// hold keeps the connection and reads nothing.
func (f *foe) hold() { <-f.stop }

func say(id wire.ID) wire.Message { return wire.Message{ID: id} }

func piece(id wire.ID, n uint32) wire.Message {
	return wire.Message{ID: id, Ref: block.Ref{Piece: n}}
}

func extended(number uint8, payload []byte) wire.Message {
	return wire.Message{ID: wire.Extended, Ext: number, Payload: payload}
}

func data(r block.Ref) wire.Message {
	return wire.Message{ID: wire.Piece, Ref: r, Payload: bytes.Repeat([]byte{0xbd}, int(r.Length))}
}

func request(r block.Ref) wire.Message { return wire.Message{ID: wire.Request, Ref: r} }

// seed plays a seed that answers requests as told.
func (f *foe) seed(answer func(r block.Ref)) {
	f.send(say(wire.HaveAll), say(wire.Unchoke))
	f.listen(func(m wire.Message) {
		if m.ID == wire.Request {
			answer(m.Ref)
		}
	})
}

// A hostilePeer is a way to attack, by foes that shake hands first.
type hostilePeer struct {
	name  string
	count int
	heap  int64 // bytes that the attack may cost; 0: not measured
	act   func(f *foe)
}

var hostile = []hostilePeer{
	{name: "unsolicited blocks", count: 1, act: func(f *foe) {
		f.send(say(wire.HaveAll))
		for i := uint32(0); f.send(data(block.Ref{Piece: i % 32, Length: block.Size})); i++ {
		}
	}},
	{name: "one corrupt block", count: 3, act: func(f *foe) {
		f.seed(func(r block.Ref) { f.send(data(r)) })
	}},
	{name: "wrong offsets", count: 2, act: func(f *foe) {
		f.seed(func(r block.Ref) {
			r.Begin += 1
			f.send(data(r))
		})
	}},
	{name: "requests unread", count: 4, heap: 12 << 20, act: func(f *foe) {
		f.send(say(wire.HaveNone), say(wire.Interested))
		f.flood(request(block.Ref{Length: block.Size}),
			request(block.Ref{Piece: 1, Length: block.Size}))
	}},
	{name: "impossible requests", count: 2, act: func(f *foe) {
		f.send(say(wire.Interested))
		f.flood(request(block.Ref{Piece: 1 << 31, Begin: 1<<32 - 1, Length: 1<<32 - 1}),
			request(block.Ref{}),
			wire.Message{ID: wire.Cancel, Ref: block.Ref{Piece: 1 << 31, Length: 1}})
	}},
	{name: "metadata requests unread", count: 4, heap: 12 << 20, act: func(f *foe) {
		h := wire.ExtHandshake{Extensions: wire.OurExtensions(wire.ExtMetadata)}
		f.send(extended(0, wire.AppendExtHandshake(nil, h)))
		f.flood(extended(uint8(wire.ExtMetadata), wire.AppendMetadata(nil,
			wire.Metadata{Type: wire.MetadataRequest})))
	}},
	{name: "length of 4 GiB", count: 2, heap: 8 << 20, act: func(f *foe) {
		f.raw([]byte{255, 255, 255, 255, byte(wire.Extended)})
		for n := 0; f.raw(make([]byte, 64<<10)); n++ {
			if n > 256 {
				panic("16 MiB were taken")
			}
		}
	}},
	{name: "bitfield of another size", count: 1, act: func(f *foe) {
		f.send(wire.Message{ID: wire.Bitfield, Payload: make([]byte, 1000)})
		f.hold()
	}},
	{name: "have out of range", count: 1, act: func(f *foe) {
		f.send(piece(wire.Have, 1<<32-1), piece(wire.Suggest, 1<<31),
			piece(wire.AllowedFast, 1<<31))
		f.hold()
	}},
	{name: "bitfields again and again", count: 2, act: func(f *foe) {
		f.flood(say(wire.HaveAll), say(wire.HaveNone))
	}},
	{name: "rejects everything", count: 3, act: func(f *foe) {
		asked := 0
		f.seed(func(r block.Ref) {
			if asked++; asked > 2000 {
				panic("asked without end")
			}
			f.send(wire.Message{ID: wire.Reject, Ref: r})
		})
	}},
	{name: "rejects while choking", count: 2, act: func(f *foe) {
		asked := 0
		f.seed(func(r block.Ref) {
			if asked++; asked > 2000 {
				panic("asked without end")
			}
			f.send(say(wire.Choke), wire.Message{ID: wire.Reject, Ref: r}, say(wire.Unchoke))
		})
	}},
	{name: "chokes and unchokes", count: 2, act: func(f *foe) {
		f.send(say(wire.HaveAll))
		f.flood(say(wire.Unchoke), say(wire.Choke), say(wire.Interested), say(wire.NotInterested))
	}},
	{name: "promises and is mute", count: 20, act: func(f *foe) {
		f.seed(func(block.Ref) {})
	}},
	{name: "half a block", count: 3, act: func(f *foe) {
		f.seed(func(r block.Ref) {
			m := data(r)
			f.raw(wire.Append(nil, &m)[:5000])
			f.hold()
		})
	}},
	{name: "extended handshakes that burst", count: 2, heap: 12 << 20, act: func(f *foe) {
		var names strings.Builder
		for i := range 3000 {
			fmt.Fprintf(&names, "7:x%06di%de", i, i)
		}
		f.send(extended(0, []byte("d1:md"+names.String()+
			"e13:metadata_sizei4611686018427387904e4:reqqi-1e1:v1000:"+
			strings.Repeat("\x1b", 1000)+"e")))
		f.send(extended(0, []byte("d1:m"+strings.Repeat("l", 20_000)+strings.Repeat("e", 20_001))))
		f.flood(extended(0, []byte("d1:mi1e1:pi70000e4:reqqi99999999999e13:metadata_sizei1eee")))
	}},
	{name: "large extended messages of nobody", count: 4, heap: 12 << 20, act: func(f *foe) {
		f.flood(extended(200, make([]byte, wire.ExtendedMax-100)))
	}},
	{name: "hints without end", count: 2, act: func(f *foe) {
		f.send(say(wire.HaveAll))
		var list []wire.Message
		for i := range uint32(1000) {
			list = append(list, piece(wire.Suggest, i%32), piece(wire.AllowedFast, i%32),
				piece(wire.Have, i%32))
		}
		f.flood(list...)
	}},
	{name: "PEX bombs", count: 2, act: func(f *foe) {
		var m wire.PEX
		for i := range 50 {
			m.Added = append(m.Added, wire.PEXPeer{Addr: netip.AddrPortFrom(f.target.Addr(),
				uint16(1+i))})
		}
		m.Added = append(m.Added[:40:40], wire.PEXPeer{Addr: f.target})
		f.send(extended(0, wire.AppendExtHandshake(nil,
			wire.ExtHandshake{Extensions: wire.OurExtensions(wire.ExtPEX)})))
		f.flood(extended(uint8(wire.ExtPEX), wire.AppendPEX(nil, m)))
	}},
	{name: "hashes that nobody asked for", count: 1, act: func(f *foe) {
		r := wire.AppendHashRange(nil, wire.HashRange{Length: 2})
		f.flood(wire.Message{ID: wire.HashRequest, Payload: r},
			wire.Message{ID: wire.HashReject, Payload: r},
			wire.Message{ID: wire.Hashes, Payload: append(r, make([]byte, 64)...)})
	}},
	{name: "keep-alives and unknown messages", count: 2, act: func(f *foe) {
		f.flood(say(wire.KeepAlive), say(77), wire.Message{ID: wire.Port, Port: 1})
	}},
}

// leaks reports goroutines that are still there, after some patience.
func leaks(t *testing.T, before int) {
	t.Helper()
	deadline := time.After(patience)
	for tick := time.Tick(5 * time.Millisecond); runtime.NumGoroutine() > before; {
		select {
		case <-tick:
		case <-deadline:
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before,
				buf[:runtime.Stack(buf, true)])
		}
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// closeAll ends the engines before the test does, for the count of goroutines.
func closeAll(t *testing.T, engines ...*swarm.Engine) {
	t.Helper()
	for _, e := range engines {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// eachHostile tests against each kind of hostile peer, and that no goroutine is
// left of any. Those whose memory is measured go alone.
func eachHostile(t *testing.T, test func(t *testing.T, h *hostilePeer)) {
	before := runtime.NumGoroutine()
	t.Run("peers", func(t *testing.T) {
		for i := range hostile {
			h := &hostile[i]
			t.Run(h.name, func(t *testing.T) {
				if h.heap == 0 {
					t.Parallel()
				}
				test(t, h)
			})
		}
	})
	leaks(t, before)
}

func TestHostilePeersOfSeeder(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	eachHostile(t, func(t *testing.T, h *hostilePeer) {
		seeder, leecher := newEngine(t), newEngine(t)
		waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
		used := heap()
		foes := newFoes(t, torrent.Info(), seeder.Addr())
		foes.attack(h.count, [20]byte{}, h.act)
		leech := add(t, leecher, swarm.Spec{
			Magnet: torrent.Magnet(), Dir: t.TempDir(), Peers: []string{seeder.Addr().String()},
		})
		waitDone(t, leech)
		if err := leech.Err(); err != nil {
			t.Error(err)
		}
		if used = heap() - used; h.heap > 0 && used > h.heap {
			t.Errorf("%d KiB of heap, want at most %d", used>>10, h.heap>>10)
		}
		foes.end()
		closeAll(t, seeder, leecher)
	})
}

func TestHostilePeersOfDownload(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	eachHostile(t, func(t *testing.T, h *hostilePeer) {
		seeder, leecher := newEngine(t), newEngine(t)
		waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
		used := heap()
		out := t.TempDir()
		leech := add(t, leecher, swarm.Spec{Torrent: torrent, Dir: out})
		foes := newFoes(t, torrent.Info(), leecher.Addr())
		foes.attack(h.count, [20]byte{}, h.act)
		leech.AddPeer(seeder.Addr())
		waitDone(t, leech)
		if err := leech.Err(); err != nil {
			t.Error(err)
		}
		sameContent(t, dir, out)
		s := leech.State()
		if garbage, most := s.Waste[core.ReasonBadPiece],
			int64(h.count*2*torrent.Info().Layout().PieceLength); garbage > most {
			t.Errorf("%d bytes of garbage, want at most %d", garbage, most)
		}
		if used = heap() - used; h.heap > 0 && used > h.heap {
			t.Errorf("%d KiB of heap, want at most %d", used>>10, h.heap>>10)
		}
		foes.end()
		closeAll(t, seeder, leecher)
	})
}

// peerIDAt returns the peer id that a torrent shows at an address.
func peerIDAt(t *testing.T, info *metainfo.Info, addr netip.AddrPort) [20]byte {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write(wire.AppendHello(nil, wire.Hello{InfoHash: info.Hash(), PeerID: [20]byte{'?'}}))
	b := make([]byte, wire.HelloSize)
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Fatal(err)
	}
	hello, err := wire.ParseHello(b)
	if err != nil {
		t.Fatal(err)
	}
	return hello.PeerID
}

// Foes that show the id of the only seed can neither keep it out nor take its
// place, and those that show ours are not kept.
func TestStolenPeerIDs(t *testing.T) {
	t.Parallel()
	dir, torrent := makeContent(t, 1<<20)
	for _, whose := range []string{"the seed's", "our own"} {
		t.Run(whose, func(t *testing.T) {
			seeder, leecher := newEngine(t), newEngine(t)
			waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
			leech := add(t, leecher, swarm.Spec{Torrent: torrent, Dir: t.TempDir()})
			victim := seeder.Addr()
			if whose == "our own" {
				victim = leecher.Addr()
			}
			foes := newFoes(t, torrent.Info(), leecher.Addr())
			defer foes.end()
			foes.attack(5, peerIDAt(t, torrent.Info(), victim), func(f *foe) {
				f.seed(func(block.Ref) {})
			})
			leech.AddPeer(seeder.Addr())
			waitDone(t, leech)
			if err := leech.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Connections that say nothing, before or after the handshake, keep nobody out.
func TestSilentConnections(t *testing.T) {
	t.Parallel()
	dir, torrent := makeContent(t, 1<<20)
	seeder := newEngine(t)
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	foes := newFoes(t, torrent.Info(), seeder.Addr())
	defer foes.end()
	for n := range 300 {
		foes.dial(n)
	}
	served := func() {
		t.Helper()
		start := time.Now()
		leech := add(t, newEngine(t), swarm.Spec{
			Magnet: torrent.Magnet(), Dir: t.TempDir(), Peers: []string{seeder.Addr().String()},
		})
		waitDone(t, leech)
		if took := time.Since(start); took > prompt {
			t.Errorf("served after %v", took)
		}
	}
	served()
	foes.attack(120, [20]byte{}, (*foe).hold)
	if n := seed.State().PeersConnected; n > 80 {
		t.Errorf("%d connections", n)
	}
	served()
}

// Peers that offer metadata and are mute, or lie, do not keep it from coming.
func TestHostileMetadata(t *testing.T) {
	t.Parallel()
	dir, torrent := makeContent(t, 1<<20)
	raw := torrent.Info().Raw()
	offer := func(f *foe, size int) {
		h := wire.ExtHandshake{Extensions: wire.OurExtensions(wire.ExtMetadata),
			MetadataSize: int64(size)}
		f.send(say(wire.HaveAll), extended(0, wire.AppendExtHandshake(nil, h)))
	}
	reply := func(f *foe, answer func(m wire.Metadata) []byte) {
		f.listen(func(m wire.Message) {
			if m.ID != wire.Extended || m.Ext != uint8(wire.ExtMetadata) {
				return
			}
			if q, err := wire.ParseMetadata(m.Payload); err == nil &&
				q.Type == wire.MetadataRequest {
				f.send(extended(uint8(wire.ExtMetadata), answer(q)))
			}
		})
	}
	for _, c := range []struct {
		name string
		act  func(f *foe)
	}{
		{"mute", func(f *foe) {
			offer(f, len(raw))
			f.hold()
		}},
		{"lies", func(f *foe) {
			offer(f, len(raw))
			reply(f, func(q wire.Metadata) []byte {
				return wire.AppendMetadata(nil, wire.Metadata{
					Type: wire.MetadataData, Piece: q.Piece, TotalSize: int64(len(raw)),
					Data: make([]byte, len(raw)),
				})
			})
		}},
		{"claims much", func(f *foe) {
			offer(f, wire.MetadataSizeMax)
			reply(f, func(q wire.Metadata) []byte {
				return wire.AppendMetadata(nil, wire.Metadata{
					Type: wire.MetadataData, Piece: q.Piece, TotalSize: wire.MetadataSizeMax,
					Data: make([]byte, wire.MetadataBlock),
				})
			})
		}},
		{"rejects", func(f *foe) {
			offer(f, len(raw))
			reply(f, func(q wire.Metadata) []byte {
				return wire.AppendMetadata(nil, wire.Metadata{Type: wire.MetadataReject,
					Piece: q.Piece})
			})
		}},
		{"answers what was not asked", func(f *foe) {
			offer(f, len(raw))
			f.flood(extended(uint8(wire.ExtMetadata), wire.AppendMetadata(nil, wire.Metadata{
				Type: wire.MetadataData, Piece: 3, TotalSize: 1 << 20, Data: make([]byte, 100),
			})))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			seeder, leecher := newEngine(t), newEngine(t)
			waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
			leech := add(t, leecher, swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir()})
			foes := newFoes(t, torrent.Info(), leecher.Addr())
			defer foes.end()
			foes.attack(20, [20]byte{}, c.act)
			start := time.Now()
			leech.AddPeer(seeder.Addr())
			select {
			case <-leech.HaveInfo():
			case <-time.After(patience):
				t.Fatal("no metadata")
			}
			if took := time.Since(start); took > prompt {
				t.Errorf("metadata after %v", took)
			}
			waitDone(t, leech)
			if err := leech.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Connections that come and go leave nothing behind.
func TestChurn(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	before := runtime.NumGoroutine()
	seeder, leecher := newEngine(t), newEngine(t)
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	foes := newFoes(t, torrent.Info(), seeder.Addr())
	for range 4 {
		foes.attack(60, [20]byte{}, func(f *foe) {
			have := bits.New(f.info.Layout().Pieces())
			f.send(wire.Message{ID: wire.Bitfield, Payload: have.AppendWire(nil)},
				say(wire.Interested),
				request(block.Ref{Length: block.Size}))
			f.conn.Close()
		})
	}
	foes.wait.Wait()
	leech := add(t, leecher, swarm.Spec{
		Magnet: torrent.Magnet(), Dir: t.TempDir(), Peers: []string{seeder.Addr().String()},
	})
	waitDone(t, leech)
	foes.end()
	closeAll(t, seeder, leecher)
	leaks(t, before)
}

// Mute connections of one torrent make room for the peers of another.
func TestRoomForNewcomers(t *testing.T) {
	t.Parallel()
	const most = 4
	seeder, err := swarm.Listen(swarm.Config{Listen: []netip.AddrPort{loopback}, PeersMax: most})
	if err != nil {
		t.Fatal(err)
	}
	defer seeder.Close()
	_, crowded := makeContent(t, 100<<10)
	dir, torrent := makeContent(t, 300<<10)
	victim := add(t, seeder, swarm.Spec{Torrent: crowded, Dir: t.TempDir()})
	waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
	foes := newFoes(t, crowded.Info(), seeder.Addr())
	defer foes.end()
	foes.attack(2*most, [20]byte{}, (*foe).hold)
	until(t, victim, "not all places are taken", func(s swarm.State) bool {
		return s.PeersConnected == most
	})
	leech := add(t, newEngine(t), swarm.Spec{
		Magnet: torrent.Magnet(), Dir: t.TempDir(), Peers: []string{seeder.Addr().String()},
	})
	waitDone(t, leech)
	until(t, victim, "all mute connections are still there", func(s swarm.State) bool {
		return s.PeersConnected < most
	})
}

// Peers that ask for blocks and read nothing hold neither the slots nor the memory
// that others need: a newcomer gets its first block soon, long before the minute is
// over for which a peer may keep a slot when others wait.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(f *foe){
		"ask without end": func(f *foe) {
			f.send(say(wire.HaveNone), say(wire.Interested))
			f.flood(request(block.Ref{Length: block.Size}),
				request(block.Ref{Piece: 1, Length: block.Size}))
		},
		"ask for all once": func(f *foe) {
			f.send(say(wire.HaveNone), say(wire.Interested))
			var all []wire.Message
			for i := range f.info.Layout().Pieces() {
				all = append(all, request(block.Ref{Piece: uint32(i), Length: block.Size}))
			}
			f.asksWhenUnchoked(all)
			f.hold()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, torrent := makeContent(t, 8<<20)
			seeder := newEngine(t)
			waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
			foes := newFoes(t, torrent.Info(), seeder.Addr())
			defer foes.end()
			foes.attack(24, [20]byte{}, act)
			start := time.Now()
			leech := add(t, newEngine(t), swarm.Spec{
				Torrent: torrent, Dir: t.TempDir(), Peers: []string{seeder.Addr().String()},
			})
			for tick := time.Tick(5 * time.Millisecond); leech.State().Down == 0; <-tick {
				if time.Since(start) > patience {
					t.Fatalf("nothing after %v: %+v", patience, leech.State())
				}
			}
			took := time.Since(start)
			waitDone(t, leech)
			t.Logf("%s: the first block after %v, all after %v", name, took, time.Since(start))
			if took > prompt {
				t.Errorf("the first block came after %v", took)
			}
		})
	}
}
