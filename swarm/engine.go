package swarm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/blocklist"
	"swarmnode/swarm/egress"
	"swarmnode/swarm/guard"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/storage"
	"swarmnode/swarm/tracker"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/transport/udpmux"
)

// Config describes an Engine. The zero value of each field has a meaning.
type Config struct {
	// Listen are the addresses to listen on, each for TCP and UDP at once. Port 0
	// chooses a free port. Without any address, the engine listens on a free port of
	// every address of both families.
	Listen []netip.AddrPort
	// PeerIDPrefix starts our peer ids, as in "-SN0100-" (BEP 20). It has at most 20
	// bytes. If it is empty, a default is used.
	PeerIDPrefix string
	// Client is our name and version, told to peers (BEP 10, "v").
	Client string
	// Down and Up limit the payload of all torrents together, in bytes per
	// second. Zero means no limit.
	Down, Up int64
	// PeersMax bounds the connections of all torrents together;
	// limit.ConnectionsMax if zero.
	PeersMax int
	// TorrentPeersMax bounds the connections of one torrent; 80 if zero.
	TorrentPeersMax int
	// MemoryMax bounds, in bytes, the blocks on their way between connections and
	// files; 48 MiB if zero. As many bytes again may be held for other messages to
	// peers, for messages of which only a part has come, and for the buffers of uTP.
	MemoryMax int64
	// StateDir is the folder for records. One record says which pieces each torrent
	// has, so that it goes on after a stop or a crash without hashing everything again.
	// Another one holds its peers, so that it meets its swarm again at once, and a third one
	// its Totals. If StateDir is empty, no records are kept.
	StateDir string
	// StateReadOnly says that records in StateDir are read and none are written.
	StateReadOnly bool
	// Net makes all sockets, and looks up all names; nil is the system's choice of everything.
	// If it has a proxy, the engine listens nowhere, whatever Listen says.
	Net *egress.Net
	// Relay is the packet connection for the datagrams of an engine behind a proxy, in place of
	// UDP sockets. The engine owns it. Nil means that there are no datagrams.
	Relay net.PacketConn
	// DHTNode is told the address of the DHT node of a peer that sends a PORT
	// message (BEP 5). It must not block. May be nil.
	DHTNode func(netip.AddrPort)
	// NoPEX says that torrents do not exchange addresses with their peers (BEP 11), until
	// Engine.SetPEX.
	NoPEX bool
	// HasDHT says that a DHT node of ours is on our port. Peers are told in the
	// handshake. SetHasDHT changes it.
	HasDHT bool
	// NetworkChanged is called when addresses of this machine have come or gone. It must
	// not block. May be nil.
	NetworkChanged func()
	// PortsChanged is called when the answer of PublicPorts has changed by itself. It must not
	// block. May be nil.
	PortsChanged func()
	// Encryption says which connections are encrypted, so that simple filters
	// do not recognise them.
	Encryption Encryption
	// SystemCongestion leaves the congestion control of TCP to the system; see
	// transport.Path.
	SystemCongestion bool
	// NoPolite lets uploads over TCP fill the queue before the uplink; see
	// transport.Uplink.
	NoPolite bool
	// NoUTP makes and accepts no streams to peers by uTP (BEP 29), and NoTCP none by TCP. Both
	// together are an error.
	NoUTP, NoTCP bool
	// Blocklist are addresses with which nothing is exchanged; see SetBlocklist.
	Blocklist *blocklist.List
	// memory replaces that of the process in tests.
	memory *limit.Memory
	// Relays names the servers that can lend the engine an address when peers cannot reach it
	// otherwise (RFC 8656). Nil means that no relay is used.
	Relays RelaySource
	// Logger takes one line per change of a torrent's state, and more about peers at
	// debug level. Nothing is logged if it is nil.
	Logger *slog.Logger
}

const (
	// keysPerSource bounds the keys that we compute per second for the encrypted
	// handshakes of one source, and keysMax those for all sources. A key costs less than
	// half a millisecond, so all of them cost less than 5 % of a core.
	keysPerSource = 5
	keysMax       = 100

	// descriptorsSpare is how many of the descriptors for sockets are kept for ports,
	// trackers, the DHT and some handshakes. connectionsMin connections are allowed even
	// so.
	descriptorsSpare = 12
	connectionsMin   = 8
	// pendingShare is the part of the descriptors for incoming handshakes, and pendingMin
	// the least number of incoming handshakes that may be under way.
	pendingShare = 16
	pendingMin   = 16

	// givenForgotten is how many bytes a second are forgotten of what a source was given
	// beside blocks, and talkForgotten the same of unsolicited messages from a source.
	// Nothing is remembered for longer than sourceMemory.
	givenForgotten = 4 << 10
	talkForgotten  = 1 << 10
	sourceMemory   = 10 * time.Minute
	// asideDown is what unsolicited messages get of a download limit for each byte of
	// what we requested.
	asideDown = 1. / 8

	defaultMemoryMax    = 48 << 20
	defaultPeerIDPrefix = "-SN0100-"
)

