package relay

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun/v4"

	"swarmnode/swarm/transport/udpmux"
)

// A gate is the UDP socket for clients, as the TURN library sees it. It holds back floods and
// what is not TURN, and answers that would make the server an amplifier.
//
// Whoever has an allocation has shown that its address is its own. To others the server sends
// no more bytes than have come from their address. Clients other than ours begin with a
// request that is too short for the answer; they send it again, and then it is answered.
type gate struct {
	*net.UDPConn
	server *Server

	mu      sync.Mutex
	current netip.AddrPort // who sent what is being handled
	size    int            // of that, in bytes; 0 once it was answered
	credits map[netip.AddrPort]credit
}

// A credit is what an address has sent without an answer.
type credit struct {
	bytes int
	since time.Duration
}

func newGate(s *Server, pc *net.UDPConn) *gate {
	return &gate{UDPConn: pc, server: s, credits: make(map[netip.AddrPort]credit)}
}

// ReadFrom implements net.PacketConn. One goroutine calls it, and has handled a message when
// it calls it again.
func (g *gate) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := readAddrPort(g.UDPConn, b, g.server.closing)
		if err != nil {
			return 0, nil, err
		}
		from = plain(from)
		if n == len(b) || !g.server.heeds(client{at: from}, b[:n]) {
			g.server.tenants.count(func(s *Stats) { s.Ignored++ })
			continue
		}
		g.mu.Lock()
		g.current, g.size = from, n
		g.mu.Unlock()
		return n, net.UDPAddrFromAddrPort(from), nil
	}
}

// heeds reports whether a message of a client is handled at all.
func (s *Server) heeds(c client, b []byte) bool {
	now := s.now()
	if s.tenants.hear(now, c) {
		return isChannel(b) || isSTUN(b)
	}
	if !isSTUN(b) || c.at.Port() == 0 || !s.asked.Allow(time.Now(), c.at.Addr()) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asks.take(now, 1)
}

// isSTUN reports whether a message is STUN.
func isSTUN(b []byte) bool {
	return !isChannel(b) && udpmux.ClassOf(b) == udpmux.ClassSTUN
}

// WriteTo implements net.PacketConn.
func (g *gate) WriteTo(b []byte, to net.Addr) (int, error) {
	addr := addrPortOf(to)
	if isAnswer(b) && !authentic(b) && !g.afford(g.server.now(), addr, len(b)) {
		g.server.tenants.count(func(s *Stats) { s.Withheld++ })
		return len(b), nil
	}
	_ = sendSoon(g, func() error { // what finds no room is lost
		_, err := g.WriteToUDPAddrPort(b, addr)
		return err
	})
	return len(b), nil
}

// isAnswer reports whether a message of ours answers a request (RFC 8489, section 5).
func isAnswer(b []byte) bool { return isSTUN(b) && b[0]&1 == 1 }

// authentic reports whether a message of ours holds the proof that its receiver has
// credentials, which are bound to its address.
func authentic(b []byte) bool {
	for b = b[stunHeaderSize:]; len(b) >= 4; {
		if stun.AttrType(binary.BigEndian.Uint16(b)) == stun.AttrMessageIntegrity {
			return true
		}
		size := 4 + (int(binary.BigEndian.Uint16(b[2:]))+3)&^3
		b = b[min(size, len(b)):]
	}
	return false
}

// afford reports whether n bytes may be sent to an address without credentials, because as
// much has come from there. Otherwise it remembers what has come.
func (g *gate) afford(now time.Duration, to netip.AddrPort, n int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if to != g.current {
		return false
	}
	size := g.size
	g.size = 0
	if old, ok := g.credits[to]; ok && now-old.since < creditLife {
		size += old.bytes
	}
	if size >= n {
		delete(g.credits, to)
		return true
	}
	if len(g.credits) >= creditsMax {
		for at, c := range g.credits {
			if now-c.since >= creditLife {
				delete(g.credits, at)
			}
		}
		if len(g.credits) >= creditsMax {
			return false
		}
	}
	g.credits[to] = credit{min(size, creditMax), now}
	return false
}
