package swarm

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/reach"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/transport/relay"
)

const (
	// relayTick is how often the keeper looks whether an allocation is needed.
	relayTick = time.Second
	// relayAskTime bounds an attempt to get an allocation.
	relayAskTime = 8 * time.Second
	// relaySearchTime bounds a search for servers, which takes no more than relaysPerSearch.
	relaySearchTime = 30 * time.Second
	relaysPerSearch = 4
	// missedKnown bounds the hosts that are remembered because dials to them came to nothing,
	// missedEnough is how many dials to one host must, and missedFor is how long that counts.
	missedKnown  = 64
	missedEnough = 2
	missedFor    = 5 * time.Minute
)

// A relayKeeper holds the addresses that relays lend an Engine. Its methods are safe for
// concurrent use.
type relayKeeper struct {
	engine *Engine
	source RelaySource
	wake   chan struct{}
	news   chan func(p *relayPlan, now time.Time) // what the children of run have found
	wait   sync.WaitGroup                         // children of run
	dials  chan struct{}                          // holds a token for each connection that we made
	bans   *bans                                  // of hosts that relays carry

	leads atomic.Pointer[[]netip.AddrPort] // the addresses of held; another list at each change

	mu     sync.Mutex // guards what follows
	stands reach.Standing
	at     [2]netip.Addr // of stands, as of the last hasMoved
	moved  bool          // stands has changed, and torrents were not told yet
	told   time.Time     // when torrents were told of a change last
	held   []*lent       // in the order in which they came
	hosts  permitList
	missed map[netip.Addr]missedHost
	conns  map[netip.Addr]int // relayed connections by host
	knocks knockBudget
}

// A missedHost is one that dials have not reached.
type missedHost struct {
	times int
	last  time.Time
}

// newRelayKeeper returns the keeper of an engine. Without a source, or without uTP, it holds
// nothing.
func newRelayKeeper(e *Engine) *relayKeeper {
	k := &relayKeeper{engine: e, source: e.cfg.Relays, wake: make(chan struct{}, 1),
		news:   make(chan func(*relayPlan, time.Time)),
		dials:  make(chan struct{}, relayDialsMax),
		missed: make(map[netip.Addr]missedHost), conns: make(map[netip.Addr]int),
		bans: e.bans.sibling()}
	if e.cfg.NoUTP || e.proxied() {
		k.source = nil
	}
	return k
}

// isOff reports whether the keeper never holds anything.
func (k *relayKeeper) isOff() bool { return k.source == nil }

// poke makes run look at once. It never blocks.
func (k *relayKeeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// miss records that a dial to a host that was named to us has come to nothing.
func (k *relayKeeper) miss(now time.Time, host netip.Addr) {
	if k.isOff() || book.Local(host) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	m := k.missed[host]
	if now.Sub(m.last) > missedFor {
		m.times = 0
	}
	m.times, m.last = m.times+1, now
	if len(k.missed) >= missedKnown && k.missed[host].times == 0 {
		for ip, other := range k.missed {
			if other.times < missedEnough || now.Sub(other.last) > missedFor {
				delete(k.missed, ip)
			}
		}
		if len(k.missed) >= missedKnown {
			return
		}
	}
	k.missed[host] = m
}

// misses reports whether some host was missed often enough.
func (k *relayKeeper) misses(now time.Time) bool {
	for _, m := range k.missed {
		if m.times >= missedEnough && now.Sub(m.last) <= missedFor {
			return true
		}
	}
	return false
}

// wanted returns how many allocations are wanted: one where we need a relay and have
// torrents, and another one, of another server, while connections depend on the first.
func (k *relayKeeper) wanted(now time.Time) int {
	active := k.engine.hasTraffic()
	k.mu.Lock()
	defer k.mu.Unlock()
	need := needOf(k.stands)
	if !active || need == relayUseless || need == relayUseful && !k.misses(now) &&
		!k.carries() {
		return 0
	}
	if k.carries() {
		return 2
	}
	return 1
}

// carries reports whether there are relayed connections. mu is held.
func (k *relayKeeper) carries() bool { return len(k.conns) > 0 }

// run keeps as many allocations as are needed, until ctx ends.
func (k *relayKeeper) run(ctx context.Context) {
	defer k.wait.Wait()
	stop := k.engine.OnReach(k.stand)
	defer stop()
	plan := new(relayPlan)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		case <-timer.C:
		case f := <-k.news:
			f(plan, time.Now())
		}
		now := time.Now()
		k.follow(ctx, plan, now)
		timer.Reset(relayTick)
	}
}

