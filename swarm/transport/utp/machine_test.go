package utp

import (
	"bytes"
	"errors"
	"testing"
	"time"
	"unsafe"
)

// next returns the datagrams that are due at a machine, parsed.
func (p *pair) next(m *machine) (headers []header, sizes []int) {
	p.out.reset()
	m.output(p.now, &p.out)
	data := p.out.data
	for _, c := range p.out.cuts {
		h, payload, err := parseHeader(bytes.Clone(data[:c.size]))
		if err != nil {
			p.t.Fatal(err)
		}
		headers, sizes = append(headers, h), append(sizes, len(payload))
		data = data[c.size:]
	}
	return headers, sizes
}

// The ids and numbers are those of libutp, which differs from the picture of BEP 29: the
// answer to a SYN has the number of the first packet of data.
func TestConnecting(t *testing.T) {
	p := &pair{t: t, now: time.Unix(1000, 0)}
	p.a = newDialled(p.now, machineConfig{id: 0xffff, first: 65_535})
	h, _ := p.next(p.a)
	if len(h) != 1 || h[0].kind != typeSyn || h[0].id != 0xffff || h[0].seq != 65_535 {
		t.Fatalf("the SYN is %+v", h)
	}
	p.b = newAccepted(p.now, machineConfig{first: 700}, h[0])
	p.b.write(p.now, []byte("early"))
	h, _ = p.next(p.b)
	if len(h) != 1 || h[0].kind != typeState || h[0].id != 0xffff || h[0].seq != 700 ||
		h[0].ack != 65_535 {
		t.Fatalf("the answer is %+v", h)
	}
	p.a.receive(p.now, &h[0], nil)
	if !p.a.connected() {
		t.Fatal("the answer does not connect")
	}
	p.a.write(p.now, []byte("hello"))
	h, sizes := p.next(p.a)
	if len(h) != 1 || h[0].kind != typeData || h[0].id != 0 || h[0].seq != 0 ||
		h[0].ack != 699 || sizes[0] != 5 {
		t.Fatalf("the first data is %+v", h)
	}
	p.b.receive(p.now, &h[0], []byte("hello"))
	h, _ = p.next(p.b)
	if len(h) != 1 || h[0].seq != 700 || h[0].kind != typeData || h[0].ack != 0 {
		t.Fatalf("the first data of the other end is %+v", h)
	}
}

// No payload goes to a source that may be forged, whatever is written.
func TestNothingForUnprovenSources(t *testing.T) {
	p := newPair(t, machineConfig{id: 1}, machineConfig{first: 700})
	p.b.write(p.now, make([]byte, 50_000))
	var datagrams int
	for range 100 {
		p.now = p.now.Add(200 * ms)
		p.b.tick(p.now)
		h, sizes := p.next(p.b)
		for i := range h {
			datagrams++
			if sizes[i] > 0 {
				t.Fatal("payload went to an unproven source")
			}
		}
		// A stranger does not know our number.
		p.b.receive(p.now, &header{kind: typeData, id: 2, seq: 1, ack: 12_345, window: 1e6}, nil)
	}
	if over, err := p.b.closed(); datagrams != 1 || !over || !errors.Is(err, ErrTimeout) {
		t.Errorf("%d datagrams; closed %v, %v", datagrams, over, err)
	}
}

func TestSynIsAnsweredAgain(t *testing.T) {
	p := newPair(t, machineConfig{id: 1, first: 9}, machineConfig{first: 700})
	p.next(p.b)
	p.b.receive(p.now, &header{kind: typeSyn, id: 1, seq: 9}, nil)
	if h, _ := p.next(p.b); len(h) != 1 || h[0].seq != 700 || h[0].ack != 9 {
		t.Errorf("the answer is %+v", h)
	}
	p.b.receive(p.now, &header{kind: typeSyn, id: 1, seq: 10}, nil)
	if h, _ := p.next(p.b); len(h) != 0 {
		t.Errorf("another SYN is answered by %+v", h)
	}
}

