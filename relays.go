package swarmnode

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"swarmnode/dht"
	"swarmnode/swarm"
	"swarmnode/swarm/transport/relay"
)

const (
	// relayDHTPort is the port of the DHT node beside a relay of which only host and TURN port
	// are known, unless the bootstrap list has another one for that host: bootstrap nodes use it.
	relayDHTPort = 6881
	// relayAskTime bounds how long a relay may take to give credentials.
	relayAskTime = 3 * time.Second
	// relayJoinTime bounds the wait for the DHT before relays are looked up in it, and
	// relayLookUpTime the look-up.
	relayJoinTime   = 10 * time.Second
	relayLookUpTime = 5 * time.Second
	// relayLookUpGap is the least time between two look-ups. Meanwhile, the former result counts.
	// After one that has found nothing it is relayNoneGap: the first relay may be about to come.
	relayLookUpGap = 30 * time.Second
	relayNoneGap   = 4 * time.Second
	// relayFoundMax bounds the relays that one look-up finds.
	relayFoundMax = 256
	// strangersTried is how many relays of strangers are asked in one search, and
	// strangersAtOnce how many at one time.
	strangersTried  = 6
	strangersAtOnce = 3
	// waysTried is how many bootstrap hosts are asked when no relay was found.
	waysTried = 2
)

// relays implements swarm.RelaySource: first the relays that the user has named, then those of
// the bootstrap list in random order, then those of strangers that have worked before, and then
// some that the DHT knows, at random.
type relays struct {
	given, listed []relay.URI
	hosts         []string              // of the bootstrap list, HOST:PORT
	ports         map[string]uint16     // their ports by host
	proxied       bool                  // only TCP leads out
	node          func() *dht.Node      // nil while the DHT is off
	lookUp        func() lookUp         // of names
	blocked       func(netip.Addr) bool // whom strangers must not be
	book          *relayBook
	log           *slog.Logger

	mu    sync.Mutex
	told  map[string]bool  // relays of the user of which a warning was given
	found []netip.AddrPort // by the last look-up, DHT addresses
	when  time.Time        // of the last look-up
}

// newRelays returns the relays of a Config, or nil if it wants none. follow must be called next.
// The error is a *RelayError.
func newRelays(cfg *Config) (*relays, error) {
	given, err := parseURIs(cfg.Relays)
	if err != nil {
		return nil, err
	}
	listed, err := parseURIs(cfg.listed)
	if err != nil || cfg.NoRelay {
		return nil, err
	}
	r := &relays{given: given, listed: listed, ports: make(map[string]uint16),
		hosts: cfg.Bootstrap, proxied: cfg.Network.Proxied(), log: cfg.Logger,
		told: make(map[string]bool)}
	for _, host := range cfg.Bootstrap {
		name, text, err := net.SplitHostPort(host)
		port, err2 := strconv.ParseUint(text, 10, 16)
		if err == nil && err2 == nil && r.ports[name] == 0 {
			r.ports[name] = uint16(port)
		}
	}
	return r, nil
}

// follow sets what the relays need of a node.
func (r *relays) follow(n *Node) {
	r.node, r.lookUp, r.blocked = n.dht.Node, n.lookUp, n.blocked.has
	r.book = openRelayBook(n.dir, n.cfg.Logger)
}

// Relays implements swarm.RelaySource.
func (r *relays) Relays(ctx context.Context) iter.Seq[swarm.RelayServer] {
	return func(yield func(swarm.RelayServer) bool) {
		seen := make(map[relay.URI]struct{})
		once := func(s swarm.RelayServer) bool {
			key := relay.URI{Host: s.URI.Host, Port: s.URI.Port}
			if _, dup := seen[key]; dup {
				return true
			}
			seen[key] = struct{}{}
			return yield(s)
		}
		listed := append([]relay.URI{}, r.listed...)
		shuffle(listed)
		for i, uri := range append(append([]relay.URI{}, r.given...), listed...) {
			s, err := r.named(ctx, uri)
			if ctx.Err() != nil {
				return
			}
			s.Outcome = func(err error) { r.complain(uri, err, i < len(r.given)) }
			if err != nil {
				s.Outcome(fmt.Errorf("%v: %w", uri, err))
				continue
			}
			if !once(s) {
				return
			}
		}
		r.strangers(ctx, once)
	}
}

