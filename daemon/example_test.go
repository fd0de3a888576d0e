package daemon_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"os"

	"swarmnode"
	"swarmnode/daemon"
)

// A daemon keeps its torrents in the state folder of its node.
func Example() {
	state, err := os.MkdirTemp("", "daemon")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(state)
	d, err := daemon.Start(context.Background(), daemon.Config{Node: swarmnode.Config{
		StateDir: state, Bootstrap: []string{},
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, AnyPort: true,
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	fmt.Println(len(d.Torrents()), "torrents")
	// Output:
	// 0 torrents
}
