package utp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

const (
	hereAt  = "192.0.2.1:6881"
	thereAt = "198.51.100.1:6881"
)

// stranger returns one address of many.
func stranger(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}),
		uint16(1024+i%60000))
}

// packetOf returns the datagram of a header.
func packetOf(h header) []byte { return appendHeader(nil, &h, 0) }

// A tap sees what sockets send.
type tap struct {
	mu    sync.Mutex
	bytes int
	kinds [typeCount]int
	last  fakeDatagram
	long  int // longest datagram
}

func (w *tap) lose(d fakeDatagram) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes += len(d.data)
	w.kinds[d.data[0]>>4]++
	w.last = d
	w.long = max(w.long, len(d.data))
	return false
}

func TestDialErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here := n.socket(hereAt, Config{ConnsMax: 2})
		there := n.socket(thereAt, Config{Refuse: true})
		dial := func(ctx context.Context, to string, want error) {
			t.Helper()
			c, err := here.Dial(ctx, netip.MustParseAddrPort(to))
			if !errors.Is(err, want) {
				t.Errorf("dialling %s: %v, want %v", to, err, want)
			}
			if c != nil {
				t.Errorf("dialling %s gave a connection", to)
			}
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "dial" {
				t.Errorf("dialling %s: the error does not say so: %v", to, err)
			}
		}
		dial(t.Context(), thereAt, ErrRefused)
		dial(t.Context(), "203.0.113.9:1", ErrTimeout) // nobody is there
		dial(t.Context(), "203.0.113.9:0", ErrNoAddress)
		gone, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		dial(gone, "203.0.113.9:1", context.Canceled)
		if d := time.Since(began); d != time.Second {
			t.Errorf("a cancelled dial took %v", d)
		}
		dial(gone, thereAt, context.Canceled)
		if here.Len() != 0 {
			t.Errorf("%d connections are left", here.Len())
		}
		there.Refuse(false)
		for range 2 {
			connect(t, here, there)
		}
		dial(t.Context(), thereAt, ErrFull)
		here.Close()
		dial(t.Context(), thereAt, net.ErrClosed)
	})
}

// A flood of attempts to connect from ever new addresses is bounded, keeps no honest peer out,
// and is answered by no more bytes than it has.
func TestSynFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		var seen tap
		n.lose = seen.lose
		flood := 0
		for i := range 20_000 {
			syn := packetOf(header{kind: typeSyn, id: uint16(i), seq: seq(i), timestamp: 1})
			n.inject(stranger(i), there.AddrPort(), syn)
			flood += len(syn)
			if i%1000 == 0 {
				synctest.Wait()
				if here.Len()+there.Len() > halfOpenMax+2 {
					t.Fatalf("%d connections", there.Len())
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
		synctest.Wait()
		seen.mu.Lock()
		if seen.bytes > flood || seen.long > headerSize {
			t.Errorf("%d bytes answer %d, up to %d at once", seen.bytes, flood, seen.long)
		}
		seen.mu.Unlock()
		a, b := connect(t, here, there)
		go a.Write([]byte("honest"))
		got := make([]byte, 6)
		if _, err := io.ReadFull(b, got); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if there.Len() != 1 || there.pending.Used() != 0 {
			t.Errorf("%d connections and %d unproven ones after a minute", there.Len(),
				there.pending.Used())
		}
	})
}

// A source that has not shown that it receives is sent nothing but the answer to its SYN,
// and that no more often than it asks.
func TestNothingForTheUnproven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		there := n.socket(thereAt, Config{})
		var seen tap
		n.lose = seen.lose
		syn := header{kind: typeSyn, id: 7, seq: 100, timestamp: 1}
		n.inject(stranger(1), there.AddrPort(), packetOf(syn))
		synctest.Wait()
		// Data that acknowledges what was never sent proves nothing.
		wrong := header{kind: typeData, id: 8, seq: 101, ack: 4711, timestamp: 2}
		for range 50 {
			n.inject(stranger(1), there.AddrPort(), append(packetOf(wrong), "GET"...))
		}
		time.Sleep(time.Minute)
		if seen.kinds[typeState] > 1+1 || seen.bytes > 51*headerSize {
			t.Errorf("%v packets, %d bytes", seen.kinds, seen.bytes)
		}
		if len(there.queue) != 0 {
			t.Error("it waits to be accepted")
		}
	})
}

