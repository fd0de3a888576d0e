package swarm_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarmnode/dht"
	"swarmnode/swarm"
	"swarmnode/swarm/block"
	"swarmnode/swarm/transport/utp"
	"swarmnode/swarm/wire"
)

// dialUTP connects by uTP, from a socket of its own.
func (fs *foes) dialUTP(ip net.IP) net.Conn {
	fs.t.Helper()
	from, _ := netip.AddrFromSlice(ip.To4())
	socket, err := utp.Listen(fs.t.Context(), netip.AddrPortFrom(from, 0), utp.Config{})
	if err != nil {
		fs.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(fs.t.Context(), patience)
	defer cancel()
	conn, err := socket.Dial(ctx, fs.target)
	if err != nil {
		fs.t.Fatal(err)
	}
	fs.mu.Lock()
	fs.conns = append(fs.conns, socket)
	fs.mu.Unlock()
	return conn
}

// utpOnly returns an engine that peers reach by uTP alone.
func utpOnly(t *testing.T) *swarm.Engine {
	t.Helper()
	return listen(t, swarm.Config{NoTCP: true})
}

// Connections by uTP that say nothing, or a byte of a handshake, keep nobody out, neither
// those from many addresses nor those from one.
func TestSilentUTPConnections(t *testing.T) {
	t.Parallel()
	dir, torrent := makeContent(t, 1<<20)
	seeder := utpOnly(t)
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	foes := newFoes(t, torrent.Info(), seeder.Addr())
	foes.utp = true
	defer foes.end()
	for n := range 100 {
		foes.dial(n).Write([]byte{19})
	}
	one, err := utp.Listen(t.Context(), loopback, utp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	for range 300 { // most of them are ended for others
		if c, err := one.Dial(t.Context(), seeder.Addr()); err == nil {
			c.Write([]byte{19})
		}
	}
	start := time.Now()
	leech := add(t, utpOnly(t), swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir(),
		Peers: []string{seeder.Addr().String()}})
	waitDone(t, leech)
	if took := time.Since(start); took > prompt {
		t.Errorf("served after %v", took)
	}
}

// floodRate is how many datagrams a second a flood has, as far as the machine manages. Far more
// are no match for a machine with nothing else to do, but tests run beside others, and with the
// race detector.
const floodRate = 20_000

// A flood sends datagrams to an address until it is stopped.
type flood struct {
	stop chan struct{}
	wait sync.WaitGroup
	sent atomic.Int64
}

// startFlood floods an address with what each socket, bound to an address of its own, makes.
func startFlood(t *testing.T, to netip.AddrPort, sockets int,
	next func(rng *rand.Rand, b []byte) []byte) *flood {
	t.Helper()
	f := &flood{stop: make(chan struct{})}
	for i := range sockets {
		c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 3, byte(i>>8), byte(i))},
			net.UDPAddrFromAddrPort(to))
		if err != nil {
			t.Fatal(err)
		}
		f.wait.Go(func() {
			defer c.Close()
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			b := make([]byte, 0, 2048)
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-f.stop:
					return
				case <-tick.C:
				}
				for range floodRate / 1000 / sockets {
					b = next(rng, b[:0])
					c.Write(b)
					f.sent.Add(1)
				}
			}
		})
	}
	return f
}

// end stops the flood, and returns how many datagrams it has sent.
func (f *flood) end() int64 {
	close(f.stop)
	f.wait.Wait()
	return f.sent.Load()
}

// appendUTP appends a packet of uTP with random numbers.
func appendUTP(rng *rand.Rand, b []byte, kind byte, payload int) []byte {
	b = append(b, kind<<4|1, 0)
	for len(b) < 20 {
		b = append(b, byte(rng.Uint32()))
	}
	for range payload {
		b = append(b, byte(rng.Uint32()))
	}
	return b
}

