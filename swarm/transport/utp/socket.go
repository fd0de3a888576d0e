package utp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/swarm/egress"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/transport/udpmux"
)

const (
	// connsMax is how many connections a socket has at most unless its Config says
	// otherwise.
	connsMax = 4096
	// halfOpenMax is how many connections to us may be unproven: their sources have not
	// shown that they receive what we send.
	halfOpenMax = 256
	// backlogMaxConns is how many connections wait for Accept at most.
	backlogMaxConns = 128
	// lingeringMin is how many closed connections are noted before those that are gone are
	// looked for.
	lingeringMin = 64
	// idTries is how many connection ids are tried for a connection. Even a table full of
	// connections to one address leaves most of the 65,536 ids.
	idTries = 64
)

// A Config describes a Socket. The zero value of each field means its default.
type Config struct {
	// Budget bounds the memory of the buffers of all connections. Nil means that only the
	// bounds of each connection hold.
	Budget Budget
	// ConnsMax is how many connections there may be whose other ends have answered. Default
	// 4096. When there are more, those go first that the user has closed already, and that
	// wait for what was written to be acknowledged.
	ConnsMax int
	// DatagramMax is the largest datagram to send, in bytes of UDP payload. By default it
	// is what the interfaces take; paths are probed in any case.
	DatagramMax int
	// Refuse answers attempts to connect with a RESET, as Socket.Refuse does.
	Refuse bool
	// Ignore reports whether attempts to connect from an address get no answer at all. It is
	// called for each of them, and must return soon. Nil ignores nobody.
	Ignore func(netip.Addr) bool
}

// carrier is what a Socket needs of a udpmux.Mux.
type carrier interface {
	Send(batch []udpmux.Outgoing) (int, error)
	AddrPort() netip.AddrPort
}

// connKey finds the connection that a packet belongs to.
type connKey struct {
	remote netip.AddrPort
	id     uint16 // at which we receive
}

// A Socket makes and accepts connections over a UDP socket that it shares with others. Its
// methods are safe for concurrent use.
//
// Locks are taken in this order: that of a Conn, that of the Socket, that of the alarms.
type Socket struct {
	carrier carrier
	release func() // gives the carrier back, after the last packet
	cfg     Config
	reach   reach
	resets  resetLimits
	pending *limit.Pending // unproven connections
	alarms  alarms
	kept    atomic.Int32 // connections with unsent datagrams

	refusals refusals

	mu        sync.Mutex
	conns     map[connKey]*Conn
	queue     []*Conn    // wait for Accept
	arrived   *sync.Cond // of mu: queue or closed has changed
	refusing  bool
	lingering []*Conn // closed by their users, oldest first, those that are gone included
	retired   bool    // no connections are accepted or dialled any more
	closed    bool
	empty     chan struct{} // closed once retired and without connections

	// receiving is held while a batch is handled. What follows belongs to its holder.
	receiving sync.Mutex
	touched   []*Conn
	asked     netip.Addr  // where the datagram of no connection was sent to
	started   limitedRate // of connections to us
	cookies   cookies
}

// NewSocket returns a Socket that takes the uTP datagrams of m until it is closed. Only one
// Socket at a time can use a Mux.
func NewSocket(m *udpmux.Mux, cfg Config) *Socket {
	s := newSocket(m, cfg)
	m.Handle(udpmux.ClassUTP, s.receive)
	s.release = func() { m.Handle(udpmux.ClassUTP, nil) }
	return s
}

// newSocket returns a Socket over a carrier, which calls receive.
func newSocket(c carrier, cfg Config) *Socket {
	if cfg.ConnsMax <= 0 {
		cfg.ConnsMax = connsMax
	}
	s := &Socket{carrier: c, cfg: cfg, release: func() {}, refusing: cfg.Refuse,
		pending: limit.NewPending(halfOpenMax), conns: make(map[connKey]*Conn),
		empty: make(chan struct{})}
	s.reach = reachOf(c.AddrPort().Addr())
	if most := cfg.DatagramMax; most > 0 {
		s.reach = reach{most, most}
	}
	s.arrived = sync.NewCond(&s.mu)
	s.resets.init()
	s.alarms.start()
	return s
}

