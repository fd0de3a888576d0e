package swarm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/guard"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/storage"
	"swarmnode/swarm/tracker"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/transport/mse"
)

// Config describes an Engine. The zero value of each field has a meaning.
type Config struct {
	// Listen are the addresses to listen on, each for TCP and UDP at once; port
	// 0 chooses one that is free. Without any, the engine listens on a free
	// port of every address of both families.
	Listen []netip.AddrPort
	// PeerIDPrefix starts our peer ids, as in "-SN0100-" (BEP 20); at most 20
	// bytes. A default stands for the package.
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
	// MemoryMax bounds, in bytes, the blocks on their way between connections
	// and files; 48 MiB if zero. As much again may wait for peers besides, or have
	// come from them in part.
	MemoryMax int64
	// StateDir is the folder for the record of what each torrent has, by which
	// it goes on after a stop or a crash without hashing everything again, and
	// for that of its peers, by which it meets its swarm again at once. None is
	// kept if empty.
	StateDir string
	// StateReadOnly has what is in StateDir read, and nothing there written.
	StateReadOnly bool
	// DHTNode is told the address of the DHT node of a peer that sends a PORT
	// message (BEP 5). It must not block. May be nil.
	DHTNode func(netip.AddrPort)
	// HasDHT tells peers in the handshake that our DHT node is on our port.
	HasDHT bool
	// Encryption says which connections are encrypted, so that simple filters
	// do not recognise them.
	Encryption Encryption
	// memory stands for that of the process in tests.
	memory *limit.Memory
	// Logger takes one line per change of a torrent's state, and more about
	// peers at debug level. None if nil.
	Logger *slog.Logger
}

const (
	// keysPerSource and keysMax bound the keys computed a second for those who
	// start encrypted handshakes, from one address and from all: a key costs
	// less than half a millisecond, all of them less than 5 % of a core.
	keysPerSource = 5
	keysMax       = 100

	// descriptorsSpare are kept of the half for sockets for ports, trackers, the
	// DHT and some handshakes; connectionsMin is what is tried all the same.
	descriptorsSpare = 12
	connectionsMin   = 8
	// pendingShare is the part of the descriptors for handshakes that others start,
	// and pendingMin how many there may be at the least.
	pendingShare = 16
	pendingMin   = 16

	// givenForgotten and talkForgotten are how many bytes are forgotten a second of
	// what a source was given beside blocks and of what it said that nobody asked
	// for, and sourceMemory is how long anything of it is remembered.
	givenForgotten = 4 << 10
	talkForgotten  = 1 << 10
	sourceMemory   = 10 * time.Minute
	// asideDown is what such words get of a download limit for each byte of what was
	// asked for.
	asideDown = 1. / 8

	defaultMemoryMax    = 48 << 20
	defaultPeerIDPrefix = "-SN0100-"
)

// ErrClosed tells that the Engine has been closed.
var ErrClosed = errors.New("engine is closed")

// ErrExists tells that the Engine has the torrent already.
var ErrExists = errors.New("torrent is there already")

// ErrMemory tells that there is no memory left for a torrent under the ceiling of
// the process (debug.SetMemoryLimit).
var ErrMemory = errors.New("there is not enough memory left for it")

// An Engine owns what the torrents of a process share. Its methods are safe
// for concurrent use.
type Engine struct {
	cfg     Config
	log     *slog.Logger
	ports   []*transport.Pair
	conns   *limit.Connections
	memory  *limit.Memory
	rooms   *limit.Pending // connections that wait for a place
	dialer  *dialer
	web     *guard.Client // for trackers and web seeds
	tracker *tracker.Client
	down    *limit.Common
	up      *limit.Common
	kept    *limit.Ledger // what waits for peers, and what has come of their messages
	given   *limit.Tally  // what sources were given beside blocks
	talk    *limit.Tally  // what sources have said that nobody asked for
	blocks  *block.Pool
	uploads *readers
	workers *storage.Workers
	home    limit.Home // where we listen
	bans    bans
	outside outside
	own     atomic.Pointer[[]netip.AddrPort] // at which we are reached, see findOwn
	keys    *limit.Turns                     // keys that are computed for encrypted handshakes

	ctx    context.Context // done once Close has begun
	cancel context.CancelFunc
	wait   sync.WaitGroup // accept loops, handshakes, torrent loops

	refusing sync.WaitGroup // readers of UDP sockets that nobody else reads
	handOver sync.Once      // of the sockets

	closing  sync.Once
	closeErr error // of the first Close

	mu       sync.Mutex
	torrents map[metainfo.Hash]*Torrent // by Hash
	aliases  map[metainfo.Hash]*Torrent // by the other info-hash of hybrids
	// the keys of both, by what stands for them in encrypted handshakes
	hidden map[mse.ID]metainfo.Hash
}

