package utp

import (
	"testing"
	"time"
)

// mute is a peer that reads nothing: it has a window of one packet and a little more.
var mute = machineConfig{first: 3, receiveBuffer: 40_000}

// fill writes until nothing is taken any more, for a second.
func (p *pair) fill(m *machine) {
	for range 100 {
		for m.write(p.now, pattern(10_000)) > 0 {
		}
		p.advance(10 * time.Millisecond)
	}
}

// A writer that there is no memory for does not try again and again: there is no room until
// memory was given back, or a moment has passed.
func TestStarvedWriterWaits(t *testing.T) {
	budget := &testBudget{left: 4 * chunkSize}
	p := newPair(t, machineConfig{id: 7, budget: budget}, mute)
	p.flush()
	taken := 0
	for range 1000 {
		n := p.a.write(p.now, pattern(1000))
		if taken += n; n == 0 {
			break
		}
	}
	if taken == 0 || taken > 4*chunkSize {
		t.Fatalf("%d bytes were taken", taken)
	}
	if n := p.a.writable(); n != 0 {
		t.Errorf("there is room for %d bytes without memory for them", n)
	}
	budget.left = 8 * chunkSize
	due := p.a.deadline()
	if due.IsZero() || due.After(p.now.Add(starvedEvery)) {
		t.Fatalf("the next try is in %v", due.Sub(p.now))
	}
	p.now = p.now.Add(starvedEvery)
	p.a.tick(p.now)
	if n := p.a.write(p.now, pattern(1000)); n != 1000 {
		t.Errorf("%d bytes were taken once there was memory", n)
	}
	if at := p.a.timers.memory; at != 0 {
		t.Errorf("nobody waits, and the next try is at %v", at)
	}
}

// Memory that an acknowledgement has freed is given to the writer at once.
func TestAcknowledgedMemoryFeedsTheWriter(t *testing.T) {
	p := newPair(t, machineConfig{id: 7, budget: &testBudget{left: 4 * chunkSize}},
		machineConfig{first: 3})
	p.flush()
	for p.a.write(p.now, pattern(1000)) > 0 {
	}
	if !p.a.starved {
		t.Fatal("the writer has all that it wants")
	}
	p.advance(time.Millisecond)
	if p.a.starved || p.a.writable() == 0 {
		t.Errorf("starved %v, room for %d bytes", p.a.starved, p.a.writable())
	}
}

// A peer that reads nothing holds no more than the least backlog, however large the window
// is that the path would bear.
func TestClosedWindowBoundsTheBacklog(t *testing.T) {
	p := newPair(t, machineConfig{id: 7}, mute)
	p.flush()
	p.a.window.size = 4 << 20
	p.fill(p.a)
	if p.a.peerWindow >= p.a.mss() {
		t.Fatalf("the window of the peer is %d", p.a.peerWindow)
	}
	if n := int(p.a.out.end - p.a.unsent); n > backlogMin {
		t.Errorf("%d bytes wait for a peer that reads nothing", n)
	}
}

// Connections whose peers read nothing leave memory for another one.
func TestMuteConnectionsLeaveMemory(t *testing.T) {
	const all = 256 * chunkSize
	budget := &testBudget{left: all}
	var hogs []*pair
	for range 24 {
		p := newPair(t, machineConfig{id: 7, budget: budget}, mute)
		p.flush()
		p.a.window.size = 4 << 20
		p.fill(p.a)
		hogs = append(hogs, p)
	}
	if budget.left < all/2 {
		t.Errorf("%d of %d bytes are left", budget.left, all)
	}
	p := newPair(t, machineConfig{id: 7, budget: budget}, machineConfig{first: 3})
	p.flush()
	if n := p.a.write(p.now, pattern(100_000)); n < chunkSize {
		t.Errorf("the next one has room for %d bytes", n)
	}
	if p.a.memory.chunks == 0 || p.a.out.chunks[0].small() {
		t.Error("the next one has no share of the budget")
	}
	for _, h := range hogs {
		h.a.free()
	}
	p.a.free()
	if budget.left != all {
		t.Errorf("%d bytes are lost", all-budget.left)
	}
}

// One connection has half of the budget at most.
func TestShare(t *testing.T) {
	m := &memory{budget: &testBudget{left: 10 * chunkSize}}
	n := 0
	for m.take() != nil {
		n++
	}
	if n != 5 {
		t.Errorf("%d of 10 chunks were taken", n)
	}
}