// Listen returns a Socket with a UDP socket of its own at addr. Port 0 chooses a free port.
// Close closes both.
func Listen(ctx context.Context, addr netip.AddrPort, cfg Config) (*Socket, error) {
	var system *egress.Net // the default of the system
	pc, err := system.ListenUDP(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("utp: %w", err)
	}
	m := udpmux.New(pc)
	s := NewSocket(m, cfg)
	s.release = func() { m.Close() }
	return s, nil
}

// AddrPort returns where the socket is bound.
func (s *Socket) AddrPort() netip.AddrPort { return s.carrier.AddrPort() }

// Refuse makes the socket answer attempts to connect with a RESET, or accept them.
// Connections that there are go on, and dialling works in either case.
func (s *Socket) Refuse(refuse bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = refuse
}

// Len returns how many connections there are, those included that are not open yet or
// already closed by us.
func (s *Socket) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Retire ends accepting and dialling, and leaves the connections that there are. The channel
// that it returns is closed when the last one has ended. The socket must be closed then too.
func (s *Socket) Retire() <-chan struct{} {
	s.mu.Lock()
	queue := s.retire()
	s.mu.Unlock()
	abandon(queue)
	return s.empty
}

// retire ends accepting and dialling, and returns the connections that nobody accepts any
// more. s.mu is held.
func (s *Socket) retire() (queue []*Conn) {
	if s.retired {
		return nil
	}
	s.retired = true
	s.arrived.Broadcast()
	if len(s.conns) == 0 {
		close(s.empty)
	}
	queue, s.queue = s.queue, nil
	return queue
}

// abandon ends the connections that waited for Accept.
func abandon(queue []*Conn) {
	for _, c := range queue {
		c.abandon(net.ErrClosed)
	}
}

// Close ends all connections at once, by a RESET each, and then the Socket. It waits until
// nothing of it runs any more. The connections' own Close is not needed afterwards.
func (s *Socket) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	queue := s.retire()
	var all []*Conn
	for _, c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	abandon(queue)
	for _, c := range all {
		c.kill(net.ErrClosed)
	}
	if first {
		s.release()
	}
	s.alarms.stop()
	s.receiving.Lock() // after the last batch
	s.touched = nil
	s.receiving.Unlock()
	return nil
}

// receive takes a batch of datagrams. It implements the handler of a udpmux.Mux, and never
// blocks for longer than a system call.
func (s *Socket) receive(batch []udpmux.Datagram) {
	s.receiving.Lock()
	defer s.receiving.Unlock()
	now := time.Now()
	var c *Conn // locked, the connection of the datagram before
	var key connKey
	for i := range batch {
		d := &batch[i]
		h, payload, err := parseHeader(d.Data)
		if err != nil {
			continue
		}
		if to := (connKey{d.From, h.id}); c == nil || to != key || h.kind >= typeReset {
			if c != nil {
				c.mu.Unlock()
			}
			if c = s.find(d.From, &h); c == nil {
				s.asked = d.To
				s.stray(now, d.From, &h, payload)
				continue
			}
			c.mu.Lock()
			key = c.key
			c.reached(d.To)
			s.touch(c)
		}
		c.traffic.received += int64(len(d.Data) - len(payload))
		c.m.receive(now, &h, payload)
	}
	if c != nil {
		c.mu.Unlock()
	}
	for i, c := range s.touched {
		s.touched[i] = nil
		c.mu.Lock()
		c.touched = false
		c.update(time.Now())
		c.mu.Unlock()
	}
	s.touched = s.touched[:0]
}

