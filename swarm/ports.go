package swarm

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/swarm/egress"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/transport/udpmux"
	"swarmnode/swarm/transport/utp"
)

// A port is an address at which an Engine listens, for TCP and UDP at once. Behind a proxy it
// has no address, and is for datagrams alone.
type port struct {
	pair  *transport.Pair    // nil behind a proxy
	stop  context.CancelFunc // ends the accept loops, which close the listeners
	mux   *udpmux.Mux        // owns the UDP socket
	utp   *utp.Socket        // uTP over mux
	relay net.PacketConn     // below mux, behind a proxy
}

// addr returns where the port is, or the zero AddrPort behind a proxy.
func (p *port) addr() netip.AddrPort {
	if p.pair == nil {
		return netip.AddrPort{}
	}
	return p.pair.AddrPort()
}

// close closes both sockets, which ends the accept loops and all uTP connections. It waits for
// the reader of the UDP socket alone. Calls after the first have no effect.
func (p *port) close() error {
	p.stop()
	if p.pair != nil {
		p.pair.TCP.Close() // the end of its context may have closed it
	}
	p.utp.Close()
	return p.mux.Close()
}

// retire closes all but the uTP connections that there are, and the UDP socket that they use.
// The channel is closed when they have ended.
func (p *port) retire() (ended <-chan struct{}) {
	p.stop()
	p.pair.TCP.Close()
	p.mux.DHT().Close()
	return p.utp.Retire()
}

// A utpListener accepts uTP connections. Its end leaves those that there are.
type utpListener struct{ socket *utp.Socket }

// Accept implements transport.Listener.
func (l utpListener) Accept() (net.Conn, error) { return l.socket.Accept() }

// AddrPort implements transport.Listener.
func (l utpListener) AddrPort() netip.AddrPort { return l.socket.AddrPort() }

// Close implements transport.Listener.
func (l utpListener) Close() error {
	l.socket.Retire()
	return nil
}

// ports are where an Engine listens. It is safe for concurrent use.
type ports struct {
	listen listenFunc
	net    *egress.Net             // makes the sockets; may be nil
	list   atomic.Pointer[[]*port] // in the order in which the user named them; nil for none

	mu      sync.Mutex // held while list and retired change
	retired []*port    // given up, and in use by uTP connections; at most retiredMax
	closed  bool
}

// retiredMax is how many ports that were given up may still serve uTP connections.
const retiredMax = 4

// all returns the ports. Nobody may change the list.
func (s *ports) all() []*port {
	if list := s.list.Load(); list != nil {
		return *list
	}
	return nil
}

// open begins to use pairs, which listen has bound to sockets of n, by a function that starts the
// goroutines of a port.
func (s *ports) open(listen listenFunc, n *egress.Net, pairs []*transport.Pair,
	begin func(*transport.Pair) *port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listen, s.net = listen, n
	s.exchange(pairs, begin)
}

// exchange makes pairs the ports. begin starts the goroutines of those that are new, and
// the others that are left are returned. mu is held.
func (s *ports) exchange(pairs []*transport.Pair, begin func(*transport.Pair) *port) []*port {
	was := make(map[*transport.Pair]*port)
	for _, p := range s.all() {
		was[p.pair] = p
	}
	list := make([]*port, len(pairs))
	for i, pair := range pairs {
		if list[i] = was[pair]; list[i] == nil {
			list[i] = begin(pair)
		}
		delete(was, pair)
	}
	s.list.Store(&list)
	left := make([]*port, 0, len(was))
	for _, p := range was {
		left = append(left, p)
	}
	return left
}

// rebind listens at addrs in place of the present addresses, of which it keeps those
// that are among addrs. It returns the ports that are left, which the caller closes. On an
// error everything stays as it was.
func (s *ports) rebind(addrs []netip.AddrPort,
	begin func(*transport.Pair) *port) (left []*port, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	kept := make(map[netip.AddrPort]*transport.Pair)
	for _, p := range s.all() {
		kept[p.addr()] = p.pair
	}
	for _, p := range slices.Clone(s.retired) {
		if slices.Contains(addrs, p.addr()) { // its UDP socket is in the way
			s.end(p)
		}
	}
	pairs, err := bind(s.listen, s.net, addrs, kept)
	if err != nil {
		return nil, err
	}
	return s.exchange(pairs, begin), nil
}

