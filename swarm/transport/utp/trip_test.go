package utp

import (
	"testing"
	"time"
)

// Packets that waited at the other end, behind one that was lost, are no measure of the path:
// neither after a timeout, when all of them counted as lost, nor before.
func TestTripIsNotThatOfWaitingPackets(t *testing.T) {
	for _, c := range []struct {
		name  string
		waits time.Duration
	}{{"after a timeout", 3 * time.Second}, {"before", 300 * time.Millisecond}} {
		p := newPair(t, machineConfig{}, machineConfig{})
		p.flush()
		for range 20 {
			p.a.write(p.now, make([]byte, 5000))
			p.flush()
			p.advance(50 * time.Millisecond)
		}
		before := p.a.rtt.smoothed
		p.a.write(p.now, make([]byte, 5000))
		p.out.reset()
		for p.a.output(p.now, &p.out) {
		}
		// The first packet is lost. The others arrive, and their acknowledgements do not.
		p.now = p.now.Add(c.waits)
		p.a.tick(p.now)
		p.out.reset()
		for p.a.output(p.now, &p.out) {
		}
		if p.a.stats.repeats == 0 {
			t.Fatalf("%s: nothing was repeated", c.name)
		}
		p.now = p.now.Add(time.Millisecond)
		ack := header{kind: typeState, id: p.a.receiveID, timestamp: 1, window: 1 << 20,
			seq: p.b.flight.next, ack: p.a.flight.next - 1}
		p.a.receive(p.now, &ack, nil)
		if after := p.a.rtt.smoothed; after > before+10*time.Millisecond {
			t.Errorf("%s: the round trip went from %v to %v", c.name, before, after)
		}
	}
}
