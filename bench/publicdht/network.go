//go:build linux

package publicdht

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/dht"
	"swarmnode/internal/nodeproc"
	"swarmnode/metainfo"
)

// A Network is a DHT of nodes in this process.
type Network struct {
	nodes  []*dht.Node
	conns  []net.PacketConn
	ledger *Ledger
}

// noted is a socket that records incoming packets in a ledger.
type noted struct {
	*net.UDPConn
	ledger *Ledger
}

func (c noted) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.UDPConn.ReadFromUDPAddrPort(b)
	if err == nil {
		c.ledger.note(c.LocalAddr().String(), from.Addr().Unmap(), b[:n])
	}
	return n, from, err
}

// Start starts nodes, each in a /24 of its own. l takes the queries that they get.
func Start(ctx context.Context, count int, l *Ledger) (*Network, error) {
	d := &Network{ledger: l}
	for i := range count {
		if err := d.start(netip.AddrFrom4([4]byte{11, byte(1 + i/250), byte(1 + i%250), 1}),
			dht.Limits{}); err != nil {
			d.Close()
			return nil, err
		}
		if i%100 == 99 { // so that earlier nodes have time for the later ones
			if err := nodeproc.Pause(ctx, time.Second/4); err != nil {
				d.Close()
				return nil, err
			}
		}
	}
	return d, nil
}

func (d *Network) start(addr netip.Addr, limits dht.Limits) error {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 6881)))
	if err != nil {
		return err
	}
	d.conns = append(d.conns, conn)
	cfg := dht.Config{Conns: []net.PacketConn{noted{conn, d.ledger}}, Limits: limits}
	if len(d.nodes) > 0 {
		cfg.Bootstrap = []string{d.Entry()}
	}
	node, err := dht.New(cfg)
	if err != nil {
		return err
	}
	d.nodes = append(d.nodes, node)
	return nil
}

// Entry returns the node through which others join.
func (d *Network) Entry() string { return d.conns[0].LocalAddr().String() }

// Close ends all nodes.
func (d *Network) Close() {
	for _, n := range d.nodes {
		n.Close()
	}
	for _, c := range d.conns {
		c.Close()
	}
}

// seekers is how many lookups run at a time.
const seekers = 16

// Find looks up some of the torrents with a fresh node at the address by, and returns how many
// lookups led to the node of the Ledger.
func (d *Network) Find(ctx context.Context, by netip.Addr, hashes []string,
	most int) (found, asked int, err error) {
	if err := d.start(by, dht.Limits{QueriesOut: 2_000,
		AddressesOut: 1_000_000}); err != nil {
		return 0, 0, err
	}
	node := d.nodes[len(d.nodes)-1]
	if err := node.Join(ctx); err != nil {
		return 0, 0, err
	}
	asked = min(most, len(hashes))
	var next, count atomic.Int64
	var wait sync.WaitGroup
	for range seekers {
		wait.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= asked || ctx.Err() != nil {
					return
				}
				if d.meets(ctx, node, hashes[i*len(hashes)/asked]) {
					count.Add(1)
				}
			}
		})
	}
	wait.Wait()
	return int(count.Load()), asked, ctx.Err()
}

// meets reports whether a lookup leads to the node of the Ledger.
func (d *Network) meets(ctx context.Context, node *dht.Node, hash string) bool {
	ih, err := metainfo.ParseHash(hash)
	if err != nil {
		panic(fmt.Sprintf("%q is no info-hash: %v", hash, err))
	}
	met := false
	node.GetPeers(ctx, ih, func(a netip.AddrPort) { met = met || a.Addr() == d.ledger.whose })
	return met
}
