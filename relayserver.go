package swarmnode

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"swarmnode/dht"
	"swarmnode/swarm/transport/relay"
)

const (
	// relayLook is how often a RelayServer looks whether it is public, and what it can lend.
	relayLook = 2 * time.Second
	// relayAnnounce is how often it announces itself: below 15 minutes, so that nodes of the DHT
	// do not forget it. relayRetry is the time after an announce that nobody has stored.
	relayAnnounce = 13 * time.Minute
	relayRetry    = time.Minute
)

// RelayPort is the usual port of relays, over UDP and TCP.
const RelayPort = relay.DefaultPort

// RelayLimits bound what a relay does for others. Each zero field means its default.
type RelayLimits = relay.Limits

// A RelayConfig describes a RelayServer. The zero value of each field has a meaning.
type RelayConfig struct {
	// Network is the way by which the relay reaches others, that of its DHT node.
	Network *Network
	// Listen are the addresses on which clients are served, over UDP and TCP; ports in it count
	// for nothing. Empty means each address that is lent. Port is their port; zero leaves that
	// to the system.
	Listen []netip.AddrPort
	Port   uint16
	// Lend are the addresses whose ports are lent, one of each family at most. Empty means the
	// public addresses of this machine. An address that is none of this machine is one of a NAT
	// in front of it that maps every port. A private address makes a relay for private networks:
	// it serves everybody there at once, and announces itself in no DHT of the Internet.
	Lend []netip.Addr
	// PortMin and PortMax bound the ports that are lent. Zero leaves these to the system.
	PortMin, PortMax uint16
	// Users are passwords by name, for clients that are served in any case.
	Users map[string]string
	// Limits bound what the relay does for others.
	Limits RelayLimits
	// Logger takes a line per change of state. It may be nil.
	Logger *slog.Logger
}

// A RelayServer is a TURN server (RFC 8656) beside a DHT node. Clients find it in the DHT, where
// they also get credentials (see dht.Node.TurnCredentials), as soon as it is known to be public:
// strangers of two networks have reached the DHT node unasked, and others see that node at an
// address that is lent. Its methods are safe for concurrent use.
type RelayServer struct {
	cfg    RelayConfig
	dht    *DHTNode
	keys   *relay.Keys
	device *deviceWatch
	end    context.CancelFunc
	runs   sync.WaitGroup // run
	wake   chan struct{}  // makes run look at once; holds one

	// Of run alone, and of StartRelay before it.
	granting   *dht.Node          // where credentials are given out; nil if nowhere
	announcing context.CancelFunc // nil while it does not announce itself
	announces  sync.WaitGroup

	mu     sync.Mutex
	server *relay.Server // nil while nothing can be lent
	lent   []netip.Addr
	past   relay.Stats // of servers before it
	stale  bool        // the sockets of server are dead
	state  RelayState
}

// A RelayState says what a RelayServer does.
type RelayState struct {
	// Listen is where clients are served. There is nothing while nothing can be lent.
	Listen []netip.AddrPort
	// Lent are the addresses that it lends.
	Lent []netip.Addr
	// Open says that everybody is served, over IPv4 and over IPv6. Otherwise, only users are.
	Open [2]bool
	// Why says why not everybody is served, in no family. It is empty if anybody is.
	Why string
	// Announced is how many DHT nodes have stored the last announce.
	Announced int
	// Stats are counts.
	Stats relay.Stats
}

// StartRelay starts a relay beside d. The caller must Close it before d. The error says why the
// relay cannot listen, which is a *ListenError, or what is wrong with cfg.
func StartRelay(ctx context.Context, cfg RelayConfig, d *DHTNode) (*RelayServer, error) {
	if cfg.Network.Proxied() {
		return nil, errors.New("a relay behind a proxy reaches nobody")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &RelayServer{cfg: cfg, dht: d, keys: relay.NewKeys(time.Now()),
		wake:   make(chan struct{}, 1),
		device: watchDevice(cfg.Network, slog.New(slog.DiscardHandler))}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	r.end = end
	if err := r.look(running); err != nil {
		r.Close()
		return nil, err
	}
	r.device.start(r.renew)
	r.runs.Go(func() { r.run(running) })
	return r, nil
}

// renew makes the sockets again, after the interface was made again.
func (r *RelayServer) renew() error {
	r.mu.Lock()
	r.stale = true
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return nil
}

// run follows what can be lent, and whether the relay is public, until ctx ends.
func (r *RelayServer) run(ctx context.Context) {
	tick := time.NewTicker(relayLook)
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-r.wake:
		}
		err := r.look(ctx)
		if err != nil && err.Error() != told {
			r.cfg.Logger.Warn("the relay cannot listen", "err", err)
		}
		told = ""
		if err != nil {
			told = err.Error()
		}
	}
}

