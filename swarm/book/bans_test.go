package book

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

func TestBans(t *testing.T) {
	b := newTestBook(Config{Home: limit.Home{netip.MustParseAddr("127.0.0.1")}})
	if b.Banned(0, at("30.0.0.1:5000")) {
		t.Error("somebody is banned from the start")
	}
	b.Ban(0, at("30.0.0.1:5000"), endpoint.Endpoint{})
	b.Ban(0, at("127.0.0.1:5000"), endpoint.Endpoint{})
	b.Ban(0, at("127.0.0.2:5000"), at("[2001:db8:1:2::1]:5000"))
	b.Ban(0, endpoint.WebSeed(1))
	for _, c := range []struct {
		at   endpoint.Endpoint
		when time.Duration
		want bool
	}{
		{at("30.0.0.1:5000"), time.Minute, true},
		{at("30.0.0.1:1"), time.Minute, true},
		{at("30.0.0.2:5000"), time.Minute, false},
		{at("30.0.0.1:5000"), limit.BanTime, false},
		{at("127.0.0.1:5000"), time.Minute, true},
		{at("127.0.0.1:5001"), time.Minute, false}, // our own: many nodes share it
		{at("127.0.0.2:5000"), time.Minute, true},
		{at("127.0.0.2:5001"), time.Minute, true}, // another of this machine
		{at("[2001:db8:1:2::9]:1"), time.Minute, true},
		{at("[2001:db8:1:3::9]:1"), time.Minute, false},
		{at("[2002:1e00:1::1]:1"), time.Minute, true}, // 30.0.0.1 by 6to4
		{endpoint.WebSeed(1), time.Minute, true},
		{endpoint.WebSeed(2), time.Minute, false},
		{endpoint.Endpoint{}, time.Minute, false},
	} {
		if got := b.Banned(c.when, c.at); got != c.want {
			t.Errorf("%v after %v: banned %v, want %v", c.at, c.when, got, c.want)
		}
	}
}

// TestBansAreBounded: a network that is banned again and again ends its own bans alone.
func TestBansAreBounded(t *testing.T) {
	b := newTestBook(Config{})
	b.Ban(0, far(1))
	b.Ban(0, endpoint.WebSeed(1))
	for i := range 2 * bansMax {
		b.Ban(1, near(i), at(fmt.Sprintf("[2001:db8:1:%x::1]:1", i)))
	}
	if !b.Banned(2, far(1)) || !b.Banned(2, endpoint.WebSeed(1)) || b.bans.Len() != bansMax {
		t.Errorf("a peer is banned: %v, a web seed: %v, with %d bans", b.Banned(2, far(1)),
			b.Banned(2, endpoint.WebSeed(1)), b.bans.Len())
	}
	b.Check()
}
