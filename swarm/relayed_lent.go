package swarm

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/transport/relay"
	"swarmnode/swarm/transport/udpmux"
	"swarmnode/swarm/transport/utp"
)

const (
	// relayConnsMax bounds the connections through one relay, those included that peers have
	// made: a relay gives all of them one small rate.
	relayConnsMax = 32
	// permitTime bounds how long a relay may take to let hosts in.
	permitTime = 5 * time.Second
)

// errRelayGone ends a connection through a relay that is gone. It wraps errAddressGone.
var errRelayGone = &relayGone{}

// relayGone is the type of errRelayGone.
type relayGone struct{}

func (*relayGone) Error() string { return "the relay is gone" }

// Unwrap returns errAddressGone: the peer is not to blame, and can be met again at once.
func (*relayGone) Unwrap() error { return errAddressGone }

// A lent is an address that a relay lends us, as a port: uTP and the DHT use it like a socket
// of our own. Its methods are safe for concurrent use.
type lent struct {
	server     RelayServer
	allocation *relay.Allocation
	mux        *udpmux.Mux
	utp        *utp.Socket
	dht        net.PacketConn
	stop       context.CancelFunc // ends the accept loop
	wake       chan struct{}      // of letIn
	closing    sync.Once
}

// newLent begins to use an allocation, and accepts connections by it until ctx ends.
func newLent(ctx context.Context, k *relayKeeper, s RelayServer, a *relay.Allocation) *lent {
	e := k.engine
	l := &lent{server: s, allocation: a, mux: udpmux.New(a), wake: make(chan struct{}, 1)}
	l.dht = l.mux.DHT()
	l.utp = utp.NewSocket(l.mux, utp.Config{Budget: e.streams, DatagramMax: relay.DatagramMax,
		ConnsMax: relayConnsMax, Ignore: k.refuses})
	ctx, l.stop = context.WithCancel(ctx)
	e.accept(ctx, relayListener{utpListener{l.utp}, k}, endpoint.TransportRelay)
	return l
}

// refuses reports whether a host shall make no connection to a relayed address.
func (k *relayKeeper) refuses(host netip.Addr) bool {
	return k.engine.bans.refuses(host) || k.bans.refuses(host)
}

// ban bans a host from connections through relays. Only the relay says that wrong data has come
// from there, so the host itself is not banned: a relay could have any host banned.
func (k *relayKeeper) ban(now time.Time, host netip.Addr) { k.bans.ban(now, host) }

// addr returns the relayed address.
func (l *lent) addr() netip.AddrPort { return l.allocation.AddrPort() }

// serves reports whether the relay can carry what goes to a host.
func (l *lent) serves(host netip.Addr) bool {
	return l.addr().Addr().Is4() == host.Is4() && host != l.addr().Addr() &&
		relayable(l.allocation.Server().Addr(), host)
}

// poke makes letIn look at once. It never blocks.
func (l *lent) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// close gives the address back, and ends all connections through it.
func (l *lent) close() {
	l.closing.Do(func() {
		l.stop()
		l.utp.Close()
		l.mux.Close()
	})
}

// letIn asks the relay to let those in that may want to reach us, until ctx or the
// allocation ends.
func (k *relayKeeper) letIn(ctx context.Context, l *lent) {
	p := permitter{asked: make(map[netip.Addr]permitAsked)}
	is4 := l.addr().Addr().Is4()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.allocation.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
		for {
			now := time.Now()
			k.mu.Lock()
			hosts, at := p.next(now, &k.hosts, is4)
			k.mu.Unlock()
			if len(hosts) == 0 {
				if !at.IsZero() {
					timer.Reset(max(at.Sub(now), 10*time.Millisecond))
				}
				break
			}
			if err := l.permit(ctx, hosts); err != nil && !errors.Is(err, relay.ErrForbidden) {
				p.full(time.Now(), hosts)
			}
		}
	}
}

// permit lets hosts in, those that the relay may be asked for.
func (l *lent) permit(ctx context.Context, hosts []netip.Addr) error {
	var list []netip.Addr
	for _, host := range hosts {
		if l.serves(host) {
			list = append(list, host)
		}
	}
	if len(list) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, permitTime)
	defer cancel()
	return l.allocation.Permit(ctx, list)
}