// Packets of no connection are answered by RESETs, which are bounded for each source and in
// all. A RESET is answered by nothing.
func TestResetsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		there := n.socket(thereAt, Config{})
		var seen tap
		n.lose = seen.lose
		data := packetOf(header{kind: typeData, id: 4711, seq: 99, timestamp: 1})
		n.inject(stranger(0), there.AddrPort(), data)
		synctest.Wait()
		h, _, err := parseHeader(seen.last.data)
		if err != nil || h.kind != typeReset || h.id != 4711 || h.ack != 99 ||
			seen.last.to != stranger(0) || len(seen.last.data) != headerSize {
			t.Errorf("answered by %+v to %v, %v", h, seen.last.to, err)
		}
		count := func(from func(i int) netip.AddrPort) int {
			time.Sleep(time.Minute)
			before := seen.kinds[typeReset]
			for i := range 9000 {
				n.inject(from(i), there.AddrPort(), data)
			}
			synctest.Wait()
			return seen.kinds[typeReset] - before
		}
		if got := count(func(int) netip.AddrPort { return stranger(1) }); got != resetsPerSource {
			t.Errorf("%d answers to one source in a second, want %d", got, resetsPerSource)
		}
		subnet := netip.MustParseAddr("2001:db8::").As16()
		if got := count(func(i int) netip.AddrPort {
			subnet[14], subnet[15] = byte(i>>8), byte(i)
			return netip.AddrPortFrom(netip.AddrFrom16(subnet), 1)
		}); got != resetsPerSource {
			t.Errorf("%d answers to one /64 in a second, want %d", got, resetsPerSource)
		}
		if got := count(stranger); got != resetsMax {
			t.Errorf("%d answers in a second, want %d", got, resetsMax)
		}
		before := seen.kinds
		time.Sleep(time.Minute)
		n.inject(stranger(1), there.AddrPort(), packetOf(header{kind: typeReset, id: 4711}))
		synctest.Wait()
		if seen.kinds != before {
			t.Error("a RESET was answered")
		}
	})
}

// A RESET with either id of a connection ends it, if it names a packet of ours.
func TestResetFinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		for _, ends := range []struct {
			name     string
			accepted bool
			theirs   bool // the id is the one at which the other end receives
		}{{"dialled, ours", false, false}, {"dialled, theirs", false, true},
			{"accepted, ours", true, false}, {"accepted, theirs", true, true}} {
			a, b := connect(t, here, there)
			synctest.Wait()
			c, from := a, b
			if ends.accepted {
				c, from = b, a
			}
			id := c.m.receiveID
			if ends.theirs {
				id = c.m.sendID
			}
			reset := header{kind: typeReset, id: id + 100, ack: c.m.flight.next - 1}
			n.inject(from.socket.AddrPort(), c.socket.AddrPort(), packetOf(reset))
			reset.id, reset.ack = id, reset.ack+2000
			n.inject(from.socket.AddrPort(), c.socket.AddrPort(), packetOf(reset))
			synctest.Wait()
			if err := c.over(); err != nil {
				t.Errorf("%s: a guess ended it: %v", ends.name, err)
			}
			reset.ack -= 2000
			n.inject(from.socket.AddrPort(), c.socket.AddrPort(), packetOf(reset))
			synctest.Wait()
			if err := c.over(); !errors.Is(err, ErrReset) {
				t.Errorf("%s: %v, want a reset", ends.name, err)
			}
		}
	})
}