// follow does what the plan says.
func (k *relayKeeper) follow(ctx context.Context, plan *relayPlan, now time.Time) {
	if moved, network := k.hasMoved(now); moved {
		if network {
			plan.moved(now)
		}
		for _, t := range k.engine.Torrents() {
			t.ask(func(at time.Time) { t.loop.pathsChanged(at) })
		}
	}
	plan.want(now, k.wanted(now))
	order := plan.order(now)
	for _, s := range order.ask {
		k.wait.Go(func() { k.ask(ctx, s) })
	}
	if order.search {
		k.wait.Go(func() { k.search(ctx) })
	}
	if n, _ := plan.surplus(now); n > 0 {
		k.giveBack(plan, now, n)
	}
}

// tell hands f to run. It reports false if run has ended.
func (k *relayKeeper) tell(ctx context.Context, f func(*relayPlan, time.Time)) bool {
	select {
	case k.news <- f:
		return true
	case <-ctx.Done():
		return false
	}
}

// search looks for servers.
func (k *relayKeeper) search(ctx context.Context) {
	looking, cancel := context.WithTimeout(ctx, relaySearchTime)
	defer cancel()
	fresh := 0
	for s := range k.source.Relays(looking) {
		known := make(chan bool, 1)
		if !k.tell(ctx, func(p *relayPlan, _ time.Time) { known <- !p.learn(s) }) {
			return
		}
		if !<-known {
			fresh++
		}
		if fresh >= relaysPerSearch || looking.Err() != nil {
			break
		}
	}
	k.tell(ctx, func(p *relayPlan, now time.Time) { p.searched(now) })
}

// ask asks a server for an allocation.
func (k *relayKeeper) ask(ctx context.Context, s RelayServer) {
	a, err := k.dial(ctx, s)
	if s.Outcome != nil && ctx.Err() == nil {
		s.Outcome(err)
	}
	if err != nil {
		k.engine.log.Debug("no relay", "server", s.URI.String(), "err", err)
		k.tell(ctx, func(p *relayPlan, now time.Time) { p.failed(now, s, err) })
		return
	}
	taken := make(chan bool, 1)
	if !k.tell(ctx, func(p *relayPlan, now time.Time) { taken <- p.opened(now, s) }) ||
		!<-taken {
		a.Close()
		return
	}
	k.open(ctx, s, a)
}

// dial gets an allocation of a server.
func (k *relayKeeper) dial(ctx context.Context, s RelayServer) (*relay.Allocation, error) {
	ctx, cancel := context.WithTimeout(ctx, relayAskTime)
	defer cancel()
	e := k.engine
	local := e.Addr().Addr()
	if local.IsUnspecified() {
		local = netip.Addr{}
	}
	uri := s.URI
	if s.Credentials != nil {
		var err error
		if uri.User, uri.Password, err = s.Credentials(ctx, local); err != nil {
			return nil, err
		}
	}
	a, err := relay.Dial(ctx, relay.Config{Net: e.cfg.Net, Server: uri, Local: local, Log: e.log,
		Knock: k.knock})
	if err == nil && !relayable(a.Server().Addr(), a.AddrPort().Addr()) {
		a.Close()
		return nil, fmt.Errorf("%w: it lends %v", relay.ErrAnswer, a.AddrPort())
	}
	return a, err
}

// open begins to use an allocation.
func (k *relayKeeper) open(ctx context.Context, s RelayServer, a *relay.Allocation) {
	l := newLent(ctx, k, s, a)
	k.mu.Lock()
	k.held = append(k.held, l)
	k.mu.Unlock()
	k.wait.Go(func() { k.letIn(ctx, l) })
	k.wait.Go(func() { k.announce(ctx, l) })
	k.wait.Go(func() { k.watch(ctx, l) })
	k.changed()
}

// watch waits for the end of an allocation.
func (k *relayKeeper) watch(ctx context.Context, l *lent) {
	select {
	case <-ctx.Done():
		return
	case <-l.allocation.Done():
	}
	if !k.remove(l) {
		return // it was given back
	}
	k.tell(ctx, func(p *relayPlan, now time.Time) { p.lost(now, l.server) })
	k.changed()
	for _, t := range k.engine.Torrents() {
		t.ask(func(time.Time) { t.loop.relayGone(l.addr()) })
	}
	l.close()
}

// remove takes an allocation out of those that are held, and reports whether it was one.
func (k *relayKeeper) remove(l *lent) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.Index(k.held, l)
	if i >= 0 {
		k.held = slices.Delete(k.held, i, i+1)
	}
	return i >= 0
}

