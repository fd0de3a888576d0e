package tally_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"os"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/tally"
)

// A tally counts the torrents of a daemon.
func Example() {
	state, err := os.MkdirTemp("", "daemon")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(state)
	d, err := daemon.Start(context.Background(), daemon.Config{Node: swarmnode.Config{
		StateDir: state, Bootstrap: []string{}, AnyPort: true,
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}}})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	counts := tally.New(d)
	defer counts.Close()
	fmt.Println(counts.Sum().Status[daemon.Seeding], "torrents seed")
	// Output:
	// 0 torrents seed
}