// complain logs that a relay cannot be used, and warns once if the user has named it. It does
// nothing without an error, which names the relay.
func (r *relays) complain(uri relay.URI, err error, named bool) {
	if err == nil {
		return
	}
	level := slog.LevelDebug
	if named && !errors.Is(err, errRelayNoDHT) && r.first(uri) { // the DHT may come
		level = slog.LevelWarn
	}
	r.log.Log(context.Background(), level, "a relay cannot be used", "err", err)
}

// first reports whether no warning of a relay was given yet, and counts one as given.
func (r *relays) first(uri relay.URI) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.told[uri.String()]
	r.told[uri.String()] = true
	return !was
}

// Reasons why a relay is not tried.
var (
	errRelayNoDHT  = errors.New("without a user it needs the DHT, which is off")
	errRelayUDP    = errors.New("it wants UDP (?transport=udp), and the proxy leads there over TCP alone")
	errRelayNobody = errors.New("it gives no credentials: it is no relay for everybody, and needs " +
		"a user (turn:USER:PASSWORD@HOST)")
	errRelaySilent = errors.New("no DHT node answers there, which would give us credentials; a " +
		"relay with users needs one (turn:USER:PASSWORD@HOST)")
)

// named returns what is needed to use a relay that was named. One without a user is asked for
// credentials in the DHT.
func (r *relays) named(ctx context.Context, uri relay.URI) (swarm.RelayServer, error) {
	if r.proxied {
		if uri.Transport == relay.UDP {
			return swarm.RelayServer{}, errRelayUDP
		}
		uri.Transport = relay.TCP
	}
	if uri.User != "" {
		return swarm.RelayServer{URI: uri}, nil
	}
	port := r.ports[uri.Host]
	if port == 0 {
		port = relayDHTPort
	}
	ctx, cancel := context.WithTimeout(ctx, 2*relayAskTime)
	defer cancel()
	ip, err := netip.ParseAddr(uri.Host)
	ips := []netip.Addr{ip}
	if err != nil {
		if ips, err = r.lookUp()(ctx, uri.Host); err != nil {
			return swarm.RelayServer{}, err
		}
	}
	err = errRelayNobody
	for _, ip := range ips[:min(len(ips), 2)] {
		t := &ticket{relays: r, at: netip.AddrPortFrom(ip.Unmap(), port)}
		if err = t.renew(ctx); err == nil {
			uri.Host = t.at.Addr().String() // credentials of one address count there
			return swarm.RelayServer{URI: uri, Credentials: t.credentials}, nil
		}
	}
	switch {
	case errors.Is(err, dht.ErrNoRelay):
		err = errRelayNobody
	case errors.Is(err, dht.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		err = errRelaySilent
	}
	return swarm.RelayServer{}, err
}

// strangers yields relays of strangers until yield returns false.
func (r *relays) strangers(ctx context.Context, yield func(swarm.RelayServer) bool) {
	if r.node() == nil {
		return
	}
	tried := make(map[netip.AddrPort]struct{})
	if !r.ask(ctx, r.book.good(time.Now()), tried, yield) {
		return
	}
	found := r.search(ctx)
	shuffle(found)
	had := false
	more := r.ask(ctx, found, tried, func(s swarm.RelayServer) bool {
		had = true
		return yield(s)
	})
	if more && !had {
		r.ask(ctx, r.ways(ctx), tried, yield)
	}
}

// ways returns the addresses of some bootstrap hosts. In a small DHT that of a relay may be the
// only node that everybody reaches, and so the only one that could tell of it.
func (r *relays) ways(ctx context.Context) (list []netip.AddrPort) {
	hosts := append([]string{}, r.hosts...)
	shuffle(hosts)
	ctx, cancel := context.WithTimeout(ctx, relayAskTime)
	defer cancel()
	for _, host := range hosts[:min(len(hosts), waysTried)] {
		name, text, _ := net.SplitHostPort(host)
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			continue
		}
		ips := []netip.Addr{{}}
		if ips[0], err = netip.ParseAddr(name); err != nil {
			if ips, err = r.lookUp()(ctx, name); err != nil || len(ips) == 0 {
				continue
			}
		}
		for _, ip := range ips[:min(len(ips), 2)] { // one of each family, mostly
			list = append(list, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
		}
	}
	return list
}

// ask asks relays of strangers for credentials, some at one time, and yields those that give
// some. It reports whether yield wants more. tried are those that were asked.
func (r *relays) ask(ctx context.Context, list []netip.AddrPort,
	tried map[netip.AddrPort]struct{}, yield func(swarm.RelayServer) bool) bool {
	var asks sync.WaitGroup
	defer asks.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan *ticket, strangersTried)
	now, open := time.Now(), 0
	next := func() {
		for len(list) > 0 && len(tried) < strangersTried && open < strangersAtOnce {
			at := list[0]
			list = list[1:]
			if _, dup := tried[at]; dup || r.blocked(at.Addr()) || r.book.avoids(at, now) {
				continue
			}
			tried[at] = struct{}{}
			open++
			asks.Go(func() { answers <- r.apply(ctx, at) })
		}
	}
	for next(); open > 0; next() {
		t := <-answers
		open--
		if t == nil {
			continue
		}
		uri := relay.URI{Host: t.at.Addr().String(), Port: t.given.Port}
		if r.proxied {
			uri.Transport = relay.TCP
		}
		if !yield(swarm.RelayServer{URI: uri, Credentials: t.credentials, Outcome: t.outcome}) {
			return false
		}
	}
	return ctx.Err() == nil
}

