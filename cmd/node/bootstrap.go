package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/daemon/metrics"
)

// bootstrapPort is where bootstrap nodes of the DHT are expected.
const bootstrapPort = 6881

func bootstrapCommand() *command {
	return &command{
		name:  "bootstrap",
		short: "run a DHT node alone, through which others can join",
		long: `The node takes part in the DHT and exchanges no content. Its address is the
first line of standard output. It runs until interrupted, even while it reaches
no other node, since others may join through it. With --relay it is a relay as well.`,
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
			f.join.registerEphemeral(fs)
			f.block.register(fs)
			f.metrics.register(fs)
			fs.Var(&f.relaying, "relay", "lend addresses to nodes that nobody can reach, as "+
				"node relay does, whose flags follow")
			fs.Lookup("relay").NoOptDefVal = "true"
			f.relay.register(fs)
			return f.run
		},
	}
}

type bootstrapFlags struct {
	listen  listenFlags
	join    joinFlags
	block   blockFlags
	metrics metricsFlags

	alone    bool // the command is relay: the DHT node is no router
	relaying switchValue
	relay    relayFlags
}

// A switchValue is the flag that makes a relay of a bootstrap node. Other commands have a flag of
// that name for relays to use, which may be set in the environment of all of them.
type switchValue bool

func (v *switchValue) Type() string   { return "bool" }
func (v *switchValue) String() string { return strconv.FormatBool(bool(*v)) }
func (v *switchValue) Set(s string) error {
	if strings.HasPrefix(s, "turn:") {
		return nil
	}
	on, err := strconv.ParseBool(s)
	if err != nil {
		return errors.New("neither true nor false")
	}
	*v = switchValue(on)
	return nil
}

// openRelay starts the relay beside node, if the flags want one.
func (f *bootstrapFlags) openRelay(ctx context.Context, c *console, network *swarmnode.Network,
	node *swarmnode.DHTNode) (relayWatch, error) {
	if !f.relays() {
		return relayWatch{}, nil
	}
	cfg, err := f.relay.config(c, network, f.listen.given(0))
	if err != nil {
		return relayWatch{}, err
	}
	r, err := f.relay.open(ctx, c, node, cfg)
	return relayWatch{c: c, relay: r, users: len(cfg.Users) > 0}, err
}

// relays reports whether the flags want a relay.
func (f *bootstrapFlags) relays() bool { return f.alone || bool(f.relaying) }

func (f *bootstrapFlags) run(ctx context.Context, c *console, _ []string) error {
	if name := f.relay.unused(); name != "" && !f.relays() {
		return usage(c.command, fmt.Errorf("--%s needs --relay", name))
	}
	network, err := f.listen.open()
	if err != nil {
		return err
	}
	hosts, _, err := bootstrapHosts(c, f.join.bootstrap.items, swarmnode.Bootstrap)
	if err != nil {
		return err
	}
	// A relay needs a public address: a mapped port would make it seem to have one.
	node, err := f.join.startDHT(c, swarmnode.DHTConfig{
		Network: network, Listen: f.listen.given(f.listen.port.port), Bootstrap: hosts,
		Router: !f.alone, NoPortmap: f.listen.noPortmap || f.relays(),
		Blocklists: f.block.lists.items,
	})
	if err != nil {
		return err
	}
	defer node.Close()
	relay, err := f.openRelay(ctx, c, network, node)
	if err != nil {
		return err
	}
	if relay.relay != nil {
		defer relay.relay.Close()
	}
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
	c.event("start", startEvent{Command: c.command, Version: swarmnode.Version, Listen: names})
	c.result(strings.Join(names, "\n"))
	if relay.relay != nil {
		state := relay.relay.State()
		for _, uri := range state.URIs() {
			c.result(uri)
		}
	}
	f.serve(ctx, c, bootstrapNode{node, hosts, numbers, relay})
	return ended(ctx)
}

// A bootstrapNode is a running node with what serve needs to report on it.
type bootstrapNode struct {
	node    *swarmnode.DHTNode
	hosts   []string     // bootstrap hosts
	numbers net.Listener // of its metrics; may be nil
	relay   relayWatch
}

// lines say how the node is doing, and its relay.
func (n *bootstrapNode) lines() []string {
	return append([]string{nodeLine(n.node.Stats())}, n.relay.line()...)
}

// serve shows how the node is doing until a signal ends it.
func (f *bootstrapFlags) serve(ctx context.Context, c *console, n bootstrapNode) {
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() {
		serveMetrics(ctx, c, n.numbers, func() []metrics.Metric {
			return append(metrics.DHT(n.node.Stats()), n.relay.metrics()...)
		})
	})
	usr1, stop := statusSignals()
	defer stop()
	tick := time.NewTicker(showInterval)
	defer tick.Stop()
	var last dhtEvent
	shown := time.Now()
	quiet, started := silence{hosts: n.hosts}, shown
	n.relay.look(false)
	for {
		select {
		case <-ctx.Done():
			return
		case <-usr1:
			for _, line := range n.lines() {
				c.say(line)
			}
		case now := <-tick.C:
			last = dhtNews(c, &n.node.DHT, last)
			quiet.look(c, n.node.Stats(), now.Sub(started))
			due := now.Sub(shown) >= bootstrapLineInterval
			n.relay.look(due)
			if c.redraw || due {
				c.progress(textLine(strings.Join(n.lines(), "  ")))
			}
			if due {
				shown = now
			}
		}
	}
}

// bootstrapLineInterval is the pause between lines of a node that runs for
// weeks.
const bootstrapLineInterval = time.Minute
