package utp_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/netip"

	"swarmnode/swarm/transport/utp"
)

// Two programs talk over uTP: each has a socket, one of them dials, and the other accepts.
func ExampleListen() {
	ctx := context.Background()
	anywhere := netip.MustParseAddrPort("127.0.0.1:0")
	server, err := utp.Listen(ctx, anywhere, utp.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			log.Fatal(err)
		}
		io.Copy(conn, conn) // an echo
		conn.Close()
	}()

	client, err := utp.Listen(ctx, anywhere, utp.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	conn, err := client.Dial(ctx, server.AddrPort())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(conn, "hello")
	conn.(*utp.Conn).CloseWrite()
	reply, err := io.ReadAll(conn)
	fmt.Printf("%s %v\n", reply, err)
	conn.Close()
	// Output: hello <nil>
}
