package tracker_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
	"swarmnode/swarm/tracker"
)

// A tracker on loopback, two peers that announce to it over HTTP, and a scrape.
func ExampleServer() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	serveContext, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- tracker.NewServer(tracker.ServerConfig{}).Serve(serveContext, listener, nil)
	}()

	web := guard.New(guard.Config{UserAgent: "example/1"})
	defer web.Close()
	client := tracker.NewClient(tracker.ClientConfig{HTTP: web})
	defer client.Close()
	t, err := tracker.ParseTracker("http://"+listener.Addr().String()+"/announce", false)
	if err != nil {
		log.Fatal(err)
	}

	infoHash := metainfo.Hash([]byte("aaaaaaaaaaaaaaaaaaaa"))
	seed := tracker.Request{InfoHash: infoHash, Port: 6881, Event: tracker.Started, Want: 50}
	if _, err := client.Announce(ctx, t, seed, guard.Any); err != nil {
		log.Fatal(err)
	}
	leech := tracker.Request{InfoHash: infoHash, Port: 6882, Left: 1000, Event: tracker.Started,
		Want: 50}
	response, err := client.Announce(ctx, t, leech, guard.Any)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("peers:", response.Peers, "next announce in", response.Interval)

	counts, err := client.Scrape(ctx, t, infoHash)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("seeds: %d, others: %d\n", counts[0].Seeds, counts[0].Leeches)

	stop()
	fmt.Println("server ended:", <-ended)
	// Output:
	// peers: [127.0.0.1:6881] next announce in 30m0s
	// seeds: 1, others: 1
	// server ended: <nil>
}

// An Announcer keeps a torrent announced and yields the peers that its trackers name.
func ExampleAnnouncer() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	serveContext, stop := context.WithCancel(ctx)
	server, ended := tracker.NewServer(tracker.ServerConfig{}), make(chan error, 1)
	go func() { ended <- server.Serve(serveContext, nil, socket) }()

	client := tracker.NewClient(tracker.ClientConfig{})
	defer client.Close()
	t, err := tracker.ParseTracker("udp://"+socket.LocalAddr().String(), false)
	if err != nil {
		log.Fatal(err)
	}
	infoHash := metainfo.Hash([]byte("aaaaaaaaaaaaaaaaaaaa"))
	other := tracker.Request{InfoHash: infoHash, Port: 7000}
	if _, err := client.Announce(ctx, t, other, guard.Any); err != nil {
		log.Fatal(err)
	}

	announcer := tracker.NewAnnouncer(tracker.Config{
		Client: client,
		PeerID: [20]byte([]byte("-SN0100-aaaaaaaaaaaa")),
		Tiers:  [][]tracker.Tracker{{t}},
	})
	for peer := range announcer.Peers(ctx, infoHash, 6881, false) {
		fmt.Println("peer:", peer)
		break
	}
	fmt.Println("announced peers:", server.Stats().Peers)
	announcer.Close() // announces that we have stopped

	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output:
	// peer: 127.0.0.1:7000
	// announced peers: 2
}

// The URL of a tracker may hold the user's key, which String leaves out.
func ExampleTracker_String() {
	t, err := tracker.ParseTracker("https://tracker.example.org/announce?passkey=0123", false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t)
	_, err = tracker.ParseTracker("udp://tracker.example.org/announce", false)
	fmt.Println(err)
	// Output:
	// https://tracker.example.org
	// not the URL of a tracker: UDP without a port
}