// retire gives a port up. The uTP connections over it go on, as those of TCP do, and the
// port is closed when the last one has ended; wait waits for that, or for ctx, after which
// close closes the port.
func (s *ports) retire(ctx context.Context, p *port, wait *sync.WaitGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended := p.retire()
	if s.closed || p.utp.Len() == 0 {
		p.close()
		return
	}
	if len(s.retired) >= retiredMax {
		s.end(s.retired[0])
	}
	s.retired = append(s.retired, p)
	wait.Go(func() {
		select {
		case <-ended:
		case <-ctx.Done():
			return // close closes it
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.end(p)
	})
}

// end closes a port that was retired. mu is held.
func (s *ports) end(p *port) {
	p.close()
	if i := slices.Index(s.retired, p); i >= 0 {
		s.retired = slices.Delete(s.retired, i, i+1)
	}
}

// socket returns the socket by which to reach ip over uTP, or nil if there is none of its
// family.
func (s *ports) socket(ip netip.Addr) *utp.Socket {
	ip = ip.Unmap()
	if s.net.Refuses(ip) != nil {
		return nil
	}
	var other *utp.Socket
	for _, p := range s.all() {
		own := p.addr().Addr().Unmap()
		switch {
		case p.relay != nil:
			return p.relayed()
		case own.Is4() != ip.Is4():
		case own.IsUnspecified(), own.IsLoopback() == ip.IsLoopback() &&
			own.IsLinkLocalUnicast() == ip.IsLinkLocalUnicast():
			return p.utp
		case other == nil:
			other = p.utp // the system may know a way
		}
	}
	return other
}

// PacketConns returns the DHT's side of the engine's ports, for a DHT node. Each call ends
// the reads of what the call before has returned, with net.ErrClosed. The engine owns the
// sockets: Close ends them, and Rebind those of ports that are given up, after which
// PacketConns returns others. A port of a Config with NoUTP has none if the system makes no UDP
// sockets.
func (e *Engine) PacketConns() []net.PacketConn {
	var conns []net.PacketConn
	for _, p := range e.ports.all() {
		if p.pair == nil || p.pair.UDP != nil {
			conns = append(conns, p.mux.DHT())
		}
	}
	return conns
}

// freeze keeps the ports from being exchanged from then on.
func (s *ports) freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// drainMax bounds how long close waits for what was written to uTP connections: a round trip
// in the usual case, and the repeat of what was lost.
const drainMax = time.Second

// close closes the UDP sockets, after freeze, as soon as what was written to uTP connections
// has arrived. The accept loops end with the context of the Engine.
func (s *ports) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), drainMax)
	defer cancel()
	var errs []error
	for _, p := range append(slices.Clone(s.all()), s.retired...) {
		p.utp.Drain(ctx)
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// openPort starts the goroutines of a port.
func (e *Engine) openPort(pair *transport.Pair) *port {
	p := &port{pair: pair}
	if pair.UDP != nil {
		p.mux = udpmux.New(pair.UDP)
	} else {
		p.mux = udpmux.New(newNoDatagrams(pair.AddrPort()))
	}
	e.watchArrivals(p.mux)
	var ctx context.Context
	ctx, p.stop = context.WithCancel(e.ctx)
	if e.cfg.NoTCP {
		pair.TCP.Close() // the number is still that of the port
	} else {
		e.accept(ctx, pair.TCP, endpoint.TransportTCP)
	}
	e.openUTP(ctx, p, 0)
	return p
}

// openUTP makes the uTP socket of a port, and accepts connections until ctx ends. datagramMax
// is that of utp.Config.
func (e *Engine) openUTP(ctx context.Context, p *port, datagramMax int) {
	p.utp = utp.NewSocket(p.mux, utp.Config{Budget: e.streams, DatagramMax: datagramMax,
		Refuse: e.cfg.NoUTP, Ignore: e.bans.refuses})
	if !e.cfg.NoUTP {
		e.accept(ctx, utpListener{p.utp}, endpoint.TransportUTP)
	}
}

// Addrs returns the addresses that the engine listens on, with their ports. Behind a proxy
// there are none.
func (e *Engine) Addrs() []netip.AddrPort {
	addrs := make([]netip.AddrPort, 0, len(e.ports.all()))
	for _, p := range e.ports.all() {
		if addr := p.addr(); addr.IsValid() {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// Addr returns the first address that the engine listens on, or the zero AddrPort behind a
// proxy.
func (e *Engine) Addr() netip.AddrPort {
	if addrs := e.Addrs(); len(addrs) > 0 {
		return addrs[0]
	}
	return netip.AddrPort{}
}

// local returns the address to connect to ip from. It is the address that the engine
// listens on, if the engine has one of its own which ip can reach: peers take the address
// that we come from for the one where we are. The zero Addr leaves the choice to the
// system.
func (e *Engine) local(ip netip.Addr) netip.Addr {
	ip = ip.Unmap()
	for _, p := range e.ports.all() {
		own := p.addr().Addr().Unmap()
		if own.IsUnspecified() || own.Is4() != ip.Is4() || own.IsLoopback() != ip.IsLoopback() ||
			own.IsLinkLocalUnicast() != ip.IsLinkLocalUnicast() {
			continue
		}
		return own
	}
	return netip.Addr{}
}
