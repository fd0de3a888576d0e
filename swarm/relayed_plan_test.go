package swarm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/reach"
	"swarmnode/swarm/transport/relay"
)

// relayAt returns a server by number.
func relayAt(n int) RelayServer {
	return RelayServer{URI: relay.URI{Host: fmt.Sprintf("relay%d.example", n), Port: 3478}}
}

// planAt is when tests of plans begin.
var planAt = time.Unix(1_000_000, 0)

// newPlan returns a plan that wants n allocations and knows some servers.
func newPlan(wants, servers int) *relayPlan {
	p := new(relayPlan)
	p.want(planAt, wants)
	for i := range servers {
		p.learn(relayAt(i))
	}
	return p
}

// expectAsked checks which servers an order asks.
func expectAsked(t *testing.T, o relayOrder, want ...int) {
	t.Helper()
	var got, wanted []string
	for _, s := range o.ask {
		got = append(got, s.URI.Host)
	}
	for _, n := range want {
		wanted = append(wanted, relayAt(n).URI.Host)
	}
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		t.Errorf("asks %v, want %v", got, wanted)
	}
}

// Nothing is asked while nothing is wanted.
func TestPlanWithoutNeed(t *testing.T) {
	p := newPlan(0, 3)
	if o := p.order(planAt); len(o.ask) > 0 || o.search || !o.next.IsZero() {
		t.Errorf("%+v", o)
	}
}

// A server that is slow does not hold up the next one, and the one that comes second is not kept
// if one is enough.
func TestPlanHedges(t *testing.T) {
	p := newPlan(1, 5)
	o := p.order(planAt)
	expectAsked(t, o, 0)
	if want := planAt.Add(relayHedge); o.next != want || o.search {
		t.Errorf("looks again at %v, want %v; searches: %v", o.next, want, o.search)
	}
	expectAsked(t, p.order(planAt.Add(relayHedge/2)))
	expectAsked(t, p.order(planAt.Add(relayHedge)), 1)
	expectAsked(t, p.order(planAt.Add(2*relayHedge)), 2)
	expectAsked(t, p.order(planAt.Add(3*relayHedge))) // three at a time
	if !p.opened(planAt.Add(3*relayHedge), relayAt(1)) {
		t.Error("the first to answer is not kept")
	}
	if p.opened(planAt.Add(3*relayHedge), relayAt(0)) {
		t.Error("the second is kept as well")
	}
}

// A second server is asked at once when one is not enough, and a third when one is lost.
func TestPlanReplaces(t *testing.T) {
	p := newPlan(1, 4)
	expectAsked(t, p.order(planAt), 0)
	p.opened(planAt, relayAt(0))
	p.want(planAt, 2)
	expectAsked(t, p.order(planAt), 1)
	p.opened(planAt, relayAt(1))
	p.lost(planAt, relayAt(0))
	o := p.order(planAt)
	expectAsked(t, o, 2)
	p.failed(planAt, relayAt(2), errors.New("no"))
	expectAsked(t, p.order(planAt), 3)
}

// Servers that fail are asked less and less often, those that refuse us least.
func TestPlanBacksOff(t *testing.T) {
	for why, least := range map[error]time.Duration{
		relay.ErrNoAnswer: relayRetry, relay.ErrFull: relayFullWait,
		relay.ErrQuota: relayFullWait, relay.ErrCredentials: relayRefusedWait,
	} {
		p, now, waited := newPlan(1, 1), planAt, time.Duration(0)
		p.searching = true
		for range 12 {
			expectAsked(t, p.order(now), 0)
			p.failed(now, relayAt(0), fmt.Errorf("asking: %w", why))
			o := p.order(now)
			expectAsked(t, o)
			wait := o.next.Sub(now)
			if wait < least || wait < waited || wait > relayRetryMax {
				t.Errorf("%v: waits %v after %v, at least %v", why, wait, waited, least)
			}
			now, waited = o.next, wait
		}
		if waited != relayRetryMax {
			t.Errorf("%v: waits %v in the end", why, waited)
		}
		p.moved(now) // at another place everything is tried again
		expectAsked(t, p.order(now), 0)
	}
}

