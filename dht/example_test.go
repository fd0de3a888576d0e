package dht_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log"
	"net"
	"net/netip"
	"time"

	"swarmnode/dht"
	"swarmnode/metainfo"
)

// listen opens a UDP socket on loopback.
func listen() net.PacketConn {
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return pc
}

// network starts nodes on loopback that all know the first, and waits until each has
// met another.
func network(ctx context.Context, size int) (nodes []*dht.Node, stop func()) {
	var conns []net.PacketConn
	for i := range size {
		conns = append(conns, listen())
		cfg := dht.Config{Conns: conns[i:]}
		if i > 0 {
			cfg.Bootstrap = []string{conns[0].LocalAddr().String()}
		}
		n, err := dht.New(cfg)
		if err != nil {
			log.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		if err := n.Join(ctx); err != nil {
			log.Fatal(err)
		}
	}
	return nodes, func() {
		for i, n := range nodes {
			n.Close()
			conns[i].Close()
		}
	}
}

// A node announces a torrent, and another one finds it.
func ExampleNode_Announce() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nodes, stop := network(ctx, 3)
	defer stop()

	infoHash := metainfo.Hash([]byte("aaaaaaaaaaaaaaaaaaaa"))
	if _, err := nodes[1].Announce(ctx, infoHash, 6881, false, nil); err != nil {
		log.Fatal(err)
	}
	_, err := nodes[2].GetPeers(ctx, infoHash, func(peer netip.AddrPort) {
		fmt.Println("peer:", peer)
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// peer: 127.0.0.1:6881
}

// Peers keeps a torrent announced, and yields the peers that it finds on the way.
func ExampleNode_Peers() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nodes, stop := network(ctx, 2)
	defer stop()

	infoHash := metainfo.Hash([]byte("bbbbbbbbbbbbbbbbbbbb"))
	if _, err := nodes[1].Announce(ctx, infoHash, 6881, true, nil); err != nil {
		log.Fatal(err)
	}
	for peer := range nodes[0].Peers(ctx, infoHash, 7000, false) {
		fmt.Println("peer:", peer)
		break
	}
	// Output:
	// peer: 127.0.0.1:6881
}

// An immutable item is found under the hash of its value.
func ExampleNode_PutImmutable() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nodes, stop := network(ctx, 2)
	defer stop()

	target, _, err := nodes[1].PutImmutable(ctx, []byte("12:Hello World!"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("target:", target)
	item, _, err := nodes[0].GetImmutable(ctx, target)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("value: %s\n", item.Value)
	// Output:
	// target: e5f96f6f38320f0f33959cb4d3d656452117aadb
	// value: 12:Hello World!
}

// A mutable item can get a new version from whoever has its key.
func ExampleNode_PutMutable() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nodes, stop := network(ctx, 2)
	defer stop()

	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	salt := []byte("counter")
	for range 3 {
		item, _, err := nodes[1].PutMutable(ctx, key, salt, func(old dht.Item) []byte {
			return fmt.Appendf(nil, "i%de", (old.Seq+1)*100)
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("stored version %d: %s\n", item.Seq, item.Value)
	}
	item, _, err := nodes[0].GetMutable(ctx, key.Public().(ed25519.PublicKey), salt)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("fetched version %d: %s\n", item.Seq, item.Value)
	// Output:
	// stored version 1: i100e
	// stored version 2: i200e
	// stored version 3: i300e
	// fetched version 3: i300e
}

// A bootstrap list has a host a line; faults do not spoil the rest.
func ExampleParseBootstrap() {
	hosts, faults := dht.ParseBootstrap([]byte("# hosts of our own\n" +
		"dht.example.org:6881\n[2001:db8::1]:6881\n192.0.2.1\n"))
	fmt.Println(hosts)
	fmt.Println(faults)
	// Output:
	// [dht.example.org:6881 [2001:db8::1]:6881]
	// [bootstrap list: line 4: "192.0.2.1" is not HOST:PORT]
}
