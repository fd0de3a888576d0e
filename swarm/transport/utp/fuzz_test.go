package utp

import (
	"bytes"
	"testing"
	"time"
)

// FuzzStreams connects two machines by a path that the input decides on: each byte says what
// becomes of the next datagram, or what somebody injects. Afterwards the path is whole, and
// unless an injected RESET has ended the connection, both streams must arrive.
func FuzzStreams(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0, 1, 0, 2, 0, 3}, 40))
	f.Add(bytes.Repeat([]byte{4, 0x55, 5, 0xaa, 6, 7, 0, 0}, 30))
	f.Add(bytes.Repeat([]byte{1}, 60))
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 2000 {
			return
		}
		newFuzzed(t, script).run()
	})
}

// A fuzzed is a pair on a path that a script decides on.
type fuzzed struct {
	*pair
	script []byte
	late   [2][][]byte // datagrams held back, by their receiver
	got    [2][]byte
	sent   [2]int
	forged bool // the stream may be broken
	quiet  bool // nothing was sent in this step
}

func newFuzzed(t testing.TB, script []byte) *fuzzed {
	a := machineConfig{id: 1, first: 65_500, mtu: 1472, connectTimeout: time.Hour}
	b := machineConfig{first: 65_530, receiveBuffer: 30_000, connectTimeout: time.Hour}
	return &fuzzed{pair: newPair(t, a, b), script: script}
}

// take returns the next byte of the script, 0 after its end.
func (s *fuzzed) take() byte {
	if len(s.script) == 0 {
		return 0
	}
	b := s.script[0]
	s.script = s.script[1:]
	return b
}

var fuzzData = pattern(60_000)

func (s *fuzzed) run() {
	ends := [2]*machine{s.a, s.b}
	buf := make([]byte, 20_000)
	for range 60_000 {
		over := 0
		for i, m := range ends {
			s.sent[i] += m.write(s.now, fuzzData[s.sent[i]:])
			if s.sent[i] == len(fuzzData) {
				m.end(s.now)
			}
			s.deliver(ends, i)
			s.got[i] = append(s.got[i], buf[:m.read(s.now, buf)]...)
			if closed, _ := m.closed(); closed {
				over++
			}
			m.check()
		}
		if over == 2 {
			s.compare(ends)
			return
		}
		s.now = s.now.Add(5 * ms)
		if s.quiet {
			s.now = s.now.Add(95 * ms)
		}
		s.quiet = true
		for _, m := range ends {
			if d := m.deadline(); !d.IsZero() && !d.After(s.now) {
				m.tick(s.now)
			}
		}
	}
	s.t.Fatalf("stalled: %d and %d bytes of %d came\n%s\n%s", len(s.got[0]),
		len(s.got[1]), len(fuzzData), summary(s.a), summary(s.b))
}

// compare looks at what came. A forged packet that is right in every respect but its payload
// breaks a stream; BEP 29 has nothing against that.
func (s *fuzzed) compare(ends [2]*machine) {
	for i, m := range ends {
		_, err := m.closed()
		if !s.forged && (err != nil && m.flight.packets() > 0 || !bytes.Equal(s.got[i], fuzzData)) {
			s.t.Fatalf("end %d: %d bytes of %d, %v", i, len(s.got[i]), len(fuzzData), err)
		}
		m.free()
		if m.memory.chunks != 0 {
			s.t.Fatalf("end %d holds %d chunks", i, m.memory.chunks)
		}
	}
}

// deliver brings what one end has to say to the other.
func (s *fuzzed) deliver(ends [2]*machine, from int) {
	to := 1 - from
	s.out.reset()
	ends[from].output(s.now, &s.out)
	at := 0
	for _, c := range s.out.cuts {
		data := bytes.Clone(s.out.data[at : at+c.size])
		at += c.size
		s.quiet = false
		switch what := s.take(); what % 8 {
		case 1: // lost
		case 2:
			s.late[to] = append(s.late[to], data)
		case 3:
			s.receive(ends[to], data)
			s.receive(ends[to], data)
		case 4: // a byte of the header is wrong
			s.forged = true
			data[int(what>>3)%headerSize] ^= s.take()
			s.receive(ends[to], data)
		case 5: // somebody sends a packet of any kind
			s.forged = true
			h := header{kind: packetType(s.take() % 5), id: ends[to].receiveID,
				seq: ends[to].in.ack + seq(s.take()), ack: ends[to].flight.next - seq(s.take()),
				window: uint32(s.take()) << s.take(), timestamp: uint32(s.take()) << 24,
				sack: bytes.Repeat([]byte{s.take()}, int(s.take()%64)*4)}
			ends[to].receive(s.now, &h, data[:min(len(data), int(s.take()))])
			s.receive(ends[to], data)
		case 6: // a router cuts it
			s.receive(ends[to], data[:min(len(data), int(s.take())*8)])
			s.forged = true
		default:
			s.receive(ends[to], data)
		}
	}
	if s.take()%4 != 3 {
		for _, data := range s.late[to] {
			s.receive(ends[to], data)
		}
		s.late[to] = nil
	}
}

func (s *fuzzed) receive(m *machine, data []byte) {
	h, payload, err := parseHeader(data)
	if err == nil && (h.id == m.receiveID || h.kind == typeReset || h.kind == typeSyn) {
		m.receive(s.now, &h, payload)
	}
}
