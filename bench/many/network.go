//go:build linux

package main

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

// A network is a DHT of nodes in this process.
type network struct {
	nodes []*dht.Node
	conns []net.PacketConn
}

// noted is a socket that records incoming packets in a ledger.
type noted struct {
	*net.UDPConn
	ledger *ledger
}

func (c noted) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.UDPConn.ReadFromUDPAddrPort(b)
	if err == nil {
		c.ledger.note(c.LocalAddr().String(), from.Addr().Unmap(), b[:n])
	}
	return n, from, err
}

// startDHT starts n nodes, each in a /24 of its own.
func startDHT(ctx context.Context, count int, l *ledger) (*network, error) {
	d := &network{}
	for i := range count {
		if err := d.start(netip.AddrFrom4([4]byte{11, byte(1 + i/250), byte(1 + i%250), 1}), l,
			dht.Limits{}); err != nil {
			d.close()
			return nil, err
		}
		if i%100 == 99 { // so that earlier nodes have time for the later ones
			if err := nodeproc.Pause(ctx, time.Second/4); err != nil {
				d.close()
				return nil, err
			}
		}
	}
	return d, nil
}

func (d *network) start(addr netip.Addr, l *ledger, limits dht.Limits) error {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 6881)))
	if err != nil {
		return err
	}
	d.conns = append(d.conns, conn)
	cfg := dht.Config{Conns: []net.PacketConn{noted{conn, l}}, Limits: limits}
	if len(d.nodes) > 0 {
		cfg.Bootstrap = []string{d.entry()}
	}
	node, err := dht.New(cfg)
	if err != nil {
		return err
	}
	d.nodes = append(d.nodes, node)
	return nil
}

// entry returns the node through which others join.
func (d *network) entry() string { return d.conns[0].LocalAddr().String() }

func (d *network) close() {
	for _, n := range d.nodes {
		n.Close()
	}
	for _, c := range d.conns {
		c.Close()
	}
}

// seekers is how many lookups run at a time.
const seekers = 16

// find looks up some of the torrents with a fresh node, and returns how many lookups led
// to the seeder.
func (d *network) find(ctx context.Context, hashes []string,
	most int) (found, asked int, err error) {
	if err := d.start(seeker, newLedger(seeder), dht.Limits{QueriesOut: 2_000,
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
				if meets(ctx, node, hashes[i*len(hashes)/asked]) {
					count.Add(1)
				}
			}
		})
	}
	wait.Wait()
	return int(count.Load()), asked, ctx.Err()
}

// meets reports whether a lookup leads to the seeder.
func meets(ctx context.Context, node *dht.Node, hash string) bool {
	ih, err := metainfo.ParseHash(hash)
	if err != nil {
		panic(fmt.Sprintf("%q is no info-hash: %v", hash, err))
	}
	met := false
	node.GetPeers(ctx, ih, func(a netip.AddrPort) { met = met || a.Addr() == seeder })
	return met
}
