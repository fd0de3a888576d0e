package utp

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

var (
	seedFlag = flag.Uint64("seed", 0, "run this random connection alone")
	runsFlag = flag.Int("runs", 0, "how many random connections to run; 10,000 with SWARM_SOAK")
)

// runs returns how many random connections to run.
func runs() int {
	switch {
	case *runsFlag > 0:
		return *runsFlag
	case os.Getenv("SWARM_SOAK") != "":
		return 10_000
	case checked:
		return 100
	}
	return 200
}

// Whatever a path does to packets, both ends receive every byte in its order and the end of
// the stream, and give all memory back.
func TestRandomConnections(t *testing.T) {
	if *seedFlag != 0 {
		newTalk(t, *seedFlag).run()
		return
	}
	for seed := range runs() {
		newTalk(t, uint64(seed+1)).run()
		if t.Failed() {
			t.Fatalf("replay with -args -seed %d", seed+1)
		}
	}
}

// testBudget is a budget that counts. Beside what is left, there is testReserve for what is
// needed, which suffices for the two ends of a connection.
type testBudget struct {
	left, all int
	short     bool
}

const testReserve = 5 * chunkSize

func (b *testBudget) Take(n int) bool {
	if b.left < n {
		return false
	}
	b.left -= n
	return true
}

func (b *testBudget) Need(n int) bool {
	if b.left+testReserve < n {
		return false
	}
	b.left -= n
	return true
}

func (b *testBudget) Give(n int)  { b.left += n }
func (b *testBudget) Left() int   { return max(0, b.left) }
func (b *testBudget) Short() bool { return b.short }

// A talk is a random connection on a random path.
type talk struct {
	t      testing.TB
	w      *world
	budget *testBudget
	ends   [2]*speaker
}

// A speaker is the user of one end.
type speaker struct {
	*seat
	talk     *talk
	size     int64         // bytes to write
	writeMax int           // at once
	readMax  int           // at once
	pause    time.Duration // after a read
	until    time.Duration // reads pause
	patience time.Duration // before the first write
}

// pick returns one of its arguments.
func pick[T any](rng *rand.Rand, values ...T) T { return values[rng.IntN(len(values))] }

func newTalk(t testing.TB, seed uint64) *talk {
	w := newWorld(t, seed)
	k := &talk{t: t, w: w}
	rng := w.rng
	if rng.IntN(3) == 0 {
		n := rng.IntN(20) * chunkSize
		k.budget = &testBudget{left: n, all: n}
	}
	there, back := k.wire(), k.wire()
	a, b := newSeats(w, k.config(), k.config(), there, back)
	for i, s := range []*seat{a, b} {
		s.offset = time.Duration(rng.Int64N(1 << 50))
		s.drift = pick(rng, 0, 0, 1e-4, -1e-4, 5e-4, -5e-4)
		k.ends[i] = k.speaker(s)
		s.work = k.ends[i].work
	}
	for i, s := range k.ends {
		// Small buffers take a round trip each time that they are full.
		for _, buffer := range []int{s.config.sendBuffer, k.ends[1-i].config.receiveBuffer} {
			if buffer > 0 {
				s.size = min(s.size, int64(200*buffer))
			}
		}
	}
	return k
}

func (k *talk) wire() *wire {
	rng := k.w.rng
	l := &wire{
		rate:      pick(rng, 0, 0.3, 1, 5, 20, 100) * megabit,
		delay:     pick[time.Duration](rng, 0, 1e6, 10e6, 50e6, 300e6),
		queue:     pick(rng, 0, 10*time.Millisecond, 50*time.Millisecond, 500*time.Millisecond),
		loss:      pick(rng, 0, 0, 0.001, 0.01, 0.05, 0.1, 0.2),
		duplicate: pick(rng, 0, 0, 0.01, 0.1),
		reorder:   pick(rng, 0, 0, 0.01, 0.1, 0.5),
		holdUp:    pick(rng, time.Millisecond, 20*time.Millisecond, 200*time.Millisecond),
		jitter:    pick(rng, 0, 0, time.Millisecond, 30*time.Millisecond),
		mtu:       pick(rng, 0, 0, 1500, 1400, 1280, 600),
	}
	if l.rate > 0 && l.queue > 0 {
		// A queue has room for a few packets.
		l.queue = max(l.queue, time.Duration(4*1500/l.rate*float64(time.Second)))
	}
	if rng.IntN(8) == 0 {
		// The path carries nothing for a while.
		from := time.Duration(rng.Int64N(int64(3 * time.Second)))
		until := from + time.Duration(rng.Int64N(int64(20*time.Second)))
		l.cut = func(now time.Duration) bool { return now >= from && now < until }
	}
	if rng.IntN(8) == 0 {
		// Another route carries less.
		at, small := time.Duration(rng.Int64N(int64(5*time.Second))), pick(rng, 1300, 1000, 576)
		k.w.after(at, func() { l.mtu = small })
	}
	return l
}

