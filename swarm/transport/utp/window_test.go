package utp

import (
	"testing"
	"time"
)

// A model is a window on a path that is nothing but a queue and a delay.
type model struct {
	window
	now time.Duration
	rtt rtt
}

func newModel(packets int) *model {
	m := &model{window: newWindow(1000), now: time.Second}
	m.rtt.sample(m.now, 40*ms)
	m.size, m.slow = float64(packets*1000), false
	return m
}

// round acknowledges one window, packet by packet.
func (m *model) round(queue time.Duration, lost int) {
	n := max(1, m.limit()/1000)
	start := m.delivered
	m.window.lost(lost * 1000)
	for i := range n {
		m.now += 40 * ms / time.Duration(n)
		m.full()
		s := ackSample{bytes: 1000, queue: queue, inFlight: m.limit(), rtt: &m.rtt}
		if i == n-1 {
			s.delivered = start
		} else {
			s.delivered = start - 1
		}
		m.acked(m.now, s)
		m.check()
	}
}

func TestWindowGrowsByAPacket(t *testing.T) {
	m := newModel(50)
	before := m.size
	m.round(20*ms, 0) // some is queued, but less than the aim
	if got := m.size - before; got < 950 || got > 1050 {
		t.Errorf("grew by %.0f bytes in a round", got)
	}
}

func TestWindowGrowsFasterOnAnEmptyPath(t *testing.T) {
	m := newModel(50)
	for range 40 {
		m.round(0, 0)
	}
	if m.limit() < 200_000 {
		t.Errorf("after 40 empty rounds: %d", m.limit())
	}
}

func TestWindowYields(t *testing.T) {
	m := newModel(50)
	for range 40 {
		m.round(150*ms, 0)
	}
	if m.limit() != 2000 {
		t.Errorf("beside a full queue: %d", m.limit())
	}
}

// A window that is not used up does not grow.
func TestWindowOfAnIdleUser(t *testing.T) {
	m := newModel(50)
	m.wasFullNot()
	before := m.size
	for range 100 {
		m.now += 10 * ms
		m.acked(m.now, ackSample{bytes: 1000, delivered: m.delivered, rtt: &m.rtt})
	}
	if m.size != before {
		t.Errorf("%.0f became %.0f", before, m.size)
	}
}

func (m *model) wasFullNot() { m.window.round.full, m.window.round.wasFull = false, false }

// One lost packet of a small window is a large share, and says nothing; many do.
func TestSlowStartGoesOnAfterOneLoss(t *testing.T) {
	m := newModel(8)
	m.slow = true
	m.round(0, 1)
	if !m.slow || m.limit() < 15_000 {
		t.Errorf("after one loss: %d, slow start: %v", m.limit(), m.slow)
	}
	m.round(0, 6)
	if m.slow {
		t.Error("slow start goes on although a third was lost")
	}
}

func TestSlowStartEndsOnDelay(t *testing.T) {
	m := newModel(10)
	m.slow = true
	m.round(0, 0)
	if m.limit() != 20_000 || !m.slow {
		t.Fatalf("after a round: %d", m.limit())
	}
	m.round(1*ms, 0)
	if m.limit() != 40_000 || !m.slow {
		t.Fatalf("after two: %d", m.limit())
	}
	m.round(9*ms, 0)
	if m.slow || m.limit() > 50_000 {
		t.Errorf("with a queue: %d, slow %v", m.limit(), m.slow)
	}
}

func TestLossWithoutAQueueIsRandom(t *testing.T) {
	m := newModel(50)
	for range rateRounds {
		m.round(0, 0)
	}
	pipe := m.pipe(&m.rtt)
	for range 20 {
		m.round(0, 1)
		if m.size < pipe*0.95 {
			t.Fatalf("a window of %.0f on a pipe of %.0f", m.size, pipe)
		}
	}
	if m.random < randomSure {
		t.Errorf("random losses are not recognised: %d", m.random)
	}
}

func TestLossWithAQueueHalves(t *testing.T) {
	m := newModel(100)
	m.round(20*ms, 0)
	before := m.size
	m.round(20*ms, 1)
	if m.size > 0.85*before || m.size < before/2-1000 {
		t.Errorf("%.0f became %.0f", before, m.size)
	}
	if m.undo(); m.size < before {
		t.Errorf("an undone cut leaves %.0f of %.0f", m.size, before)
	}
	before = m.size
	m.round(0, m.limit()/1000/4) // a quarter is lost: congestion, whatever the delay
	if m.size > 0.85*before {
		t.Errorf("heavy loss: %.0f became %.0f", before, m.size)
	}
}

