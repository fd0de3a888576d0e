package utp

import (
	"bytes"
	"testing"
	"time"
)

// A pair is two machines and a link without faults, on a virtual clock.
type pair struct {
	t    testing.TB
	now  time.Time
	a, b *machine // a has dialled b
	out  outbox
}

func newPair(t testing.TB, a, b machineConfig) *pair {
	p := &pair{t: t, now: time.Unix(1000, 0)}
	p.a = newDialled(p.now, a)
	p.a.output(p.now, &p.out)
	h, _, err := parseHeader(p.out.data)
	if err != nil {
		t.Fatal(err)
	}
	p.out.reset()
	p.b = newAccepted(p.now, b, h)
	return p
}

// flush carries datagrams back and forth until nothing is due.
func (p *pair) flush() {
	for range 10000 {
		if p.carry(p.a, p.b)+p.carry(p.b, p.a) == 0 {
			return
		}
	}
	p.t.Fatal("two machines talk for ever")
}

// carry brings what is due from one machine to the other, and returns how many datagrams.
func (p *pair) carry(from, to *machine) int {
	p.out.reset()
	from.output(p.now, &p.out)
	data := p.out.data
	for _, c := range p.out.cuts {
		h, payload, err := parseHeader(data[:c.size])
		if err != nil {
			p.t.Fatal(err)
		}
		if h.id != to.receiveID {
			p.t.Fatalf("a packet for %d came to %d", h.id, to.receiveID)
		}
		to.receive(p.now, &h, payload)
		data = data[c.size:]
	}
	return len(p.out.cuts)
}

// advance lets time pass.
func (p *pair) advance(d time.Duration) {
	end := p.now.Add(d)
	for {
		p.flush()
		at := end
		for _, m := range []*machine{p.a, p.b} {
			if d := m.deadline(); !d.IsZero() && d.Before(at) {
				at = d
			}
		}
		if at.After(p.now) {
			p.now = at
		}
		if !p.now.Before(end) {
			return
		}
		p.a.tick(p.now)
		p.b.tick(p.now)
	}
}

// send writes data at one end and reads it at the other, and returns what was read.
func (p *pair) send(from, to *machine, data []byte) []byte {
	var got []byte
	buf := make([]byte, 100_000)
	for range 100_000 {
		data = data[from.write(p.now, data):]
		p.advance(time.Millisecond)
		for to.readable() > 0 {
			got = append(got, buf[:to.read(p.now, buf)]...)
		}
		if len(data) == 0 && from.out.size() == 0 {
			return got
		}
	}
	p.t.Fatalf("stalled after %d bytes, %d are left", len(got), len(data))
	return nil
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 / 3)
	}
	return b
}

func TestPairExchangesData(t *testing.T) {
	p := newPair(t, machineConfig{id: 7, first: 65530}, machineConfig{first: 3})
	p.flush()
	if !p.a.connected() {
		t.Fatal("not connected")
	}
	data := pattern(3_000_000)
	if got := p.send(p.a, p.b, data); !bytes.Equal(got, data) {
		t.Fatalf("got %d bytes, want %d", len(got), len(data))
	}
	if got := p.send(p.b, p.a, data); !bytes.Equal(got, data) {
		t.Fatalf("got %d bytes, want %d", len(got), len(data))
	}
	p.a.end(p.now)
	p.flush()
	if !p.b.eof() || p.b.finish.asked {
		t.Fatal("no end of the stream")
	}
	if got := p.send(p.b, p.a, data); !bytes.Equal(got, data) {
		t.Fatal("the other direction has ended as well")
	}
	p.b.end(p.now)
	p.advance(10 * time.Second)
	for _, m := range []*machine{p.a, p.b} {
		if over, err := m.closed(); !over || err != nil || !m.eof() {
			t.Errorf("closed: %v, %v", over, err)
		}
		m.free()
		if m.memory.chunks != 0 {
			t.Errorf("%d chunks are left", m.memory.chunks)
		}
	}
}
