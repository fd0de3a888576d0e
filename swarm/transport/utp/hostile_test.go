package utp

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A ledger counts what a socket and strangers send each other.
type ledger struct {
	mu      sync.Mutex
	in, out map[netip.AddrPort]int
	last    map[netip.AddrPort]header // the last packet to each
}

func newLedger(n *fakeNet) *ledger {
	l := &ledger{in: make(map[netip.AddrPort]int), out: make(map[netip.AddrPort]int),
		last: make(map[netip.AddrPort]header)}
	n.lose = func(d fakeDatagram) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.out[d.to] += len(d.data)
		h, _, err := parseHeader(d.data)
		if err != nil {
			panic(err)
		}
		h.sack = nil
		l.last[d.to] = h
		return false
	}
	return l
}

// send delivers a packet of a stranger.
func (l *ledger) send(n *fakeNet, from, to netip.AddrPort, data []byte) {
	l.mu.Lock()
	l.in[from] += len(data)
	l.mu.Unlock()
	n.inject(from, to, data)
}

// answer returns the last packet to a stranger.
func (l *ledger) answer(to netip.AddrPort) (header, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.last[to]
	return h, ok
}

// connectAs makes a connection of a stranger with a SYN of an id, and data. It reports whether
// the SYN was answered.
func (l *ledger) connectAs(n *fakeNet, from, to netip.AddrPort, id uint16, data string) bool {
	l.mu.Lock()
	delete(l.last, from)
	l.mu.Unlock()
	l.send(n, from, to, packetOf(header{kind: typeSyn, id: id, seq: 1, timestamp: 1}))
	synctest.Wait()
	h, ok := l.answer(from)
	if !ok || h.kind != typeState {
		return false
	}
	first := header{kind: typeData, id: id + 1, seq: 2, ack: h.seq - 1, timestamp: 2,
		window: 1 << 20}
	l.send(n, from, to, append(packetOf(first), data...))
	synctest.Wait()
	return true
}

// Whatever strangers send from addresses that have proven nothing, no address is ever sent more
// bytes than it has sent: not by answers, not by repeats, and not when it is given up.
func TestNoAmplification(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, rand.Uint64()} {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			n := newFakeNet(t)
			there := n.socket(thereAt, Config{})
			l := newLedger(n)
			for i := range 6000 {
				from := stranger(rng.IntN(900))
				h := header{kind: packetType(rng.IntN(int(typeCount))), id: uint16(rng.IntN(4)),
					seq: seq(rng.IntN(3)), ack: seq(rng.Uint32()), timestamp: rng.Uint32(),
					difference: rng.Uint32(), window: rng.Uint32() >> rng.IntN(32)}
				if rng.IntN(2) == 0 {
					h.kind = typeSyn
				}
				if rng.IntN(3) == 0 {
					h.bits = wideFlights
				}
				pad := 0
				if rng.IntN(4) == 0 {
					pad = rng.IntN(300)
				}
				data := appendHeader(nil, &h, pad)
				if rng.IntN(3) == 0 {
					data = append(data, make([]byte, rng.IntN(50))...)
				}
				l.send(n, from, there.AddrPort(), data)
				switch {
				case i%100 == 0:
					time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
				case i%10 == 0:
					synctest.Wait()
				}
			}
			time.Sleep(2 * time.Minute) // everything is given up
			synctest.Wait()
			l.mu.Lock()
			defer l.mu.Unlock()
			lucky := make(map[netip.AddrPort]bool) // one guess in 65,536 is right
			for _, c := range there.queue {
				lucky[c.key.remote] = true
			}
			for to, out := range l.out {
				if in := l.in[to]; out > in && !lucky[to] {
					t.Errorf("seed %d: %v has sent %d bytes and was sent %d", seed, to, in, out)
				}
			}
			if there.Len() > len(lucky) || len(lucky) > 3 {
				t.Errorf("seed %d: %d connections are left, %d by guesses", seed, there.Len(),
					len(lucky))
			}
		})
	}
}

// While SYNs from forged addresses flood a socket, honest diallers get in, and every connection
// carries data. Nothing more is remembered than the bounds allow.
func TestFloodKeepsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		flooding, stop := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() {
			rng := rand.New(rand.NewPCG(1, 2))
			for i := 0; flooding.Err() == nil; i++ {
				syn := header{kind: typeSyn, id: uint16(rng.Uint32()), seq: seq(i), timestamp: 1}
				n.inject(stranger(rng.IntN(1<<24)), there.AddrPort(), packetOf(syn))
				if i%10 == 0 {
					time.Sleep(time.Millisecond) // 10,000 a second
				}
			}
		})
		time.Sleep(5 * time.Second)
		for i := range 20 {
			text := fmt.Sprint("honest ", i)
			a, err := here.Dial(t.Context(), there.AddrPort())
			if err != nil {
				t.Errorf("dial %d: %v", i, err)
				continue
			}
			if _, err := a.Write([]byte(text)); err != nil {
				t.Error(err)
			}
			b, err := there.Accept()
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(text))
			if _, err := io.ReadFull(b, got); err != nil || string(got) != text {
				t.Errorf("dial %d: %q, %v", i, got, err)
			}
			if _, err := b.Write(got); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(a, got); err != nil {
				t.Errorf("dial %d: the way back: %v", i, err)
			}
			if there.Len() > halfOpenMax+1+i || there.pending.Used() > halfOpenMax {
				t.Errorf("%d connections, %d unproven", there.Len(), there.pending.Used())
			}
			time.Sleep(300 * time.Millisecond)
		}
		stop()
		wait.Wait()
	})
}

