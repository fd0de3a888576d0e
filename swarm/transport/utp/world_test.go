package utp

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"
)

// A world is a network on a virtual clock: links, and machines that talk over them.
type world struct {
	t      testing.TB
	now    time.Duration
	events events
	order  int
	rng    *rand.Rand
}

type event struct {
	at    time.Duration
	order int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newWorld(t testing.TB, seed uint64) *world {
	return &world{t: t, rng: rand.New(rand.NewPCG(seed, 29))}
}

func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.events, event{w.now + d, w.order, do})
}

// run lets time pass until a moment, or until done says so.
func (w *world) run(until time.Duration, done func() bool) {
	for len(w.events) > 0 && w.events[0].at <= until && (done == nil || !done()) {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
	if done == nil || !done() {
		w.now = until
	}
}

// overhead is the size of the headers of IPv4 and UDP.
const overhead = 28

// A wire is one direction of a path: a queue in front of a link, and what goes wrong there.
type wire struct {
	rate      float64       // bytes a second, 0 for no limit
	delay     time.Duration // of propagation
	queue     time.Duration // the longest wait; more is dropped
	loss      float64
	duplicate float64
	reorder   float64       // share of packets that are held up
	holdUp    time.Duration // for up to so long
	jitter    time.Duration // each packet is held up by up to so much, in order
	mtu       int           // larger datagrams vanish, 0 for none
	// stalls is for how long, at most, nothing arrives every tenth of a second on average,
	// as on a wireless link or a busy machine. What was held up arrives together.
	stalls time.Duration
	cut    func(now time.Duration) bool

	stalled, stallAt time.Duration // the end of a stall, and the begin of the next one

	busy    time.Duration // until when the link sends what is in the queue
	last    time.Duration // when the last packet arrives
	dropped int
	longest time.Duration // wait
	waits   []time.Duration
	record  bool
}

// send puts a datagram of a size on the wire.
func (l *wire) send(w *world, size int, fragment bool, arrive func()) {
	if l.cut != nil && l.cut(w.now) || l.mtu > 0 && size > l.mtu && !fragment ||
		w.rng.Float64() < l.loss {
		l.dropped++
		return
	}
	at := w.now
	if l.rate > 0 {
		wait := max(0, l.busy-w.now)
		if l.record {
			l.waits = append(l.waits, wait)
		}
		if l.queue > 0 && wait > l.queue {
			l.dropped++
			return
		}
		l.longest = max(l.longest, wait)
		at = max(w.now, l.busy) + time.Duration(float64(size)/l.rate*float64(time.Second))
		l.busy = at
	}
	at += l.delay
	if l.jitter > 0 {
		at = max(l.last, at+time.Duration(w.rng.Int64N(int64(l.jitter))))
	}
	if l.stalls > 0 {
		for at >= l.stallAt {
			l.stalled = l.stallAt + time.Duration(w.rng.Int64N(int64(l.stalls)))
			l.stallAt = l.stalled + time.Duration(w.rng.Int64N(int64(200*time.Millisecond)))
		}
		at = max(at, l.stalled)
	}
	l.last = max(l.last, at)
	if w.rng.Float64() < l.reorder {
		at += time.Duration(w.rng.Int64N(int64(l.holdUp)))
	}
	w.after(at-w.now, arrive)
	if w.rng.Float64() < l.duplicate {
		w.after(at-w.now+time.Duration(w.rng.Int64N(int64(time.Millisecond))), arrive)
	}
}

// A seat is one machine in a world.
type seat struct {
	w      *world
	m      *machine
	peer   *seat
	wire   *wire // to the peer
	out    outbox
	offset time.Duration // of its clock
	drift  float64       // of its clock: 1e-4 is 100 ppm fast
	config machineConfig
	wake   int
	late   int // deadlines in a row that were in the past
	wakeAt time.Duration
	work   func() // what the user does after each event

	sent, got int64 // bytes by the user
}

// clock returns the time as the seat's clock shows it.
func (s *seat) clock() time.Time {
	return time.Unix(1_000_000, 0).Add(s.offset + s.w.now +
		time.Duration(float64(s.w.now)*s.drift))
}

// newSeats returns two seats, the first of which has dialled the second.
func newSeats(w *world, a, b machineConfig, there, back *wire) (*seat, *seat) {
	nothing := func() {}
	dials := &seat{w: w, wire: there, work: nothing}
	accepts := &seat{w: w, wire: back, work: nothing, config: b, peer: dials}
	dials.peer = accepts
	dials.config = a
	return dials, accepts
}

// dial begins the connection.
func (s *seat) dial() {
	s.m = newDialled(s.clock(), s.config)
	s.step()
}

// arrive takes a datagram.
func (s *seat) arrive(data []byte) {
	h, payload, err := parseHeader(data)
	if err != nil {
		s.w.t.Fatal(err)
	}
	if s.m == nil {
		if h.kind != typeSyn {
			return
		}
		s.m = newAccepted(s.clock(), s.config, h)
	} else if over, _ := s.m.closed(); over {
		if h.kind != typeReset {
			s.refuse(&h)
		}
		return
	} else {
		s.m.receive(s.clock(), &h, payload)
	}
	s.step()
}

// refuse answers a packet for a connection that is over, as a socket does.
func (s *seat) refuse(h *header) {
	reset := header{kind: typeReset, id: h.id, ack: h.seq}
	data := appendHeader(nil, &reset, 0)
	s.wire.send(s.w, len(data)+overhead, false, func() { s.peer.arrive(data) })
}

// step does what is due, and arranges for the next deadline.
func (s *seat) step() {
	s.work()
	for more := true; more; {
		s.out.reset()
		more = s.m.output(s.clock(), &s.out)
		at := 0
		for _, c := range s.out.cuts {
			data := append([]byte(nil), s.out.data[at:at+c.size]...)
			at += c.size
			s.wire.send(s.w, c.size+overhead, c.fragment, func() { s.peer.arrive(data) })
		}
	}
	deadline := s.m.deadline()
	if deadline.IsZero() {
		return
	}
	if !deadline.After(s.clock()) {
		s.late++
		if s.late > 100 {
			s.w.t.Fatalf("the deadline stays in the past: %v %+v", s.m.at(s.clock()), s.m.timers)
		}
	} else {
		s.late = 0
	}
	wait := time.Duration(float64(deadline.Sub(s.clock()))/(1+s.drift)) + 1
	at := s.w.now + max(wait, 1)
	if s.wakeAt > s.w.now && s.wakeAt <= at {
		return
	}
	s.wake++
	wake := s.wake
	s.wakeAt = at
	s.w.after(at-s.w.now, func() {
		if wake == s.wake {
			s.m.tick(s.clock())
			s.step()
		}
	})
}

// upload makes the seat write without end.
func (s *seat) upload() {
	block := make([]byte, 16<<10)
	s.work = func() {
		for s.m.writable() >= len(block) {
			s.sent += int64(s.m.write(s.clock(), block))
		}
	}
}

// download makes the seat read all there is.
func (s *seat) download() {
	buf := make([]byte, 64<<10)
	s.work = func() {
		for s.m.readable() > 0 {
			s.got += int64(s.m.read(s.clock(), buf))
		}
	}
}
