package swarm

import (
	"net/netip"

	"swarmnode/swarm/transport"
)

// renew binds the addresses of the ports again, and returns the old ports, which the caller
// closes. On an error the old ports are closed, and another call may succeed later.
func (s *ports) renew(begin func(*transport.Pair) *port) (left []*port, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	var addrs []netip.AddrPort
	for _, p := range s.all() {
		addrs = append(addrs, p.addr())
	}
	pairs, err := bind(s.listen, s.net, addrs, nil)
	if err != nil {
		for _, p := range s.all() {
			p.close() // its sockets are dead, and may be in the way of the next attempt
		}
		return nil, err
	}
	return s.exchange(pairs, begin), nil
}