// giveBack ends n allocations, those first that carry least.
func (k *relayKeeper) giveBack(plan *relayPlan, now time.Time, n int) {
	k.mu.Lock()
	list := slices.Clone(k.held)
	k.mu.Unlock()
	slices.SortStableFunc(list, func(a, b *lent) int { return a.utp.Len() - b.utp.Len() })
	gave := false
	for _, l := range list[:min(n, len(list))] {
		if plan.wants > 0 && l.utp.Len() > 0 || !k.remove(l) {
			continue
		}
		gave = true
		plan.gaveBack(now, l.server)
		k.wait.Go(l.close)
	}
	if gave { // otherwise all torrents would be woken every second
		k.changed()
	}
}

// changed tells everybody the addresses that lead to us now.
func (k *relayKeeper) changed() {
	k.mu.Lock()
	addrs := k.heldAddrs()
	k.leads.Store(&addrs)
	k.mu.Unlock()
	e := k.engine
	e.Observe(reach.Relayed{Addrs: addrs})
	for _, t := range e.Torrents() {
		t.ask(func(time.Time) {}) // its loop looks at the list
	}
}

// addrs returns the relayed addresses that lead to us, the oldest first.
func (k *relayKeeper) addrs() []netip.AddrPort {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.heldAddrs()
}

// heldAddrs is addrs while k.mu is held.
func (k *relayKeeper) heldAddrs() (list []netip.AddrPort) {
	for _, l := range k.held {
		list = append(list, l.addr())
	}
	return list
}

// find returns the allocation by which to reach a host, or nil.
func (k *relayKeeper) find(host netip.Addr) *lent {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.held {
		if l.serves(host) {
			return l
		}
	}
	return nil
}

// name says that a host may want to reach us: relays let it in from now on.
func (k *relayKeeper) name(now time.Time, host netip.Addr) {
	if k.isOff() || book.Local(host) && k.find(host) == nil {
		return
	}
	k.mu.Lock()
	k.hosts.name(now, host)
	held := k.held
	k.mu.Unlock()
	for _, l := range held {
		l.poke()
	}
}

// close gives everything back, after run has ended.
func (k *relayKeeper) close() {
	ctx, cancel := context.WithTimeout(context.Background(), drainMax)
	defer cancel()
	k.mu.Lock()
	held := k.held
	k.held = nil
	k.mu.Unlock()
	for _, l := range held {
		l.utp.Drain(ctx)
		l.close()
	}
}

// Relayed returns the addresses at relays that lead to the engine now, at most two.
func (e *Engine) Relayed() []netip.AddrPort { return e.relays.addrs() }

// hasTraffic reports whether some torrent exchanges content.
func (e *Engine) hasTraffic() bool {
	return e.registry.any(func(t *Torrent) bool { return !t.traffic.isShut() })
}

// relaysSeen are the addresses at relays that the core of a torrent knows. All torrents share
// the list.
type relaysSeen struct{ list *[]netip.AddrPort } // nil before the first

// addrs returns the addresses, which nobody may change.
func (s relaysSeen) addrs() []netip.AddrPort {
	if s.list == nil {
		return nil
	}
	return *s.list
}

// set records what the core has been told.
func (s *relaysSeen) set(is relaysSeen) { *s = is }

// learnRelays tells the core which relays lead to us, when that has changed.
func (l *loop) learnRelays(now time.Time) {
	is := relaysSeen{l.t.engine.relays.leads.Load()}
	if is == l.relaysSeen {
		return
	}
	for _, at := range l.relaysSeen.addrs() {
		if !slices.Contains(is.addrs(), at) {
			l.core.Step(now, core.Event{Kind: core.RelayLost, Endpoint: endpoint.IP(at)})
		}
	}
	for _, at := range is.addrs() {
		if !slices.Contains(l.relaysSeen.addrs(), at) {
			l.core.Step(now, core.Event{Kind: core.RelayFound, Endpoint: endpoint.IP(at)})
		}
	}
	l.relaysSeen.set(is)
	l.setOwn()
}

// setOwn tells the core the addresses that lead to us, relayed ones included.
func (l *loop) setOwn() {
	own, relayed := *l.t.engine.own.Load(), l.relaysSeen.addrs()
	l.core.SetOwn(append(slices.Clip(own), relayed...))
}

// relayPort returns the port of the relayed address that carries the link, or 0.
func (l *link) relayPort() int {
	if l.over != endpoint.TransportRelay {
		return 0
	}
	return int(transport.LocalAddrPort(l.conn).Port())
}

// pathsChanged makes the core try peers directly that a relay carries.
func (l *loop) pathsChanged(now time.Time) {
	l.core.Step(now, core.Event{Kind: core.PathsChanged})
}

// relayGone closes the connections through a relay that is gone.
func (l *loop) relayGone(gone netip.AddrPort) {
	for _, link := range l.links {
		if link.over == endpoint.TransportRelay && transport.LocalAddrPort(link.conn) == gone {
			link.stream.Close(errRelayGone)
		}
	}
}
