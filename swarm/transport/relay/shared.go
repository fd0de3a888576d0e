package relay

import (
	"errors"
	"net/netip"
	"sync"

	"swarmnode/swarm/transport/udpmux"
)

// sharedMax is how many servers one port may have allocations on at a time.
const sharedMax = 16

// errSameServer means that the port has an allocation on the server already: a server knows a
// client by its port (RFC 8656, section 3.2).
var errSameServer = errors.New("relay: this port has an allocation on the server already")

// errSharedFull means that a port has allocations on sharedMax servers.
var errSharedFull = errors.New("relay: too many servers for one port")

// Shared is a UDP port that allocations share with the DHT and uTP, so that the mapping of a
// NAT that those keep alive serves for all. It is safe for concurrent use.
type Shared struct {
	mux *udpmux.Mux

	mu      sync.RWMutex
	servers map[netip.AddrPort]func([]byte)
}

// Share returns a Shared that takes the datagrams of class STUN from m. Only one Shared can
// use a Mux.
func Share(m *udpmux.Mux) *Shared {
	s := &Shared{mux: m, servers: make(map[netip.AddrPort]func([]byte))}
	m.Handle(udpmux.ClassSTUN, s.arrived)
	return s
}

// arrived hands datagrams to the allocation of their server. Nobody else sends us any.
func (s *Shared) arrived(batch []udpmux.Datagram) {
	for i := range batch {
		s.mu.RLock()
		to := s.servers[batch[i].From]
		s.mu.RUnlock()
		if to != nil {
			to(batch[i].Data)
		}
	}
}

// leg returns a leg to a server. arrived gets each message of the server.
func (s *Shared) leg(server netip.AddrPort, arrived func([]byte)) (leg, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.servers[server] != nil {
		return nil, errSameServer
	}
	if len(s.servers) >= sharedMax {
		return nil, errSharedFull
	}
	s.servers[server] = arrived
	return &sharedLeg{shared: s, server: server}, nil
}

// A sharedLeg is the way of one allocation through a Shared.
type sharedLeg struct {
	shared *Shared
	server netip.AddrPort
}

func (l *sharedLeg) send(b []byte) error { return l.shared.mux.WriteTo(b, l.server) }

func (l *sharedLeg) reliable() bool { return false }

func (l *sharedLeg) close() {
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	delete(l.shared.servers, l.server)
}
