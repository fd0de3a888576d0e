package swarmnode_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"

	"swarmnode"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// Example embeds two nodes in one program: one seeds a file, the other finds it through the
// DHT and fetches it.
func Example() {
	dir, err := os.MkdirTemp("", "swarmnode")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "greeting.txt")
	if err := os.WriteFile(path, []byte("Hello, swarm!\n"), 0o644); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	torrent, err := metainfo.Build(ctx, metainfo.BuildOptions{Path: path})
	if err != nil {
		log.Fatal(err)
	}

	// A real node leaves Listen and Bootstrap alone, and names a StateDir.
	loopback := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	seeder, err := swarmnode.Start(ctx, swarmnode.Config{
		Listen: loopback, AnyPort: true, Bootstrap: []string{},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer seeder.Close()
	seed, err := seeder.Add(swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("seeding", seed.Hash())

	leecher, err := swarmnode.Start(ctx, swarmnode.Config{
		Listen: loopback, AnyPort: true, Bootstrap: []string{seeder.Addrs()[0].String()},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer leecher.Close()
	into := filepath.Join(dir, "fetched")
	if err := os.Mkdir(into, 0o755); err != nil {
		log.Fatal(err)
	}
	leech, err := leecher.Add(swarm.Spec{Magnet: torrent.Magnet(), Dir: into})
	if err != nil {
		log.Fatal(err)
	}
	<-leech.Done()
	if err := leech.Err(); err != nil {
		log.Fatal(err)
	}
	for _, path := range leech.Paths() {
		content, err := os.ReadFile(path)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("fetched %s: %s", filepath.Base(path), content)
	}
	// Output:
	// seeding 0241f6605d0268478443826aa62c85d48d2fae21
	// fetched greeting.txt: Hello, swarm!
}

// A program follows all torrents of a node by one feed, and pays for what changed.
func ExampleNode_Subscribe() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	node, err := swarmnode.Start(ctx, swarmnode.Config{
		Listen:  []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		AnyPort: true, NoDHT: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()
	magnet, err := metainfo.ParseMagnet(
		"magnet:?xt=urn:btih:c9e15763f722f23e98a29decdfae341b98d53056")
	if err != nil {
		log.Fatal(err)
	}
	changes := node.Subscribe(0)
	if _, err := changes.Next(ctx); err != nil { // everything as it is
		log.Fatal(err)
	}
	if _, err := node.Add(swarm.Spec{Magnet: magnet, MetadataOnly: true}); err != nil {
		log.Fatal(err)
	}
	c, err := changes.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, change := range c.Torrents {
		fmt.Println(change.Torrent.Hash().Short(), change.Torrent.State().Phase,
			change.Kinds&swarm.Added != 0)
	}
	// Output:
	// c9e15763 metadata true
}

// A program asks how others reach its node. This one listens on loopback.
func ExampleNode_Reach() {
	node, err := swarmnode.Start(context.Background(), swarmnode.Config{
		Listen:  []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		AnyPort: true, Bootstrap: []string{},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()
	is := node.Reach()
	fmt.Println(is.UTP, is.TCP)
	fmt.Println(is)
	// Output:
	// none none
	// not reachable: we listen for programs of this machine alone
}
