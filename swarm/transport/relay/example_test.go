package relay_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"time"

	"swarmnode/swarm/transport/relay"
)

// A server lends addresses to clients that have asked it for credentials. What stands on a
// UDP socket stands on such an address as well.
func Example() {
	ctx := context.Background()
	here := netip.MustParseAddr("127.0.0.1")
	keys := relay.NewKeys(time.Now())
	server, err := relay.Serve(ctx, relay.ServerConfig{
		Listen: []netip.AddrPort{netip.AddrPortFrom(here, 0)},
		Lend:   []relay.Lent{{Public: here}},
		Keys:   keys,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	at := server.Addrs()[0]
	user, password := keys.Credentials(here, time.Now())
	a, err := relay.Dial(ctx, relay.Config{Server: relay.URI{
		Host: at.Addr().String(), Port: at.Port(), User: user, Password: password,
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	fmt.Println("peers reach us on", a.AddrPort().Addr())

	// Only hosts with a permit get through, and no host of a private network gets one.
	fmt.Println(a.Permit(ctx, []netip.Addr{netip.MustParseAddr("1.1.1.1")}))
	err = a.Permit(ctx, []netip.Addr{netip.MustParseAddr("10.0.0.1")})
	fmt.Println(errors.Is(err, relay.ErrForbidden))
	// Output:
	// peers reach us on 127.0.0.1
	// <nil>
	// true
}

func ExampleParseURI() {
	server, err := relay.ParseURI("turn:me:secret@turn.example.org?transport=tcp")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(server.Host, server.Port, server.User)
	fmt.Println(server)
	// Output:
	// turn.example.org 3478 me
	// turn:turn.example.org?transport=tcp
}
