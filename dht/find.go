package dht

import (
	"bytes"
	"context"
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/anacrolix/dht/v2/krpc"

	"swarmnode/metainfo"
)

// single owns one query to one node for a waiting caller.
type single struct {
	done func(took time.Duration, m *message, err error) // called once
	over bool
}

func (s *single) answered(now instant, q *query, m *message) { s.end(now-q.sent, m, nil) }
func (s *single) stalled(instant, *query)                    {}
func (s *single) failed(_ instant, _ *query, err error)      { s.end(0, nil, err) }

func (s *single) end(took time.Duration, m *message, err error) {
	if !s.over {
		s.over = true
		s.done(took, m, err)
	}
}

// askOne sends one query and waits for its answer, which take reads in the loop.
func (n *Node) askOne(ctx context.Context, to netip.AddrPort, req request,
	take func(took time.Duration, m *message)) error {
	to = cleanAddr(to)
	done := make(chan error, 1)
	err := n.do(func(c *core, now instant) {
		owner := &single{done: func(took time.Duration, m *message, err error) {
			if err == nil {
				take(took, m)
			}
			done <- err
		}}
		if err := c.ask(now, to, &req, &query{owner: owner}); err != nil {
			done <- err
		}
	})
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-n.ctx.Done():
		return ErrClosed
	}
}

// Ping asks the node at addr for a sign of life. The error is ErrTimeout,
// ErrFamily, ErrBusy, ErrClosed, a *RemoteError, or that of ctx.
func (n *Node) Ping(ctx context.Context, addr netip.AddrPort) (Pong, error) {
	answer := make(chan Pong, 1)
	err := n.askOne(ctx, addr, request{method: methodPing}, func(took time.Duration, m *message) {
		version := m.version[:min(len(m.version), tidMax)]
		answer <- Pong{ID: m.id, RTT: took, Version: string(version), External: m.external,
			Secure: isSecure(m.id, cleanAddr(addr).Addr())}
	})
	if err != nil {
		return Pong{}, err
	}
	return <-answer, nil
}

// Sample asks the node at addr for some of the info-hashes that it stores
// peers for, BEP 51. A crawl goes on at the nodes near target in the answer. The
// errors are those of Ping.
func (n *Node) Sample(ctx context.Context, addr netip.AddrPort, target ID) (Sample, error) {
	answer := make(chan Sample, 1)
	req := request{method: methodSample, target: target}
	err := n.askOne(ctx, addr, req, func(_ time.Duration, m *message) {
		answer <- sampleOf(addr, m)
	})
	if err != nil {
		return Sample{}, err
	}
	return <-answer, nil
}

// sampleIntervalMax is the longest pause that BEP 51 lets a node ask for.
const sampleIntervalMax = 21600

func sampleOf(from netip.AddrPort, m *message) Sample {
	s := Sample{
		Num:      int(min(max(m.num, 0), 1<<31-1)),
		Interval: time.Duration(min(max(m.interval, 0), sampleIntervalMax)) * time.Second,
	}
	for list := m.samples; len(list) >= len(ID{}); list = list[len(ID{}):] {
		s.Hashes = append(s.Hashes, ID(list))
	}
	take := func(id ID, a netip.AddrPort) {
		if reachable(from, a) {
			s.Nodes = append(s.Nodes, NodeInfo{id, a})
		}
	}
	eachNode(m.nodes, compactNode4, nodesPerReply, take)
	eachNode(m.nodes6, compactNode6, nodesPerReply, take)
	return s
}

// await starts an operation in the loop and waits until the operation calls done.
// Until then await calls flush whenever ready is signalled, and once more at the
// end. Both ready and flush may be nil.
func (n *Node) await(ctx context.Context, start func(c *core, now instant,
	done func(Lookup)) *operation, ready <-chan struct{}, flush func()) (Lookup, error) {
	result := make(chan Lookup, 1)
	var op *operation // touched in the loop only
	err := n.do(func(c *core, now instant) {
		op = start(c, now, func(l Lookup) { result <- l })
	})
	if err != nil {
		return Lookup{}, err
	}
	for {
		select {
		case <-ready:
			flush()
		case l := <-result:
			if flush != nil {
				flush()
			}
			return l, nil
		case <-ctx.Done():
			_ = n.do(func(*core, instant) { op.stop() }) // closed: nothing to stop
			return Lookup{}, ctx.Err()
		case <-n.ctx.Done():
			return Lookup{}, ErrClosed
		}
	}
}