func TestTimeoutStartsOver(t *testing.T) {
	m := newModel(100)
	m.timedOut()
	if m.limit() != 2000 || !m.slow || m.threshold != 50_000 {
		t.Errorf("%d, slow %v up to %.0f", m.limit(), m.slow, m.threshold)
	}
	for range 20 {
		m.round(0, 0)
	}
	if m.slow || m.limit() < 50_000 {
		t.Errorf("later: %d, slow %v", m.limit(), m.slow)
	}
}

// A drain empties the queue for a round trip, and then takes the rate up again.
func TestDrain(t *testing.T) {
	m := newModel(100)
	for range rateRounds {
		m.round(30*ms, 0)
	}
	m.startDrain(m.now, &m.rtt)
	least := int(m.rate() * (m.rtt.min() - drainDepth).Seconds())
	if got := m.limit(); got != least || got < 20_000 || got > 30_000 {
		t.Fatalf("a drain leaves %d, want %d", got, least)
	}
	s := ackSample{bytes: 1000, inFlight: least + 1, rtt: &m.rtt}
	m.acked(m.now, s)
	if s.inFlight--; m.drain.until != noTime {
		t.Error("a drain counts its round trip from before the flight is small")
	}
	m.acked(m.now, s)
	m.acked(m.now+39*ms, s)
	if !m.drain.on {
		t.Fatal("a drain takes less than a round trip")
	}
	m.acked(m.now+41*ms, s)
	if m.drain.on || m.limit() < 50_000 || m.drainAt < m.now+drainFirst {
		t.Errorf("after the drain: %d, next at %v", m.limit(), m.drainAt)
	}
}

// A drain that finds a lower base goes on, until the base stays where it is.
func TestDrainGoesOnBelowAFalseBase(t *testing.T) {
	m := newModel(200)
	m.rtt = rtt{}
	m.rtt.sample(m.now, 80*ms) // 60 ms of it are a queue
	for range rateRounds {
		m.round(30*ms, 0)
	}
	m.startDrain(m.now, &m.rtt)
	var sizes []int
	for _, trip := range []time.Duration{50 * ms, 20 * ms, 20 * ms} {
		sizes = append(sizes, m.limit())
		s := ackSample{bytes: 1000, inFlight: m.limit(), rtt: &m.rtt}
		m.acked(m.now, s)
		m.rtt.sample(m.now, trip)
		m.now += 81 * ms
		m.acked(m.now, s)
	}
	if m.drain.on || sizes[1] > sizes[0]/2 || sizes[2] != 4000 {
		t.Errorf("the drain left %v, and goes on: %v", sizes, m.drain.on)
	}
	if got := m.pipe(&m.rtt); m.size < got || m.size > 3*got {
		t.Errorf("after it, the window is %.0f on a pipe of %.0f", m.size, got)
	}
}

// A packet that was late, not lost, does not keep a drain from its end, and neither does a
// flight that stays full.
func TestDrainEnds(t *testing.T) {
	m := newModel(100)
	for range rateRounds {
		m.round(30*ms, 0)
	}
	m.before = 2 * m.size
	m.startDrain(m.now, &m.rtt)
	drained := m.limit()
	if m.undo(); m.limit() != drained || drained > 30_000 {
		t.Errorf("an undone cut makes the drained window %d", m.limit())
	}
	s := ackSample{bytes: 1000, inFlight: 50_000, rtt: &m.rtt}
	m.acked(m.now+100*ms, s)
	if !m.drain.on {
		t.Error("the drain ended at once")
	}
	m.acked(m.now+(drainRounds+1)*40*ms, s)
	if m.drain.on || m.limit() < 50_000 {
		t.Errorf("the drain goes on with %d", m.limit())
	}
}

// Large windows aim at less delay than small ones, within the bounds.
func TestAim(t *testing.T) {
	last := delayAim
	for packets := 1; packets < 5000; packets += 7 {
		m := newModel(packets)
		aim := m.aim()
		if aim > last || aim < aimLeast || aim > delayAim {
			t.Fatalf("%d packets aim at %v after %v", packets, aim, last)
		}
		last = aim
	}
	if last != aimLeast {
		t.Errorf("the largest aims at %v", last)
	}
}