// apply asks the DHT node of a stranger's relay for credentials. It returns nil if there are
// none.
func (r *relays) apply(ctx context.Context, at netip.AddrPort) *ticket {
	t := &ticket{relays: r, at: at}
	if err := t.renew(ctx); err != nil {
		t.outcome(err)
		return nil
	}
	return t
}

// search returns the DHT addresses of relays that the DHT knows.
func (r *relays) search(ctx context.Context) []netip.AddrPort {
	r.mu.Lock()
	found, since := r.found, time.Since(r.when)
	r.mu.Unlock()
	node := r.node()
	if node == nil || since < relayNoneGap || since < relayLookUpGap && len(found) > 0 {
		return append([]netip.AddrPort{}, found...)
	}
	joining, cancel := context.WithTimeout(ctx, relayJoinTime)
	defer cancel()
	if node.Join(joining) != nil {
		return nil
	}
	looking, cancel := context.WithTimeout(ctx, relayLookUpTime)
	defer cancel()
	found = nil
	_, _ = node.GetPeers(looking, dht.RelayTarget, func(at netip.AddrPort) {
		if len(found) < relayFoundMax {
			found = append(found, at)
		}
	})
	if ctx.Err() != nil {
		return nil
	}
	r.mu.Lock()
	r.found, r.when = found, time.Now()
	r.mu.Unlock()
	return append([]netip.AddrPort{}, found...)
}

// A ticket is the credentials that one relay has given us. It is safe for concurrent use.
type ticket struct {
	relays *relays
	at     netip.AddrPort // its DHT node

	mu    sync.Mutex
	given dht.TurnCredentials
	since time.Time
}

// renew asks for credentials.
func (t *ticket) renew(ctx context.Context) error {
	node := t.relays.node()
	if node == nil {
		return errRelayNoDHT
	}
	ctx, cancel := context.WithTimeout(ctx, relayAskTime)
	defer cancel()
	given, err := node.TurnCredentials(ctx, t.at)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.given, t.since = given, time.Now()
	return nil
}

// credentials implements swarm.RelayServer.Credentials. Those that are old are asked for again.
func (t *ticket) credentials(ctx context.Context, _ netip.Addr) (user, password string, err error) {
	t.mu.Lock()
	fresh := time.Since(t.since) < t.given.Life/2
	t.mu.Unlock()
	if !fresh {
		if err := t.renew(ctx); err != nil {
			return "", "", err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.given.User, t.given.Password, nil
}

// outcome implements swarm.RelayServer.Outcome: the book remembers it, unless the failure says
// nothing about the relay.
func (t *ticket) outcome(err error) {
	for _, ours := range []error{context.Canceled, dht.ErrBusy, dht.ErrClosed, dht.ErrFamily,
		errRelayNoDHT} {
		if errors.Is(err, ours) {
			return
		}
	}
	t.relays.book.note(t.at, err == nil, time.Now())
}

// shuffle brings a list into random order.
func shuffle[T any](list []T) {
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}
