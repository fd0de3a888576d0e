package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/dht"
)

// dhtCommand groups the commands that look into the DHT. Each runs a node that asks and
// does not answer (BEP 43), so no other node keeps it in a table after it is gone.
func dhtCommand() *command {
	group := &command{
		name:  "dht",
		short: "look into the DHT: ping, find, peers, announce, get, put, sample, table",
		long: `Each command runs a DHT node of its own for as long as it takes. That node asks and
does not answer. What it finds is printed on standard output; how many nodes it
asked is printed on standard error.`,
		examples: []example{
			{"node dht ping router.example.org:6881", "find out if a node answers, and how fast"},
			{"node dht peers HASH", "list the peers that announce an info-hash"},
		},
		children: []*command{
			dhtPingCommand(), dhtFindCommand(), dhtPeersCommand(), dhtAnnounceCommand(),
			dhtGetCommand(), dhtPutCommand(), dhtSampleCommand(), dhtTableCommand(),
		},
	}
	for _, child := range group.children {
		child.parent = group
	}
	return group
}

// dhtFlags are the flags of all commands of the group.
type dhtFlags struct {
	listen  listenFlags
	join    joinFlags
	timeout timeValue
}

// dhtTimeout is the default time for a command: enough to join and to look up through
// slow nodes.
const dhtTimeout = 30 * time.Second

func (f *dhtFlags) register(fs *pflag.FlagSet) { f.registerPort(fs, portAny) }

// registerPort adds the flags, with the given usage of --port.
func (f *dhtFlags) registerPort(fs *pflag.FlagSet, usage string) {
	f.timeout = timeValue(dhtTimeout)
	fs.Var(&f.timeout, "timeout", "give up after this time")
	f.listen.register(fs, 0, usage)
	f.join.register(fs)
	f.join.registerEphemeral(fs)
}

// with runs do with a node. If joined is set, the node has joined the DHT first.
func (f *dhtFlags) with(ctx context.Context, c *console, join bool,
	do func(context.Context, *dht.Node) error) error {
	network, err := f.listen.open()
	if err != nil {
		return err
	}
	if err := checkProxy(ctx, network); err != nil {
		return err
	}
	hosts, _, err := bootstrapHosts(c, f.join.bootstrap.items, swarmnode.Bootstrap)
	if err != nil {
		return err
	}
	alone, err := f.join.startDHT(c, swarmnode.DHTConfig{
		Network: network, Listen: f.listen.given(f.listen.port.port), Bootstrap: hosts,
		ReadOnly: true,
	})
	if err != nil {
		return err
	}
	defer alone.Close()
	if join {
		err := checkReachable(ctx, c, network, hosts, f.join.named(), alone.Remembers())
		if err != nil {
			return err
		}
	}
	node := alone.Node()
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(f.timeout), errTimeout)
	defer cancel()
	if join {
		if err := f.joinTalking(ctx, c, node, silence{hosts: hosts}); err != nil {
			return err
		}
	}
	return do(ctx, node)
}

// startDHT starts a DHT node alone.
func (j *joinFlags) startDHT(c *console, cfg swarmnode.DHTConfig) (*swarmnode.DHTNode, error) {
	folder, err := stateFolder(c, j.stateDir, j.ephemeral)
	if err != nil {
		return nil, err
	}
	cfg.StateDir, cfg.Logger, cfg.DHTLogger = folder, c.log, resolverLogger(c, j.named())
	if cfg.Bootstrap == nil {
		cfg.Bootstrap = []string{} // nobody
	}
	node, err := swarmnode.StartDHT(cfg)
	if err != nil {
		return nil, startFailure(err, j.stateDir)
	}
	return node, nil
}

