package socks_test

import (
	"context"
	"fmt"

	"swarmnode/swarm/transport/socks"
)

func ExampleParse() {
	server, err := socks.Parse("socks5://alice:secret@proxy.example:1080")
	fmt.Println(server, err)
	_, err = socks.Parse("http://proxy.example:8080")
	fmt.Println(err)
	// Output:
	// socks5://proxy.example:1080 <nil>
	// proxy URL: its scheme must be socks5
}

// A client sends the names of hosts to the proxy, and never looks them up.
func ExampleClient_DialTCP() {
	server, err := socks.Parse("socks5://127.0.0.1:9050")
	if err != nil {
		return
	}
	conn, err := socks.New(socks.Config{Server: server}).DialTCP(context.Background(),
		"tracker.example", 80)
	if err != nil {
		fmt.Println(err) // such as: through the proxy: host is unreachable
		return
	}
	defer conn.Close()
}