func TestDialTimesOut(t *testing.T) {
	p := &pair{t: t, now: time.Unix(1000, 0)}
	p.a = newDialled(p.now, machineConfig{connectTimeout: 6 * time.Second})
	start, syns := p.now, 0
	for range 1000 {
		h, _ := p.next(p.a)
		syns += len(h)
		if over, err := p.a.closed(); over {
			var timeout interface{ Timeout() bool }
			if d := p.now.Sub(start); d != 6*time.Second || syns != 3 ||
				!errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("after %v and %d SYNs: %v", d, syns, err)
			}
			return
		}
		p.now = p.a.deadline()
		p.a.tick(p.now)
	}
	t.Error("it dials for ever")
}

// connectedPair returns two machines that have exchanged a byte in each direction.
func connectedPair(t testing.TB) *pair {
	p := newPair(t, machineConfig{id: 1, first: 65_530, mtu: 1472},
		machineConfig{first: 700, mtu: 1472})
	p.flush()
	p.send(p.a, p.b, []byte{1})
	p.send(p.b, p.a, []byte{1})
	p.advance(time.Second)
	return p
}

func TestKeepAlive(t *testing.T) {
	p := connectedPair(t)
	sent := 0
	for range 290 {
		p.now = p.now.Add(time.Second)
		p.a.tick(p.now)
		h, _ := p.next(p.a)
		for i := range h {
			sent++
			if h[i].ack != p.a.in.ack-1 || h[i].kind != typeState {
				t.Errorf("a keep-alive is %+v", h[i])
			}
			p.b.receive(p.now, &h[i], nil)
		}
		if h, _ := p.next(p.b); len(h) > 0 {
			t.Errorf("a keep-alive is answered by %+v", h)
		}
	}
	if sent < 9 || sent > 11 {
		t.Errorf("%d keep-alives in five minutes", sent)
	}
	if over, err := p.b.closed(); over {
		t.Errorf("a connection that is kept alive ended: %v", err)
	}
	p.now = p.now.Add(20 * time.Second)
	p.a.tick(p.now)
	if over, err := p.a.closed(); !over || !errors.Is(err, ErrTimeout) {
		t.Errorf("a peer that was silent for five minutes: %v, %v", over, err)
	}
}

// A peer that takes data and never acknowledges it is given up.
func TestPeerNeverAcknowledges(t *testing.T) {
	p := connectedPair(t)
	p.a.write(p.now, make([]byte, 20_000))
	start, packets := p.now, 0
	for range 1000 {
		h, _ := p.next(p.a)
		packets += len(h)
		if over, err := p.a.closed(); over {
			if d := p.now.Sub(start); d < 30*time.Second || d > time.Minute ||
				!errors.Is(err, ErrTimeout) || packets > 200 {
				t.Errorf("after %v and %d packets: %v", d, packets, err)
			}
			return
		}
		p.now = p.a.deadline()
		p.a.tick(p.now)
	}
	t.Error("it goes on for ever")
}

// A reader that pauses closes the window; when it goes on, the writer hears so at once.
func TestWindowCloses(t *testing.T) {
	p := newPair(t, machineConfig{id: 1}, machineConfig{receiveBuffer: 50_000})
	p.flush()
	data := pattern(200_000)
	var sent int
	for range 300 {
		sent += p.a.write(p.now, data[sent:])
		p.advance(10 * ms)
	}
	if got := p.b.readable(); got > 50_000 || got < 40_000 {
		t.Fatalf("%d bytes wait to be read", got)
	}
	p.advance(time.Minute)
	if over, err := p.a.closed(); over {
		t.Fatalf("a full window ended the connection: %v", err)
	}
	buf := make([]byte, 60_000)
	got := append([]byte(nil), buf[:p.b.read(p.now, buf)]...)
	p.advance(100 * ms)
	if p.b.readable() < 10_000 {
		t.Error("the writer was not told that the window is open")
	}
	for range 1000 {
		got = append(got, buf[:p.b.read(p.now, buf)]...)
		sent += p.a.write(p.now, data[sent:])
		p.advance(10 * ms)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("%d bytes came of %d", len(got), len(data))
	}
}