// More servers are searched for while there is none in reserve, and less and less often if none
// is found.
func TestPlanSearches(t *testing.T) {
	p, now, last := newPlan(1, 0), planAt, time.Duration(0)
	for range 12 {
		o := p.order(now)
		if !o.search {
			t.Fatal("does not search")
		}
		if p.order(now).search {
			t.Fatal("searches twice at a time")
		}
		p.searched(now)
		wait := p.order(now).next.Sub(now)
		if wait < last || wait > relaySearchMax {
			t.Fatalf("waits %v after %v", wait, last)
		}
		now, last = now.Add(wait), wait
	}
	for i := range 3 {
		p.learn(relayAt(i))
	}
	if o := p.order(now); o.search || len(o.ask) != 1 {
		t.Errorf("%+v with two in reserve", o)
	}
}

// What is not needed any more is given back after a while, and not before.
func TestPlanGivesBack(t *testing.T) {
	p := newPlan(2, 3)
	p.order(planAt)
	p.opened(planAt, relayAt(0))
	p.opened(planAt, relayAt(1))
	p.want(planAt, 0)
	if n, next := p.surplus(planAt.Add(relayLinger / 2)); n != 0 ||
		next != planAt.Add(relayLinger) {
		t.Errorf("gives %d back at once, looks again at %v", n, next)
	}
	p.want(planAt.Add(relayLinger/2), 2)
	later := planAt.Add(relayLinger)
	p.want(later, 1)
	if n, _ := p.surplus(later.Add(time.Second)); n != 0 {
		t.Errorf("gives %d back although it was needed meanwhile", n)
	}
	if n, _ := p.surplus(later.Add(relayLinger)); n != 1 {
		t.Errorf("gives %d back, want 1", n)
	}
	p.gaveBack(later, relayAt(0))
	if p.held() != 1 {
		t.Errorf("holds %d", p.held())
	}
}

// Whatever happens, a plan keeps its bounds.
func TestPlanBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p, now := new(relayPlan), planAt
	asked := make(map[string]bool)
	for range 20_000 {
		now = now.Add(time.Duration(rng.Int64N(int64(3 * time.Second))))
		s := relayAt(rng.IntN(40))
		switch rng.IntN(7) {
		case 0:
			p.learn(s)
		case 1:
			p.want(now, rng.IntN(3))
		case 2:
			if asked[relayKey(s.URI)] {
				delete(asked, relayKey(s.URI))
				p.opened(now, s)
			}
		case 3:
			delete(asked, relayKey(s.URI))
			p.failed(now, s, relay.ErrNoAnswer)
		case 4:
			p.searched(now)
		default:
			for _, s := range p.order(now).ask {
				if asked[relayKey(s.URI)] {
					t.Fatal("asked twice at a time")
				}
				asked[relayKey(s.URI)] = true
			}
		}
		if len(p.list) > relaysMax || p.count(relayAsking) > relayAskingMax || p.held() > 2 {
			t.Fatalf("%d servers, %d asked, %d held", len(p.list), p.count(relayAsking), p.held())
		}
	}
}

