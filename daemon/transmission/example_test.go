package transmission_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/daemon/transmission"
)

// A client of Transmission repeats its first request with the id of the answer.
func Example() {
	state, err := os.MkdirTemp("", "daemon")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(state)
	node := swarmnode.Config{StateDir: state, Bootstrap: []string{}, AnyPort: true,
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}}
	d, err := daemon.Start(context.Background(), daemon.Config{Node: node})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	gate, err := control.NewGate(control.GateConfig{})
	if err != nil {
		log.Fatal(err)
	}
	handler, err := transmission.New(transmission.Config{Daemon: d, Node: node, Gate: gate})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	id := ""
	for range 2 {
		request, err := http.NewRequest("POST", server.URL+handler.Base()+"rpc", strings.NewReader(
			`{"method":"session-get","arguments":{"fields":["rpc-version-semver"]}}`))
		if err != nil {
			log.Fatal(err)
		}
		request.Header.Set("X-Transmission-Session-Id", id)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			log.Fatal(err)
		}
		id = response.Header.Get("X-Transmission-Session-Id")
		fmt.Println(response.StatusCode)
		if response.StatusCode == http.StatusOK {
			body, err := io.ReadAll(response.Body)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(string(body))
		}
		response.Body.Close()
	}
	// Output:
	// 409
	// 200
	// {"arguments":{"rpc-version-semver":"6.0.0"},"result":"success"}
}
