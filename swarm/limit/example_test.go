package limit_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"swarmnode/swarm/limit"
)

// Addresses that one user can choose freely count as one source.
func ExampleSourceOf() {
	for _, ip := range []string{"203.0.113.7", "2001:db8:1:2:3:4:5:6", "::ffff:203.0.113.7",
		"64:ff9b::203.0.113.7"} {
		addr := netip.MustParseAddr(ip)
		fmt.Println(limit.SourceOf(addr), "in", limit.NetworkOf(addr))
	}
	// Output:
	// 203.0.113.7 in 203.0.113.0/24
	// 2001:db8:1:2:: in 2001:db8:1::/48
	// 203.0.113.7 in 203.0.113.0/24
	// 203.0.113.7 in 203.0.113.0/24
}

// One host cannot take every place.
func ExampleConnections() {
	places := limit.NewConnections(3, 2, nil)
	one, other := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("198.51.100.1")
	fmt.Println(places.TryAcquire(one), places.TryAcquire(one), places.TryAcquire(one))
	fmt.Println(places.TryAcquire(other), places.Full(), places.Used())
	places.Release(one)
	fmt.Println(places.TryAcquire(one))
	// Output:
	// true true false
	// true true 3
	// true
}

// Strangers cannot make us dial an innocent host again and again, even at other ports.
func ExampleDials() {
	dials := limit.NewDials(0, nil)
	for port := range uint16(5) {
		to := limit.Destination{
			Addr: netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), 6881+port),
			Told: limit.ByRumour,
		}
		if err := dials.Acquire(context.Background(), "a torrent", to); err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("dialling", to.Addr)
		dials.Release("a torrent")
	}
	// Output:
	// dialling 203.0.113.7:6881
	// dialling 203.0.113.7:6882
	// dialling 203.0.113.7:6883
	// dialled too often within a minute
	// dialled too often within a minute
}

// The account that holds most makes room for the others.
func ExampleLedger() {
	ledger := limit.NewLedger(100)
	large := ledger.Open(func() { fmt.Println("the large one is closed") })
	small := ledger.Open(func() { fmt.Println("the small one is closed") })
	large.Add(80)
	small.Add(10)
	fmt.Println(ledger.Used())
	small.Add(20)
	fmt.Println(ledger.Used())
	// Output:
	// 90
	// the large one is closed
	// 30
}

// A newcomer is never refused: one of those that have not shown their use has to go.
func ExamplePending() {
	pending := limit.NewPending(3)
	arrive := func(ip string) *limit.Place {
		return pending.Admit(netip.MustParseAddr(ip), func() { fmt.Println(ip, "has to go") })
	}
	honest := arrive("198.51.100.1")
	for range 3 {
		arrive("203.0.113.7")
	}
	honest.Keep()
	fmt.Println(pending.Used())
	// Output:
	// 203.0.113.7 has to go
	// 2
}

// Bytes are forgotten at a steady rate.
func ExampleTally() {
	given := limit.NewTally(1000, time.Hour)
	now, ip := time.Now(), netip.MustParseAddr("203.0.113.7")
	fmt.Println(given.Add(now, ip, 5000))
	fmt.Println(given.Of(now.Add(2*time.Second), ip), given.Of(now.Add(time.Minute), ip))
	// Output:
	// 5000
	// 3000 0
}

// No single voter decides which address is ours.
func ExampleVotes() {
	votes := limit.NewVotes(10, 2)
	network := func(s string) netip.Prefix { return netip.MustParsePrefix(s) }
	ours, lie := netip.MustParseAddrPort("203.0.113.7:6881"),
		netip.MustParseAddrPort("198.51.100.66:1")
	fmt.Println(votes.Cast(network("192.0.2.0/24"), ours))
	fmt.Println(votes.Cast(network("198.51.100.0/24"), lie))
	fmt.Println(votes.Cast(network("10.1.2.0/24"), ours), votes.Elected())
	// Output:
	// false
	// false
	// true 203.0.113.7:6881
}
