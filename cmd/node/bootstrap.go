package main

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
)

// bootstrapPort is where bootstrap nodes of the DHT are expected.
const bootstrapPort = 6881

func bootstrapCommand() *command {
	return &command{
		name:  "bootstrap",
		short: "run a DHT node alone, through which others can join",
		long: `The node takes part in the DHT and exchanges no content. Its address is the
first line of standard output. It runs until interrupted, even while it reaches
no other node, since others may join through it.`,
		examples: []example{
			{"node bootstrap", "a node of the public DHT, on UDP port 6881"},
			{"node bootstrap --listen 127.0.0.1:0 --bootstrap none",
				"the first node of a private DHT, on any free port"},
			{"node seed --bootstrap 127.0.0.1:6881 FILE", "seed in that private DHT"},
		},
		setup: func(fs *pflag.FlagSet) action {
			var f bootstrapFlags
			f.listen.register(fs, bootstrapPort, portFixed)
			f.join.register(fs)
			f.block.register(fs)
			f.metrics.register(fs)
			return f.run
		},
	}
}

type bootstrapFlags struct {
	listen  listenFlags
	join    joinFlags
	block   blockFlags
	metrics metricsFlags
}

func (f *bootstrapFlags) run(ctx context.Context, c *console, _ []string) error {
	network, err := f.listen.open()
	if err != nil {
		return err
	}
	hosts, err := bootstrapHosts(c, f.join.bootstrap.items, swarmnode.Bootstrap)
	if err != nil {
		return err
	}
	node, err := f.join.startDHT(c, swarmnode.DHTConfig{
		Network: network, Listen: f.listen.given(f.listen.port.port), Bootstrap: hosts,
		Router:     true,
		Blocklists: f.block.lists.items,
	})
	if err != nil {
		return err
	}
	defer node.Close()
	blocked := watchBlocklist(c, node, &f.block)
	defer blocked.close()
	numbers, err := f.metrics.open(ctx, network)
	if err != nil {
		return err
	}
	if numbers != nil {
		defer numbers.Close()
	}
	var names []string
	for _, a := range node.Addrs() {
		names = append(names, a.String())
	}
	// Others may join through this node, so it keeps running when it reaches nobody.
	if err := checkReachable(ctx, c, network, hosts, f.join.named(), true); err != nil {
		return err
	}
	c.event("start", startEvent{c.command, swarmnode.Version, names})
	c.result(strings.Join(names, "\n"))
	f.serve(ctx, c, bootstrapNode{node, hosts, numbers})
	return ended(ctx)
}

// A bootstrapNode is a running node with what serve needs to report on it.
type bootstrapNode struct {
	node    *swarmnode.DHTNode
	hosts   []string     // bootstrap hosts
	numbers net.Listener // of its metrics; may be nil
}

// serve shows how the node is doing until a signal ends it.
func (f *bootstrapFlags) serve(ctx context.Context, c *console, n bootstrapNode) {
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() {
		serveMetrics(ctx, c, n.numbers, func(w io.Writer) {
			writeMetrics(w, dhtMetrics(n.node.Stats()))
		})
	})
	usr1, stop := statusSignals()
	defer stop()
	tick := time.NewTicker(showInterval)
	defer tick.Stop()
	var last dhtEvent
	shown := time.Now()
	quiet, started := silence{hosts: n.hosts}, shown
	for {
		select {
		case <-ctx.Done():
			return
		case <-usr1:
			c.say(nodeLine(n.node.Stats()))
		case now := <-tick.C:
			last = dhtNews(c, &n.node.DHT, last)
			quiet.look(c, n.node.Stats(), now.Sub(started))
			if c.redraw || now.Sub(shown) >= bootstrapLineInterval {
				c.progress(textLine(nodeLine(n.node.Stats())))
				shown = now
			}
		}
	}
}

// bootstrapLineInterval is the pause between lines of a node that runs for
// weeks.
const bootstrapLineInterval = time.Minute