// A relay is needed where a NAT has a port for each destination, and useful where punching may
// fail or nobody says where we stand; it is not where others reach us.
func TestNeedOfRelay(t *testing.T) {
	for _, c := range []struct {
		stands reach.Standing
		want   relayNeed
	}{
		{reach.Standing{}, relayUseful},
		{reach.Standing{TCP: reach.Open}, relayUseless},
		{reach.Standing{Mapping: reach.AddressDependent}, relayVital},
		{reach.Standing{Mapping: reach.AddressDependent, UTP: reach.Mapped}, relayUseless},
		{reach.Standing{Mapping: reach.AddressDependent, TCP: reach.Open}, relayUseless},
		{reach.Standing{UTP: reach.None, TCP: reach.None}, relayVital},
		{reach.Standing{UTP: reach.RelayOnly}, relayVital},
		{reach.Standing{UTP: reach.Punch}, relayUseful},
		{reach.Standing{Filtering: reach.FilteringRestricted}, relayUseful},
		{reach.Standing{UTP: reach.Open, Filtering: reach.FilteringOpen}, relayUseless},
	} {
		if got := needOf(c.stands); got != c.want {
			t.Errorf("%+v: %d, want %d", c.stands, got, c.want)
		}
	}
}

// Two dials that came to nothing make a relay useful, for a while, and the memory is bounded.
func TestMissedHosts(t *testing.T) {
	k := newRelayKeeper(&Engine{cfg: Config{Relays: noRelays{}},
		bans: newBans(nil, newBlocked(nil))})
	host := netip.MustParseAddr("20.1.1.1")
	k.miss(planAt, host)
	if k.misses(planAt) {
		t.Error("one dial is enough")
	}
	k.miss(planAt.Add(time.Second), host)
	if !k.misses(planAt.Add(time.Second)) {
		t.Error("two dials are not enough")
	}
	if k.misses(planAt.Add(missedFor + time.Minute)) {
		t.Error("it is remembered for ever")
	}
	k.miss(planAt, netip.MustParseAddr("10.1.1.1"))
	k.miss(planAt, netip.MustParseAddr("10.1.1.1"))
	for i := range 1000 {
		k.miss(planAt, netip.AddrFrom4([4]byte{20, 2, byte(i >> 8), byte(i)}))
	}
	if len(k.missed) > missedKnown {
		t.Errorf("%d hosts are remembered", len(k.missed))
	}
	if _, known := k.missed[netip.MustParseAddr("10.1.1.1")]; known {
		t.Error("a host of a local network counts")
	}
}

// A server that takes each address back at once is asked ever more seldom; one that lent an
// address for long is asked again soon.
func TestPlanFlapping(t *testing.T) {
	p, now, asked := newPlan(1, 1), planAt, 0
	for end := now.Add(time.Hour); now.Before(end); now = now.Add(time.Second) {
		for _, s := range p.order(now).ask {
			asked++
			p.opened(now, s)
			p.lost(now, s)
		}
	}
	if asked > 16 {
		t.Errorf("asked %d times in an hour", asked)
	}
	now = now.Add(time.Hour)
	s := p.order(now).ask[0]
	p.opened(now, s)
	now = now.Add(relaySteady)
	p.lost(now, s)
	if o := p.order(now.Add(relayRetry)); len(o.ask) != 1 {
		t.Errorf("after a steady time: %+v", o)
	}
}

// Torrents are told of changes of where we stand now and then, and at once of another address.
func TestKeeperTellsChangesSeldom(t *testing.T) {
	k := newRelayKeeper(&Engine{cfg: Config{Relays: noRelays{}},
		bans: newBans(nil, newBlocked(nil))})
	stands := reach.Standing{External4: netip.MustParseAddrPort("20.1.1.1:1")}
	k.stand(stands)
	if moved, network := k.hasMoved(planAt); !moved || !network {
		t.Error("the first address is no change")
	}
	told := 0
	for i := range 60 {
		stands.Mapping = reach.Mapping(i % 3)
		k.stand(stands)
		if moved, _ := k.hasMoved(planAt.Add(time.Duration(i) * time.Second)); moved {
			told++
		}
	}
	if told < 5 || told > 6 {
		t.Errorf("told %d times in a minute", told)
	}
	stands.External4 = netip.MustParseAddrPort("20.1.1.2:1")
	k.stand(stands)
	if moved, network := k.hasMoved(planAt.Add(time.Minute)); !moved || !network {
		t.Error("another address is no change")
	}
}
