package dht

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// eventsMax bounds the packets and commands that wait for the loop. At the bound
	// the readers wait, and the kernel drops further packets.
	eventsMax = 256

	// drainMax is how many events the loop takes between two looks at the clock.
	drainMax = 64
)

// Node is a node of the DHT. Its methods are safe for concurrent use. Methods that
// query the network take a context, and return its error once it is done.
type Node struct {
	core   *core // owned by loop
	conns  []*conn
	byFam  [families]*conn // our queries leave here
	came   *conn           // while a packet is handled: where it came in
	from   netip.AddrPort  // and its sender
	log    *slog.Logger
	epoch  time.Time // the instant clockStart
	events chan event

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // loop, readers, resolver
	ended  chan struct{}  // closed when the loop has ended

	joinOnce sync.Once
	joined   chan struct{} // closed when a family joins for the first time
	isJoined atomic.Bool
	rounds   chan struct{} // holds a token for each round of Peers that runs
	searches atomic.Int64  // calls of Peers that run
	resolver resolverLoop

	mu       sync.Mutex
	changed  chan struct{}    // closed and replaced by NetworkChanged; under mu
	lookedUp map[ID]time.Time // when Peers last looked up an info-hash; under mu
	// lookedUpSweep is the size of lookedUp at which old entries are removed next.
	lookedUpSweep int
}

// event is an input of the loop: a packet, or else a command.
type event struct {
	packet *packet
	do     func(c *core, now instant)
}

