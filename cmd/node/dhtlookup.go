package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/dht"
	"swarmnode/metainfo"
)

func dhtPingCommand() *command {
	return &command{
		name: "ping", args: "HOST:PORT", argsMin: 1, argsMax: 1,
		short: "ask a node whether it is alive",
		examples: []example{{"node dht ping 192.0.2.7:6881",
			"its id, how long the answer took, and where it sees us"}},
		setup: func(fs *pflag.FlagSet) action {
			var f dhtFlags
			f.register(fs)
			return func(ctx context.Context, c *console, args []string) error {
				addr, err := f.listen.resolveAddr(ctx, args[0])
				if err != nil {
					return err
				}
				return f.with(ctx, c, false, func(ctx context.Context, n *dht.Node) error {
					p, err := n.Ping(ctx, addr)
					if err != nil {
						return f.failure(ctx, args[0], err)
					}
					e := pongEvent{ID: p.ID.String(), Addr: addr.String(), Milliseconds: ms(p.RTT),
						Version: p.Version, Secure: p.Secure}
					if p.External.IsValid() {
						e.External = p.External.String()
					}
					c.event("pong", e)
					c.result(fmt.Sprintf("%s %s  %.1f ms  version %q  sees us at %s", e.ID, e.Addr,
						e.Milliseconds, e.Version, e.External))
					return nil
				})
			}
		},
	}
}

