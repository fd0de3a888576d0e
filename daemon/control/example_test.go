package control_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"

	"swarmnode/daemon/control"
)

// A handler behind a gate knows who asks.
func Example() {
	gate, err := control.NewGate(control.GateConfig{})
	if err != nil {
		log.Fatal(err)
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "your scope is %v", control.From(r.Context()).Scope)
	})
	server, err := control.Serve(context.Background(), control.Config{Gate: gate,
		TCP: []control.Listener{{Name: "http", Addr: netip.MustParseAddrPort("127.0.0.1:0"),
			Handler: gate.Protect(hello, nil)}}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	answer, err := http.Get("http://" + server.Addrs()[0].String())
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", body)
	// Output:
	// your scope is admin
}
