package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"

	"swarmnode/swarm/egress"
	"swarmnode/swarm/limit"
)

// Realm is the realm of our servers (RFC 8489, section 14.9). It is short, because it is part
// of what strangers are answered.
const Realm = "relay"

// A Lent address is one of this machine whose ports a server lends.
type Lent struct {
	// Public is what others reach it by.
	Public netip.Addr
	// Bind is the address of the machine, if it is not Public: behind a NAT that maps all
	// ports one to one. The zero Addr means Public.
	Bind netip.Addr
}

// ServerConfig says where a server listens, what it lends, and to whom.
type ServerConfig struct {
	// Net makes the sockets. Nil leaves that to the system.
	Net *egress.Net
	// Listen are the addresses for clients, each over UDP and TCP. Port 0 chooses a port that
	// is free for both. A machine with several addresses of a family must name them here: from
	// an unspecified one, the system may answer by another address than it was asked by.
	Listen []netip.AddrPort
	// Lend are the addresses that relayed addresses have, at most one of each family.
	Lend []Lent
	// PortMin and PortMax bound the ports that are lent, if they are not zero. By default the
	// system chooses.
	PortMin, PortMax uint16
	// Keys make the credentials of clients that have no account. Nil makes a server with
	// accounts alone.
	Keys *Keys
	// Users are accounts: passwords by name. Unlike credentials of Keys, an account proves no
	// address, so its owner is trusted not to forge one.
	Users map[string]string
	// Refuse reports whether a host is neither served nor relayed to. It may be nil.
	Refuse func(netip.Addr) bool
	// Private lets the server relay between private networks, those of this machine among them,
	// and to this machine itself if a loopback address is lent. Networks have no quota then, and
	// on loopback sources have none. It is for a server that lends private addresses.
	Private bool
	// Limits bound what the server does.
	Limits Limits
	// Log gets a line when the server begins and when it ends. It may be nil.
	Log *slog.Logger

	// anywhere makes the server relay to any address of a host, and crowded makes it forget the
	// quotas of sources and networks: for tests on one machine.
	anywhere, crowded bool
}

// Errors of Serve.
var (
	errNoListen = errors.New("relay: no address to listen on")
	errNoLend   = errors.New("relay: no address to lend, or two of one family")
)

// A Server lends addresses to clients that nobody can reach. Its methods are safe for
// concurrent use.
type Server struct {
	cfg     ServerConfig
	log     *slog.Logger
	start   time.Time
	tenants *tenants
	asked   *limit.Sources // requests without an allocation
	turn    *turn.Server
	addrs   []netip.AddrPort

	mu       sync.Mutex
	closed   bool
	asks     bucket
	prefixes []netip.Prefix // of the networks of this machine
	streams  map[*stream]struct{}

	closing chan struct{}
	runs    sync.WaitGroup // the sweeper, the sockets and the streams
}

// Stats are counts since a server began, and how many allocations there are.
type Stats struct {
	Tenants  int    // allocations at the moment
	Admitted uint64 // allocations since
	// Refused are requests for an allocation beyond the limits; Denied those without valid
	// credentials; Ignored what was not answered at all: floods, and what is not TURN.
	Refused, Denied, Ignored uint64
	// Withheld are answers that would have been longer than what their receivers had sent.
	Withheld uint64
	// Forbidden are permits asked for addresses that are not relayed to, GrantsRefused those
	// that were too many.
	Forbidden, GrantsRefused uint64
	// Relayed counts datagrams, RelayedBytes their payload.
	Relayed, RelayedBytes uint64
	// Knocks are those that were passed on.
	Knocks uint64
	// Unpermitted, Unfit and OverLimit count datagrams that were not relayed: without a
	// permit, or to a port of a service; with a payload that is neither uTP nor KRPC; beyond
	// a rate or the bytes of an hour.
	Unpermitted, Unfit, OverLimit uint64
	// Ended are allocations whose time was over.
	Ended uint64
}

// Serve starts a server. The caller must Close it. ctx is for the start alone.
func Serve(ctx context.Context, cfg ServerConfig) (*Server, error) {
	if len(cfg.Listen) == 0 {
		return nil, errNoListen
	}
	if err := checkLend(cfg.Lend); err != nil {
		return nil, err
	}
	cfg.Limits.setDefaults()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg: cfg, log: cfg.Log, start: time.Now(), tenants: newTenants(cfg.Limits),
		asked: limit.NewSources(askRate, askBurst), asks: newBucket(asksRate, asksBurst, 0),
		streams: make(map[*stream]struct{}), closing: make(chan struct{}),
	}
	s.tenants.crowded, s.tenants.private = cfg.crowded || s.here(), cfg.Private
	s.findPrefixes()
	conf := turn.ServerConfig{
		LoggerFactory: &logging.DefaultLoggerFactory{
			Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled},
		Realm: Realm, AuthHandler: s.authenticate, QuotaHandler: s.hasRoom,
		EventHandler: s.events(), StrictAddressFamily: true, InboundMTU: frameMax,
	}
	if err := s.listen(ctx, &conf); err != nil {
		return nil, err
	}
	var err error
	if s.turn, err = turn.NewServer(conf); err != nil {
		closeAll(&conf)
		return nil, fmt.Errorf("starting the relay: %w", err)
	}
	s.runs.Go(s.sweep)
	s.log.Info("relay: serving", "at", fmt.Sprint(s.addrs))
	return s, nil
}

