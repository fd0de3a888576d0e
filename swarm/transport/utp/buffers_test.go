package utp

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

func TestStream(t *testing.T) {
	var s stream
	m := &memory{budget: &testBudget{left: 10 * chunkSize}}
	rng := rand.New(rand.NewPCG(1, 1))
	var all []byte
	for range 2000 {
		p := make([]byte, rng.IntN(3*chunkSize))
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		all = append(all, p[:s.append(p, m)]...)
		s.check()
		from := s.start + int64(rng.IntN(s.size()+1))
		got := make([]byte, rng.IntN(2*chunkSize))
		got = got[:s.copy(got, from)]
		if !bytes.Equal(got, all[from:][:len(got)]) {
			t.Fatal("other bytes are in the stream")
		}
		s.drop(s.start+int64(rng.IntN(s.size()+1)), m)
		s.check()
		if m.chunks != len(s.chunks) || m.chunks > 11 {
			t.Fatalf("%d chunks are held, %d in use", m.chunks, len(s.chunks))
		}
	}
	s.free(m)
	if b := m.budget.(*testBudget); m.chunks != 0 || b.left != 10*chunkSize {
		t.Errorf("%d chunks are left", m.chunks)
	}
}

// Packets that come in any order, twice, or with no memory for them, make one stream.
func TestIncoming(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		budget := &testBudget{left: rng.IntN(6) * chunkSize}
		all := budget.left
		in := incoming{mem: &memory{budget: budget}, ack: seq(rng.Uint32())}
		var packets [][]byte
		var want, got []byte
		for range 1 + rng.IntN(100) {
			p := pattern(rng.IntN(3000))
			packets = append(packets, p)
			want = append(want, p...)
		}
		first := in.ack + 1
		for step := 0; !in.finished() || in.stream.size() > 0; step++ {
			next := int(in.ack + 1 - first)
			i := next + rng.IntN(10)
			if i > len(packets) || i >= 0 && rng.IntN(4) == 0 {
				i = rng.IntN(len(packets) + 1)
			}
			if i == len(packets) {
				in.data(first+seq(i), nil, true, 20_000, false)
			} else {
				in.data(first+seq(i), packets[i], false, 20_000, false)
			}
			in.check()
			if len(in.sack(nil))%4 != 0 {
				t.Fatal("a selective acknowledgement of odd length")
			}
			if rng.IntN(3) == 0 {
				p := make([]byte, rng.IntN(5000))
				got = append(got, p[:in.read(p, false)]...)
			}
			if step > 100_000 {
				t.Fatalf("seed %d: stalled at packet %d of %d", seed, next, len(packets))
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: other bytes came", seed)
		}
		in.free()
		if in.mem.chunks != 0 || budget.left != all {
			t.Fatalf("seed %d: %d chunks are left", seed, in.mem.chunks)
		}
	}
}

func TestSack(t *testing.T) {
	in := incoming{mem: &memory{}, ack: 65_533}
	if got := in.sack(nil); got != nil {
		t.Errorf("got %x with nothing missing", got)
	}
	// 65,534 is missing. The first bit stands for the packet after it (BEP 29).
	for _, n := range []seq{65_535, 1, 8, 33} {
		if got := in.data(n, []byte{1}, false, 1<<20, false); got != arrivedAhead {
			t.Errorf("packet %d: %v", n, got)
		}
	}
	want := []byte{0b101, 0b10, 0, 0, 0b100, 0, 0, 0}
	if got := in.sack(nil); !bytes.Equal(got, want) {
		t.Errorf("got %08b, want %08b", got, want)
	}
	if got := in.data(1, []byte{1}, false, 1<<20, false); got != arrivedAgain {
		t.Errorf("a duplicate: %v", got)
	}
	in.data(65_534, []byte{1}, false, 1<<20, false)
	if in.ack != 65_535 || in.count != 3 {
		t.Errorf("received up to %d, %d wait", in.ack, in.count)
	}
}

// newFlight returns a flight of packets of 100 bytes, sent a millisecond apart from 0 on.
func newFlight(first seq, n int) *flight {
	f := &flight{una: first, next: first}
	for i := range n {
		f.place()
		f.push(sentPacket{offset: int64(i) * 100, size: 100, sentAt: time.Duration(i) * ms})
	}
	return f
}

