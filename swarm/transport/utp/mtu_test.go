package utp

import (
	"bytes"
	"testing"
	"time"
)

// search lets an mtu search on a path that carries datagrams of up to path bytes, and returns
// how many probes were lost.
func (m *mtu) search(path int) (lost int) {
	for {
		size := m.want(1)
		if size == 0 {
			return lost
		}
		m.sent(size)
		if size <= path {
			m.arrived(size)
			continue
		}
		m.dropped()
		lost++
	}
}

func TestMTUSearch(t *testing.T) {
	for _, c := range []struct{ limit, path, least int }{
		{1472, 1472, 1472}, {1472, 1464, 1464}, {1472, 1400, 1392}, {1472, 1232, 1232},
		{1400, 9000, 1400}, {9000 - 28, 9000, 8972}, {65_507, 65_507, chunkSize},
		{65_507, 1472, 1472}, {500, 1500, mtuFloor}, {548, 1500, 548},
	} {
		m := newMTU(c.limit)
		lost := m.search(c.path)
		if m.size < c.least || m.size > max(c.path, mtuBase) || m.size > max(c.limit, mtuFloor) {
			t.Errorf("limit %d, path %d: found %d", c.limit, c.path, m.size)
		}
		if lost > 60 {
			t.Errorf("limit %d, path %d: %d probes were lost", c.limit, c.path, lost)
		}
	}
}

func TestMTUFallsBack(t *testing.T) {
	m := newMTU(1472)
	m.search(1472)
	if !m.black(time.Minute) || m.size != mtuBase {
		t.Errorf("the first fall is to %d", m.size)
	}
	if !m.black(time.Minute) || m.size != mtuFloor {
		t.Errorf("the second fall is to %d", m.size)
	}
	if m.black(time.Minute) {
		t.Error("it falls below what every path carries")
	}
	if got := m.want(time.Minute); got <= mtuFloor || got >= mtuBase {
		t.Errorf("it probes for %d", got)
	}
	m.search(1000)
	if m.size < 990 || m.size > 1000 {
		t.Errorf("found %d of 1,000", m.size)
	}
	if got := m.want(time.Minute + blackAgain); got != 1472 {
		t.Errorf("it probes for %d when the path may be whole again", got)
	}
}

// The loss of one probe may have any reason.
func TestMTUTriesAgain(t *testing.T) {
	m := newMTU(1472)
	for range mtuTries - 1 {
		m.sent(m.want(1))
		m.dropped()
	}
	if got := m.want(1); got != 1472 {
		t.Errorf("gave up on 1,472 for %d", got)
	}
}

// Other clients read datagrams into 1,500 bytes and acknowledge what they cut off, so they are
// sent no longer ones, whatever the interface takes. Nodes of this kind say that they take all.
func TestLargeDatagramsNeedConsent(t *testing.T) {
	for _, c := range []struct {
		name string
		mute bool // the peer says nothing of itself
		want int
	}{{"another client", true, mtuCommon}, {"a node of this kind", false, chunkSize}} {
		t.Run(c.name, func(t *testing.T) {
			config := machineConfig{id: 1, first: 9, mtu: 65_507}
			p := newPair(t, config, machineConfig{first: 700, mtu: 65_507})
			if c.mute {
				// As if the SYN of a had come from another client: its answer says nothing.
				p.b = newAccepted(p.now, p.b.config, header{id: 1, seq: 9, window: 1 << 20})
			}
			p.flush()
			for _, from := range []*machine{p.a, p.b} {
				to := p.b
				if from == p.b {
					to = p.a
				}
				data := pattern(2_000_000)
				if got := p.send(from, to, data); !bytes.Equal(got, data) {
					t.Fatalf("got %d bytes, want %d", len(got), len(data))
				}
				if from.mtu.size != c.want {
					t.Errorf("datagrams have up to %d bytes, want %d", from.mtu.size, c.want)
				}
			}
		})
	}
}

// A probe that is lost with everything else does not end the search.
func TestMTUProbeLostInSilence(t *testing.T) {
	p := newPair(t, machineConfig{mtu: 1472}, machineConfig{mtu: 1472})
	p.send(p.a, p.b, pattern(1000))
	p.a.mtu.probe = 0
	p.a.write(p.now, pattern(20_000))
	p.out.reset()
	p.a.output(p.now, &p.out) // neither this arrives, nor what is sent again
	if p.a.mtu.probe == 0 {
		t.Fatal("there is no probe in flight")
	}
	for p.a.stats.timeouts == 0 {
		p.out.reset()
		p.a.output(p.now, &p.out)
		p.now = p.a.deadline()
		p.a.tick(p.now)
	}
	p.send(p.a, p.b, pattern(1_000_000))
	if p.a.mtu.size != 1472 {
		t.Errorf("datagrams have %d bytes, want 1472", p.a.mtu.size)
	}
}

// When all packets are acknowledged selectively, and the acknowledgement up to the last one is
// lost, the sender asks for another.
func TestLostCumulativeAck(t *testing.T) {
	p := newPair(t, machineConfig{}, machineConfig{})
	p.send(p.a, p.b, pattern(1000))
	p.a.write(p.now, pattern(6000))
	p.out.reset()
	p.a.output(p.now, &p.out)
	data := p.out.data
	for _, c := range p.out.cuts {
		h, payload, _ := parseHeader(data[:c.size])
		p.b.receive(p.now, &h, payload)
		data = data[c.size:]
	}
	last := p.a.flight.una - 1
	h := header{kind: typeState, seq: p.a.in.ack + 1, ack: last, window: 1 << 20}
	var sack [8]byte
	for n := last + 1; n != p.a.flight.next; n++ {
		p.a.flight.ack(n, &acks{newestAt: noTime, rttAt: noTime})
	}
	h.sack = sack[:]
	p.a.receive(p.now, &h, nil)
	p.out.reset()
	p.b.output(p.now, &p.out) // is lost
	if p.a.flight.sent.n != 0 || p.a.flight.packets() == 0 {
		t.Fatalf("%d packets in flight of %d", p.a.flight.sent.n, p.a.flight.packets())
	}
	p.a.arm(p.a.at(p.now))
	p.advance(5 * time.Second)
	if n := p.a.flight.packets(); n != 0 {
		t.Errorf("%d packets are not acknowledged after 5 s", n)
	}
}
