package utp

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/limit"
)

// expectUnused ends the test unless all memory was given back.
func expectUnused(t *testing.T, memory *limit.Bytes) {
	t.Helper()
	if used := memory.Used(); used != 0 {
		t.Errorf("%d bytes of memory are still taken", used)
	}
}

// A writer for whose bytes there is no memory waits until something was acknowledged, and keeps
// nobody from handling what arrives.
func TestWriteWithoutMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		memory := limit.NewBytes(chunkSize)
		here, there := n.socket(hereAt, Config{Budget: memory}), n.socket(thereAt, Config{})
		a, b := connect(t, here, there)
		content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20/16)
		go func() {
			if _, err := a.Write(content[:len(content)/2]); err != nil {
				t.Error(err)
			}
			v := net.Buffers{content[len(content)/2:]}
			if _, err := a.WriteBuffers(&v); err != nil {
				t.Error(err)
			}
			a.Close()
		}()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		b.Close()
		time.Sleep(time.Minute)
		expectUnused(t, memory)
	})
}

// A writer without memory wakes at its deadline.
func TestWriteWithoutMemoryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		memory := limit.NewBytes(chunkSize)
		here, there := n.socket(hereAt, Config{Budget: memory}), n.socket(thereAt, Config{})
		a, _ := connect(t, here, there)
		n.mu.Lock()
		n.lose = func(fakeDatagram) bool { return true }
		n.mu.Unlock()
		a.SetWriteDeadline(time.Now().Add(time.Second))
		_, err := a.Write(make([]byte, 1<<20))
		timedOut(t, "write", err)
	})
}

// Connections that nobody accepts give their memory back: those for which there is no room,
// and those that wait when the socket is retired or closed.
func TestMemoryOfTheUnaccepted(t *testing.T) {
	for name, end := range map[string]func(*Socket){
		"retired": func(s *Socket) { <-s.Retire() },
		"closed":  func(s *Socket) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newFakeNet(t)
				memory := limit.NewBytes(64 << 20)
				here := n.socket(hereAt, Config{})
				there := n.socket(thereAt, Config{Budget: memory, ConnsMax: 3})
				for range 8 {
					if c, err := here.Dial(t.Context(), there.AddrPort()); err == nil {
						c.Write([]byte("a handshake"))
					}
					synctest.Wait()
				}
				if memory.Used() != 3*chunkSize || there.Len() != 3 {
					t.Errorf("%d bytes for %d connections", memory.Used(), there.Len())
				}
				end(there)
				expectUnused(t, memory)
			})
		})
	}
}

// A retired socket begins nothing, even for somebody who has received a cookie before.
func TestRetiredTakesNoProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		there := n.socket(thereAt, Config{})
		var seen tap
		n.lose = seen.lose
		for i := range halfOpenMax + 1 {
			n.inject(stranger(i), there.AddrPort(), packetOf(header{kind: typeSyn, id: 7, seq: 1}))
			synctest.Wait()
		}
		time.Sleep(provenWait + time.Second)
		synctest.Wait()
		seen.mu.Lock()
		cookie := header{kind: typeData, id: 8, seq: 2}
		answer, _, err := parseHeader(seen.last.data)
		to := seen.last.to
		seen.mu.Unlock()
		if err != nil || there.Len() != 0 {
			t.Fatalf("%v, %d connections", err, there.Len())
		}
		cookie.ack = answer.seq - 1
		<-there.Retire()
		n.inject(to, there.AddrPort(), packetOf(cookie))
		synctest.Wait()
		if there.Len() != 0 {
			t.Errorf("%d connections", there.Len())
		}
	})
}

// Packets that waited for memory are acknowledged as soon as a read has made room for them.
func TestReadAcknowledges(t *testing.T) {
	now := time.Now()
	memory := limit.NewBytes(8 * chunkSize) // of which it takes three
	m := newAccepted(now, machineConfig{budget: memory, first: 100}, header{seq: 1})
	var out outbox
	packet := func(n seq, size int) {
		h := header{kind: typeData, seq: n, ack: 99, window: 1 << 20}
		m.receive(now, &h, make([]byte, size))
	}
	acked := func() seq {
		out.reset()
		m.output(now, &out)
		if len(out.cuts) == 0 {
			return 0
		}
		h, _, _ := parseHeader(out.data[len(out.data)-out.cuts[len(out.cuts)-1].size:])
		return h.ack
	}
	packet(2, 16000) // fills a chunk
	packet(4, 16000)
	packet(5, 16000)
	packet(3, 300) // takes the rest of the first chunk
	if got := acked(); got != 3 {
		t.Fatalf("%d is acknowledged, want 3", got)
	}
	m.read(now, make([]byte, 1<<20))
	if got := acked(); got != 5 {
		t.Errorf("%d is acknowledged after the read, want 5", got)
	}
	m.abort(now)
	m.free()
	expectUnused(t, memory)
}

// After Close nothing of what was received is kept, and what waited for a gap to be filled is
// acknowledged all the same.
func TestForgottenPackets(t *testing.T) {
	p := newPair(t, machineConfig{}, machineConfig{})
	p.send(p.a, p.b, pattern(1000))
	memory := limit.NewBytes(1 << 20)
	p.b.memory.budget = memory
	data := pattern(30_000)
	p.a.write(p.now, data)
	lose := func() { // the first packet of what is due
		p.out.reset()
		p.a.output(p.now, &p.out)
		at := p.out.cuts[0].size
		for _, c := range p.out.cuts[1:] {
			h, payload, _ := parseHeader(p.out.data[at:][:c.size])
			p.b.receive(p.now, &h, payload)
			at += c.size
		}
	}
	lose()
	if p.b.in.count == 0 || memory.Used() == 0 {
		t.Fatal("nothing waits")
	}
	p.b.end(p.now)
	p.b.forget(p.now)
	if got, places := memory.Used(), len(p.b.in.ring)*heldSize; got != int64(places) {
		t.Errorf("%d bytes of memory are taken, want the %d of the places", got, places)
	}
	p.b.check()
	p.a.end(p.now)
	p.advance(10 * time.Second)
	expectUnused(t, memory)
	for _, m := range []*machine{p.a, p.b} {
		if over, err := m.closed(); !over || err != nil {
			t.Errorf("closed: %v, %v", over, err)
		}
	}
}

