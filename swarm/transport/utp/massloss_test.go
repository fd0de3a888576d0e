package utp

import (
	"testing"
	"time"
)

// narrow makes the link as slow as rate, in Mbit/s, once it has carried some bytes: the burst of
// a relay or of a provider is used up.
func (b *bulk) narrow(after int, rate float64, queue time.Duration) {
	b.there.cut = func(time.Duration) bool {
		if after -= mtuBase + overhead; after <= 0 {
			b.there.rate, b.there.queue, b.there.cut = rate*megabit, queue, nil
		}
		return false
	}
}

// When a path becomes slower by a factor of 500, a thousand datagrams of one window are lost at
// once. From then on the new rate is used, though everything that arrives is a repeat at first.
func TestRateAfterMassLoss(t *testing.T) {
	for _, trip := range []time.Duration{20 * ms, 50 * ms, 80 * ms, 200 * ms} {
		b := newBulk(t, 1, 1000, trip, 100*time.Millisecond)
		b.narrow(1<<20, 2, 250*time.Millisecond)
		b.from.dial()
		b.w.run(2*time.Second, nil)
		got, m := b.goodput(b.to, 10*time.Second), b.from.m
		t.Logf("trip of %v: %d lost, %d repeats, %d timeouts, then %.2f of the rate", trip,
			b.there.dropped, m.stats.repeats, m.stats.timeouts, got)
		if b.there.dropped < 500 || got < 0.8 {
			t.Errorf("trip of %v: %d lost, then %.2f of the rate", trip, b.there.dropped, got)
		}
		// Repeats do not meet the fate of what they repeat.
		if n := b.there.dropped; n > 1600 || int(m.stats.repeats) > n+n/10 {
			t.Errorf("trip of %v: %d lost, %d repeats", trip, n, m.stats.repeats)
		}
	}
}

// After an outage, data comes within the longest timeout and some round trips, and the rate is
// soon what it was.
func TestRateAfterOutage(t *testing.T) {
	for _, trip := range []time.Duration{10 * ms, 50 * ms, 200 * ms} {
		for _, length := range []time.Duration{300 * ms, time.Second, 8 * time.Second} {
			b := newBulk(t, 1, 20, trip, 200*time.Millisecond)
			b.from.dial()
			b.w.run(10*time.Second, nil)
			end := b.w.now + length
			cut := func(now time.Duration) bool { return now < end }
			b.there.cut, b.back.cut = cut, cut
			b.w.run(end, nil)
			before := b.to.got
			b.w.run(end+20*time.Second, func() bool { return b.to.got > before })
			first := b.w.now - end
			b.w.run(end+rtoMax+trip, nil)
			got := b.goodput(b.to, 5*time.Second)
			t.Logf("trip of %v, outage of %v: data after %v, then %.2f of the rate", trip, length,
				first, got)
			if first > rtoMax+2*trip || got < 0.8 {
				t.Errorf("trip of %v, outage of %v: data after %v, then %.2f of the rate", trip,
					length, first, got)
			}
		}
	}
}

// repeat returns two machines, of which the first has lost a packet, and has sent it again after
// a timeout. The world has moved on by wait since then.
func repeat(t *testing.T, wait time.Duration) (p *pair, first []byte) {
	p = connectedPair(t)
	p.a.write(p.now, pattern(100))
	p.out.reset()
	p.a.output(p.now, &p.out)
	first = append([]byte(nil), p.out.data...)
	p.now = p.a.deadline()
	p.a.tick(p.now)
	p.out.reset()
	p.a.output(p.now, &p.out)
	if p.a.stats.repeats != 1 {
		t.Fatalf("%d repeats", p.a.stats.repeats)
	}
	p.now = p.now.Add(wait)
	return p, first
}

// deliver hands a datagram to b, and carries the answer back after wait.
func (p *pair) deliver(data []byte, wait time.Duration) {
	h, payload, err := parseHeader(data)
	if err != nil {
		p.t.Fatal(err)
	}
	p.b.receive(p.now, &h, payload)
	p.now = p.now.Add(wait)
	p.b.tick(p.now)
	p.carry(p.b, p.a)
}

// A repeat that has arrived is as good a measure of the round trip as any packet, if the
// timestamps say that it was the repeat.
func TestTripOfARepeat(t *testing.T) {
	p, _ := repeat(t, 30*ms)
	before := p.a.rtt.latest
	p.deliver(p.out.data, 30*ms)
	if got := p.a.rtt.latest; got != 60*ms {
		t.Errorf("a round trip of %v, before it %v; want 60ms", got, before)
	}
	p, first := repeat(t, 30*ms)
	before = p.a.rtt.latest
	p.deliver(first, 30*ms)
	if got := p.a.rtt.latest; got != before {
		t.Errorf("the late first packet gives a round trip of %v", got)
	}
}

