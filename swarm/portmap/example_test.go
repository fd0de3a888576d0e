package portmap_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"swarmnode/swarm/egress"
	"swarmnode/swarm/portmap"
)

// A nowhere is a proxy that leads nowhere.
type nowhere struct{}

func (nowhere) DialTCP(context.Context, string, uint16) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

func (nowhere) DialUDP(context.Context, string, uint16) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

// A port is kept mapped until the Mapper is closed. Config.Changed says when to look at the
// state again. Here the node is behind a proxy, where no router may be asked.
func Example() {
	n, err := egress.New(egress.Config{Proxy: nowhere{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	m := portmap.New(portmap.Config{Net: n})
	defer m.Close(context.Background())
	m.Set([]portmap.Want{{Proto: portmap.TCP, Port: 6881, Addr: netip.IPv4Unspecified()}})
	for _, mapping := range m.State() {
		if mapping.Err != nil {
			fmt.Printf("%v port %d: %v\n", mapping.Want.Proto, mapping.Want.Port, mapping.Err)
			continue
		}
		fmt.Printf("%v port %d is %v, by %v\n", mapping.Want.Proto, mapping.Want.Port,
			mapping.External, mapping.By)
	}
	// Output: TCP port 6881: not possible through a proxy
}