// Two small packets are acknowledged by one; one alone is, after a short while.
func TestAcknowledgementsWait(t *testing.T) {
	p := connectedPair(t)
	p.a.write(p.now, []byte{1})
	p.carry(p.a, p.b)
	if h, _ := p.next(p.b); len(h) != 0 {
		t.Errorf("one packet is acknowledged at once: %+v", h)
	}
	d := p.b.deadline().Sub(p.now)
	p.now = p.b.deadline()
	p.b.tick(p.now)
	if h, _ := p.next(p.b); len(h) != 1 || d != ackDelay {
		t.Errorf("after %v: %+v", d, h)
	}
	for range 2 {
		p.a.write(p.now, []byte{1})
		p.carry(p.a, p.b)
	}
	if h, _ := p.next(p.b); len(h) != 1 {
		t.Errorf("two packets are acknowledged by %+v", h)
	}
}

func TestAbort(t *testing.T) {
	p := connectedPair(t)
	p.a.write(p.now, make([]byte, 100))
	p.a.abort(p.now)
	p.flush()
	if over, err := p.b.closed(); !over || !errors.Is(err, ErrReset) {
		t.Errorf("the other end: %v, %v", over, err)
	}
	p.now = p.now.Add(20 * time.Second)
	p.a.tick(p.now)
	if over, err := p.a.closed(); !over || !errors.Is(err, ErrAborted) {
		t.Errorf("this end: %v, %v", over, err)
	}
	if p.a.write(p.now, []byte{1}) != 0 || !p.a.deadline().IsZero() {
		t.Error("a connection that is over goes on")
	}
}

// A user that reads no more is not waited for, and its end is closed in time.
func TestForget(t *testing.T) {
	p := connectedPair(t)
	p.b.write(p.now, make([]byte, 50_000))
	p.a.end(p.now)
	p.a.forget(p.now)
	p.advance(time.Second)
	if p.a.readable() != 0 || p.b.out.size() != 0 {
		t.Errorf("%d bytes wait to be read, %d to be sent", p.a.readable(), p.b.out.size())
	}
	p.advance(partWait + time.Second)
	if over, err := p.a.closed(); !over || err != nil {
		t.Errorf("this end: %v, %v", over, err)
	}
	if over, err := p.b.closed(); !over || !errors.Is(err, ErrReset) {
		t.Errorf("the other end: %v, %v", over, err)
	}
}

// An idle connection holds no buffers.
func TestIdleHoldsNothing(t *testing.T) {
	p := connectedPair(t)
	data := pattern(500_000)
	p.send(p.a, p.b, data)
	p.advance(time.Second)
	for _, m := range []*machine{p.a, p.b} {
		if m.memory.chunks != 0 || m.flight.ring != nil || m.in.ring != nil {
			t.Errorf("%d chunks, rings of %d and %d packets are held", m.memory.chunks,
				len(m.flight.ring), len(m.in.ring))
		}
	}
	if size := unsafe.Sizeof(machine{}); size > 2048 {
		t.Errorf("a machine is %d bytes", size)
	}
}

// Packets do not allocate.
func TestPacketsDoNotAllocate(t *testing.T) {
	p := connectedPair(t)
	data, buf := pattern(64<<10), make([]byte, 64<<10)
	round := func() {
		p.a.write(p.now, data)
		for range 4 {
			p.now = p.now.Add(ms)
			p.flush()
			p.b.read(p.now, buf)
		}
	}
	for range 50 {
		round()
	}
	if got := testing.AllocsPerRun(100, round); got > 2 && !checked {
		t.Errorf("%v allocations for 64 KiB", got)
	}
}