// A user who waits for a lost packet keeps the receive window, although nothing can be read.
func TestWindowStaysOpenDuringAGap(t *testing.T) {
	p := connectedPair(t)
	p.upload(2*time.Second, 50_000_000)
	capacity := p.b.capacity
	if capacity < receiveBufferMax/2 {
		t.Fatalf("a fast reader has a window of %d", capacity)
	}
	p.b.read(p.now, make([]byte, receiveBufferMax))
	h := header{kind: typeData, id: p.b.receiveID, ack: p.b.flight.next - 1, timestamp: 1}
	for i := range 50 {
		p.now = p.now.Add(100 * time.Millisecond)
		h.seq = p.b.in.ack + 2 + seq(i)
		p.b.receive(p.now, &h, pattern(1000))
	}
	if p.b.in.count != 50 || p.b.capacity < capacity/2 {
		t.Errorf("with %d packets after a gap the window is %d, it was %d", p.b.in.count,
			p.b.capacity, capacity)
	}
}

// What is lost takes room in the window of the peer, since it comes again.
func TestLostPacketsTakeRoom(t *testing.T) {
	p := connectedPair(t)
	p.a.window.size, p.a.pacer.rate = 1<<20, 0
	p.a.peerWindow = 50_000
	p.a.write(p.now, pattern(64<<10))
	p.a.write(p.now, pattern(64<<10))
	p.a.output(p.now, &p.out)
	sent := p.a.unsent
	for range 20 {
		p.a.lose(p.a.flight.at(p.a.flight.sent.first))
		p.a.flight.lose(p.a.flight.sent.first)
	}
	if size, _ := p.a.nextPacket(); size > 0 {
		t.Errorf("after %d bytes, of which %d are lost, %d more are due for a window of 50,000",
			sent, p.a.flight.owed, size)
	}
}

// The loss of most of a window cuts it to what is left, for once in a round trip. Up to half of
// what it was, it grows as fast as packets arrive.
func TestSlump(t *testing.T) {
	m := newModel(400)
	m.round(0, 0)
	before := m.size
	m.window.lost(300_000)
	m.slump(60_000)
	if m.limit() != 60_000 || !m.slow || m.threshold != before/2 {
		t.Errorf("%.0f became %d, slow %v up to %.0f", before, m.limit(), m.slow, m.threshold)
	}
	m.window.lost(50_000)
	m.slump(10_000)
	if m.limit() != 60_000 {
		t.Errorf("a second slump in one round leaves %d", m.limit())
	}
	for range 5 {
		m.round(0, 0)
	}
	if m.slow || m.size < before/2 {
		t.Errorf("five rounds later: %.0f of %.0f, slow %v", m.size, before, m.slow)
	}
	for _, lost := range []int{slumpFew, 150} { // a small loss, and a small part
		m := newModel(400)
		m.window.lost(lost * 1000)
		if m.slump(100); m.limit() != 400_000 {
			t.Errorf("the loss of %d packets leaves %d", lost, m.limit())
		}
	}
}

// Each further timeout in a row says no more than the first one: the threshold stays, also when
// datagrams become smaller.
func TestThresholdOfTimeouts(t *testing.T) {
	m := newModel(100)
	m.timedOut()
	m.mss = 500
	for range 4 {
		m.restart()
	}
	if m.limit() != 1000 || !m.slow || m.threshold != 50_000 {
		t.Errorf("%d, slow %v up to %.0f", m.limit(), m.slow, m.threshold)
	}
}

// What was sent counts as unanswered from when it was sent, or the peer said something last.
func TestUnacked(t *testing.T) {
	p := connectedPair(t)
	p.advance(10 * time.Second)
	if d := p.a.unacked(p.now); d != 0 {
		t.Errorf("nothing was sent, and waits for %v", d)
	}
	p.a.write(p.now, pattern(100))
	p.out.reset()
	p.a.output(p.now, &p.out)
	if d := p.a.unacked(p.now.Add(3 * time.Second)); d != 3*time.Second {
		t.Errorf("unanswered for %v, want 3s", d)
	}
	p.deliver(p.out.data, time.Second)
	if d := p.a.unacked(p.now.Add(3 * time.Second)); d != 0 {
		t.Errorf("an answer came, and something waits for %v", d)
	}
}
