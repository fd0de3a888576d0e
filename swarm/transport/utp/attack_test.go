package utp

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"
)

// reply returns a header that the peer of m could send.
func reply(m *machine, kind packetType) header {
	return header{kind: kind, id: m.receiveID, seq: m.in.ack + 1, ack: m.flight.una - 1,
		window: 1 << 20, timestamp: 1}
}

// A guessed id does not end a connection: the number of the packet has to be right as well.
func TestForgedResets(t *testing.T) {
	p := connectedPair(t)
	p.a.write(p.now, make([]byte, 10_000))
	p.next(p.a)
	right := 0
	for ack := range 1 << 16 {
		h := reply(p.a, typeReset)
		h.ack = seq(ack)
		if p.a.provoked(&h) {
			right++
		}
	}
	if right > packetsMax+20 {
		t.Errorf("%d of 65,536 numbers end the connection", right)
	}
	h := reply(p.a, typeReset)
	h.ack = p.a.flight.next
	p.a.receive(p.now, &h, nil)
	if over, err := p.a.closed(); !over || !errors.Is(err, ErrReset) {
		t.Errorf("a true RESET: %v, %v", over, err)
	}
}

// An acknowledgement of what was never sent, or long ago, changes nothing.
func TestImpossibleAcks(t *testing.T) {
	p := connectedPair(t)
	p.a.write(p.now, make([]byte, 5000))
	p.next(p.a)
	before, window := p.a.flight.packets(), p.a.window.size
	if before == 0 {
		t.Fatal("nothing is in flight")
	}
	for _, d := range []seq{0, 1, 100, 20_000, 32_000, 40_000} {
		h := reply(p.a, typeState)
		h.ack = p.a.flight.next + d
		p.a.receive(p.now, &h, nil)
	}
	// Bits for packets that were never sent, all of them.
	h := reply(p.a, typeState)
	h.ack = p.a.flight.next - 1
	h.sack = bytes.Repeat([]byte{0xff}, sackBytesMax)
	m := p.a
	h.ack = m.flight.una - 1
	h.sack = append(make([]byte, 8), h.sack[8:]...)
	m.receive(p.now, &h, nil)
	if m.flight.packets() != before || m.flight.acked != 0 || m.window.size != window {
		t.Errorf("%d packets in flight, %d acknowledged, window %.0f", m.flight.packets(),
			m.flight.acked, m.window.size)
	}
	if m.stats.invalid != 6 {
		t.Errorf("%d packets counted as invalid", m.stats.invalid)
	}
}

// An acknowledgement that is repeated does not make the window grow.
func TestOptimisticAcks(t *testing.T) {
	p := connectedPair(t)
	p.a.write(p.now, make([]byte, 50_000))
	p.next(p.a)
	h := reply(p.a, typeState)
	h.ack = p.a.flight.una
	p.now = p.now.Add(20 * ms)
	p.a.receive(p.now, &h, nil)
	window, delivered := p.a.window.size, p.a.window.delivered
	for range 1000 {
		p.a.receive(p.now, &h, nil)
	}
	if p.a.window.size > window || p.a.window.delivered != delivered {
		t.Errorf("the window grew from %.0f to %.0f", window, p.a.window.size)
	}
}

// Windows of every size are survived, and a closed one is asked for slowly.
func TestPeerWindows(t *testing.T) {
	p := connectedPair(t)
	for _, window := range []uint32{math.MaxUint32, math.MaxInt32 + 1, 1} {
		h := reply(p.a, typeState)
		h.window = window
		h.timestamp = p.a.windowAt + 1
		p.a.receive(p.now, &h, nil)
		if p.a.peerWindow < 0 || p.a.peerWindow != min(int(window), math.MaxInt32) {
			t.Errorf("a window of %d is taken for %d", window, p.a.peerWindow)
		}
	}
	p.a.peerWindow = 0
	p.a.write(p.now, make([]byte, 5000))
	var packets, most int
	for range 60 * 10 {
		h, sizes := p.next(p.a)
		for i := range h {
			packets++
			most = max(most, sizes[i])
		}
		p.now = p.now.Add(100 * ms)
		p.a.tick(p.now)
		h0 := reply(p.a, typeState)
		h0.window = 0
		h0.timestamp = p.a.windowAt + 1
		p.a.receive(p.now, &h0, nil)
	}
	if packets < 5 || packets > 50 || most > 1 {
		t.Errorf("%d packets of up to %d bytes in a minute", packets, most)
	}
}

// Packets of one byte that never become a stream are bounded in memory.
func TestTinyPackets(t *testing.T) {
	p := newPair(t, machineConfig{id: 1}, machineConfig{receiveBuffer: 100_000})
	p.flush()
	p.send(p.a, p.b, []byte{1})
	for i := range heldMax * 2 {
		h := reply(p.b, typeData)
		h.seq = p.b.in.ack + 2 + seq(i)
		p.b.receive(p.now, &h, []byte{1})
	}
	if p.b.in.count > 100_000/heldCost || p.b.memory.chunks > 2 || len(p.b.in.ring) > heldMax {
		t.Errorf("%d packets wait in %d chunks and a ring of %d", p.b.in.count, p.b.memory.chunks,
			len(p.b.in.ring))
	}
}

// A peer that reports no delay cannot make the queue long: the round trips tell.
func TestLyingDelays(t *testing.T) {
	for _, lie := range []uint32{1, 0, math.MaxInt32, 12_345} {
		b := newBulk(t, 1, 5, 21*ms, 2*time.Second)
		b.liar = lie + 1
		b.lie()
		b.watchQueue()
		b.from.dial()
		b.w.run(20*time.Second, nil)
		b.there.waits = nil
		got := b.goodput(b.to, 20*time.Second)
		t.Logf("difference %d: goodput %.3f, queue p95 %v", lie, got, b.there.percentile(0.95))
		if b.there.percentile(0.95) > 250*ms {
			t.Errorf("difference %d: a queue of %v", lie, b.there.percentile(0.95))
		}
	}
}

// A peer whose reports jump by hours loses nothing but speed.
func TestJumpingDelays(t *testing.T) {
	p := connectedPair(t)
	data := pattern(300_000)
	var sent int
	var got []byte
	buf := make([]byte, 64<<10)
	for i := range 20_000 {
		sent += p.a.write(p.now, data[sent:])
		p.now = p.now.Add(ms)
		p.carry(p.a, p.b)
		p.b.difference = uint32(i) * 123_456_789
		p.carry(p.b, p.a)
		p.a.tick(p.now)
		p.b.tick(p.now)
		got = append(got, buf[:p.b.read(p.now, buf)]...)
		if len(got) == len(data) {
			return
		}
	}
	t.Errorf("%d bytes came of %d", len(got), len(data))
}
