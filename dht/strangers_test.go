package dht

import (
	"net/netip"
	"testing"
	"time"
)

// came sends a query from the host of a number, and returns how many networks count.
func (b *bench) came(i int) int {
	b.core.receive(b.now, publicAddr(i), []byte(queryPacket("ping", "")))
	return b.f.strangers.networks(b.now)
}

// A query of a host counts that we have sent nothing to, once for its network.
func TestStrangers(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.core.ping(b.now, publicAddr(1))
	if n := b.came(1); n != 0 {
		t.Errorf("a host that we asked: %d networks", n)
	}
	if n := b.came(2); n != 1 {
		t.Errorf("a stranger: %d networks, want 1", n)
	}
	neighbour := netip.AddrPortFrom(publicAddr(2).Addr().Next(), 99)
	b.core.receive(b.now, neighbour, []byte(queryPacket("ping", "")))
	local := netip.MustParseAddrPort("192.168.1.7:7")
	b.core.receive(b.now, local, []byte(queryPacket("ping", "")))
	b.core.receive(b.now, publicAddr(7), []byte("d1:t2:aa1:y1:qe")) // from anywhere, but a query
	if n := b.f.strangers.networks(b.now); n != 2 {
		t.Errorf("%d networks, want 2", n)
	}
	unasked := "d1:rd2:id20:abcdefghij0123456789e1:t4:aaaa1:y1:re"
	b.core.receive(b.now, publicAddr(8), []byte(unasked))
	if n := b.f.strangers.networks(b.now); n != 2 {
		t.Errorf("an answer that nobody asked for: %d networks, want 2", n)
	}
	if got := b.core.snapshot(b.now).Strangers; got != [2]int{2, 0} {
		t.Errorf("the counts are %v", got)
	}
	b.f.rejoin(b.now)
	if n := b.f.strangers.networks(b.now); n != 0 {
		t.Errorf("after a change of our address: %d networks, want 0", n)
	}
}

// The host that is answered is one that we have sent something to, for ten minutes at least.
// Networks count for an hour.
func TestStrangersInTime(t *testing.T) {
	b := newBench(t, coreConfig{})
	s := b.f.strangers
	first, second := publicAddr(1).Addr(), publicAddr(2).Addr()
	s.sent(b.now, first)
	at := func(d time.Duration) instant { return b.now + d }
	s.sent(at(askedPeriod-1), second)
	s.sent(at(askedPeriod), second)
	s.heard(at(askedPeriod), first)
	if n := s.networks(at(askedPeriod)); n != 0 {
		t.Errorf("%d networks after ten minutes, want 0", n)
	}
	s.sent(at(2*askedPeriod), second)
	s.heard(at(2*askedPeriod), first)
	s.heard(at(2*askedPeriod), second)
	if n := s.networks(at(2 * askedPeriod)); n != 1 {
		t.Errorf("%d networks after twenty minutes, want 1", n)
	}
	s.sent(at(24*time.Hour), first) // a long silence
	s.heard(at(24*time.Hour), second)
	if n := s.networks(at(24 * time.Hour)); n != 1 {
		t.Errorf("%d networks after a day, want the new one alone", n)
	}
	if n := s.networks(at(26 * time.Hour)); n != 0 {
		t.Errorf("%d networks after two silent hours, want 0", n)
	}
}

// A flood of senders costs no memory, and networks are bounded.
func TestStrangersAreBounded(t *testing.T) {
	b := newBench(t, coreConfig{})
	for i := range 10_000 {
		b.came(i)
	}
	if n := len(b.f.strangers.came); n != strangersMax {
		t.Errorf("%d networks are kept, want %d", n, strangersMax)
	}
}
