package swarmnode

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"swarmnode/dht"
	"swarmnode/swarm"
)

const (
	// saveFirst is the time before the DHT nodes are saved first: joining is over by then.
	// saveEvery is the time between later saves. A crash loses at most that much.
	saveFirst = 15 * time.Second
	saveEvery = 5 * time.Minute
	// externalFirst and externalEvery are the times before the first and between later
	// reports of our address, as the DHT sees it.
	externalFirst = time.Second
	externalEvery = 10 * time.Second
)

var _ swarm.ThroughAnnouncer = (*dht.Node)(nil) // the engine asks its Discovery for it

// A DHT shows the DHT node of a Node, which may be off. Its methods are safe for concurrent
// use.
type DHT struct {
	log       *slog.Logger
	saved     *savedNodes
	told      func(netip.AddrPort)           // takes our addresses as the DHT sees them; may be nil
	counted   func(dht.Stats, time.Duration) // takes what the node counts, and its age; may be nil
	discovery swarm.Switch

	// start and stop, which never run at the same time, set cancel.
	cancel context.CancelFunc // ends keep
	wait   sync.WaitGroup     // keep
	warned bool               // that the state cannot be saved; of keep, and of stop after it

	mu    sync.Mutex // guards what follows
	node  *dht.Node  // nil while off
	since time.Time  // when node was started
	state []byte     // for the next node to start from
}

// Node returns the node that runs now, or nil while the DHT is off. Another one takes its
// place when the DHT is switched on again and when the node listens elsewhere.
func (d *DHT) Node() *dht.Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.node
}

// On reports whether a DHT node runs.
func (d *DHT) On() bool { return d.Node() != nil }

// Since returns when the node was started that runs now, or that ran last.
func (d *DHT) Since() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.since
}

// Stats returns counts of the node's work, all zero while the DHT is off.
func (d *DHT) Stats() dht.Stats {
	if n := d.Node(); n != nil {
		return n.Stats()
	}
	return dht.Stats{}
}

// External returns the addresses at which most others see us, at most one per family (see
// dht.Node.External). There are none while the DHT is off.
func (d *DHT) External() []netip.AddrPort {
	if n := d.Node(); n != nil {
		return n.External()
	}
	return nil
}

// Remembers reports whether nodes of an earlier run are known, to join through.
func (d *DHT) Remembers() bool { return len(d.remembered()) > 0 }

// remembered returns the state to start from.
func (d *DHT) remembered() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// remember sets the state to start from.
func (d *DHT) remember(state []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = state
}

// set sets the node that runs.
func (d *DHT) set(n *dht.Node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.node = n
	if n != nil {
		d.since = time.Now()
	}
}

// hint tells the node, if one runs, of another one.
func (d *DHT) hint(addr netip.AddrPort) {
	if n := d.Node(); n != nil {
		n.AddNode(addr)
	}
}

// blockedChanged tells the node, if one runs, that other addresses are blocked.
func (d *DHT) blockedChanged() {
	if n := d.Node(); n != nil {
		n.BlockedChanged()
	}
}

// networkChanged tells the node, if one runs, that our addresses have changed.
func (d *DHT) networkChanged() {
	if n := d.Node(); n != nil {
		n.NetworkChanged()
	}
}

// start starts the node. It must be off. The error is a *BootstrapError.
func (d *DHT) start(cfg dht.Config) error {
	cfg.State = d.remembered()
	node, err := dht.New(cfg)
	if err != nil {
		return &BootstrapError{err}
	}
	d.set(node)
	d.discovery.Set(node)
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.wait.Go(func() { d.keep(ctx, node) })
	return nil
}

// stop ends the node, and saves what it knows. It does nothing while the DHT is off.
func (d *DHT) stop() {
	node := d.Node()
	if node == nil {
		return
	}
	d.cancel()
	d.wait.Wait()
	d.cancel = nil
	if state := node.Save(); state != nil {
		d.remember(state)
		d.save(state)
	}
	d.set(nil)
	d.discovery.Set(nil)
	node.Close()
}

// keep saves the state of node now and then, and reports our address and counts, until ctx
// ends.
func (d *DHT) keep(ctx context.Context, node *dht.Node) {
	save, external := time.NewTimer(saveFirst), time.NewTimer(externalFirst)
	defer save.Stop()
	defer external.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-save.C:
			d.save(node.Save())
			save.Reset(saveEvery)
		case <-external.C:
			if d.told == nil {
				continue
			}
			for _, addr := range node.External() {
				d.told(addr)
			}
			if d.counted != nil {
				d.counted(node.Stats(), time.Since(d.Since()))
			}
			external.Reset(externalEvery)
		}
	}
}

// save writes a state, and warns once if that fails.
func (d *DHT) save(state []byte) {
	if err := d.saved.save(state); err != nil && !d.warned {
		d.warned = true
		d.log.Warn("the DHT nodes are not remembered", "err", err)
	}
}