// ErrClosed says that the Engine was closed.
var ErrClosed = errors.New("engine is closed")

// ErrNoTransport says that a Config has both NoUTP and NoTCP.
var ErrNoTransport = errors.New("neither TCP nor uTP is left to reach peers by")

// ErrExists says that the Engine has the torrent already.
var ErrExists = errors.New("torrent already added")

// ErrMemory says that the memory limit of the process (debug.SetMemoryLimit) leaves no
// room for a torrent.
var ErrMemory = errors.New("memory limit reached: no room for another torrent")

// An Engine owns what the torrents of a process share. Its methods are safe for
// concurrent use.
type Engine struct {
	cfg          Config
	log          *slog.Logger
	ports        ports
	pending      *limit.Pending // incoming handshakes
	conns        *limit.Connections
	memory       *limit.Memory
	evictWaiters *limit.Pending // connections that wait for the place of an evicted one
	dialer       *dialer
	web          *guard.Client // for trackers and web seeds
	tracker      *tracker.Client
	down         *limit.Common
	up           *limit.Common
	groups       groups
	uplink       *transport.Uplink
	traffic      traffic
	kept         *limit.Ledger // bytes held for peers besides blocks
	streams      *limit.Bytes  // buffers of uTP
	given        *limit.Tally  // bytes given to sources besides blocks
	talk         *limit.Tally  // bytes of unsolicited messages from sources
	blocks       *block.Pool
	uploads      *uploads
	workers      *storage.Workers
	home         limit.Home // where we listen
	bans         *bans
	blocked      *blocked
	external     external
	relays       *relayKeeper
	polls        poller
	standing     standing                         // how others reach us
	shelter      shelter                          // the families in which a router stands before us
	public       publicPorts                      // by which ports
	asked        *udpmux.Hosts                    // to whom datagrams were sent, by all ports
	hasDHT       atomic.Bool                      // our handshakes say that we have a DHT node
	ownKnown     sync.Mutex                       // held while own is found out
	own          atomic.Pointer[[]netip.AddrPort] // at which peers reach us, see findOwn
	keys         *limit.Turns                     // keys computed for encrypted handshakes
	registry     registry
	feed         torrentFeed
	limits       engineLimits
	began        time.Time

	ctx    context.Context // done once Close has begun
	cancel context.CancelFunc
	wait   sync.WaitGroup // accept loops, handshakes, torrent loops

	closing  sync.Once
	closeErr error // of the first Close
}

