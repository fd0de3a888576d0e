package dht

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// queriesTo returns the methods of the queries that were sent, by address.
func (b *bench) queriesTo() map[netip.AddrPort][]method {
	sent := make(map[netip.AddrPort][]method)
	for _, p := range b.sent {
		if m := parsed(b.t, p.data); m.kind == 'q' {
			sent[p.to] = append(sent[p.to], m.method)
		}
	}
	return sent
}

// nodeAt returns the id of the node at addr: that of a contact or a saved node, or else
// one made from addr.
func (b *bench) nodeAt(addr netip.AddrPort) ID {
	for i := range b.f.table.buckets {
		for _, c := range b.f.table.buckets[i].contacts {
			if c.addr() == addr {
				return c.id
			}
		}
	}
	for _, n := range b.f.saved {
		if n.Addr == addr {
			return n.ID
		}
	}
	ip := addr.Addr().As16()
	return ID(append([]byte("node"), ip[:]...))
}

// runTo lets time pass until at. If answering is set, the nodes answer every query of
// the core at once, without nodes of their own.
func (b *bench) runTo(at instant, answering bool) {
	b.t.Helper()
	for b.core.next() <= at {
		b.now = max(b.now, b.core.next())
		first := len(b.sent)
		b.core.tick(b.now)
		for i := first; answering && i < len(b.sent); i++ {
			if m := parsed(b.t, b.sent[i].data); m.kind == 'q' {
				id := b.nodeAt(b.sent[i].to)
				b.core.receive(b.now, b.sent[i].to, fmt.Appendf(nil,
					"d1:rd2:id20:%se1:t4:%s1:y1:re", id[:], m.tid))
			}
		}
	}
	b.now = at
}

// A family that has joined looks up its own id again after the rejoin delays, and then
// every refreshAge, each a quarter more or less.
func TestRejoinDelays(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.fill(100)
	want := append(rejoinDelays[:len(rejoinDelays):len(rejoinDelays)], refreshAge, refreshAge)
	for i, delay := range want {
		at := b.f.joinAt
		b.now = at
		b.f.join(b.now)
		for _, l := range b.core.lookups {
			l.answers = 1
			l.finish(b.now)
		}
		if got := b.f.joinAt - b.now; got < delay*3/4 || got > delay*5/4 {
			t.Errorf("pause %d is %v, want about %v", i, got, delay)
		}
	}
	if b.f.rejoin(b.now); b.f.joinAt != b.now || b.f.successes != 0 {
		t.Errorf("after a change of the network: next join in %v", b.f.joinAt-b.now)
	}
}

// In a network too small to fill a bucket the pauses stay short, since each new node
// matters.
func TestRejoinInSmallNetworks(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.f.setHosts(b.now, []netip.AddrPort{askAddr})
	b.runTo(b.now+time.Hour, true)
	// A lookup at least every 20 s and a quarter more, and some for stale buckets.
	if got := b.core.stats.Lookups; got < 3600/25 || got > 2*3600/20 {
		t.Errorf("%d lookups in an hour with one contact, want about %d", got, 3600/20)
	}
}

// A family sends something at least every keepAlive, so that home routers keep its
// mapping, and pings each contact before it stops being good.
func TestUpkeepPings(t *testing.T) {
	b := newBench(t, coreConfig{})
	all := b.fill(40)
	b.f.joined, b.f.joining = true, true // no lookups of our own id
	for i := range b.f.table.buckets {
		b.f.table.buckets[i].fills, b.f.table.buckets[i].filled = 8, b.now+time.Hour
	}
	last, pinged := b.now, make(map[netip.AddrPort]bool)
	end := b.now + 14*time.Minute
	for b.now < end {
		b.sent = nil
		b.runTo(b.now+time.Second, true)
		for to := range b.queriesTo() {
			pinged[to] = true
		}
		if len(b.sent) > 0 {
			last = b.now
		}
		if silence := b.now - last; silence > keepAlive+upkeepPeriod*5/4+time.Second {
			t.Fatalf("silent for %v", silence)
		}
	}
	for _, c := range all {
		if !pinged[c.addr()] {
			t.Errorf("contact %v was not pinged within 14 minutes", c.addr())
		}
		if c := b.f.table.find(&c.id, c.addr()); c != nil && !c.good(b.now) {
			t.Errorf("contact %v is not good any more", c.addr())
		}
	}
}

// The nodes of an earlier run are asked first. Those that the lookup did not meet are
// pinged once somebody has answered, savedPings at most.
func TestSavedNodes(t *testing.T) {
	b := newBench(t, coreConfig{})
	for i := range 2 * savedPings {
		b.f.saved = append(b.f.saved, NodeInfo{randomID(b.core.rng), publicAddr(i)})
	}
	b.core.tick(b.now)
	if len(b.sent) == 0 || len(b.sent) > alpha {
		t.Fatalf("%d queries at first, want 1 to %d", len(b.sent), alpha)
	}
	for to, methods := range b.queriesTo() {
		if methods[0] != methodFindNode {
			t.Errorf("%v is sent %s first", to, methodNames[methods[0]])
		}
	}
	b.sent = nil
	b.runTo(b.now+time.Second, true)
	pings := 0
	for _, methods := range b.queriesTo() {
		for _, m := range methods {
			if m == methodPing {
				pings++
			}
		}
	}
	if pings == 0 || pings > savedPings || b.f.saved != nil {
		t.Errorf("%d pings of %d saved nodes, %d still saved", pings, 2*savedPings, len(b.f.saved))
	}
}

// The core tells of a join once, of the loss of all contacts once, and of the next join.
func TestJoinedAndLost(t *testing.T) {
	var events string
	b := newBench(t, coreConfig{})
	b.core.joined = func(int) { events += "j" }
	b.core.lost = func(int) { events += "l" }
	b.f.setHosts(b.now, []netip.AddrPort{askAddr})
	b.runTo(b.now+10*time.Minute, true)
	if events != "j" {
		t.Fatalf("events %q after ten minutes, want one join", events)
	}
	b.runTo(b.now+time.Hour, false)
	if events != "jl" {
		t.Fatalf("events %q after an hour without an answer, want a loss", events)
	}
	if b.f.table.count == 0 {
		t.Error("the contacts are gone, with which the family could come back")
	}
	b.runTo(b.now+2*time.Minute, true)
	if events != "jlj" {
		t.Errorf("events %q once nodes answer again, want another join", events)
	}
}

// A hint is pinged once within pingbackGap, and only a usable one.
func TestHints(t *testing.T) {
	b := newBench(t, coreConfig{})
	for range 5 {
		b.f.hint(b.now, askAddr)
	}
	b.f.hint(b.now, netip.MustParseAddrPort("0.0.0.0:1"))
	b.f.hint(b.now, netip.AddrPortFrom(otherAddr.Addr(), 0))
	if len(b.sent) != 1 || b.sent[0].to != askAddr || len(b.core.pings.last) != 1 {
		t.Errorf("%d packets for hints of one usable node, want a ping", len(b.sent))
	}
	b.now += pingbackGap
	if b.f.hint(b.now, askAddr); len(b.sent) != 2 {
		t.Errorf("%d packets after %v, want a second ping", len(b.sent), pingbackGap)
	}
}