// FindNode walks to the nodes closest to target. The error is that of ctx, or
// ErrClosed.
func (n *Node) FindNode(ctx context.Context, target ID) (Lookup, error) {
	return n.await(ctx, func(c *core, now instant, done func(Lookup)) *operation {
		req := request{method: methodFindNode, target: target}
		return c.lookUp(now, &req, lookupSink{}, func(now instant, op *operation) {
			done(op.result(now))
		})
	}, nil, nil)
}

// GetPeers looks ih up once and calls each, from the caller's goroutine, with
// every distinct peer as soon as it is found. The error is that of ctx, or
// ErrClosed.
func (n *Node) GetPeers(ctx context.Context, ih metainfo.Hash,
	each func(netip.AddrPort)) (Lookup, error) {
	return n.lookUpOnce(ctx, ih, nil, each)
}

// Announce looks ih up once and announces it at port to the closest nodes. The
// arguments port and seed are those of Peers; each, which may be nil, is that of
// GetPeers. The error is ErrNotStored when no node accepted the announce, that of
// ctx, or ErrClosed.
func (n *Node) Announce(ctx context.Context, ih metainfo.Hash, port uint16, seed bool,
	each func(netip.AddrPort)) (Lookup, error) {
	l, err := n.lookUpOnce(ctx, ih, &announce{port, seed}, each)
	if err == nil && l.Stored == 0 {
		err = ErrNotStored
	}
	return l, err
}

func (n *Node) lookUpOnce(ctx context.Context, ih metainfo.Hash, a *announce,
	each func(netip.AddrPort)) (Lookup, error) {
	peers := newFound()
	seen := make(map[netip.AddrPort]struct{})
	flush := func() {
		for _, p := range peers.take() {
			if _, dup := seen[p]; !dup && each != nil && len(seen) < yieldedMax {
				seen[p] = struct{}{}
				each(p)
			}
		}
	}
	return n.await(ctx, func(c *core, now instant, done func(Lookup)) *operation {
		return c.lookUpPeers(now, ID(ih), peers, a, done)
	}, peers.ready, flush)
}

// Scrape estimates how many seeds and how many other peers the DHT knows for
// ih, from the bloom filters of BEP 33. The error is that of ctx, or ErrClosed.
func (n *Node) Scrape(ctx context.Context, ih metainfo.Hash) (seeds, peers float64, l Lookup,
	err error) {
	type filters [2]krpc.ScrapeBloomFilter
	result := make(chan filters, 1)
	l, err = n.await(ctx, func(c *core, now instant, done func(Lookup)) *operation {
		var sum filters
		merge := func(_ instant, _ netip.AddrPort, m *message) {
			for i := range m.seeds {
				sum[0][i] |= m.seeds[i]
			}
			for i := range m.leeches {
				sum[1][i] |= m.leeches[i]
			}
		}
		req := request{method: methodGetPeers, target: ID(ih), scrape: true}
		return c.lookUp(now, &req, lookupSink{answer: merge}, func(now instant, op *operation) {
			result <- sum
			done(op.result(now))
		})
	}, nil, nil)
	if err != nil {
		return 0, 0, l, err
	}
	sum := <-result
	return estimate(&sum[0]), estimate(&sum[1]), l, nil
}

// estimate returns the number of addresses in a filter. For an empty filter the
// formula of BEP 33 gives a negative zero, so that case is separate.
func estimate(f *krpc.ScrapeBloomFilter) float64 {
	if bytes.Count(f[:], []byte{0}) == len(f) {
		return 0
	}
	return f.EstimateCount()
}

// ParseID reads an id or a target of 40 hexadecimal digits.
func ParseID(s string) (id ID, ok bool) {
	if len(s) != 2*len(id) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err == nil
}
