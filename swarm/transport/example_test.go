package transport_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"

	"swarmnode/swarm/transport"
)

// A pair listens for TCP and UDP on one port; Serve handles the streams that peers make.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	pair, err := transport.ListenPair(ctx, nil, netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		log.Fatal(err)
	}
	udp := pair.UDP.LocalAddr().(*net.UDPAddr).AddrPort()
	fmt.Println("one port for both:", pair.AddrPort() == udp)
	served := make(chan error)
	go func() {
		served <- transport.Serve(ctx, pair.TCP, func(conn net.Conn) {
			go func() {
				io.Copy(conn, conn) // an echo
				conn.Close()
			}()
		})
	}()

	conn, err := transport.TCP{}.Dial(ctx, pair.AddrPort())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(conn, "hello")
	reply := make([]byte, 5)
	if _, err := io.ReadFull(conn, reply); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s from %v\n", reply, transport.RemoteAddrPort(conn) == pair.AddrPort())
	conn.Close()

	cancel() // closes the listener
	fmt.Println(<-served)
	pair.UDP.Close()
	// Output:
	// one port for both: true
	// hello from true
	// <nil>
}
