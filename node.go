package swarmnode

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"swarmnode/dht"
	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/lsd"
	"swarmnode/swarm/reach"
)

// A Node is a running BitTorrent node: an engine with its torrents, a DHT node, local
// discovery, and what it remembers between runs. Its methods are safe for concurrent use.
type Node struct {
	cfg     Config
	dir     folder
	engine  *swarm.Engine
	dht     DHT
	local   swarm.Switch // local service discovery
	blocked *blocklists
	relays  *relays      // nil if none is used
	device  *deviceWatch // nil without an interface of its own
	mapped  *PortMap     // nil without port mapping
	telling sync.Mutex   // held while the DHT node is told of our public ports
	cancel  func() bool  // makes the end of the context of Start close the node no more

	mu      sync.Mutex // held while parts are switched, exchanged or closed
	choice  portChoice
	taken   uint16
	wantDHT bool
	wantLSD bool
	lsd     *lsd.Service // nil while off
	proxy   *proxyLink   // nil without a proxy
	noRelay bool         // the proxy relays no datagrams
	closed  bool

	done     chan struct{} // closed when everything has ended
	closeErr error
}

// Start starts a Node: it makes the state folder, binds the ports, and then starts the DHT
// and local discovery. It does not wait for the network, except for blocklists of servers of
// which it has no earlier one. The error is a *ListenError, a *StateError, a *BlocklistError, a
// *BootstrapError or a *RelayError, or says what is wrong with cfg. When ctx ends, the node
// closes as by Close; see Done.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	relays, err := newRelays(&cfg)
	if err != nil {
		return nil, err
	}
	dir, err := openFolder(cfg.Logger, cfg.StateDir)
	if err != nil {
		return nil, err
	}
	blocked, err := loadBlocklists(ctx, &cfg, dir)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, dir: dir, blocked: blocked, relays: relays,
		device: watchDevice(cfg.Network, cfg.Logger), done: make(chan struct{})}
	if err := n.listen(); err != nil {
		blocked.stop()
		return nil, err
	}
	n.openPortMap()
	n.dht.log = cfg.Logger
	n.dht.told = func(addr netip.AddrPort) { n.engine.SetExternal(addr.Addr()) }
	n.dht.counted = n.heardNobody
	n.dht.saved = keepNodes(dir, n.nodesFile())
	n.dht.remember(n.dht.saved.load(cfg.Logger))
	n.engine.Observe(reach.Used{Until: n.dht.saved.written()})
	if err := n.SetDHT(!cfg.NoDHT); err != nil {
		n.Close()
		return nil, err
	}
	n.SetLSD(!cfg.NoLSD)
	n.device.start(n.renew)
	blocked.follow(n.enforceBlocklist)
	n.proxy.start(n.followProxy)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cancel = context.AfterFunc(ctx, func() { n.Close() })
	return n, nil
}

// listen starts the engine on the ports of the Config.
func (n *Node) listen() (err error) {
	cfg := &n.cfg
	engine := swarm.Config{
		PeerIDPrefix: cfg.PeerIDPrefix, Client: cfg.Client,
		Down: cfg.Down, Up: cfg.Up, PeersMax: cfg.Peers, TorrentPeersMax: cfg.TorrentPeers,
		MemoryMax: cfg.Memory, Encryption: cfg.Encryption, Logger: cfg.Logger, NoPEX: cfg.NoPEX,
		NoUTP: cfg.NoUTP, NoTCP: cfg.NoTCP, NoPolite: cfg.NoPolite,
		Net: cfg.Network.Egress(), SystemCongestion: cfg.SystemCongestion,
		DHTNode: n.dht.hint, NetworkChanged: n.networkChanged, PortsChanged: n.tellPublicPorts,
		Blocklist: n.blocked.list.Load(),
	}
	if n.relays != nil {
		n.relays.follow(n)
		engine.Relays = n.relays
	}
	if n.keepsRecords() {
		engine.StateDir, engine.StateReadOnly = n.dir.records(), n.dir.readOnly
	}
	if cfg.Network.Proxied() {
		n.proxy = openProxy(cfg.Network.proxy)
		engine.Relay = n.proxy.relay
		if n.engine, err = swarm.Listen(engine); err != nil {
			n.proxy.close()
			n.proxy.relay.Close()
		}
		return err
	}
	n.choice = portChoice{cfg.Network, cfg.Listen, cfg.Port, cfg.AnyPort}
	n.taken, err = n.choice.bind(cfg.Logger, n.dir, func(addrs []netip.AddrPort) (err error) {
		engine.Listen = addrs
		n.engine, err = swarm.Listen(engine)
		return err
	})
	return err
}