// look brings everything up to date. The error is that of listening.
func (r *RelayServer) look(ctx context.Context) error {
	node := r.dht.Node()
	proof := relayProof{private: isPrivate(r.cfg.Lend)}
	if node != nil {
		proof.strangers, proof.external = node.Stats().Strangers, node.External()
	}
	lent := r.lendable(proof.external)
	err := r.serve(ctx, lent)
	if err == nil {
		proof.lent = lent
	}
	open, why := proof.judge()
	if err != nil {
		why = err.Error()
	}
	r.mu.Lock()
	r.state.Open, r.state.Why = open, why
	r.mu.Unlock()
	if open == [2]bool{} {
		node = nil
	}
	r.giveOut(node)
	r.spread(ctx, node != nil && !proof.hidden())
	return err
}

// isPrivate reports whether a relay that lends these addresses is for private networks.
func isPrivate(lend []netip.Addr) bool {
	return slices.ContainsFunc(lend, func(ip netip.Addr) bool { return !relay.Public(ip) })
}

// lendable returns the addresses that can be lent now, IPv4 in front: of several the one that
// others see, or else the one that is lent already.
func (r *RelayServer) lendable(external []netip.AddrPort) []netip.Addr {
	all := r.cfg.Lend
	if len(all) == 0 {
		own, err := r.cfg.Network.Egress().Addresses()
		if err != nil {
			r.cfg.Logger.Debug("listing addresses", "err", err)
		}
		for _, ip := range own {
			if ip = ip.Unmap(); relay.Public(ip) && r.listensOn(ip) {
				all = append(all, ip)
			}
		}
		slices.SortFunc(all, netip.Addr.Compare)
	}
	var better []netip.Addr
	for _, seen := range external {
		better = append(better, seen.Addr())
	}
	return oneOfEach(all, append(better, r.State().Lent...))
}

// oneOfEach returns one address of each family that all has, IPv4 in front: the first one in
// better, or else the first one of all.
func oneOfEach(all, better []netip.Addr) (list []netip.Addr) {
	preferred := slices.DeleteFunc(slices.Clone(better), func(ip netip.Addr) bool {
		return !slices.Contains(all, ip)
	})
	preferred = append(preferred, all...)
	for _, four := range []bool{true, false} {
		ofFamily := func(ip netip.Addr) bool { return ip.Is4() == four }
		if i := slices.IndexFunc(preferred, ofFamily); i >= 0 {
			list = append(list, preferred[i])
		}
	}
	return list
}

// listensOn reports whether the relay may listen on an address.
func (r *RelayServer) listensOn(ip netip.Addr) bool {
	serves := func(a netip.AddrPort) bool {
		host := a.Addr()
		return !host.IsValid() || host == ip || host.IsUnspecified() && host.Is4() == ip.Is4()
	}
	return len(r.cfg.Listen) == 0 || slices.ContainsFunc(r.cfg.Listen, serves)
}