// touch remembers a connection that was given a packet. c.mu is held.
func (s *Socket) touch(c *Conn) {
	if !c.touched {
		c.touched = true
		s.touched = append(s.touched, c)
	}
}

// find returns the connection of a packet, or nil.
func (s *Socket) find(from netip.AddrPort, h *header) *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch h.kind {
	case typeSyn:
		return s.conns[connKey{from, h.id + 1}]
	case typeReset:
		// It has the id of the packet that it answers, which is the one at which the other
		// end receives. Some implementations send ours.
		for _, id := range [...]uint16{h.id, h.id - 1, h.id + 1} {
			if c := s.conns[connKey{from, id}]; c != nil && c.ids(h.id) {
				return c
			}
		}
		return nil
	}
	return s.conns[connKey{from, h.id}]
}

// stray takes a packet of no connection: an attempt to connect, or what is left of a
// connection that one end has forgotten.
func (s *Socket) stray(now time.Time, from netip.AddrPort, h *header, payload []byte) {
	switch h.kind {
	case typeReset:
		return // or two sockets would reset each other for ever
	case typeSyn:
		if s.welcome(now, from, h) {
			return
		}
	default:
		// Of a connection that nothing is remembered of, the packets may come in any order.
		if s.prove(now, from, h, payload) || s.cookies.active(now) {
			return
		}
	}
	if s.resets.allow(now, from.Addr()) {
		s.sendReset(now, from, h)
	}
}

// unlink takes a connection out of the table. c.mu is held.
func (s *Socket) unlink(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c.key] != c {
		return
	}
	delete(s.conns, c.key)
	if s.retired && len(s.conns) == 0 {
		close(s.empty)
	}
}

// linger notes a connection that its user has closed. Its c.mu is held.
func (s *Socket) linger(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lingering) >= 2*len(s.conns)+lingeringMin {
		s.lingering = slices.DeleteFunc(s.lingering, func(c *Conn) bool {
			return s.conns[c.key] != c
		})
	}
	s.lingering = append(s.lingering, c)
}

// makeRoom reports whether there is room for one more connection, when over of those in the
// table do not count. If there is none, the connection ends that lingers longest. s.mu is held.
func (s *Socket) makeRoom(over int) bool {
	if len(s.conns)-s.pending.Used()-over < s.cfg.ConnsMax {
		return true
	}
	for len(s.lingering) > 0 {
		c := s.lingering[0]
		s.lingering[0] = nil
		s.lingering = s.lingering[1:]
		if s.conns[c.key] == c {
			c.ousted.Store(true)
			s.alarms.set(c, time.Now())
			return true
		}
	}
	return false
}

// newIDs returns a key for a connection to an address, both of whose ids are free. s.mu is
// held.
func (s *Socket) newIDs(to netip.AddrPort) (connKey, bool) {
	for range idTries {
		key := connKey{to, uint16(rand.Uint32())}
		if s.conns[key] == nil && s.conns[connKey{to, key.id + 1}] == nil {
			return key, true
		}
	}
	return connKey{}, false
}

// A reach is how large a datagram the interfaces take, in bytes of UDP payload.
type reach struct{ loopback, outside int }

// reachOf returns the reach of a socket that is bound to ip.
func reachOf(ip netip.Addr) reach {
	r := reach{mtuBase, mtuBase}
	headers := 20 + 8
	if ip.Is6() {
		headers = 40 + 8
	}
	var system *egress.Net
	all, _ := system.Interfaces()
	for _, i := range all {
		most := &r.outside
		if i.Flags&net.FlagLoopback != 0 {
			most = &r.loopback
		}
		if i.Flags&net.FlagUp != 0 {
			*most = max(*most, min(i.MTU, 1<<16)-headers)
		}
	}
	return r
}

// most returns how large a datagram to ip may be at most. Paths take less, and are probed.
func (r reach) most(ip netip.Addr) int {
	if ip.IsLoopback() {
		return r.loopback
	}
	return r.outside
}
