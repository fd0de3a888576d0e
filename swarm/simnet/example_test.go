package simnet_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/netip"

	"swarmnode/swarm/simnet"
)

// Two hosts, one of them behind a NAT, exchange a stream in memory.
func Example() {
	network := simnet.New(1)
	server := network.Host(netip.MustParseAddr("203.0.113.5"), simnet.Link{})
	home := network.NAT(netip.MustParseAddr("198.51.100.7"))
	client := home.Host(netip.MustParseAddr("192.168.1.2"), simnet.Link{})

	listener, err := server.Listen(6881)
	if err != nil {
		log.Fatal(err)
	}
	near, err := client.Dial(context.Background(), listener.AddrPort())
	if err != nil {
		log.Fatal(err)
	}
	far, err := listener.Accept()
	if err != nil {
		log.Fatal(err)
	}
	peer := netip.MustParseAddrPort(far.RemoteAddr().String())
	fmt.Println("the server sees the client as", peer.Addr())

	fmt.Fprint(near, "hello")
	near.Close() // what was written still arrives
	text, err := io.ReadAll(far)
	fmt.Printf("%s, %v\n", text, err)
	// Output:
	// the server sees the client as 198.51.100.7
	// hello, <nil>
}