// joinTalking waits until node has joined. It gives up at once if there is no node to
// ask, since no other node contacts one that does not answer. It warns when none of the
// nodes that it asked has answered.
func (f *dhtFlags) joinTalking(ctx context.Context, c *console, node *dht.Node,
	quiet silence) error {
	const what = "joining the DHT"
	if st := node.Stats(); len(quiet.hosts)+st.Saved == 0 {
		return failWithHint(exitNoPeers, what, errors.New(quiet.text(st)), "--bootstrap HOST:PORT")
	}
	first, cancel := context.WithTimeout(ctx, silentFor)
	defer cancel()
	err := node.Join(first)
	if err != nil && ctx.Err() == nil && first.Err() != nil {
		quiet.look(c, node.Stats(), silentFor)
		err = node.Join(ctx)
	}
	if err != nil {
		return f.failure(ctx, what, err)
	}
	return nil
}

var errTimeout = errors.New("timeout")

// failure returns the failure of a DHT operation.
func (f *dhtFlags) failure(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		if stop, ok := errors.AsType[stopped](context.Cause(ctx)); ok {
			return stop
		}
		err = fmt.Errorf("nobody answered within %s", formatDuration(time.Duration(f.timeout)))
	}
	code := exitNoPeers
	switch {
	case errors.Is(err, dht.ErrItem):
		code = exitInput
	case errors.Is(err, dht.ErrFamily):
		code = exitNetwork
	}
	return fail(code, what, errors.New(strings.TrimPrefix(err.Error(), "dht: ")))
}

// lookup: how a lookup went.
type lookupEvent struct {
	Target   string      `json:"target"`
	Asked    int         `json:"asked"` // nodes
	Answered int         `json:"answered"`
	Stored   int         `json:"stored,omitempty"` // nodes that stored the value
	Seconds  float64     `json:"seconds"`
	Closest  []nodeEvent `json:"closest,omitempty"`
}

// node: a node of the DHT.
type nodeEvent struct {
	ID       string `json:"id"`
	Addr     string `json:"addr"`
	Distance int    `json:"distance"` // bits in which it can differ from the target, 0 to 160
}

// distance returns the number of bits behind the prefix that a and b share.
func distance(a, b dht.ID) int {
	for i := range a {
		for bit := 7; bit >= 0; bit-- {
			if (a[i]^b[i])>>bit&1 != 0 {
				return (len(a)-1-i)*8 + bit + 1
			}
		}
	}
	return 0
}

// report prints how a lookup went.
func report(c *console, l dht.Lookup) {
	e := lookupEvent{Target: l.Target.String(), Asked: l.Asked, Answered: l.Answered,
		Stored: l.Stored, Seconds: l.Duration.Seconds()}
	for _, n := range l.Closest {
		e.Closest = append(e.Closest, nodeEvent{n.ID.String(), n.Addr.String(),
			distance(l.Target, n.ID)})
	}
	c.event("lookup", e)
	line := fmt.Sprintf("%s asked, %d answered", plural(l.Asked, "node"), l.Answered)
	if l.Stored > 0 {
		line += fmt.Sprintf(", %d stored it", l.Stored)
	}
	if len(e.Closest) > 0 {
		line += fmt.Sprintf(", the closest at 2^%d", e.Closest[0].Distance)
	}
	c.note("%s, in %s", line, formatTook(l.Duration))
}

// resolveAddr returns the address of HOST:PORT.
func (l *listenFlags) resolveAddr(ctx context.Context, s string) (netip.AddrPort, error) {
	host, err := dht.ParseHost(s)
	if err != nil {
		return netip.AddrPort{}, fail(exitInput, "", err)
	}
	n, err := l.open()
	if err != nil {
		return netip.AddrPort{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, dhtTimeout)
	defer cancel()
	addrs, err := n.Lookup(ctx, host)
	if err != nil {
		var wrong *net.DNSError
		if errors.As(err, &wrong) {
			err = errors.New(wrong.Err)
		}
		return netip.AddrPort{}, fail(exitNetwork, s, err)
	}
	return addrs[0], nil
}
