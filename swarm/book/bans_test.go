package book

import (
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
		{at("30.0.0.1:5000"), banFor, false},
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

// When there are too many bans, those that are over go, or else the oldest.
func TestBansAreBounded(t *testing.T) {
	b := newTestBook(Config{})
	for i := range bansMax {
		b.Ban(time.Duration(i), far(i))
	}
	b.Ban(bansMax, far(0)) // a second time: no more than one place
	if !b.Banned(bansMax, far(1)) {
		t.Error("a ban that was repeated drove out another one")
	}
	b.Ban(bansMax+1, far(bansMax))
	for i, want := range map[int]bool{0: true, 1: false, 2: true, bansMax: true} {
		if got := b.Banned(bansMax+1, far(i)); got != want {
			t.Errorf("number %d is banned: %v, want %v", i, got, want)
		}
	}
	b.Ban(banFor+bansMax/2, near(1))
	if n := len(b.bans.until); n > bansMax/2+2 {
		t.Errorf("%d bans are remembered although half of them are over", n)
	}
	b.Check()
}