// While a port is flooded by datagrams of any kind from many addresses, torrents are fetched by
// TCP and by uTP, and the DHT node answers.
func TestFloodOfDatagramsStopsNobody(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	for name, next := range map[string]func(rng *rand.Rand, b []byte) []byte{
		"SYNs":   func(rng *rand.Rand, b []byte) []byte { return appendUTP(rng, b, 4, 0) },
		"data":   func(rng *rand.Rand, b []byte) []byte { return appendUTP(rng, b, 0, 100) },
		"RESETs": func(rng *rand.Rand, b []byte) []byte { return appendUTP(rng, b, 3, 0) },
		"STUN": func(rng *rand.Rand, b []byte) []byte {
			b = binary.BigEndian.AppendUint32(b, 0x00010000)
			b = binary.BigEndian.AppendUint32(b, 0x2112a442)
			return binary.BigEndian.AppendUint64(b, rng.Uint64())
		},
		"anything": func(rng *rand.Rand, b []byte) []byte {
			b = appendUTP(rng, b, byte(rng.Uint32()), rng.IntN(60))
			b[0], b[1] = byte(rng.Uint32()), byte(rng.Uint32())
			return b[:rng.IntN(len(b)+1)]
		},
	} {
		t.Run(name, func(t *testing.T) {
			seeder := newEngine(t)
			waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
			node, err := dht.New(dht.Config{Conns: seeder.PacketConns()})
			if err != nil {
				t.Fatal(err)
			}
			defer node.Close()
			f := startFlood(t, seeder.Addr(), 2, next)
			start := time.Now()
			for _, cfg := range []swarm.Config{{NoUTP: true}, {NoTCP: true}} {
				leech := add(t, listen(t, cfg), swarm.Spec{Magnet: torrent.Magnet(),
					Dir: t.TempDir(), Peers: []string{seeder.Addr().String()}})
				waitDone(t, leech)
			}
			other := listen(t, swarm.Config{})
			asks, err := dht.New(dht.Config{Conns: other.PacketConns()})
			if err != nil {
				t.Fatal(err)
			}
			defer asks.Close()
			answers := 0
			for range 10 {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				if _, err := asks.Ping(ctx, seeder.Addr()); err == nil {
					answers++
				}
				cancel()
			}
			took := time.Since(start)
			sent := f.end()
			t.Logf("%d datagrams in %v, %d a second", sent, took,
				int64(float64(sent)/took.Seconds()))
			if answers < 5 {
				t.Errorf("%d of 10 queries were answered", answers)
			}
		})
	}
}

// While connections by TCP flood a port, a torrent is fetched by uTP, and the DHT node answers.
func TestFloodOfConnectionsStopsNobody(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	seeder := newEngine(t)
	waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
	node, err := dht.New(dht.Config{Conns: seeder.PacketConns()})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	stop := make(chan struct{})
	var wait sync.WaitGroup
	var made atomic.Int64
	for i := range 4 {
		wait.Go(func() {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 4, 0, byte(i))}}
			for {
				select {
				case <-stop:
					return
				default:
				}
				if c, err := d.Dial("tcp", seeder.Addr().String()); err == nil {
					c.(*net.TCPConn).SetLinger(0)
					c.Write([]byte{19})
					c.Close()
					made.Add(1)
				}
			}
		})
	}
	defer wait.Wait()
	defer close(stop)
	leech := add(t, utpOnly(t), swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir(),
		Peers: []string{seeder.Addr().String()}})
	waitDone(t, leech)
	asks, err := dht.New(dht.Config{Conns: listen(t, swarm.Config{}).PacketConns()})
	if err != nil {
		t.Fatal(err)
	}
	defer asks.Close()
	for range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if _, err := asks.Ping(ctx, seeder.Addr()); err != nil {
			t.Error(err)
		}
		cancel()
	}
	t.Logf("%d connections beside it", made.Load())
}

// Peers by uTP that fill our receive buffers, and so all memory for those, do not keep an honest
// peer from giving us everything.
func TestFullUTPBuffersStopNobody(t *testing.T) {
	t.Parallel()
	dir, torrent := makeContent(t, 8<<20)
	leecher, seeder := utpOnly(t), utpOnly(t)
	leech := add(t, leecher, swarm.Spec{Torrent: torrent, Dir: t.TempDir()})
	await(t, "the check of the content", func() bool {
		return leech.State().Phase == swarm.Downloading
	})
	foes := newFoes(t, torrent.Info(), leecher.Addr())
	foes.utp = true
	defer foes.end()
	var full atomic.Int64
	foes.attack(24, [20]byte{}, func(f *foe) {
		f.send(say(wire.HaveNone), say(wire.Interested))
		f.conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		f.flood(request(block.Ref{Length: block.Size}))
		full.Add(1)
		f.hold()
	})
	await(t, "all buffers are full", func() bool { return full.Load() == 24 })
	start := time.Now()
	waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true,
		Peers: []string{leecher.Addr().String()}}))
	waitDone(t, leech)
	t.Logf("all after %v; drops: %v", time.Since(start), leech.State().Drops)
}

// slowFoes is how many peers read nothing. The race detector makes the 4 MiB slow that each
// has room for, and is sent first.
var slowFoes = 24

// Peers that ask by uTP for everything and read nothing hold neither the slots nor the memory
// that others need.
func TestSlowUTPReaders(t *testing.T) {
	t.Parallel()
	dir, torrent := makeContent(t, 8<<20)
	seeder := utpOnly(t)
	waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
	foes := newFoes(t, torrent.Info(), seeder.Addr())
	foes.utp = true
	defer foes.end()
	foes.attack(slowFoes, [20]byte{}, func(f *foe) {
		f.send(say(wire.HaveNone), say(wire.Interested))
		f.flood(request(block.Ref{Length: block.Size}),
			request(block.Ref{Piece: 1, Length: block.Size}))
	})
	start := time.Now()
	leech := add(t, utpOnly(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir(),
		Peers: []string{seeder.Addr().String()}})
	await(t, "the first block", func() bool { return leech.State().Down > 0 })
	took := time.Since(start)
	waitDone(t, leech)
	t.Logf("the first block after %v, all after %v", took, time.Since(start))
	if took > prompt {
		t.Errorf("the first block came after %v", took)
	}
}