// Connections that nobody accepts are bounded, and those beyond the bound are told at once.
func TestBacklogOfAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		for i := range backlogMaxConns + 10 {
			c, err := here.Dial(t.Context(), there.AddrPort())
			if err == nil {
				synctest.Wait()
				c.SetReadDeadline(time.Now().Add(time.Second))
				_, err = c.Read(make([]byte, 1))
			}
			want := os.ErrDeadlineExceeded
			if i >= backlogMaxConns {
				want = ErrReset
			}
			if !errors.Is(err, want) {
				t.Errorf("connection %d: %v, want %v", i, err, want)
			}
		}
		if len(there.queue) != backlogMaxConns || there.Len() != backlogMaxConns {
			t.Errorf("%d connections wait, of %d", len(there.queue), there.Len())
		}
		for range backlogMaxConns {
			if _, err := there.Accept(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A retired socket makes no connections, and says when the last one has ended.
func TestRetire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		a, b := connect(t, here, there)
		accepting := make(chan error)
		go func() {
			_, err := there.Accept()
			accepting <- err
		}()
		ended := there.Retire()
		if err := <-accepting; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
		if _, err := here.Dial(t.Context(), there.AddrPort()); !errors.Is(err, ErrRefused) {
			t.Errorf("dialling it: %v", err)
		}
		if _, err := there.Dial(t.Context(), here.AddrPort()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dialling by it: %v", err)
		}
		go a.Write([]byte("more"))
		if _, err := io.ReadFull(b, make([]byte, 4)); err != nil {
			t.Errorf("its connection: %v", err)
		}
		select {
		case <-ended:
			t.Error("it has ended while there is a connection")
		default:
		}
		a.Close()
		b.Close()
		<-ended
		<-there.Retire()
	})
}

// What the system has no room for goes out later, in its order.
func TestSystemIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		a, b := connect(t, here, there)
		n.mu.Lock()
		n.room = 1
		n.mu.Unlock()
		content := make([]byte, 1<<20)
		for i := range content {
			content[i] = byte(i * i >> 8)
		}
		go func() {
			a.Write(content)
			a.Close()
		}()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.full == 0 {
			t.Error("the system was never full")
		}
		if repeats := a.m.stats.repeats; repeats > 0 {
			t.Errorf("%d packets were repeated", repeats)
		}
	})
}

// A connection to an end that has vanished ends within a bound after Close.
func TestLingerIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		a, _ := connect(t, here, there)
		synctest.Wait()
		n.mu.Lock()
		n.lose = func(fakeDatagram) bool { return true }
		n.mu.Unlock()
		a.Write(make([]byte, 10_000))
		a.Close()
		time.Sleep(lingerMax - time.Second)
		if here.Len() != 1 {
			t.Error("it ended early")
		}
		time.Sleep(2 * time.Second)
		if here.Len() != 0 || a.m.memory.chunks != 0 {
			t.Errorf("%d connections, and %d chunks of memory, are left", here.Len(),
				a.m.memory.chunks)
		}
	})
}

// A thousand idle connections keep their mappings alive by few packets.
func TestIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		const count = 50
		for range count {
			connect(t, here, there)
		}
		time.Sleep(time.Minute)
		var seen tap
		n.mu.Lock()
		n.lose = seen.lose
		n.mu.Unlock()
		time.Sleep(10 * time.Minute)
		seen.mu.Lock()
		defer seen.mu.Unlock()
		perMinute := float64(seen.kinds[typeState]) / (2 * count * 10)
		if perMinute < 1 || perMinute > 2.5 || here.Len() != count || there.Len() != count {
			t.Errorf("%.1f packets a minute and end, %d and %d connections", perMinute, here.Len(),
				there.Len())
		}
		t.Logf("%.2f packets a minute from each end", perMinute)
	})
}

// idleMemoryMax is how many bytes one end of an idle connection may cost.
const idleMemoryMax = 3 << 10

// A connection over which data went costs little once it is idle.
func TestIdleMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		const count = 1000
		var ends []*Conn
		heap := func() uint64 {
			for range 3 {
				runtime.GC()
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		data := make([]byte, 50_000)
		for range count {
			a, b := connect(t, here, there)
			go a.Write(data)
			if _, err := io.ReadFull(b, data); err != nil {
				t.Fatal(err)
			}
			ends = append(ends, a, b)
		}
		time.Sleep(3 * time.Minute)
		each := int64(heap()-before) / (2 * count)
		t.Logf("%d bytes for each end of a connection (machine %d, Conn %d)", each,
			unsafe.Sizeof(machine{}), unsafe.Sizeof(Conn{}))
		if each > idleMemoryMax {
			t.Errorf("%d bytes for each end of an idle connection, want at most %d", each,
				idleMemoryMax)
		}
		runtime.KeepAlive(ends)
	})
}
