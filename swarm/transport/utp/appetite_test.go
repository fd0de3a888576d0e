package utp

import (
	"testing"
	"time"
)

// upload writes as much as is taken at one end for d, with the other end reading rate bytes a
// second, and returns how many bytes the other end held at most, and how many were read.
func (p *pair) upload(d time.Duration, rate int) (most, got int) {
	const step = 10 * time.Millisecond
	buf := make([]byte, rate/100)
	for range d / step {
		for p.a.write(p.now, pattern(16<<10)) > 0 {
			p.flush()
		}
		p.advance(step)
		most = max(most, p.b.in.size())
		if rate > 0 {
			got += p.b.read(p.now, buf)
		}
		p.b.check()
	}
	return most, got
}

// probesMax is how many packets of one byte ask for room in five seconds, and are dropped.
const probesMax = 10

// A user who reads little holds little, and one who reads fast has a large window, up to the
// bound of a connection. No packets are lost by it.
func TestAppetite(t *testing.T) {
	for _, c := range []struct {
		rate, held, window int
	}{
		{0, capacityFirst, 0},
		{20_000, capacityFirst, 0},
		{1_000_000, 2_200_000, 0},
		{50_000_000, receiveBufferMax, receiveBufferMax / 2},
	} {
		p := newPair(t, machineConfig{id: 1}, machineConfig{})
		p.flush()
		most, got := p.upload(5*time.Second, c.rate)
		if most > c.held || got < 4*c.rate || p.b.capacity < c.window {
			t.Errorf("a reader of %d bytes a second holds %d bytes, want at most %d; read %d with "+
				"a window of %d, want %d", c.rate, most, c.held, got, p.b.capacity, c.window)
		}
		if p.b.stats.dropped > probesMax || p.a.stats.timeouts > 0 && c.rate > 20_000 {
			t.Errorf("a reader of %d bytes a second: %d packets dropped, %d timeouts", c.rate,
				p.b.stats.dropped, p.a.stats.timeouts)
		}
	}
}

// A user who stops reading holds what the peer was told of, and no more later; an idle
// connection takes the room back.
func TestAppetiteEnds(t *testing.T) {
	p := newPair(t, machineConfig{id: 1}, machineConfig{})
	p.flush()
	p.upload(2*time.Second, 50_000_000)
	if p.b.capacity < receiveBufferMax/2 {
		t.Fatalf("a fast reader has a window of %d", p.b.capacity)
	}
	p.upload(5*time.Second, 0)
	if p.b.stats.dropped > probesMax || p.b.receiveWindow() > p.b.capacity/8 {
		t.Errorf("%d packets dropped, a window of %d", p.b.stats.dropped, p.b.receiveWindow())
	}
	most, _ := p.upload(20*time.Second, 500_000)
	if size := p.b.in.size(); size > 1_200_000 {
		t.Errorf("a reader that became slow still holds %d bytes, %d at most", size, most)
	}
	buf := make([]byte, 1<<20)
	for p.b.readable() > 0 || p.a.out.size() > 0 {
		p.b.read(p.now, buf)
		p.advance(10 * time.Millisecond)
	}
	p.advance(2 * time.Minute)
	if p.b.capacity != capacityFirst {
		t.Errorf("an idle connection has a window of %d", p.b.capacity)
	}
}
