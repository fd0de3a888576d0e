package swarmnode

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"swarmnode/dht"
	"swarmnode/swarm/egress"
	"swarmnode/swarm/portmap"
	"swarmnode/swarm/transport/socks"
)

// A DHTConfig describes a DHTNode. The zero value of each field has a meaning.
type DHTConfig struct {
	// Listen are the addresses to listen on by UDP, and Port the port of those that name
	// none (see Config.Listen). Zero leaves it to the system.
	Listen []netip.AddrPort
	Port   uint16
	// Network is the way by which the node reaches others; nil leaves that to the system.
	Network *Network
	// StateDir is the folder for the nodes that were met. Empty means that nothing is kept.
	StateDir string
	// Bootstrap are the hosts to join through (see Config.Bootstrap).
	Bootstrap []string
	// Blocklists are lists of addresses that are neither asked nor answered (see
	// Config.Blocklists).
	Blocklists []string
	// Router makes a node through which others join: with a large table, no limit on
	// answers, and a saved state of its own.
	Router bool
	// ReadOnly makes a node that asks and does not answer (BEP 43). It starts from the nodes
	// that a Node has saved, and saves nothing.
	ReadOnly bool
	// NoPortmap does not ask the routers to map our port (see Config.NoPortmap). A node that
	// is ReadOnly never asks them.
	NoPortmap bool
	// Logger takes warnings and a line per change of state, and DHTLogger those of the DHT
	// node instead, unless it is nil. Nothing is logged if both are nil.
	Logger, DHTLogger *slog.Logger
}

// A DHTNode is a DHT node alone, which exchanges no content. Its methods are safe for
// concurrent use.
type DHTNode struct {
	DHT
	cfg     dht.Config // without Conns
	out     *egress.Net
	device  *deviceWatch // nil without an interface of its own
	blocked *blocklists
	mapped  *PortMap // nil without port mapping
	close   sync.Once

	listening sync.Mutex // guards what follows
	conns     []net.PacketConn
}

// StartDHT starts a DHT node alone. It does not wait for the network, except for blocklists of
// servers of which it has no earlier one. The error is a *ListenError, a *StateError, a
// *BlocklistError or a *BootstrapError.
func StartDHT(cfg DHTConfig) (*DHTNode, error) {
	all := Config{Logger: cfg.Logger, DHTLogger: cfg.DHTLogger, Bootstrap: cfg.Bootstrap,
		Blocklists: cfg.Blocklists, Network: cfg.Network}
	all = all.withDefaults()
	dir, err := openFolder(all.Logger, cfg.StateDir)
	if err != nil {
		return nil, err
	}
	blocked, err := loadBlocklists(context.Background(), &all, dir)
	if err != nil {
		return nil, err
	}
	d := &DHTNode{out: cfg.Network.Egress(), device: watchDevice(cfg.Network, all.Logger),
		blocked: blocked}
	d.log = all.Logger
	resolve, err := d.open(cfg.Network, cfg.Listen, cfg.Port, all.Bootstrap)
	if err != nil {
		blocked.stop()
		return nil, err
	}
	name := nodesOfPeers
	if cfg.Router {
		name = nodesOfBootstrap
	}
	if cfg.Network.Proxied() {
		name = proxied(name)
	} else {
		name = nodesFile(name, d.Addrs())
	}
	if cfg.ReadOnly {
		d.saved = readNodes(dir, name)
	} else {
		d.saved = keepNodes(dir, name)
	}
	if !cfg.ReadOnly && !cfg.NoPortmap {
		d.mapped = newPortMap(portmap.Config{Net: d.out, Log: d.log, Secret: dir.secret(d.log)})
	}
	d.mapped.Set(d.Addrs(), false, true)
	d.remember(d.saved.load(d.log))
	d.cfg = dht.Config{Bootstrap: all.Bootstrap, Router: cfg.Router, ReadOnly: cfg.ReadOnly,
		Resolve: resolve, Blocked: blocked.has, Logger: all.DHTLogger}
	if err := d.startOn(d.conns); err != nil {
		d.Close()
		return nil, err
	}
	d.device.start(d.renew)
	blocked.follow(d.blockedChanged)
	return d, nil
}

