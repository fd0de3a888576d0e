package utp

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/limit"
)

// A holder is a peer that makes the machine b of a pair hold memory.
type holder struct {
	name string
	// hold is called every second, with the seconds so far.
	hold       func(p *pair, second int)
	ends       time.Duration // after which b gives up, 0 for never within two minutes
	endsShort  time.Duration // the same while the budget is short
	bufferless bool          // b writes nothing
}

// say makes b receive a packet that acknowledges n, with room for window bytes.
func (p *pair) say(n seq, window uint32) {
	h := reply(p.b, typeState)
	h.ack, h.window, h.timestamp = n, window, uint32(p.now.UnixMicro())
	p.b.receive(p.now, &h, nil)
}

// A peer whose answers are missing holds memory for a bounded time, and for a shorter one while
// memory is short. A peer that is only slow goes on.
func TestReview(t *testing.T) {
	for _, c := range []holder{
		{name: "acknowledges nothing, and says other things", ends: stallMax,
			endsShort: shortStall,
			hold:      func(p *pair, _ int) { p.say(p.b.flight.una-1, 1<<20) }},
		{name: "acknowledges a packet now and then", endsShort: shortTurn,
			hold: func(p *pair, second int) {
				if second%9 == 0 {
					p.say(p.b.flight.una, 1<<20)
				}
			}},
		{name: "has no room", endsShort: shortTurn,
			hold: func(p *pair, _ int) { p.say(p.b.flight.una-1, 0) }},
		{name: "takes everything in half a minute",
			hold: func(p *pair, second int) {
				p.say(p.b.flight.una-1+seq(min(3, p.b.flight.packets())), 1<<20)
			}},
		{name: "never fills a gap", bufferless: true, ends: gapMax,
			endsShort: shortStall,
			hold: func(p *pair, second int) {
				h := reply(p.b, typeData)
				h.seq = p.b.in.ack + 2 + seq(second)
				p.b.receive(p.now, &h, pattern(1000))
			}},
		{name: "fills one gap of many now and then", bufferless: true,
			endsShort: shortTurn,
			hold: func(p *pair, second int) {
				h := reply(p.b, typeData)
				if h.seq = p.b.in.ack + 2*seq(second); second%9 == 0 {
					h.seq = p.b.in.ack + 1
				}
				p.b.receive(p.now, &h, pattern(1000))
			}},
	} {
		for _, short := range []bool{false, true} {
			budget := &testBudget{left: 1 << 20, short: short}
			want := c.ends
			if short {
				want = c.endsShort
			}
			late := want + 2*reviewEvery + 2*time.Second
			if want == 0 {
				late = 0
			}
			if got := c.run(t, budget); got > late || got < want {
				t.Errorf("%s, short of memory %v: ended after %v, want %v to %v", c.name, short,
					got, want, late)
			}
		}
	}
}

// run lets the peer hold memory of b, and returns when b ended, 0 if it did not within two
// minutes.
func (c *holder) run(t *testing.T, budget *testBudget) time.Duration {
	all := budget.left
	p := newPair(t, machineConfig{id: 1, mtu: 1232}, machineConfig{budget: budget, mtu: 1232})
	p.flush()
	p.send(p.a, p.b, []byte{1})
	began := p.now
	var out outbox
	for second := range 120 {
		for !c.bufferless && p.b.writable() > 0 {
			p.b.write(p.now, pattern(1000))
		}
		c.hold(p, second)
		for range 10 {
			p.now = p.now.Add(100 * time.Millisecond)
			p.b.tick(p.now)
			out.reset()
			p.b.output(p.now, &out)
		}
		if over, err := p.b.closed(); over {
			if !errors.Is(err, ErrTimeout) {
				t.Errorf("%s: %v", c.name, err)
			}
			if p.b.free(); budget.left != all {
				t.Errorf("%s: %d bytes are lost", c.name, all-budget.left)
			}
			return p.now.Sub(began)
		}
	}
	return 0
}

// Peers that were fast, and then acknowledge nothing more, give way to others.
func TestMutePeersGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		const all = 4 << 20
		memory := limit.NewBytes(all)
		here := n.socket(hereAt, Config{Budget: memory})
		var fast []*Conn
		mute := make(map[netip.AddrPort]bool)
		ended := make(chan error, 16)
		block, buf := make([]byte, 64<<10), make([]byte, 64<<10)
		for i := range 16 {
			s := n.socket(stranger(i).String(), Config{})
			a, b := connect(t, here, s)
			go func() { // until it fails
				var err error
				for err == nil {
					_, err = a.Write(block)
				}
				ended <- err
			}()
			for range 4 {
				b.Read(buf)
			}
			mute[s.AddrPort()] = true
			fast = append(fast, a)
		}
		n.mu.Lock()
		n.lose = func(d fakeDatagram) bool { return mute[d.from] || mute[d.to] }
		n.mu.Unlock()
		for _, c := range fast {
			c.mu.Lock()
			c.m.window.size, c.m.peerWindow = 1<<20, 1<<20
			c.update(time.Now())
			c.mu.Unlock()
		}
		time.Sleep(time.Second)
		if !memory.Short() {
			t.Fatalf("the mute peers hold %d of %d bytes", memory.Used(), all)
		}
		time.Sleep(shortStall + 2*reviewEvery)
		if memory.Short() {
			t.Errorf("the mute peers still hold %d of %d bytes", memory.Used(), all)
		}
		time.Sleep(stallMax)
		for range mute {
			select {
			case err := <-ended:
				if !errors.Is(err, ErrTimeout) {
					t.Error(err)
				}
			default:
				t.Fatalf("a mute peer is still there, and %d bytes are held", memory.Used())
			}
		}
		expectUnused(t, memory)
	})
}