// keepsRecords reports whether records of torrents are read.
func (n *Node) keepsRecords() bool { return n.dir.keeps() && !n.cfg.NoRecords }

// Add starts a torrent, which searches for peers by the DHT and local discovery of the node
// unless spec names others. It returns at once; everything else happens behind the handle.
// The errors are those of swarm.Engine.Add.
func (n *Node) Add(spec swarm.Spec) (*swarm.Torrent, error) {
	if spec.DHT == nil {
		spec.DHT = &n.dht.discovery
	}
	if spec.LSD == nil {
		spec.LSD = &n.local
	}
	return n.engine.Add(spec)
}

// Find returns where the content of a torrent lies that the node does not have now, see
// swarm.Engine.Find.
func (n *Node) Find(spec swarm.Spec) (dir string, there bool) { return n.engine.Find(spec) }

// Locate says where the content of a torrent lies that the node does not have now, see
// swarm.Engine.Locate.
func (n *Node) Locate(spec swarm.Spec, dir string) error { return n.engine.Locate(spec, dir) }

// Forget removes what is recorded of a torrent that the node does not have now, see
// swarm.Engine.Forget.
func (n *Node) Forget(hash metainfo.Hash) error { return n.engine.Forget(hash) }

// Limits returns the limits of all torrents together that are in force.
func (n *Node) Limits() swarm.EngineLimits { return n.engine.Limits() }

// SetLimits sets the limits of all torrents together. Running connections follow at once,
// and peers that are too many leave, the least useful first.
func (n *Node) SetLimits(limits swarm.EngineLimits) { n.engine.SetLimits(limits) }

// Traffic returns the payload bytes that all torrents together have received and sent since
// the start of the node, waste included. Those of torrents that are gone count.
func (n *Node) Traffic() (down, up int64) { return n.engine.Traffic() }

// SetGroups sets the groups of torrents that share a rate, in place of those before; see
// swarm.Limits.Group.
func (n *Node) SetGroups(groups []swarm.Group) { n.engine.SetGroups(groups) }

// SetMinFree sets how many bytes of each file system stay free; see swarm.Engine.SetMinFree.
func (n *Node) SetMinFree(bytes int64) { n.engine.SetMinFree(bytes) }

// SetPEX switches the exchange of peers (BEP 11) on or off, for running torrents as well.
func (n *Node) SetPEX(on bool) { n.engine.SetPEX(on) }

// HasRoom reports whether the memory limit of the process has room for a torrent of info,
// or for a magnet link if info is nil. Add refuses a torrent that has none.
func (n *Node) HasRoom(info *metainfo.Info) bool { return n.engine.Bears(info) }

// Torrents returns the handles of all torrents, in no order.
func (n *Node) Torrents() []*swarm.Torrent { return n.engine.Torrents() }

// Torrent returns the torrent with that info-hash, which may be either one of a hybrid, or
// nil.
func (n *Node) Torrent(hash metainfo.Hash) *swarm.Torrent { return n.engine.Torrent(hash) }

// Subscribe returns a reader of what changes about the torrents since the moment from, see
// swarm.Engine.Subscribe.
func (n *Node) Subscribe(from uint64) *swarm.Subscription { return n.engine.Subscribe(from) }

// Addrs returns the addresses that the node listens on, with their ports.
func (n *Node) Addrs() []netip.AddrPort { return n.engine.Addrs() }

// TakenPort returns the port that an earlier run has picked, if another program has it and
// the node listens on another port for that reason. Otherwise it returns 0.
func (n *Node) TakenPort() uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.taken
}

// DHT shows the DHT node.
func (n *Node) DHT() *DHT { return &n.dht }