// A datagram that is longer than any that we take is dropped, or it would take memory beyond
// the budget.
func TestLongPayload(t *testing.T) {
	now := time.Now()
	m := newAccepted(now, machineConfig{first: 100}, header{seq: 1})
	h := header{kind: typeData, seq: 2, ack: 99, window: 1 << 20}
	m.receive(now, &h, make([]byte, chunkSize+1))
	if m.readable() != 0 || m.stats.dropped != 1 {
		t.Errorf("%d bytes can be read", m.readable())
	}
}

// holds returns how many bytes the buffers of a machine take.
func (m *machine) holds() int {
	n := cap(m.flight.ring)*sentSize + cap(m.in.ring)*heldSize
	seen := make(map[*chunk]bool)
	for _, c := range append(append([]*chunk{m.in.arena}, m.out.chunks...), m.in.stream.chunks...) {
		seen[c] = true
	}
	for _, h := range m.in.ring {
		seen[h.chunk] = true
	}
	for c := range seen {
		if c != nil {
			n += cap(c.data)
		}
	}
	return n
}

// Whatever peers do, the buffers of all connections take no more than the budget. Here are 400
// peers for 1 MiB: each is sent to and takes nothing, and sends what nobody reads, with gaps.
func TestBudgetHolds(t *testing.T) {
	const all = 1 << 20
	memory := limit.NewBytes(all)
	var pairs []*pair
	now := time.Unix(1000, 0)
	sum := func() (n int) {
		for _, p := range pairs {
			n += p.b.holds()
		}
		return n
	}
	for i := range 400 {
		p := newPair(t, machineConfig{id: 1}, machineConfig{budget: memory})
		p.flush()
		pairs = append(pairs, p)
		for k := range 20 {
			p.b.write(now, pattern(3000))
			h := reply(p.b, typeData)
			h.seq = p.b.in.ack + 1 + seq(k%5)*seq(100*(i%10))
			p.b.receive(now, &h, pattern(1000+100*i))
			p.out.reset()
			p.b.output(now, &p.out)
			p.b.check()
		}
		if got, used := sum(), int(memory.Used()); got != used || used > all {
			t.Fatalf("%d peers hold %d bytes, of which %d are charged, of %d", i+1, got, used, all)
		}
	}
	if memory.Left() > 0 || memory.Used() < all-chunkSize {
		t.Errorf("%d of %d bytes are used", memory.Used(), all)
	}
	for _, p := range pairs {
		p.b.free()
	}
	expectUnused(t, memory)
}

// A stream that there is only a small chunk for becomes a larger one once there is memory, and
// loses nothing.
func TestSmallChunk(t *testing.T) {
	budget := &testBudget{}
	m, s := &memory{budget: budget}, stream{}
	all := pattern(5000)
	if n := s.append(all, m); n != smallSize || m.bytes != smallSize {
		t.Fatalf("%d bytes are in a chunk of %d", n, m.bytes)
	}
	if n := s.append(all[smallSize:], m); n != 0 {
		t.Errorf("%d more bytes were taken without memory", n)
	}
	s.drop(100, m)
	budget.left = 4 * chunkSize
	if n := s.append(all[smallSize:], m); n != len(all)-smallSize || m.bytes != chunkSize {
		t.Errorf("%d bytes followed, in %d bytes of memory", n, m.bytes)
	}
	got := make([]byte, len(all))
	if n := s.copy(got, 100); !bytes.Equal(got[:n], all[100:]) {
		t.Errorf("%d bytes, and others", n)
	}
	s.free(m)
	if m.bytes != 0 || m.chunks != 0 {
		t.Errorf("%d bytes are left in %d chunks", m.bytes, m.chunks)
	}
}

// While the system takes nothing, few connections keep datagrams for it, and all go on
// afterwards.
func TestFewKeepDatagrams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		setRoom := func(room int) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.room = room
		}
		const count = 5 * keptMax
		var from, to []*Conn
		for range count {
			a, b := connect(t, here, there)
			from, to = append(from, a), append(to, b)
		}
		synctest.Wait()
		setRoom(-1)
		for _, c := range from {
			if _, err := c.Write(make([]byte, 20_000)); err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
		time.Sleep(100 * time.Millisecond)
		kept := 0
		for _, c := range from {
			c.mu.Lock()
			if c.unsent != nil {
				kept++
			}
			c.mu.Unlock()
		}
		if kept != keptMax || here.kept.Load() != keptMax {
			t.Errorf("%d connections keep datagrams, of which %d count, want %d", kept,
				here.kept.Load(), keptMax)
		}
		setRoom(0)
		for _, c := range to {
			if all, err := io.ReadAll(c); err != nil || len(all) != 20_000 {
				t.Errorf("%d bytes, %v", len(all), err)
			}
			c.Close()
		}
		time.Sleep(time.Minute)
		if here.kept.Load() != 0 || here.Len() != 0 {
			t.Errorf("%d of %d connections keep datagrams at the end", here.kept.Load(), here.Len())
		}
	})
}