// Listen starts an Engine: it binds the ports, and accepts connections from
// then on. The error is that of the first address that could not be bound,
// as transport.ListenPair has it.
func Listen(cfg Config) (*Engine, error) {
	if len(cfg.PeerIDPrefix) > 20 {
		return nil, fmt.Errorf("peer id prefix %q is longer than 20 bytes", cfg.PeerIDPrefix)
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
	ports, err := bind(cfg.Listen)
	if err != nil {
		return nil, err
	}
	return start(cfg, ports), nil
}

// start makes the Engine of a Config without gaps, and has it accept connections.
func start(cfg Config, ports []*transport.Pair) *Engine {
	if cfg.memory == nil {
		cfg.memory = limit.NewMemory(nil)
	}
	var bound []netip.Addr
	for _, p := range ports {
		bound = append(bound, p.AddrPort().Addr())
	}
	home := limit.NewHome(bound)
	e := &Engine{
		cfg:      cfg,
		home:     home,
		bans:     bans{home: home},
		log:      cfg.Logger,
		ports:    ports,
		conns:    limit.NewConnections(connectionsMax(&cfg, transport.DescriptorsMax()), 0, home),
		memory:   cfg.memory,
		rooms:    limit.NewPending(roomWaitersMax),
		down:     limit.NewCommon(cfg.Down),
		up:       limit.NewCommon(cfg.Up),
		kept:     limit.NewLedger(cfg.MemoryMax),
		given:    limit.NewTally(givenForgotten, sourceMemory),
		talk:     limit.NewTally(talkForgotten, sourceMemory),
		blocks:   block.NewPool(cfg.MemoryMax * 2 / 3),
		uploads:  newReaders(cfg.MemoryMax / 3),
		workers:  storage.NewWorkers(runtime.GOMAXPROCS(0)),
		torrents: make(map[metainfo.Hash]*Torrent),
		aliases:  make(map[metainfo.Hash]*Torrent),
		hidden:   make(map[mse.ID]metainfo.Hash),
		keys:     limit.NewTurns(keysPerSource, keysMax, home),
	}
	e.dialer = &dialer{
		ways: []way{overTCP{local: e.local}}, budget: limit.NewDials(0, home), bans: &e.bans,
		encryption: cfg.Encryption,
	}
	e.web = guard.New(guard.Config{UserAgent: cfg.Client, Local: e.local})
	e.tracker = tracker.NewClient(tracker.ClientConfig{HTTP: e.web, Local: e.local})
	e.findOwn()
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.accept()
	e.refuse()
	e.wait.Go(func() { e.watchAddresses(e.ctx) })
	e.wait.Go(func() { e.watchMemory(e.ctx) })
	return e
}

// connectionsMax returns how many connections there may be: as many as cfg asks
// for, or as half of the descriptors of the process allow. The other half is for
// files, as storage has it.
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
		"fewer connections, for want of descriptors (see ulimit -n)",
		"connections", most, "asked", asked, "descriptors", descriptors)
	return most
}

// Addrs returns the addresses that the engine listens on, with their ports.
func (e *Engine) Addrs() []netip.AddrPort {
	addrs := make([]netip.AddrPort, len(e.ports))
	for i, p := range e.ports {
		addrs[i] = p.AddrPort()
	}
	return addrs
}

// local returns the address that the engine listens on, if it has one of its own
// that is of use to whoever is at ip: others take where we come from for where
// we are. The zero Addr leaves the choice to the system.
func (e *Engine) local(ip netip.Addr) netip.Addr {
	ip = ip.Unmap()
	for _, p := range e.ports {
		own := p.AddrPort().Addr().Unmap()
		if own.IsUnspecified() || own.Is4() != ip.Is4() || own.IsLoopback() != ip.IsLoopback() ||
			own.IsLinkLocalUnicast() != ip.IsLinkLocalUnicast() {
			continue
		}
		return own
	}
	return netip.Addr{}
}

// Addr returns the first address that the engine listens on.
func (e *Engine) Addr() netip.AddrPort {
	if len(e.ports) == 0 {
		return netip.AddrPort{} // only in tests: it is reached by other ways
	}
	return e.ports[0].AddrPort()
}

// Torrents returns the handles of all torrents, in no order.
func (e *Engine) Torrents() []*Torrent {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]*Torrent, 0, len(e.torrents))
	for _, t := range e.torrents {
		all = append(all, t)
	}
	return all
}

// Close stops every torrent, saves what they have, closes the ports, and waits
// for all of it. Only the first call does something.
func (e *Engine) Close() error {
	e.closing.Do(func() {
		torrents := e.Torrents()
		e.cancel() // ends the accept loops with their listeners, and the torrents
		var errs []error
		for _, p := range e.ports {
			errs = append(errs, p.UDP.Close())
		}
		for _, t := range torrents {
			errs = append(errs, t.Close())
		}
		e.wait.Wait()
		e.refusing.Wait()
		e.uploads.close()
		e.tracker.Close()
		e.web.Close()
		e.workers.Close()
		e.closeErr = errors.Join(errs...)
	})
	return e.closeErr
}

// lookup finds the torrent of a handshake.
func (e *Engine) lookup(hash metainfo.Hash) *Torrent {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.find(hash)
}

// keyOf finds the torrent of an encrypted handshake.
func (e *Engine) keyOf(id mse.ID) (mse.Key, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	hash, ok := e.hidden[id]
	return mse.Key(hash), ok
}

// register enters t, and fails if there is another of one of its hashes, or if
// the engine is closing.
func (e *Engine) register(t *Torrent) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return ErrClosed
	}
	hashes := t.hashes()
	for _, hash := range hashes {
		if e.find(hash) != nil {
			return fmt.Errorf("%v: %w", hash, ErrExists)
		}
	}
	e.torrents[t.hash] = t
	for _, hash := range hashes[1:] {
		e.aliases[hash] = t
	}
	for _, hash := range hashes {
		e.hidden[mse.Key(hash).ID()] = hash
	}
	return nil
}

func (e *Engine) unregister(t *Torrent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, hash := range t.hashes() {
		if e.find(hash) == t {
			delete(e.hidden, mse.Key(hash).ID())
		}
		if e.aliases[hash] == t {
			delete(e.aliases, hash)
		}
	}
	if e.torrents[t.hash] == t {
		delete(e.torrents, t.hash)
	}
}

// newPeerID makes the peer id of one torrent (BEP 20). Torrents have different
// ones, so that peers cannot tell that they belong together.
func (e *Engine) newPeerID() [20]byte {
	var id [20]byte
	rand.Read(id[copy(id[:], e.cfg.PeerIDPrefix):])
	return id
}