// Blocklist describes the addresses that are blocked (see DHTConfig.Blocklists).
func (d *DHTNode) Blocklist() BlocklistState { return d.blocked.state() }

// ReloadBlocklist is Node.ReloadBlocklist for a DHT node alone.
func (d *DHTNode) ReloadBlocklist(ctx context.Context) error {
	if err := d.blocked.load(ctx); err != nil {
		return err
	}
	d.blockedChanged()
	return nil
}

// open makes the sockets of the node, and returns how it looks up names. Behind a proxy it
// listens nowhere.
func (d *DHTNode) open(w *Network, listen []netip.AddrPort, port uint16,
	bootstrap []string) (lookUp, error) {
	if w.Proxied() {
		relay := newNamingConn(w.proxy.PacketConn(func(err error) {
			switch {
			case err == nil:
				d.networkChanged()
			case errors.Is(err, socks.ErrNoUDP):
				d.log.Warn("there is no DHT behind this proxy", "err", err)
			default:
				d.log.Warn("waiting for the proxy: nothing leaves past it", "err", err)
			}
		}))
		d.conns = []net.PacketConn{relay}
		return relay.lookUp(bootstrap), nil
	}
	addrs := w.ListenAddrs(listen, port)
	conns, err := listenUDP(w.Egress(), addrs)
	if err != nil {
		return nil, listenError(addrs, err)
	}
	d.conns = conns
	return w.resolve, nil
}

// Addrs returns the addresses that the node listens on, with their ports. Behind a proxy there
// are none.
func (d *DHTNode) Addrs() []netip.AddrPort {
	d.listening.Lock()
	defer d.listening.Unlock()
	var list []netip.AddrPort
	for _, c := range d.conns {
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok && a.Port != 0 {
			list = append(list, a.AddrPort())
		}
	}
	return list
}

// startOn starts the node on conns.
func (d *DHTNode) startOn(conns []net.PacketConn) error {
	cfg := d.cfg
	cfg.Conns = conns
	return d.start(cfg)
}

// renew makes the sockets again, at the same addresses, after the interface was made again. On
// an error nothing listens, and renew can be called again.
func (d *DHTNode) renew() error {
	if d.out.Proxy() != nil {
		return nil // the relay is asked for again by itself
	}
	addrs := d.Addrs()
	conns, err := listenUDP(d.out, addrs)
	d.stop()
	d.listening.Lock()
	closeAll(d.conns)
	if err == nil {
		d.conns = conns
	}
	d.listening.Unlock()
	if err != nil {
		return err
	}
	d.mapped.NetworkChanged()
	return d.startOn(conns)
}

// Mappings is Node.Mappings for a DHT node alone.
func (d *DHTNode) Mappings() []portmap.Mapping { return d.mapped.State() }

// Close ends the node, saves what it knows, removes the mappings of its port, and waits for
// that.
func (d *DHTNode) Close() {
	d.close.Do(func() {
		d.mapped.leave()
		d.device.stop()
		d.blocked.stop()
		d.stop()
		closeAll(d.conns)
		d.saved.close()
		d.mapped.Close()
	})
}

// listenUDP binds addrs, or none of them.
func listenUDP(n *egress.Net, addrs []netip.AddrPort) (conns []net.PacketConn, err error) {
	for _, a := range addrs {
		conn, err := n.ListenUDP(context.Background(), a)
		if err != nil {
			closeAll(conns)
			return nil, err
		}
		conns = append(conns, conn)
	}
	return conns, nil
}

func closeAll(conns []net.PacketConn) {
	for _, c := range conns {
		c.Close()
	}
}
