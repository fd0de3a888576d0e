package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/netip"
	"os"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/control"
	"swarmnode/daemon/tally"
)

// A daemon answers over HTTP.
func Example() {
	state, err := os.MkdirTemp("", "daemon")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(state)
	loopback := netip.MustParseAddrPort("127.0.0.1:0")
	d, err := daemon.Start(context.Background(), daemon.Config{Node: swarmnode.Config{
		StateDir: state, Bootstrap: []string{}, Listen: []netip.AddrPort{loopback},
		AnyPort: true}})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	gate, err := control.NewGate(control.GateConfig{})
	if err != nil {
		log.Fatal(err)
	}
	counts := tally.New(d)
	defer counts.Close()
	server, err := control.Serve(context.Background(), control.Config{Gate: gate,
		TCP: []control.Listener{{Name: "http", Addr: loopback,
			Handler: api.New(api.Config{Daemon: d, Gate: gate, Tally: counts})}}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	answer, err := http.Get("http://" + server.Addrs()[0].String() + api.Base + "/torrents")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	var list api.List
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		log.Fatal(err)
	}
	fmt.Println(list.Total, "torrents")
	// Output:
	// 0 torrents
}
