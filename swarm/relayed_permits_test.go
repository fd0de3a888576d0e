package swarm

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// noRelays is a RelaySource that names nobody.
type noRelays struct{}

func (noRelays) Relays(context.Context) iter.Seq[RelayServer] {
	return func(func(RelayServer) bool) {}
}

// hostAt returns a host by number.
func hostAt(n int) netip.Addr { return netip.AddrFrom4([4]byte{20, 0, byte(n >> 8), byte(n)}) }

// A list remembers the hosts that were named last, each once.
func TestPermitList(t *testing.T) {
	var l permitList
	for i := range 2 * permitsKnown {
		l.name(planAt.Add(time.Duration(i)), hostAt(i))
	}
	l.name(planAt.Add(time.Hour), hostAt(permitsKnown+1))
	if len(l.hosts) != permitsKnown || l.hosts[0].ip != hostAt(permitsKnown+1) ||
		l.hosts[1].ip != hostAt(2*permitsKnown-1) {
		t.Errorf("%d hosts, the first ones %v", len(l.hosts), l.hosts[:2])
	}
	seen := make(map[netip.Addr]bool)
	for _, h := range l.hosts {
		if seen[h.ip] {
			t.Errorf("%v is there twice", h.ip)
		}
		seen[h.ip] = true
	}
}

// Hosts are let in at once, those named last first, and once for some time.
func TestPermitter(t *testing.T) {
	var l permitList
	p := permitter{asked: make(map[netip.Addr]permitAsked)}
	for i := range permitsBatch + 2 {
		l.name(planAt.Add(time.Duration(i)), hostAt(i))
	}
	now := planAt.Add(time.Second)
	first, at := p.next(now, &l, true)
	if len(first) != permitsBatch || first[0] != hostAt(permitsBatch+1) || at != now {
		t.Errorf("asks for %v, and again at %v", first, at)
	}
	rest, at := p.next(now, &l, true)
	if !slices.Equal(rest, []netip.Addr{hostAt(1), hostAt(0)}) || !at.IsZero() {
		t.Errorf("then for %v, and again at %v", rest, at)
	}
	l.name(now.Add(time.Second), hostAt(3))
	if again, at := p.next(now.Add(time.Second), &l, true); len(again) > 0 ||
		at != now.Add(permitsAgain) {
		t.Errorf("asks again for %v, and at %v", again, at)
	}
	if again, _ := p.next(now.Add(permitsAgain), &l, true); !slices.Equal(again,
		[]netip.Addr{hostAt(3)}) {
		t.Errorf("asks later for %v", again)
	}
	if six, at := p.next(now, &l, false); len(six) > 0 || !at.IsZero() {
		t.Errorf("asks for %v of the other family", six)
	}
}

// Hosts for which there was no room are asked for again soon.
func TestPermitterWithoutRoom(t *testing.T) {
	var l permitList
	p := permitter{asked: make(map[netip.Addr]permitAsked)}
	l.name(planAt, hostAt(1))
	hosts, _ := p.next(planAt, &l, true)
	p.full(planAt, hosts)
	none, at := p.next(planAt.Add(time.Second), &l, true)
	if len(none) > 0 || at != planAt.Add(permitsRetry) {
		t.Errorf("asks for %v, and again at %v", none, at)
	}
	if again, _ := p.next(at, &l, true); len(again) != 1 {
		t.Errorf("asks for %v", again)
	}
}

// Only a relay in a local network is asked to let local hosts in.
func TestRelayable(t *testing.T) {
	public, local := netip.MustParseAddr("20.1.1.1"), netip.MustParseAddr("192.168.1.1")
	for _, c := range []struct {
		server, host netip.Addr
		want         bool
	}{
		{public, hostAt(1), true}, {public, local, false}, {local, local, true},
		{local, hostAt(1), true}, {public, netip.MustParseAddr("127.0.0.1"), false},
		{public, netip.Addr{}, false}, {local, netip.IPv4Unspecified(), false},
		{public, netip.MustParseAddr("224.0.0.1"), false},
	} {
		if got := relayable(c.server, c.host); got != c.want {
			t.Errorf("relay at %v for %v: %v", c.server, c.host, got)
		}
	}
}
