package mse_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"

	"swarmnode/swarm/simnet"
	"swarmnode/swarm/transport/mse"
)

// Both sides know the torrent, and agree on RC4.
func Example() {
	key := mse.Key{1, 2, 3} // the info-hash
	near, far := stream()

	done := make(chan struct{})
	go func() {
		defer close(done)
		server := mse.Server{
			Allow:      mse.RC4,
			MayCompute: func() bool { return true },
			Find:       func(id mse.ID) (mse.Key, bool) { return key, id == key.ID() },
		}
		conn, found, err := server.Accept(far, nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("the server found the torrent:", found == key)
		text := make([]byte, len("hello"))
		if _, err := io.ReadFull(conn, text); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s, by %v\n", text, conn.Method())
	}()

	// The first bytes travel with the dialogue.
	conn, err := mse.Dial(near, key, mse.Both, []byte("hel"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(conn, "lo")
	<-done
	// Output:
	// the server found the torrent: true
	// hello, by RC4
}

// stream returns the two ends of a connection in memory.
func stream() (near, far net.Conn) {
	network := simnet.New(1)
	server := network.Host(netip.MustParseAddr("203.0.113.5"), simnet.Link{})
	client := network.Host(netip.MustParseAddr("198.51.100.7"), simnet.Link{})
	listener, err := server.Listen(6881)
	if err != nil {
		log.Fatal(err)
	}
	if near, err = client.Dial(context.Background(), listener.AddrPort()); err != nil {
		log.Fatal(err)
	}
	if far, err = listener.Accept(); err != nil {
		log.Fatal(err)
	}
	return near, far
}
