package utp

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"swarmnode/swarm/transport/udpmux"
)

const (
	// startsPerSecond bounds how many connections to us may begin in a second, which
	// bounds the work for a flood of SYNs. Honest peers try again.
	startsPerSecond = 2000
	// provenWait is how long a connection to us may stay unproven.
	provenWait = 10 * time.Second
)

// limitedRate bounds how often something happens in a second.
type limitedRate struct {
	second time.Time
	n      int
}

// allow reports whether it may happen now, at most limit times a second.
func (r *limitedRate) allow(now time.Time, limit int) bool {
	if now.Sub(r.second) >= time.Second {
		r.second, r.n = now, 0
	}
	r.n++
	return r.n <= limit
}

// welcome begins a connection for a SYN. It reports false if the attempt has to be refused.
// The connection counts as one only when its source has shown that it received our answer. When
// too many have not shown it yet, nothing is remembered of the attempt; see cookies.
func (s *Socket) welcome(now time.Time, from netip.AddrPort, h *header) bool {
	if !from.IsValid() || from.Port() == 0 {
		return true // nobody can be answered there
	}
	if s.cfg.Ignore != nil && s.cfg.Ignore(from.Addr()) {
		return true
	}
	s.mu.Lock()
	refused := s.refusing || s.retired
	s.mu.Unlock()
	if refused {
		return false
	}
	if s.pending.Used() >= halfOpenMax || !s.started.allow(now, startsPerSecond) {
		if cookie, ok := s.cookies.answer(now, from, h); ok {
			s.sendCookie(now, from, h, cookie)
		}
		return true
	}
	c := newConn(s, connKey{from, h.id + 1})
	c.m = newAccepted(now, s.machineConfig(from.Addr(), 0), *h)
	c.accepted, c.local = true, s.asked
	c.place = s.pending.Admit(from.Addr(), func() { c.kill(errEvicted) })
	if s.add(c) {
		c.mu.Lock()
		c.update(now)
		c.mu.Unlock()
	} else {
		c.place.Leave()
	}
	return true
}

// add adds a connection to the table, unless its place is taken or the socket retired.
func (s *Socket) add(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired || s.conns[c.key] != nil {
		return false
	}
	s.conns[c.key] = c
	return true
}

// prove begins a connection with the first packet that follows our answer to a SYN that we
// have not remembered. It reports whether the packet is one.
func (s *Socket) prove(now time.Time, from netip.AddrPort, h *header, payload []byte) bool {
	cookie, ok := s.cookies.proves(now, from, h)
	if !ok {
		return false
	}
	c := newConn(s, connKey{from, h.id})
	config := s.machineConfig(from.Addr(), 0)
	config.first = cookie
	c.m = newAnswered(now, config, h)
	c.accepted, c.local = true, s.asked
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.add(c) {
		return true
	}
	c.m.receive(now, h, payload)
	s.touch(c)
	c.present(now)
	return true
}

// machineConfig returns the configuration of a new machine for a connection with ip.
func (s *Socket) machineConfig(ip netip.Addr, id uint16) machineConfig {
	return machineConfig{id: id, first: seq(rand.Uint32()), mtu: s.reach.most(ip),
		budget: s.cfg.Budget, connectTimeout: provenWait}
}

// proven hands a connection to us over to Accept, once its source is proven. It reports
// false if there is no room for it. c.mu is held.
func (s *Socket) proven(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired || len(s.queue) >= backlogMaxConns || !s.makeRoom(1) {
		return false
	}
	s.queue = append(s.queue, c)
	s.arrived.Signal()
	return true
}

// Accept waits for the next connection to us. After Close or Retire it returns an error that
// is net.ErrClosed. The connection is a *Conn.
func (s *Socket) Accept() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.retired {
		s.arrived.Wait()
	}
	if s.retired {
		return nil, s.fault("accept", nil, net.ErrClosed)
	}
	c := s.queue[0]
	s.queue[0] = nil
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	return c, nil
}

// fault names the operation and the addresses with an error.
func (s *Socket) fault(op string, remote net.Addr, err error) error {
	return &net.OpError{Op: op, Net: "utp", Source: net.UDPAddrFromAddrPort(s.AddrPort()),
		Addr: remote, Err: err}
}

// sendCookie answers a SYN of which nothing is remembered. The answer is as long as the
// shortest packet.
func (s *Socket) sendCookie(now time.Time, to netip.AddrPort, syn *header, cookie seq) {
	stamp := uint32(now.UnixMicro())
	answer := header{kind: typeState, id: syn.id, timestamp: stamp,
		difference: stamp - syn.timestamp, window: receiveBufferMax, seq: cookie, ack: syn.seq}
	b := appendHeader(make([]byte, 0, headerSize), &answer, 0)
	s.sendOne(to, b)
}

// sendReset answers a packet that belongs to no connection. The answer is as long as the
// shortest packet.
func (s *Socket) sendReset(now time.Time, to netip.AddrPort, h *header) {
	reset := header{kind: typeReset, id: h.id, timestamp: uint32(now.UnixMicro()), ack: h.seq}
	b := appendHeader(make([]byte, 0, headerSize), &reset, 0)
	s.sendOne(to, b)
}

// sendOne sends a datagram of no connection, from where the one was sent to that it answers.
// Whoever needs it asks again if it is lost.
func (s *Socket) sendOne(to netip.AddrPort, b []byte) {
	_, _ = s.carrier.Send([]udpmux.Outgoing{{To: to, Data: b, From: s.asked}})
}