// checkLend returns errNoLend unless there is one address, or one of each family.
func checkLend(lend []Lent) error {
	if len(lend) == 0 || len(lend) > 2 ||
		len(lend) == 2 && lend[0].Public.Is4() == lend[1].Public.Is4() {
		return errNoLend
	}
	for _, l := range lend {
		if !l.Public.IsValid() || l.Bind.IsValid() && l.Bind.Is4() != l.Public.Is4() {
			return errNoLend
		}
	}
	return nil
}

// listen makes the sockets for clients.
func (s *Server) listen(ctx context.Context, conf *turn.ServerConfig) error {
	for _, addr := range s.cfg.Listen {
		pc, l, err := s.listenBoth(ctx, addr)
		if err != nil {
			closeAll(conf)
			return fmt.Errorf("listening for clients of the relay: %w", err)
		}
		s.addrs = append(s.addrs, addrPortOf(pc.LocalAddr()))
		conf.PacketConnConfigs = append(conf.PacketConnConfigs, turn.PacketConnConfig{
			PacketConn: newGate(s, pc), RelayAddressGenerator: lender{s},
			PermissionHandler: s.permission(false),
		})
		conf.ListenerConfigs = append(conf.ListenerConfigs, turn.ListenerConfig{
			Listener: &door{Listener: l, server: s}, RelayAddressGenerator: lender{s},
			PermissionHandler: s.permission(true),
		})
	}
	return nil
}

// clientsBuffer is what the system is asked to keep of what clients send, in bytes: a fraction
// of a second, so that garbage does not take the place of requests.
const clientsBuffer = 1 << 20

// portTries is how often a port is looked for that is free for both protocols.
const portTries = 16

// listenBoth listens on an address over UDP and TCP.
func (s *Server) listenBoth(ctx context.Context, addr netip.AddrPort) (*net.UDPConn,
	net.Listener, error,
) {
	for try := 1; ; try++ {
		pc, err := s.cfg.Net.ListenUDP(ctx, addr)
		if err != nil {
			return nil, nil, err
		}
		l, err := s.cfg.Net.ListenTCP(ctx, addrPortOf(pc.LocalAddr()))
		if err == nil {
			_ = pc.SetReadBuffer(clientsBuffer)
			return pc, l, nil
		}
		pc.Close()
		if addr.Port() != 0 || try == portTries {
			return nil, nil, err
		}
	}
}

func closeAll(conf *turn.ServerConfig) {
	for i := range conf.PacketConnConfigs {
		conf.PacketConnConfigs[i].PacketConn.Close()
		conf.ListenerConfigs[i].Listener.Close()
	}
}

// now returns the time since the server began.
func (s *Server) now() time.Duration { return time.Since(s.start) }

// Addrs returns where the server listens, in the order of ServerConfig.Listen.
func (s *Server) Addrs() []netip.AddrPort { return slices.Clone(s.addrs) }

// Stats returns the counters.
func (s *Server) Stats() Stats { return s.tenants.snapshot() }

// Close ends all allocations, and the server. It waits until no socket is open any more. Only
// the first call has an effect.
func (s *Server) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	streams := slices.Collect(maps.Keys(s.streams))
	s.mu.Unlock()
	if !first {
		s.runs.Wait()
		return nil
	}
	close(s.closing)
	err := s.turn.Close()
	for _, c := range streams {
		c.Close()
	}
	for _, n := range s.tenants.all() {
		n.close()
	}
	s.runs.Wait()
	stats := s.Stats()
	s.log.Info("relay: closed", "admitted", stats.Admitted, "bytes", stats.RelayedBytes)
	return err
}

// sweep ends the allocations whose time is over, until the server is closed.
func (s *Server) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	looked := s.now()
	for {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		now := s.now()
		for _, n := range s.tenants.overdue(now) {
			n.close()
		}
		if now-looked >= prefixesEvery {
			looked = now
			s.findPrefixes()
		}
	}
}

// findPrefixes finds out in which networks this machine is.
func (s *Server) findPrefixes() {
	found, err := s.cfg.Net.Prefixes()
	if err != nil {
		return // those of before count
	}
	var all []netip.Prefix
	for _, prefixes := range found {
		all = append(all, prefixes...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prefixes = all
}

// here reports whether the server is for this machine alone.
func (s *Server) here() bool { return s.cfg.Private && s.cfg.Lend[0].Public.IsLoopback() }

// mayReach reports whether anything may be relayed to a host.
func (s *Server) mayReach(host netip.Addr) bool {
	if s.cfg.Refuse != nil && s.cfg.Refuse(host) {
		return false
	}
	switch {
	case s.cfg.anywhere:
		return host.IsValid()
	case s.cfg.Private:
		return within(host) || host.IsLoopback() && s.here()
	case forbidden(host):
		return false
	}
	for _, l := range s.cfg.Lend {
		if host == l.Public || host == l.Bind {
			return false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(s.prefixes, func(p netip.Prefix) bool { return p.Contains(host) })
}
