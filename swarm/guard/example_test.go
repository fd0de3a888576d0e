package guard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"

	"swarmnode/swarm/guard"
)

// The reach of an address is that of the host where packets arrive.
func ExampleReachOf() {
	for _, ip := range []string{"203.0.113.7", "192.168.1.1", "127.0.0.1", "169.254.169.254",
		"::ffff:10.0.0.1", "64:ff9b::7f00:1", "224.0.0.1"} {
		reach, ok := guard.ReachOf(netip.MustParseAddr(ip))
		fmt.Println(ip, reach, ok)
	}
	// Output:
	// 203.0.113.7 public true
	// 192.168.1.1 private true
	// 127.0.0.1 loopback true
	// 169.254.169.254 link-local true
	// ::ffff:10.0.0.1 private true
	// 64:ff9b::7f00:1 loopback true
	// 224.0.0.1 link-local false
}

// A stranger's URL does not lead to the services of this machine; the user's may.
func ExampleClient_Get() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "the router's password")
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		panic(err)
	}
	client := guard.New(guard.Config{})
	defer client.Close()
	for _, stranger := range []bool{true, false} {
		answer, err := client.Get(context.Background(),
			guard.Target{URL: u, Stranger: stranger}, guard.Any, nil)
		if err != nil {
			fmt.Println("a stranger's URL is refused:", errors.Is(err, guard.ErrRefused))
			continue
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		fmt.Printf("the user's URL: %s\n", body)
	}
	// Output:
	// a stranger's URL is refused: true
	// the user's URL: the router's password
}