// pong: the answer to a ping.
type pongEvent struct {
	ID           string  `json:"id"`
	Addr         string  `json:"addr"`
	Milliseconds float64 `json:"ms"`
	Version      string  `json:"version,omitempty"`
	External     string  `json:"external,omitempty"` // our address as that node sees it
	Secure       bool    `json:"secure"`             // its id fits its address, BEP 42
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func dhtFindCommand() *command {
	return &command{
		name: "find", args: "TARGET", argsMin: 1, argsMax: 1,
		short: "find the nodes closest to an id or info-hash",
		examples: []example{{"node dht find HASH",
			"ids, addresses, and the distance as a power of two"}},
		setup: func(fs *pflag.FlagSet) action {
			var f dhtFlags
			f.register(fs)
			return func(ctx context.Context, c *console, args []string) error {
				target, err := parseTarget(args[0])
				if err != nil {
					return err
				}
				return f.with(ctx, c, true, func(ctx context.Context, n *dht.Node) error {
					l, err := n.FindNode(ctx, target)
					if err != nil {
						return f.failure(ctx, args[0], err)
					}
					for _, node := range l.Closest {
						c.result(fmt.Sprintf("%s %-21s 2^%d", node.ID, node.Addr,
							distance(target, node.ID)))
					}
					report(c, l)
					return nil
				})
			}
		},
	}
}

// parseTarget reads a target of the key space: an id, an info-hash or a magnet link.
func parseTarget(s string) (dht.ID, error) {
	h, err := parseSwarm(s)
	return dht.ID(h), err
}

// parseSwarm reads an info-hash, or takes it from a magnet link.
func parseSwarm(s string) (metainfo.Hash, error) {
	if m, ok := parseBareHash(s); ok {
		return m.Hash(), nil
	}
	if strings.HasPrefix(strings.ToLower(s), "magnet:") {
		m, err := metainfo.ParseMagnet(s)
		if err != nil {
			return metainfo.Hash{}, fail(exitInput, quoteSource(s), err)
		}
		return m.Hash(), nil
	}
	return metainfo.Hash{}, failWithHint(exitInput, quoteSource(s), errors.New("not an info-hash"),
		"40 hexadecimal digits, or a magnet link")
}

// peer: a peer that announces an info-hash.
type peerEvent struct {
	Torrent string `json:"torrent"`
	Addr    string `json:"addr"`
}

func dhtPeersCommand() *command {
	return &command{
		name: "peers", args: "HASH", argsMin: 1, argsMax: 1,
		short:    "find the peers of an info-hash, without announcing it",
		examples: []example{{"node dht peers HASH", "one address a line, as they are found"}},
		setup: func(fs *pflag.FlagSet) action {
			var f dhtFlags
			f.register(fs)
			return func(ctx context.Context, c *console, args []string) error {
				hash, err := parseSwarm(args[0])
				if err != nil {
					return err
				}
				return f.with(ctx, c, true, func(ctx context.Context, n *dht.Node) error {
					found := 0
					l, err := n.GetPeers(ctx, hash, func(a netip.AddrPort) {
						found++
						c.event("peer", peerEvent{hash.String(), a.String()})
						c.result(a.String())
					})
					if err != nil {
						return f.failure(ctx, args[0], err)
					}
					report(c, l)
					if found == 0 {
						return fail(exitNoPeers, hash.Short(), errors.New("no peer was found"))
					}
					return nil
				})
			}
		},
	}
}

func dhtAnnounceCommand() *command {
	return &command{
		name: "announce", args: "HASH", argsMin: 1, argsMax: 1,
		short: "announce an info-hash once, at a port of this machine",
		long:  `The announce is forgotten after half an hour or so unless it is repeated.`,
		examples: []example{{"node dht announce --port 6881 HASH",
			"announce a peer on port 6881"}},
		setup: func(fs *pflag.FlagSet) action {
			var f dhtFlags
			var at portValue
			var seed bool
			fs.VarP(&at, "port", "p", "TCP port to announce")
			fs.BoolVar(&seed, "seed", false, "announce a seed, BEP 33")
			f.registerPort(fs, "")
			return func(ctx context.Context, c *console, args []string) error {
				hash, err := parseSwarm(args[0])
				if err != nil {
					return err
				}
				if at.port == 0 {
					return usage(c.command, errors.New("--port is missing"))
				}
				return f.with(ctx, c, true, func(ctx context.Context, n *dht.Node) error {
					l, err := n.Announce(ctx, hash, at.port, seed, func(a netip.AddrPort) {
						c.event("peer", peerEvent{hash.String(), a.String()})
					})
					if err != nil {
						return f.failure(ctx, args[0], err)
					}
					c.result("announced to " + plural(l.Stored, "node"))
					report(c, l)
					return nil
				})
			}
		},
	}
}

// sample: some of the info-hashes that a node stores peers for.
type sampleEvent struct {
	Addr     string   `json:"addr"`
	Total    int      `json:"total"`    // info-hashes that it has
	Interval int      `json:"interval"` // seconds until it may be asked again
	Hashes   []string `json:"hashes"`
	Nodes    []string `json:"nodes,omitempty"` // where to go on
}

func dhtSampleCommand() *command {
	return &command{
		name: "sample", args: "[HOST:PORT]", argsMax: 1,
		short: "ask a node for some of the info-hashes that it knows, BEP 51",
		long:  `Without an address, the node of the table that answers first is asked.`,
		examples: []example{
			{"node dht sample 192.0.2.7:6881", "one info-hash a line"},
		},
		setup: func(fs *pflag.FlagSet) action {
			var f dhtFlags
			f.register(fs)
			return func(ctx context.Context, c *console, args []string) error {
				var addr netip.AddrPort
				var err error
				if len(args) > 0 {
					if addr, err = f.listen.resolveAddr(ctx, args[0]); err != nil {
						return err
					}
				}
				return f.with(ctx, c, len(args) == 0, func(ctx context.Context, n *dht.Node) error {
					if !addr.IsValid() {
						for _, contact := range n.Table() {
							addr = contact.Addr
							break
						}
					}
					s, err := n.Sample(ctx, addr, n.ID(addr.Addr().Is6()))
					if err != nil {
						return f.failure(ctx, addr.String(), err)
					}
					e := sampleEvent{Addr: addr.String(), Total: s.Num,
						Interval: int(s.Interval / time.Second), Hashes: []string{}}
					for _, h := range s.Hashes {
						e.Hashes = append(e.Hashes, h.String())
						c.result(h.String())
					}
					for _, node := range s.Nodes {
						e.Nodes = append(e.Nodes, node.Addr.String())
					}
					c.event("sample", e)
					c.note("%s counts %d info-hashes, and may be asked again in %s", addr, s.Num,
						formatDuration(s.Interval))
					return nil
				})
			}
		},
	}
}

// contact: a node in the routing table.
type contactEvent struct {
	ID           string  `json:"id"`
	Addr         string  `json:"addr"`
	Bucket       int     `json:"bucket"`
	Good         bool    `json:"good"`
	Fails        int     `json:"fails"`
	Milliseconds float64 `json:"ms"`       // of its last answer
	Seconds      float64 `json:"answered"` // seconds since then
	Secure       bool    `json:"secure"`
}

func dhtTableCommand() *command {
	return &command{
		name:     "table",
		short:    "join, and print the routing table",
		examples: []example{{"node dht table", "one node a line: bucket, id, address, state"}},
		setup: func(fs *pflag.FlagSet) action {
			var f dhtFlags
			f.register(fs)
			return func(ctx context.Context, c *console, _ []string) error {
				return f.with(ctx, c, true, func(ctx context.Context, n *dht.Node) error {
					list := n.Table()
					for _, k := range list {
						e := contactEvent{k.ID.String(), k.Addr.String(), k.Bucket, k.Good, k.Fails,
							ms(k.RTT), k.Answered.Seconds(), k.Secure}
						c.event("contact", e)
						state := "questionable"
						if k.Good {
							state = "good"
						}
						c.result(fmt.Sprintf("%3d %s %-21s %s, %.1f ms", k.Bucket, k.ID, k.Addr,
							state, e.Milliseconds))
					}
					c.note("%s; our id is %s", plural(len(list), "node"),
						hex.EncodeToString(idOf(n)))
					return nil
				})
			}
		},
	}
}

// idOf returns the id of n in the address family that it has, IPv4 first.
func idOf(n *dht.Node) []byte {
	id := n.ID(false)
	if id == (dht.ID{}) {
		id = n.ID(true)
	}
	return id[:]
}
