package core

import (
	"maps"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
)

// due gives pieces deadlines.
func (b *bench) due(at map[uint32]time.Duration) { b.pick.SetDeadlines(maps.All(at)) }

// rates makes the peers have sent so many blocks a second until now.
func (b *bench) rates(now time.Duration, blocks ...int) {
	for i, n := range blocks {
		for s := time.Second; s < now; s += time.Second {
			b.peers.list[i].down.add(s, n*block.Size)
		}
	}
}

// A block is worth a second request if it comes after its piece is due and much later than
// from the other peer.
func TestMayRescue(t *testing.T) {
	const now = 10 * time.Second
	for _, c := range []struct {
		name         string
		theirs, mine int // blocks a second
		waits        int // blocks that I was asked for
		due          time.Duration
		want         bool
	}{
		{"much slower, and due", 1, 100, 0, now, true},
		{"much slower, but soon enough", 1, 100, 0, now + 9*time.Second, false},
		{"as quick", 100, 100, 0, now, false},
		{"quick, but I have a lot to send first", 10, 10, 8, now, false},
		{"nobody knows my rate", 1, 0, 0, now, false},
		{"it has sent nothing yet, for a long time", 0, 100, 0, now, true},
	} {
		b := newBench(t, 1, 8, 64)
		other, me := b.join("x"), b.join("x")
		b.requests.unchoked(other, 0)
		if c.theirs > 0 {
			other.ask.moved = now // the last block came just now
		}
		b.rates(now, c.theirs, c.mine)
		b.begin(now)
		b.round.asking = me
		me.ask.live = c.waits
		got := b.mayRescue(uint32(other.ref), picker.Block{Index: 3}, c.due)
		if got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if !b.mayRescue(99, picker.Block{}, now) {
			t.Error("the block of a peer that is gone is not rescued")
		}
	}
}

// A peer answers in order, and what was cancelled costs it no time.
func TestArrival(t *testing.T) {
	const now = 10 * time.Second
	b := newBench(t, 1, 8, 64)
	p := b.join("x")
	b.requests.unchoked(p, now-100*time.Millisecond)
	b.begin(now)
	if got := b.arrival(p, blockIn(0, 3)); got != 200*time.Millisecond {
		t.Errorf("%v for a peer that was asked 100 ms ago, want as long again", got)
	}
	b.rates(now, 4)
	rate := wait(p.down.recent(now), 1)
	for index, want := range map[uint32]time.Duration{0: 1, 3: 4, 7: 8} {
		got := b.arrival(p, blockIn(0, index))
		if diff := got - want*rate; diff < -time.Millisecond || diff > time.Millisecond {
			t.Errorf("block %d comes in %v, want %v", index, got, want*rate)
		}
	}
	b.cancel(p, &p.ask.unanswered()[0], now)
	if got := b.arrival(p, blockIn(0, 3)); got > 3*rate+time.Millisecond {
		t.Errorf("the block comes in %v, although one before it was cancelled", got)
	}
}

// While a piece is due at once, peers are asked for less ahead: four blocks before their
// rate is known, and then what comes in a bit more than half a second.
func TestRequestsWhenUrgent(t *testing.T) {
	const now = 10 * time.Second
	b := newBench(t, 20, 4, 1000)
	p := b.join(strings.Repeat("x", 20))
	b.due(map[uint32]time.Duration{0: now})
	b.requests.unchoked(p, now)
	if got := p.ask.waiting(); got != asksMin {
		t.Errorf("%d requests to a new peer, want %d", got, asksMin)
	}
	p.ask.target = 100
	b.rates(now, 20)
	if got := b.target(p, now); got < 12 || got > 18 {
		t.Errorf("a target of %d blocks at 20 a second, want some 14", got)
	}
	b.due(nil)
	if got := b.target(p, now); got != 100 {
		t.Errorf("a target of %d without a deadline, want 100", got)
	}
}

// After a jump of a reader, what was asked for before is taken back, but only from peers
// that have what is due now, and only until it was begun.
func TestRedirect(t *testing.T) {
	b := newBench(t, 6, 1, 64)
	p, q := b.join("xxxxx."), b.join("xxx...")
	p.ask.target, q.ask.target = 2, 1
	p.ask.choking, q.ask.choking = false, false
	b.refillAll(0)
	b.want("before", "1 <- request 0.0", "1 <- request 1.0", "2 <- request 2.0")
	b.due(map[uint32]time.Duration{1: time.Second / 2, 4: 2 * time.Second})
	b.redirect(0)
	b.want("nothing is due now")
	b.due(map[uint32]time.Duration{1: time.Second / 2, 4: 0})
	p.ask.until = 1
	b.redirect(0)
	b.want("it could not be asked now")
	p.ask.until = 0
	b.redirect(0)
	b.want("a jump", "1 <- cancel 0.0")
	b.refillAll(0)
	b.want("the jump", "1 <- request 4.0")
	b.redirect(0)
	b.want("it was begun")
}
