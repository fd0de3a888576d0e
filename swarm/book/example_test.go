package book_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
)

// A torrent hears of two peers, dials both, and meets one of them.
func Example() {
	start := time.Unix(1_000_000, 0)
	b := book.New(book.Config{Start: start, Rand: rand.New(rand.NewPCG(1, 1)), Port: 6881})
	for addr, source := range map[string]book.Source{
		"203.0.113.5:6881": book.SourceUser, "198.51.100.7:6881": book.SourceDHT,
		"192.168.1.1:80": book.SourceDHT, // a stranger may not name our router
	} {
		b.Hear(0, book.Rumour{Endpoint: endpoint.IP(netip.MustParseAddrPort(addr)),
			Source: source})
	}
	wish := book.Wish{DialsMax: 32}
	first, _, _ := b.Next(0, wish)
	second, _, _ := b.Next(0, wish)
	fmt.Println("dial", first.Endpoint, "and", second.Endpoint)
	b.Failed(time.Second, first.Endpoint, book.FaultTimeout)
	b.Connected(time.Second, second.Endpoint, 1, true)
	_, at, ok := b.Next(time.Second, wish)
	fmt.Println("another:", ok, "but one within", (at - time.Second).Round(time.Second))
	for _, k := range b.Known(time.Minute, 10, func(book.Conn) bool { return true }) {
		fmt.Println("for a later run:", k.Endpoint)
	}
	// Output:
	// dial 203.0.113.5:6881 and 198.51.100.7:6881
	// another: false but one within 1s
	// for a later run: 198.51.100.7:6881
}
