package client_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
	"swarmnode/daemon/control"
	"swarmnode/daemon/tally"
)

// A program adds a torrent to a daemon through its socket.
func Example() {
	folder, err := os.MkdirTemp("", "client")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	socket := filepath.Join(folder, "ctl.sock")
	stop := startDaemon(folder, socket)
	defer stop()

	ctx := context.Background()
	c, err := client.New(client.Config{Socket: socket})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	stopped := true
	added, err := c.Add(ctx, api.Add{
		Source:  "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=film",
		Stopped: &stopped})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(added.ID, added.Hash, added.Name)
	list, err := c.ListAll(ctx, client.Query{Fields: []string{"name", "status"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range list.Torrents {
		fmt.Println(t.ID, t.Name, t.Status)
	}
	// Output:
	// 1 0123456789abcdef0123456789abcdef01234567 film
	// 1 film stopped
}

// startDaemon starts a daemon with a socket, as node daemon does.
func startDaemon(folder, socket string) (stop func()) {
	d, err := daemon.Start(context.Background(), daemon.Config{
		Node: swarmnode.Config{StateDir: filepath.Join(folder, "state"), Bootstrap: []string{},
			NoPortmap: true, AnyPort: true,
			Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}},
		Settings: daemon.Settings{Dir: folder}})
	if err != nil {
		log.Fatal(err)
	}
	gate, err := control.NewGate(control.GateConfig{})
	if err != nil {
		log.Fatal(err)
	}
	counts := tally.New(d)
	server, err := control.Serve(context.Background(), control.Config{Gate: gate, Socket: socket,
		Local: api.New(api.Config{Daemon: d, Gate: gate, Tally: counts})})
	if err != nil {
		log.Fatal(err)
	}
	return func() {
		server.Close()
		counts.Close()
		d.Close()
	}
}