func (k *talk) config() machineConfig {
	rng := k.w.rng
	c := machineConfig{
		id:             uint16(rng.Uint32()),
		first:          seq(pick(rng, rng.Uint32(), 65_535, 65_500, 0, 32_760)),
		mtu:            pick(rng, 0, 1472, 1452, 576, 9000, 65_507),
		receiveBuffer:  pick(rng, 0, 1, 100, 2000, 5000, 60_000, 1<<20),
		sendBuffer:     pick(rng, 0, 1000, 70_000),
		connectTimeout: time.Hour,
		silence:        time.Hour,
	}
	if k.budget != nil {
		c.budget = k.budget
	}
	return c
}

func (k *talk) speaker(s *seat) *speaker {
	rng := k.w.rng
	return &speaker{seat: s, talk: k,
		size:     pick[int64](rng, 0, 1, 100, 20_000, 200_000),
		writeMax: pick(rng, 1, 17, 1000, 16<<10, 1<<20),
		readMax:  pick(rng, 1000, 16<<10, 1<<20),
		pause:    pick(rng, 0, 0, 0, time.Millisecond, 100*time.Millisecond),
		patience: pick(rng, 0, 0, 100*time.Millisecond, 5*time.Second, 40*time.Second),
	}
}

// byteAt returns a byte of what a speaker says.
func (s *speaker) byteAt(place int64) byte {
	return byte(place) ^ byte(place>>8)*31 ^ byte(s.m.config.first)
}

// work writes and reads what it can.
func (s *speaker) work() {
	m, w := s.m, s.w
	for s.sent < s.size && w.now >= s.patience {
		p := make([]byte, min(s.writeMax, m.writable(), int(s.size-s.sent)))
		for i := range p {
			p[i] = s.byteAt(s.sent + int64(i))
		}
		n := m.write(s.clock(), p)
		s.sent += int64(n)
		if n == 0 {
			break
		}
	}
	if s.sent == s.size && w.now >= s.patience {
		m.end(s.clock())
	}
	if w.now >= s.until {
		s.listen()
	}
}

func (s *speaker) listen() {
	peer := s.talk.ends[0]
	if peer == s {
		peer = s.talk.ends[1]
	}
	buf := make([]byte, s.readMax)
	for s.m.readable() > 0 {
		n := s.m.read(s.clock(), buf)
		for i, b := range buf[:n] {
			if b != peer.byteAt(s.got+int64(i)) {
				s.talk.t.Fatalf("byte %d is wrong", s.got+int64(i))
			}
		}
		s.got += int64(n)
		if s.pause > 0 {
			s.until = s.w.now + s.pause
			s.w.after(s.pause, s.step)
			return
		}
	}
}

func (k *talk) run() {
	a, b := k.ends[0], k.ends[1]
	a.dial()
	for _, s := range k.ends {
		k.w.after(s.patience, func() {
			if s.m != nil {
				s.step()
			}
		})
	}
	done := func() bool {
		if b.m == nil {
			return false
		}
		overA, _ := a.m.closed()
		overB, _ := b.m.closed()
		return overA && overB && a.m.readable() == 0 && b.m.readable() == 0
	}
	const limit = 10 * time.Minute
	k.w.run(limit, done)
	if !done() {
		k.t.Errorf("not done at %v:\n%v\n%v", k.w.now, a, b)
		return
	}
	for i, s := range k.ends {
		_, err := s.m.closed()
		// The last acknowledgement may be lost until the other end has gone.
		last := err == ErrReset && s.m.finish.sent
		if err != nil && !last || !s.m.eof() || s.got != k.ends[1-i].size {
			k.t.Errorf("end %d at %v: %v, end of the stream %v, %d bytes of %d\n%v\n%v", i, k.w.now, err, s.m.eof(),
				s.got, k.ends[1-i].size, a, b)
		}
		s.m.free()
		if s.m.memory.chunks != 0 {
			k.t.Errorf("end %d holds %d chunks", i, s.m.memory.chunks)
		}
	}
	if k.budget != nil && k.budget.left != k.budget.all {
		k.t.Errorf("%d bytes of the budget are left", k.budget.all-k.budget.left)
	}
}

// String shows a speaker for the message of a failed test.
func (s *speaker) String() string {
	if s.m == nil {
		return "not dialled"
	}
	return fmt.Sprintf("sent %d of %d, got %d, wire %+v, %s", s.sent, s.size, s.got, s.wire,
		summary(s.m))
}

// summary shows a machine for the message of a failed test.
func summary(m *machine) string {
	return fmt.Sprintf("phase %d %v, una %d next %d sent %d lost %d acked %d bytes %d, "+
		"buffered %d unsent %d, window %.0f peer's %d of %d, receives to %d waiting %d "+
		"size %d of %d, discard %v finish %+v fin seen %v %d, mtu %+v, config %+v, timers %+v, "+
		"stats %+v", m.phase, m.err, m.flight.una, m.flight.next, m.flight.sent.n,
		m.flight.lost.n, m.flight.acked, m.flight.bytes, m.out.size(), m.out.end-m.unsent,
		m.window.size, m.peerWindow, m.windowMax, m.in.ack, m.in.count, m.in.size(), m.capacity,
		m.discard, m.finish, m.in.finSeen, m.in.fin, m.mtu, m.config, m.timers, m.stats)
}
