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
// The connection counts as one only when its source has shown that it received our answer;
// until then a newer one may take its place.
func (s *Socket) welcome(now time.Time, from netip.AddrPort, h *header) bool {
	if !from.IsValid() || from.Port() == 0 {
		return true // nobody can be answered there
	}
	if s.cfg.Ignore != nil && s.cfg.Ignore(from.Addr()) {
		return true
	}
	s.mu.Lock()
	full := len(s.conns) >= s.cfg.ConnsMax
	refused := s.refusing || s.retired || full
	s.mu.Unlock()
	if refused {
		return false
	}
	if !s.started.allow(now, startsPerSecond) {
		return true
	}
	c := newConn(s, connKey{from, h.id + 1})
	c.m = newAccepted(now, s.machineConfig(0), *h)
	c.accepted = true
	c.place = s.pending.Admit(from.Addr(), func() { c.kill(errEvicted) })
	s.mu.Lock()
	if s.closed || s.conns[c.key] != nil {
		s.mu.Unlock()
		c.place.Leave()
		return true
	}
	s.conns[c.key] = c
	s.mu.Unlock()
	c.mu.Lock()
	c.update(now)
	c.mu.Unlock()
	return true
}

// machineConfig returns the configuration of a new machine.
func (s *Socket) machineConfig(id uint16) machineConfig {
	return machineConfig{id: id, first: seq(rand.Uint32()), mtu: s.cfg.DatagramMax,
		budget: s.cfg.Budget, connectTimeout: provenWait}
}

// proven hands a connection to us over to Accept, once its source is proven. It reports
// false if there is no room for it. c.mu is held.
func (s *Socket) proven(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired || len(s.queue) >= backlogMaxConns {
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

// sendReset answers a packet that belongs to no connection. The answer is as long as the
// shortest packet.
func (s *Socket) sendReset(now time.Time, to netip.AddrPort, h *header) {
	reset := header{kind: typeReset, id: h.id, timestamp: uint32(now.UnixMicro()), ack: h.seq}
	b := appendHeader(make([]byte, 0, headerSize), &reset, 0)
	_, _ = s.carrier.Send([]udpmux.Outgoing{{To: to, Data: b}}) // whoever needs it asks again
}