// serve makes the TURN server lend these addresses. The error is a *ListenError, or says what is
// wrong with the configuration.
func (r *RelayServer) serve(ctx context.Context, lent []netip.Addr) error {
	r.mu.Lock()
	old, same := r.server, slices.Equal(lent, r.lent) && !r.stale
	r.mu.Unlock()
	if same && (old != nil || len(lent) == 0) {
		return nil
	}
	if old != nil {
		old.Close()
	}
	var server *relay.Server
	var err error
	cfg := r.serverConfig(lent)
	if len(lent) > 0 {
		if server, err = relay.Serve(ctx, cfg); err != nil {
			err = listenError(cfg.Listen, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old != nil {
		r.past = sumStats(r.past, old.Stats())
		r.past.Tenants = 0
	}
	r.server, r.lent, r.stale = server, nil, false
	r.state.Listen, r.state.Lent = nil, nil
	if server != nil {
		r.lent, r.state.Lent, r.state.Listen = lent, lent, server.Addrs()
	}
	return err
}

// serverConfig describes the TURN server that lends these addresses.
func (r *RelayServer) serverConfig(lent []netip.Addr) relay.ServerConfig {
	cfg := relay.ServerConfig{Net: r.cfg.Network.Egress(), PortMin: r.cfg.PortMin,
		PortMax: r.cfg.PortMax, Keys: r.keys, Users: r.cfg.Users, Refuse: r.dht.blocked.has,
		Limits: r.cfg.Limits, Private: isPrivate(r.cfg.Lend), Log: r.cfg.Logger}
	own, _ := r.cfg.Network.Egress().Addresses() // without them, all of its family
	for _, ip := range lent {
		l, at := relay.Lent{Public: ip}, ip
		if !ip.IsLoopback() && !slices.Contains(own, ip) {
			at = netip.IPv6Unspecified()
			if ip.Is4() {
				at = netip.IPv4Unspecified()
			}
			l.Bind = at
		}
		cfg.Lend = append(cfg.Lend, l)
		if len(r.cfg.Listen) == 0 {
			cfg.Listen = append(cfg.Listen, netip.AddrPortFrom(at, r.cfg.Port))
		}
	}
	for _, a := range r.cfg.Network.ListenAddrs(r.cfg.Listen, r.cfg.Port) {
		if len(r.cfg.Listen) > 0 {
			cfg.Listen = append(cfg.Listen, netip.AddrPortFrom(a.Addr(), r.cfg.Port))
		}
	}
	return cfg
}

// giveOut makes node, which may be nil, and no other one give out credentials.
func (r *RelayServer) giveOut(node *dht.Node) {
	if node == r.granting {
		return
	}
	r.spread(context.Background(), false)
	if r.granting != nil {
		r.granting.ServeTurn(nil)
	}
	if r.granting = node; node != nil {
		node.ServeTurn(r.grant)
	}
}

// spread begins to announce the relay, or ends that.
func (r *RelayServer) spread(ctx context.Context, on bool) {
	switch {
	case on == (r.announcing != nil):
	case on:
		ctx, r.announcing = context.WithCancel(ctx)
		node := r.granting
		r.announces.Go(func() { r.announce(ctx, node) })
	default:
		r.announcing()
		r.announces.Wait()
		r.announcing = nil
	}
}

// grant returns credentials for a host, or none while its family is not served.
func (r *RelayServer) grant(asker netip.Addr) dht.TurnCredentials {
	r.mu.Lock()
	defer r.mu.Unlock()
	family := 0
	if asker.Is6() {
		family = 1
	}
	if !r.state.Open[family] || isPrivate(r.cfg.Lend) && relay.Public(asker) {
		return dht.TurnCredentials{}
	}
	given := dht.TurnCredentials{Life: relay.CredentialLife}
	given.User, given.Password = r.keys.Credentials(asker, time.Now())
	for _, at := range r.state.Listen {
		if at.Addr().Is4() == asker.Is4() {
			given.Port = at.Port()
		}
	}
	return given
}

// announce announces the relay in the DHT until ctx ends.
func (r *RelayServer) announce(ctx context.Context, node *dht.Node) {
	if node.Join(ctx) != nil {
		return
	}
	for {
		l, err := node.Announce(ctx, dht.RelayTarget, 0, false, nil)
		if ctx.Err() != nil {
			return
		}
		pause := relayAnnounce
		if err != nil {
			pause = relayRetry
		}
		r.mu.Lock()
		r.state.Announced = l.Stored
		r.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// State returns what the relay does now.
func (r *RelayServer) State() RelayState {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.state
	s.Stats = r.past
	if r.server != nil {
		s.Stats = sumStats(s.Stats, r.server.Stats())
	}
	return s
}

// URIs returns how clients name the relay, without users (see Config.Relays).
func (s *RelayState) URIs() (uris []string) {
	for _, at := range s.Listen {
		for _, ip := range s.Lent {
			if ip.Is4() == at.Addr().Is4() {
				uris = append(uris, relay.URI{Host: ip.String(), Port: at.Port()}.String())
			}
		}
	}
	return uris
}

// Close ends the relay, and all its allocations.
func (r *RelayServer) Close() {
	r.device.stop()
	r.end()
	r.runs.Wait()
	r.giveOut(nil)
	r.mu.Lock()
	server := r.server
	r.mu.Unlock()
	if server != nil {
		server.Close()
	}
}

// sumStats adds the counts of a server to those of the ones before it.
func sumStats(a, b relay.Stats) relay.Stats {
	b.Admitted += a.Admitted
	b.Refused += a.Refused
	b.Denied += a.Denied
	b.Ignored += a.Ignored
	b.Withheld += a.Withheld
	b.Forbidden += a.Forbidden
	b.GrantsRefused += a.GrantsRefused
	b.Relayed += a.Relayed
	b.RelayedBytes += a.RelayedBytes
	b.Knocks += a.Knocks
	b.Unpermitted += a.Unpermitted
	b.Unfit += a.Unfit
	b.OverLimit += a.OverLimit
	b.Ended += a.Ended
	return b
}