// New starts a node on cfg.Conns. It does not wait for the network. It returns an
// error only for an invalid cfg.
func New(cfg Config) (*Node, error) {
	addrs, names, err := splitHosts(cfg.Bootstrap)
	if err != nil {
		return nil, err
	}
	n := &Node{
		log:      cfg.Logger,
		epoch:    time.Now(),
		events:   make(chan event, eventsMax),
		joined:   make(chan struct{}),
		rounds:   make(chan struct{}, roundsMax),
		changed:  make(chan struct{}),
		ended:    make(chan struct{}),
		lookedUp: make(map[ID]time.Time),
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if err := n.openConns(cfg.Conns); err != nil {
		return nil, err
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	var seed [32]byte
	crand.Read(seed[:])
	n.core = newCore(n.now(), coreConfig{
		limits:   cfg.Limits.withDefaults(cfg.Router),
		readOnly: cfg.ReadOnly, router: cfg.Router, strict: cfg.EnforceID,
		blocked: cfg.Blocked, seen: cfg.Seen,
		rng:    rand.New(rand.NewChaCha8(seed)),
		send:   n.send,
		joined: n.onJoined,
		lost:   n.onLost,
	})
	n.populate(cfg.State, addrs)
	n.resolver = newResolverLoop(n, addrs, names, cfg.Resolve)
	n.wg.Go(n.loop)
	for _, c := range n.conns {
		n.wg.Go(func() { c.read(n) })
	}
	if len(names) > 0 {
		n.wg.Go(n.resolver.run)
	}
	return n, nil
}

// populate opens each family that has a connection.
func (n *Node) populate(state []byte, hosts []netip.AddrPort) {
	now := n.now()
	saved := parseState(state)
	for i := range families {
		if n.byFam[i] == nil {
			continue
		}
		f := n.core.addFamily(now, i, saved.families[i].id)
		f.saved = saved.families[i].nodes
		n.core.stats.Saved += len(f.saved)
		f.setHosts(now, hostsOf(hosts, i))
	}
}

func hostsOf(hosts []netip.AddrPort, family int) (list []netip.AddrPort) {
	for _, h := range hosts {
		if familyOf(h.Addr()) == family {
			list = append(list, h)
		}
	}
	return list
}

// Close stops the node and waits until its goroutines have ended. The connections
// stay open, without a read deadline.
func (n *Node) Close() error {
	n.cancel()
	for _, c := range n.conns {
		c.interrupt()
	}
	n.wg.Wait()
	for _, c := range n.conns {
		c.restore()
	}
	return nil
}

func (n *Node) now() instant { return clockStart + time.Since(n.epoch) }

// loop owns the core.
func (n *Node) loop() {
	defer close(n.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	armed := instant(0)
	for {
		if next := n.core.next(); next != armed {
			armed = next
			timer.Reset(max(0, next-n.now()))
		}
		select {
		case e := <-n.events:
			n.take(e)
			n.drain()
		case <-timer.C:
			armed = 0
		case <-n.ctx.Done():
			return
		}
		if now := n.now(); now >= n.core.next() {
			n.core.tick(now)
		}
	}
}

// drain takes further pending events, at most drainMax: a flood of packets must not
// delay timeouts.
func (n *Node) drain() {
	for range drainMax {
		select {
		case e := <-n.events:
			n.take(e)
		default:
			return
		}
	}
}

func (n *Node) take(e event) {
	now := n.now()
	if e.packet == nil {
		e.do(n.core, now)
		return
	}
	n.came, n.from = e.packet.conn, e.packet.from
	n.core.receive(now, e.packet.from, e.packet.data[:e.packet.n])
	n.came = nil
	e.packet.free()
}

// send writes the core's packets. An answer leaves from the connection where its
// query came in, BEP 45.
func (n *Node) send(to netip.AddrPort, b []byte) {
	c := n.byFam[familyOf(to.Addr())]
	if n.came != nil && n.from == to {
		c = n.came
	}
	if c != nil {
		c.write(b, to)
	}
}

// do sends f to the loop.
func (n *Node) do(f func(c *core, now instant)) error {
	select {
	case n.events <- event{do: f}:
		return nil
	case <-n.ctx.Done():
		return ErrClosed
	}
}

// call runs f in the loop and waits until f has returned. After the error ErrClosed, f has
// not run and will not.
func (n *Node) call(f func(c *core, now instant)) error {
	done := make(chan struct{})
	err := n.do(func(c *core, now instant) {
		f(c, now)
		close(done)
	})
	if err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-n.ended:
	}
	select {
	case <-done: // f was the last thing that the loop did
		return nil
	default:
		return ErrClosed
	}
}

// onJoined is called by the core, in the loop.
func (n *Node) onJoined(family int) {
	n.isJoined.Store(true)
	n.joinOnce.Do(func() { close(n.joined) })
	n.log.Info("joined the DHT", "family", familyNames[family],
		"nodes", n.core.families[family].table.count)
}

// onLost is called by the core, in the loop, when all contacts have gone silent.
func (n *Node) onLost(family int) {
	n.log.Info("lost the DHT", "family", familyNames[family])
	for _, f := range n.core.families {
		if f != nil && f.joined {
			return
		}
	}
	n.isJoined.Store(false)
	n.resolver.poke()
}

var familyNames = [families]string{"ipv4", "ipv6"}

// Join waits until the node has joined a family: until the first lookup of its own
// id has found somebody. The error is ErrClosed on a closed node, even if that had
// joined, or that of ctx.
func (n *Node) Join(ctx context.Context) error {
	if n.ctx.Err() != nil {
		return ErrClosed
	}
	select {
	case <-n.joined:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.ctx.Done():
		return ErrClosed
	}
}

// AddNode suggests a node, from a PORT message, a magnet or a torrent. It never
// blocks for long; suggestions beyond the limits are ignored.
func (n *Node) AddNode(addr netip.AddrPort) {
	addr = cleanAddr(addr)
	_ = n.do(func(c *core, now instant) { // a closed node needs no hints
		if f := c.families[familyOf(addr.Addr())]; addr.IsValid() && f != nil {
			f.hint(now, addr)
		}
	})
}

// NetworkChanged tells the node that an address or a route has changed, or that the
// network is back. The node joins again at once, and each running Peers announces
// again at once.
func (n *Node) NetworkChanged() {
	_ = n.do(func(c *core, now instant) {
		for _, f := range c.families {
			if f != nil {
				f.rejoin(now)
			}
		}
	})
	n.resolver.poke()
	n.announceAgain()
}

func (n *Node) changes() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

// External returns the addresses at which most others see us, at most one per
// family, IPv4 first. The port is zero when they disagree about it, as behind
// a NAT that maps each destination to a port of its own.
func (n *Node) External() (list []netip.AddrPort) {
	_ = n.call(func(c *core, _ instant) {
		for _, f := range c.families {
			if f == nil {
				continue
			}
			if own := f.votes.Elected(); own.IsValid() {
				list = append(list, own)
			}
		}
	})
	return list
}

// ID returns the node's id in the IPv4 DHT, or in the IPv6 one if ipv6 is set. It is
// zero without that family. An id changes when the external address does.
func (n *Node) ID(ipv6 bool) (id ID) {
	index := v4
	if ipv6 {
		index = v6
	}
	_ = n.call(func(c *core, _ instant) {
		if f := c.families[index]; f != nil {
			id = f.id
		}
	})
	return id
}

// Stats returns counts of the node's work and the sizes of its stores.
func (n *Node) Stats() (s Stats) {
	_ = n.call(func(c *core, now instant) { s = c.snapshot(now) })
	return s
}

func (c *core) snapshot(now instant) Stats {
	s := c.stats
	s.Items, s.Queries = len(c.items.items), len(c.queries.heap)
	for i, f := range c.families {
		if f == nil {
			continue
		}
		s.Contacts[i] = f.table.count
		s.Hashes += len(f.peers.swarms)
		s.Joined = s.Joined || f.joined
		s.Strangers[i] = f.strangers.networks(now)
		for j := range f.table.buckets {
			for _, e := range f.table.buckets[j].contacts {
				if e.good(now) {
					s.Good[i]++
				}
			}
		}
	}
	return s
}

// Table returns the contacts of both families, IPv4 first, by bucket.
func (n *Node) Table() (list []Contact) {
	_ = n.call(func(c *core, now instant) {
		for _, f := range c.families {
			if f == nil {
				continue
			}
			for depth := range f.table.buckets {
				for _, e := range f.table.buckets[depth].contacts {
					list = append(list, Contact{
						NodeInfo: NodeInfo{e.id, e.addr()}, Bucket: depth, Good: e.good(now),
						Fails: int(e.fails), RTT: e.rtt, Answered: now - e.answered,
						Secure: e.secure,
					})
				}
			}
		}
	})
	return list
}

// IsPacket reports whether b is a datagram of the DHT rather than of uTP, for those
// who share a port: the former is a bencoded dictionary, the latter begins with a
// byte of 0x01 to 0x41, BEP 29.
func IsPacket(b []byte) bool { return len(b) > 0 && b[0] == 'd' }

// String names the node in logs of tests and tools.
func (n *Node) String() string { return fmt.Sprintf("dht node on %v", n.conns[0].pc.LocalAddr()) }
