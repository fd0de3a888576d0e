package core

import (
	"net/netip"
	"testing"
	"time"
)

func numbered(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(i >> 16), byte(i >> 8), byte(i)}), 6881)
}

// TestBookBounds: no source can drown the others, and what the user named
// stays.
func TestBookBounds(t *testing.T) {
	b := newBook()
	first := func(int) int { return 0 }
	user := numbered(1 << 20)
	b.add(user, SourceUser, first)
	for i := range 10_000 {
		b.add(numbered(i), SourcePEX, first)
	}
	if n := b.perSource[SourcePEX]; n != perSourceMax {
		t.Errorf("%d addresses of one source, want %d", n, perSourceMax)
	}
	for s := range sourceCount {
		for i := range 1000 {
			b.add(numbered(20_000+1000*int(s)+i), s, first)
		}
	}
	if len(b.list) > addressesMax || len(b.list) != len(b.byAddr) {
		t.Errorf("%d addresses, %d by name, want at most %d", len(b.list), len(b.byAddr), addressesMax)
	}
	if b.byAddr[user] == nil {
		t.Error("what the user named was forgotten")
	}
}

func TestBookRetries(t *testing.T) {
	b := newBook()
	zero := func(int) int { return 0 }
	b.add(numbered(1), SourceDHT, zero)
	b.add(numbered(2), SourceUser, zero)
	found, named := b.byAddr[numbered(1)], b.byAddr[numbered(2)]
	for i, want := range []time.Duration{5, 10, 20, 40, 80, 160} {
		b.failed(found, 0, 0)
		if found.next != want*time.Second {
			t.Errorf("after failure %d the next attempt is after %v, want %v s", i+1, found.next, want)
		}
	}
	b.failed(found, 0, 0)
	if b.byAddr[numbered(1)] != nil {
		t.Error("an address that always fails is kept")
	}
	for range 50 {
		b.failed(named, 0, 0)
	}
	if b.byAddr[numbered(2)] == nil || named.next != retryLastUser {
		t.Errorf("what the user named is tried after %v, want for ever after %v", named.next, retryLastUser)
	}
}

func TestBans(t *testing.T) {
	b := newBook()
	far, near := netip.MustParseAddrPort("30.0.0.1:5000"), netip.MustParseAddrPort("127.0.0.1:5000")
	b.ban(far, netip.AddrPort{}, 0)
	b.ban(near, netip.AddrPort{}, 0)
	for _, c := range []struct {
		addr string
		at   time.Duration
		want bool
	}{
		{"30.0.0.1:5000", time.Minute, true},
		{"30.0.0.1:1", time.Minute, true},
		{"30.0.0.2:5000", time.Minute, false},
		{"30.0.0.1:5000", banFor, false},
		{"127.0.0.1:5000", time.Minute, true},
		{"127.0.0.1:5001", time.Minute, false}, // many nodes share it
	} {
		if got := b.banned(netip.MustParseAddrPort(c.addr), c.at); got != c.want {
			t.Errorf("%s after %v: banned %v, want %v", c.addr, c.at, got, c.want)
		}
	}
	for i := range 3 * bansMax {
		b.ban(numbered(i), netip.AddrPort{}, time.Duration(i))
	}
	if len(b.bans) > bansMax {
		t.Errorf("%d bans are remembered, want at most %d", len(b.bans), bansMax)
	}
}