// Listen starts an Engine: it binds the ports and accepts connections from then on. The
// error is that of the first address that it cannot bind, as transport.ListenPair returns
// it.
func Listen(cfg Config) (*Engine, error) {
	if len(cfg.PeerIDPrefix) > 20 {
		return nil, fmt.Errorf("peer id prefix %q is longer than 20 bytes", cfg.PeerIDPrefix)
	}
	if cfg.NoUTP && cfg.NoTCP {
		return nil, ErrNoTransport
	}
	if cfg.PeerIDPrefix == "" {
		cfg.PeerIDPrefix = defaultPeerIDPrefix
	}
	if cfg.MemoryMax == 0 {
		cfg.MemoryMax = defaultMemoryMax
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Net.Proxy() != nil {
		return start(cfg, nil), nil
	}
	pairs, err := bind(listenBy(&cfg), cfg.Net, cfg.Listen, nil)
	if err != nil {
		return nil, err
	}
	return start(cfg, pairs), nil
}

// start returns the Engine of a Config whose defaults are filled in, and starts its
// goroutines.
func start(cfg Config, pairs []*transport.Pair) *Engine {
	if cfg.memory == nil {
		cfg.memory = limit.NewMemory(nil)
	}
	var bound []netip.Addr
	for _, p := range pairs {
		bound = append(bound, p.AddrPort().Addr())
	}
	home := limit.NewHome(bound)
	outside := newBlocked(cfg.Blocklist)
	e := &Engine{
		cfg:     cfg,
		home:    home,
		bans:    newBans(home, outside),
		blocked: outside,
		log:     cfg.Logger,
		conns: limit.NewConnections(connectionsMax(&cfg, transport.DescriptorsMax()), 0,
			home),
		pending:      limit.NewPending(pendingMax(transport.DescriptorsMax())),
		memory:       cfg.memory,
		evictWaiters: limit.NewPending(evictWaitersMax),
		down:         limit.NewCommon(cfg.Down),
		up:           limit.NewCommon(cfg.Up),
		kept:         limit.NewLedger(cfg.MemoryMax * 3 / 4),
		streams:      limit.NewBytes(cfg.MemoryMax / 4),
		given:        limit.NewTally(givenForgotten, sourceMemory),
		talk:         limit.NewTally(talkForgotten, sourceMemory),
		blocks:       block.NewPool(cfg.MemoryMax * 2 / 3),
		uploads:      newUploads(cfg.MemoryMax / 3),
		workers:      storage.NewWorkers(runtime.GOMAXPROCS(0)),
		registry:     newRegistry(),
		keys:         limit.NewTurns(keysPerSource, keysMax, home),
		uplink: transport.NewUplink(transport.UplinkConfig{
			SystemCongestion: cfg.SystemCongestion, Greedy: cfg.NoPolite}),
	}
	e.began = time.Now()
	e.feed.Init(e.began, entryOf, hashOf)
	e.standing.init(e.began)
	e.polls.init()
	e.public.init()
	e.OnReach(e.hearPublicPorts)
	e.asked = udpmux.NewHosts(e.began)
	e.limits.init(&cfg)
	e.down.SetAside(asideDown)
	e.relays = newRelayKeeper(e)
	e.dialer = newDialer(home, e.bans, cfg.Encryption, e.ways()...)
	e.web = guard.New(guard.Config{UserAgent: cfg.Client, Net: cfg.Net, Local: e.local})
	e.tracker = tracker.NewClient(tracker.ClientConfig{HTTP: e.web, Net: cfg.Net, Local: e.local})
	e.hasDHT.Store(cfg.HasDHT)
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.ports.open(listenBy(&cfg), cfg.Net, pairs, e.openPort)
	if e.proxied() {
		e.openRelay(cfg.Relay)
	}
	e.findPlace()
	e.followOutside()
	e.OnReach(e.polls.stand)
	e.wait.Go(func() { e.standing.run(e.ctx) })
	e.wait.Go(func() { e.polls.run(e.ctx) })
	e.wait.Go(func() { e.watchNetwork(e.ctx) })
	e.wait.Go(func() { e.watchMemory(e.ctx) })
	if !e.relays.isOff() {
		e.wait.Go(func() { e.relays.run(e.ctx) })
	}
	return e
}

// connectionsMax returns how many connections there may be: the number in cfg, or what
// half of the descriptors of the process allow. The other half is for files.
func connectionsMax(cfg *Config, descriptors int) int {
	asked := cfg.PeersMax
	if asked <= 0 {
		asked = limit.ConnectionsMax
	}
	most := max(descriptors/2-descriptorsSpare, connectionsMin)
	if asked <= most {
		return asked
	}
	level := slog.LevelInfo
	if cfg.PeersMax > 0 {
		level = slog.LevelWarn
	}
	cfg.Logger.Log(context.Background(), level,
		"the limit of open files allows fewer connections (see ulimit -n)",
		"connections", most, "asked", asked, "descriptors", descriptors)
	return most
}

// SetHasDHT says whether a DHT node of ours is on our port. New peers are told in the
// handshake.
func (e *Engine) SetHasDHT(on bool) { e.hasDHT.Store(on) }

// Torrents returns the handles of all torrents, in no order.
func (e *Engine) Torrents() []*Torrent { return e.registry.all() }

// Torrent returns the torrent with that info-hash, which may be either one of a hybrid, or
// nil.
func (e *Engine) Torrent(hash metainfo.Hash) *Torrent { return e.registry.find(hash) }

// Close stops every torrent, saves what the torrents have, closes the ports, and waits
// for all of that. What was written to peers over uTP has up to a second to arrive before the
// ports are closed. Only the first call has an effect.
func (e *Engine) Close() error {
	e.closing.Do(func() {
		torrents := e.registry.close()
		e.feed.Close()
		e.ports.freeze()
		e.cancel() // ends the accept loops with their listeners, and the torrents
		var errs []error
		for _, t := range torrents {
			errs = append(errs, t.Close())
		}
		e.wait.Wait()
		e.relays.close()
		errs = append(errs, e.ports.close()) // after what the torrents have written
		e.uploads.close()
		e.tracker.Close()
		e.web.Close()
		e.workers.Close()
		e.closeErr = errors.Join(errs...)
	})
	return e.closeErr
}

// newPeerID returns a peer id for one torrent (BEP 20). Each torrent has another one, so
// that peers cannot tell which torrents belong to one engine.
func (e *Engine) newPeerID() [20]byte {
	var id [20]byte
	rand.Read(id[copy(id[:], e.cfg.PeerIDPrefix):])
	return id
}
