package swarm

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"swarmnode/internal/lightpeer"
	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// A shortMemory says how much of the memory is in use, in 32nds.
type shortMemory struct{ used atomic.Int64 }

func (m *shortMemory) usage() (taken, ceiling int64) { return m.used.Load() << 30, 32 << 30 }

// The states of a shortMemory.
const (
	memoryRoomy = 16
	memoryShort = 29 // no room for more
	memoryOver  = 32 // something has to go
)

// newShortEngine returns an engine with a torrent that it seeds, what its memory is
// said to be, and the crowd of the torrent.
func newShortEngine(t *testing.T) (*Engine, *Torrent, *shortMemory, *lightpeer.Crowd) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "content") // removed when the engine is closed
	m := &shortMemory{}
	m.used.Store(memoryRoomy)
	e, err := Listen(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		memory: limit.NewMemory(m.usage)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	built, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path,
		PieceLength: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	seed, err := e.Add(Spec{Torrent: built, Dir: filepath.Dir(path), Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	await(t, seed.Done())
	return e, seed, m, lightpeer.New(lightpeer.Crowd{Target: e.Addr(),
		Layout: built.Info().Layout(), Hash: seed.Hash()})
}

// await waits for done to be closed.
func await(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(3 * time.Minute):
		t.Fatal("it takes too long")
	}
}

// awaitTrue waits until ok says so.
func awaitTrue(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(3 * time.Minute)
	for tick := time.Tick(5 * time.Millisecond); !ok(); {
		select {
		case <-tick:
		case <-late:
			t.Fatal("timed out waiting: ", what)
		}
	}
}

// TestTorrentWithoutMemory: what does not fit is refused, and what is there goes on.
func TestTorrentWithoutMemory(t *testing.T) {
	e, seed, m, crowd := newShortEngine(t)
	m.used.Store(memoryShort)
	other := Spec{Magnet: metainfo.Magnet{V1: metainfo.Hash{1}, HasV1: true}, Dir: t.TempDir()}
	if _, err := e.Add(other); !errors.Is(err, ErrMemory) {
		t.Errorf("added: %v", err)
	}
	if e.Bears(seed.Info()) {
		t.Error("there is room for another torrent")
	}
	leech, err := crowd.Leech(t.Context(), netip.MustParseAddr("127.0.1.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer leech.Close()
	awaitTrue(t, "a block", func() bool { return leech.Blocks() > 0 })
	m.used.Store(memoryRoomy)
	if _, err := e.Add(other); err != nil {
		t.Error(err)
	}
}

// mutes connects count peers that say nothing, and returns those that have not
// been closed.
func mutes(t *testing.T, e *Engine, crowd *lightpeer.Crowd, count int) (left func() int) {
	t.Helper()
	var all []*lightpeer.Peer
	for i := range count {
		p, err := crowd.Mute(context.WithoutCancel(t.Context()),
			netip.AddrFrom4([4]byte{127, 0, 2, byte(i + 1)}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		all = append(all, p)
	}
	awaitTrue(t, "connections", func() bool { return e.conns.Used() == count })
	return func() int {
		n := 0
		for _, p := range all {
			select {
			case <-p.Ended():
			default:
				n++
			}
		}
		return n
	}
}

// TestConnectionsWithoutMemory: while memory is short, newcomers come in place of
// those that are of no use, and their number does not grow.
func TestConnectionsWithoutMemory(t *testing.T) {
	t.Parallel()
	const count = 12
	e, _, m, crowd := newShortEngine(t)
	left := mutes(t, e, crowd, count)
	m.used.Store(memoryShort)
	leech, err := crowd.Leech(t.Context(), netip.MustParseAddr("127.0.1.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer leech.Close()
	// The mute ones are of no use after a second; who comes before waits as long.
	for awaited := leech; ; {
		awaitTrue(t, "a block, or the end of the connection", func() bool {
			select {
			case <-awaited.Ended():
				return true
			default:
				return awaited.Blocks() > 0
			}
		})
		if awaited.Blocks() > 0 {
			break
		}
		if awaited, err = crowd.Leech(t.Context(), netip.MustParseAddr("127.0.1.1")); err != nil {
			t.Fatal(err)
		}
		defer awaited.Close()
	}
	if n := e.conns.Used(); n > count {
		t.Errorf("%d connections, there were %d", n, count)
	}
	if n := left(); n != count-1 {
		t.Errorf("%d of %d mute connections are left, want one less", n, count)
	}
	m.used.Store(memoryRoomy)
	second, err := crowd.Leech(t.Context(), netip.MustParseAddr("127.0.1.2"))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	awaitTrue(t, "a block", func() bool { return second.Blocks() > 0 })
	if n := left(); n != count-1 {
		t.Errorf("%d of %d mute connections are left although there is room again", n, count)
	}
}

// TestOverMemory: when too much is in use, connections of no use are ended.
func TestOverMemory(t *testing.T) {
	t.Parallel()
	e, _, m, crowd := newShortEngine(t)
	left := mutes(t, e, crowd, 12)
	m.used.Store(memoryOver)
	awaitTrue(t, "the end of all", func() bool { return left() == 0 })
}

// TestOverMemoryDropsTheHeaviest: when no connection is of no use, that goes for which
// most bytes wait, if they are many.
func TestOverMemoryDropsTheHeaviest(t *testing.T) {
	t.Parallel()
	e, seed, m, crowd := newShortEngine(t)
	light, err := crowd.Leech(context.WithoutCancel(t.Context()), netip.MustParseAddr("127.0.1.1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(light.Close)
	deafPeer(t, e, seed)
	awaitTrue(t, "connections", func() bool { return e.conns.Used() == 2 })
	awaitTrue(t, "a backlog", func() bool { // the system takes some megabytes
		full := make(chan bool, 1)
		seed.ask(func(time.Time) {
			for _, l := range seed.loop.links {
				if l.endpoint.Host() == deafAddr {
					l.peer.Send(wire.Message{ID: wire.Extended, Ext: 99,
						Payload: make([]byte, 64<<10)})
					full <- l.kept() > 2<<20
					return
				}
			}
			full <- false
		})
		return <-full
	})
	m.used.Store(memoryOver)
	awaitTrue(t, "the end of the heavy one", func() bool { return e.conns.Used() == 1 })
	select {
	case <-light.Ended():
		t.Error("the light one was ended")
	default:
	}
}

// deafAddr is where a deafPeer comes from.
var deafAddr = netip.MustParseAddr("127.0.1.9")

// deafPeer connects, says that it wants something, and reads nothing.
func deafPeer(t *testing.T, e *Engine, seed *Torrent) {
	t.Helper()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(deafAddr, 0))}
	conn, err := d.DialContext(t.Context(), "tcp", e.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	hello := wire.AppendHello(nil, wire.Hello{InfoHash: seed.Hash(), PeerID: [20]byte{'D'},
		Reserved: wire.Reserved{}.With(wire.FeatureFast)})
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, hello); err != nil {
		t.Fatal(err)
	}
	words := wire.Append(wire.Append(nil, &wire.Message{ID: wire.HaveNone}),
		&wire.Message{ID: wire.Interested})
	if _, err := conn.Write(words); err != nil {
		t.Fatal(err)
	}
}

// TestAddressesWithoutMemory: while memory is short, a torrent remembers few of the
// addresses that are found for it.
func TestAddressesWithoutMemory(t *testing.T) {
	e, seed, m, _ := newShortEngine(t)
	m.used.Store(memoryShort)
	for i := range 200 {
		// closed
		seed.found(book.SourceDHT, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 3, byte(i)}),
			1))
	}
	if n := seed.State().PeersKnown; n > foundFew {
		t.Errorf("%d addresses are known", n)
	}
	if e.conns.Used() > 0 {
		t.Error("there are connections")
	}
}