// A connection whose SYN was not remembered begins with whichever packet acknowledges the
// answer, once, and with no other packet. Packets that come early are not answered by a RESET.
func TestCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		there := n.socket(thereAt, Config{})
		l := newLedger(n)
		for i := range halfOpenMax {
			l.send(n, stranger(i), there.AddrPort(),
				packetOf(header{kind: typeSyn, id: 1, seq: 1, timestamp: 1}))
		}
		synctest.Wait()
		honest, other := stranger(1<<20), stranger(1<<20+1)
		syn := header{kind: typeSyn, id: 70, seq: 500, timestamp: 1}
		l.send(n, honest, there.AddrPort(), packetOf(syn))
		synctest.Wait()
		answer, ok := l.answer(honest)
		if !ok || answer.kind != typeState || answer.ack != 500 || answer.id != 70 ||
			there.Len() != halfOpenMax {
			t.Fatalf("answered by %+v, %v; %d connections", answer, ok, there.Len())
		}
		first := header{kind: typeData, id: 71, seq: 501, ack: answer.seq - 1, timestamp: 2}
		second, wrong, far := first, first, first
		second.seq++
		wrong.ack++
		far.id++
		for _, h := range []header{second, wrong, far} { // the first packet is late
			l.send(n, honest, there.AddrPort(), append(packetOf(h), "x"...))
		}
		l.send(n, other, there.AddrPort(), append(packetOf(first), "x"...))
		synctest.Wait()
		if h, _ := l.answer(honest); h.kind == typeReset || there.Len() != halfOpenMax {
			t.Errorf("answered by %+v; %d connections", h, there.Len())
		}
		for range 2 { // the second one is a duplicate
			l.send(n, honest, there.AddrPort(), append(packetOf(first), "first"...))
		}
		l.send(n, honest, there.AddrPort(), append(packetOf(second), " second"...))
		synctest.Wait()
		if len(there.queue) != 1 || there.Len() != halfOpenMax+1 {
			t.Fatalf("%d connections wait, of %d", len(there.queue), there.Len())
		}
		c, err := there.Accept()
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 12)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "first second" {
			t.Errorf("%q, %v", got, err)
		}
		// After a while the answer to the SYN proves nothing any more.
		l.send(n, other, there.AddrPort(), packetOf(syn))
		synctest.Wait()
		answer, _ = l.answer(other)
		time.Sleep(3 * cookieLife)
		before := there.Len()
		first.ack = answer.seq - 1
		l.send(n, other, there.AddrPort(), append(packetOf(first), "late"...))
		synctest.Wait()
		if h, _ := l.answer(other); there.Len() != before || h.kind != typeReset {
			t.Errorf("an old answer is good: %d connections, answered by %+v", there.Len(), h)
		}
	})
}

// A host that makes connections and never acknowledges the end of one does not fill the table:
// others connect, and so do we.
func TestLingeringMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 50
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{ConnsMax: most})
		l := newLedger(n)
		for i := range 3 * most {
			if !l.connectAs(n, stranger(1), there.AddrPort(), uint16(2*i), "hello") {
				t.Fatalf("connection %d was not answered", i)
			}
			c, err := there.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.Write([]byte("which it never acknowledges"))
			c.Close()
			synctest.Wait()
			if there.Len() > most+1 {
				t.Fatalf("%d connections", there.Len())
			}
		}
		a, b := connect(t, here, there)
		c, d := connect(t, there, here)
		for _, end := range []*Conn{a, b, c, d} {
			end.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := end.Write([]byte("x")); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		if there.Len() > most+1 || len(there.lingering) > 2*there.Len()+lingeringMin {
			t.Errorf("%d connections, %d noted", there.Len(), len(there.lingering))
		}
		time.Sleep(2 * lingerMax)
		synctest.Wait()
		if there.Len() != 2 {
			t.Errorf("%d connections are left, want those of the honest", there.Len())
		}
		// Those that the user has open never make room.
		for i := range most {
			l.connectAs(n, stranger(2), there.AddrPort(), uint16(2*i), "x")
			if len(there.queue) > 0 {
				if _, err := there.Accept(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if there.Len() != most {
			t.Errorf("%d connections, want %d", there.Len(), most)
		}
		if h, _ := l.answer(stranger(2)); h.kind != typeReset {
			t.Errorf("one too many is answered by %+v", h)
		}
	})
}

// Attempts from addresses that are ignored get no answer at all.
func TestIgnore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		bad := netip.MustParseAddrPort(hereAt)
		there := n.socket(thereAt, Config{
			Ignore: func(a netip.Addr) bool { return a == bad.Addr() }})
		l := newLedger(n)
		l.send(n, bad, there.AddrPort(), packetOf(header{kind: typeSyn, id: 1, timestamp: 1}))
		synctest.Wait()
		if h, ok := l.answer(bad); ok || there.Len() > 0 {
			t.Errorf("answered by %+v, %d connections", h, there.Len())
		}
		good := netip.MustParseAddrPort("203.0.113.1:1")
		if !l.connectAs(n, good, there.AddrPort(), 1, "x") || there.Len() != 1 {
			t.Error("somebody else is ignored as well")
		}
	})
}