// SetDHT switches the DHT on or off. Behind a proxy that relays no datagrams it stays off until
// the proxy does. Switching it off ends its searches at once, and new
// peers are not told of our DHT node any more. Torrents that run take part in the change.
// The error is ErrClosed or, when it is switched on, ErrNoUDP or a *BootstrapError.
func (n *Node) SetDHT(on bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	n.wantDHT = on
	n.setPortMap()
	switch on = on && !n.noRelay; {
	case on == n.dht.On():
	case on:
		return n.startDHT()
	default:
		n.stopDHT()
	}
	return nil
}

// startDHT starts the DHT node, which must be off. n.mu is held.
func (n *Node) startDHT() error {
	conns := n.engine.PacketConns()
	if len(conns) == 0 {
		return ErrNoUDP
	}
	err := n.dht.start(dht.Config{Conns: conns, Bootstrap: n.cfg.Bootstrap,
		Limits: n.cfg.DHTLimits, Resolve: n.lookUp(), Blocked: n.blocked.has,
		Seen: n.sawUs, Logger: n.cfg.DHTLogger})
	if err != nil {
		return err
	}
	n.tellPublicPorts()
	n.engine.SetHasDHT(true)
	n.engine.SwitchedOn(&n.dht.discovery)
	return nil
}

// lookUp returns how the DHT node looks up names.
func (n *Node) lookUp() lookUp {
	if n.proxy != nil {
		return n.proxy.relay.lookUp(n.cfg.Bootstrap)
	}
	return n.cfg.Network.resolve
}

// stopDHT ends the DHT node, which must be on. n.mu is held.
func (n *Node) stopDHT() {
	n.engine.SetHasDHT(false)
	n.dht.stop()
	n.heardNobody(dht.Stats{}, 0)
	closeAll(n.engine.PacketConns()) // so that nothing is kept for nobody
}

// SetLSD switches local service discovery on or off, as SetDHT does. It stays off while the
// node listens on loopback alone, because peers could not reach it. The error is ErrClosed.
func (n *Node) SetLSD(on bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	n.wantLSD = on
	switch on = on && n.LocalPeers(); {
	case on == (n.lsd != nil):
	case on:
		n.startLSD()
	default:
		n.stopLSD()
	}
	return nil
}

// startLSD starts local service discovery, which must be off. n.mu is held.
func (n *Node) startLSD() {
	var bound []netip.Addr
	for _, a := range n.Addrs() {
		bound = append(bound, a.Addr())
	}
	n.lsd = lsd.New(lsd.Config{Net: n.cfg.Network.Egress(), Logger: n.cfg.Logger, Bound: bound})
	n.local.Set(n.lsd)
	n.engine.SwitchedOn(&n.local)
}

// stopLSD ends local service discovery, unless it is off. n.mu is held.
func (n *Node) stopLSD() {
	if n.lsd != nil {
		n.local.Set(nil)
		n.lsd.Close()
		n.lsd = nil
	}
}

// LocalPeers reports whether peers on the local networks can reach the node: it does not
// listen on loopback alone.
func (n *Node) LocalPeers() bool {
	return slices.ContainsFunc(n.Addrs(), func(a netip.AddrPort) bool {
		return !a.Addr().IsLoopback()
	})
}

// Done returns a channel that is closed once the node has ended, by Close or because the
// context of Start has ended.
func (n *Node) Done() <-chan struct{} { return n.done }

// Close stops every torrent, the DHT node and local discovery, saves what the next run
// needs, closes the ports and removes their mappings, and waits for all of that. Each call
// returns the same error, that of what could not be saved.
func (n *Node) Close() error {
	n.mu.Lock()
	first := !n.closed
	n.closed = true
	cancel := n.cancel
	n.mu.Unlock()
	if !first {
		<-n.done
		return n.closeErr
	}
	if cancel != nil {
		cancel()
	}
	n.shutDown()
	close(n.done)
	return n.closeErr
}

// shutDown ends all parts.
func (n *Node) shutDown() {
	n.mapped.leave()
	n.device.stop()
	n.blocked.stop()
	n.proxy.close()
	n.dht.stop()
	n.closeErr = n.engine.Close()
	if n.keepsRecords() && !n.dir.readOnly {
		if forgotten, err := swarm.Tidy(n.dir.records()); forgotten > 0 || err != nil {
			n.cfg.Logger.Info("forgetting content that is gone", "torrents", forgotten, "err", err)
		}
	}
	n.stopLSD()
	n.dht.saved.close()
	n.mapped.Close()
}
