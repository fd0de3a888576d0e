package egress_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"swarmnode/swarm/egress"
)

// A program that was told to use one interface does not start without it.
func ExampleNew() {
	_, err := egress.New(egress.Config{Device: "no-such-if"})
	fmt.Println(errors.Is(err, egress.ErrMissing) || errors.Is(err, egress.ErrUnsupported))
	// Output: true
}

// A nil Net leaves everything to the system.
func ExampleNet_DialHost() {
	ctx := context.Background()
	var n *egress.Net
	l, err := n.ListenTCP(ctx, netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	at := l.Addr().(interface{ AddrPort() netip.AddrPort }).AddrPort()
	conn, err := n.DialHost(ctx, egress.Host{Name: "127.0.0.1", Port: at.Port(),
		Check: func(to netip.AddrPort) error {
			fmt.Println("connecting to", to.Addr())
			return nil
		}})
	if err != nil {
		fmt.Println(err)
		return
	}
	conn.Close()
	// Output: connecting to 127.0.0.1
}