func (f *flight) acked100(a *acks, ack seq, bits ...byte) {
	*a = acks{now: a.now, min: a.min, newestAt: noTime, rttAt: noTime}
	f.ackTo(ack, a)
	f.ackBits(ack+2, bits, a)
}

func TestFlight(t *testing.T) {
	f := newFlight(65_530, 20)
	a := acks{now: 100 * ms}
	f.acked100(&a, 65_531, 0b1010, 0, 0, 0x80)
	// 65,534 and 0 are acknowledged; the last bit stands for a packet that was never sent.
	if a.packets != 4 || a.bytes != 400 || f.bytes != 1600 || f.acked != 2 ||
		f.packets() != 18 || a.newest != 0 || a.newestAt != 6*ms || a.rttAt != 6*ms {
		t.Errorf("%+v leaves %+v", a, f)
	}
	f.acked100(&a, 65_531, 0b1010, 0, 0, 0x80)
	if a.packets != 0 || a.newestAt != noTime {
		t.Errorf("the same again brings %+v", a)
	}
	if f.loseAll(); f.owed != 1600 || f.bytes != 0 || f.lost.n != 16 ||
		f.lost.first != 65_532 {
		t.Errorf("%d bytes, %+v", f.owed, f.lost)
	}
	f.again(65_533, 200*ms, 5)
	a.now = 300 * ms
	f.acked100(&a, 13)
	if f.packets() != 0 || f.bytes != 0 || f.sent.n+f.lost.n+f.acked != 0 || a.spurious != 15 {
		t.Errorf("%+v leaves %+v", a, f)
	}
	f.rest()
	if f.ring != nil {
		t.Error("nothing in flight holds memory")
	}
}

func TestLoss(t *testing.T) {
	lost := func(l *loss, f *flight, r *rtt, now time.Duration) (n []seq, next time.Duration) {
		before := f.lost.n
		next = l.detect(now, f, r, func(*sentPacket) {})
		for i := before; i < f.lost.n; i++ {
			n = append(n, f.lost.last)
		}
		return n, next
	}
	r := &rtt{}
	r.sample(1, 40*ms)
	f, l := newFlight(0, 10), &loss{}
	a := acks{now: 50 * ms, min: 40 * ms}
	f.acked100(&a, 65_535, 0b1) // packet 1
	l.acked(&a, false)
	if n, next := lost(l, f, r, a.now); len(n) > 0 || next != 0+49*ms+10*ms {
		t.Errorf("after one later packet: %v lost, next at %v", n, next)
	}
	f.acked100(&a, 65_535, 0b111)
	l.acked(&a, false)
	if n, _ := lost(l, f, r, a.now); len(n) != 1 || n[0] != 0 {
		t.Errorf("after three later packets: %v lost", n)
	}
	// It was late, not lost: the path reorders.
	f.acked100(&a, 3)
	l.acked(&a, false)
	if a.spurious != 1 || l.patience != 1 {
		t.Errorf("%d spurious, patience %d", a.spurious, l.patience)
	}
	f.acked100(&a, 3, 0b111)
	l.acked(&a, false)
	if n, next := lost(l, f, r, a.now); len(n) > 0 || next == 0 {
		t.Errorf("a path that reorders: %v lost, next at %v", n, next)
	}
	if n, _ := lost(l, f, r, a.now+11*ms); len(n) != 1 || n[0] != 4 {
		t.Errorf("after a quarter of the round trip: %v lost", n)
	}
}

func TestOutboxRuns(t *testing.T) {
	var o outbox
	for _, c := range []cut{{3, false}, {3, false}, {2, false}, {3, false}, {3, true}, {4, false},
		{4, false}, {4, false}} {
		start := len(o.data)
		o.data = append(o.data, make([]byte, c.size)...)
		o.end(start, c.fragment)
	}
	var got []run
	o.runs(2, 100, func(r run) bool {
		got = append(got, r)
		return true
	})
	want := []run{{size: 3}, {size: 2}, {size: 3}, {size: 3, fragment: true}, {size: 4}, {size: 4}}
	sizes := []int{6, 2, 3, 3, 8, 4}
	for i, r := range got {
		if i >= len(want) || r.size != want[i].size || r.fragment != want[i].fragment ||
			len(r.data) != sizes[i] {
			t.Errorf("run %d: %d bytes by %d", i, len(r.data), r.size)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d runs", len(got))
	}
}
