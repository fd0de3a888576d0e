package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

// clientOf returns the client at an address, as the TURN library names it.
func clientOf(a net.Addr) client {
	_, stream := a.(*net.TCPAddr)
	return client{stream: stream, at: addrPortOf(a)}
}

// idOf names a client and its user to the TURN library, which gives the name back where it
// does not say who asks. parseID is its inverse.
func idOf(c client, user string) string {
	network := "udp"
	if c.stream {
		network = "tcp"
	}
	return network + " " + c.at.String() + " " + user
}

func parseID(id string) (c client, user string, ok bool) {
	network, rest, _ := strings.Cut(id, " ")
	at, user, ok := strings.Cut(rest, " ")
	addr, err := netip.ParseAddrPort(at)
	return client{stream: network == "tcp", at: addr}, user, ok && err == nil
}

// authenticate returns the key of a user. The credentials of an allocation count for as long
// as it lasts; for a new one they must not have expired.
func (s *Server) authenticate(r *turn.RequestAttributes) (id string, key []byte, ok bool) {
	c := clientOf(r.SrcAddr)
	if key, ok := s.tenants.keyOf(c, r.Username); ok {
		return idOf(c, r.Username), key, true
	}
	// The gate has counted the requests over UDP.
	if r.Method == stun.MethodAllocate && r.Realm == Realm &&
		(!c.stream || s.asked.Allow(time.Now(), c.at.Addr())) {
		if key, ok := s.keyFor(c, r.Username); ok {
			return idOf(c, r.Username), key, true
		}
	}
	s.tenants.count(func(n *Stats) { n.Denied++ })
	return "", nil, false
}

// keyFor returns the key of a user who asks for an allocation.
func (s *Server) keyFor(c client, user string) ([]byte, bool) {
	password, ok := s.cfg.Users[user]
	if !ok && s.cfg.Keys != nil {
		password, ok = s.cfg.Keys.password(user, c.at.Addr(), time.Now())
	}
	if !ok || s.cfg.Refuse != nil && s.cfg.Refuse(c.at.Addr()) {
		return nil, false
	}
	return turn.GenerateAuthKey(user, Realm, password), true
}

// hasRoom reports whether a client may have an allocation.
func (s *Server) hasRoom(_, _ string, from net.Addr) bool {
	return s.tenants.room(s.now(), addrPortOf(from).Addr()) == nil
}

// permission returns the judge of permits for clients over UDP, or over TCP.
func (s *Server) permission(stream bool) turn.PermissionHandler {
	return func(from net.Addr, peer net.IP) bool {
		host, ok := netip.AddrFromSlice(peer)
		if host = host.Unmap(); !ok || !host.IsUnspecified() && !s.mayReach(host) {
			s.tenants.count(func(n *Stats) { n.Forbidden++ })
			return false
		}
		return s.tenants.grant(s.now(), client{stream, addrPortOf(from)}, host)
	}
}

// authenticated counts a wrong password. It ends the allocation of a client that asks for another
// one, as another user, from the same port: it has been started again. Its next request finds the
// port free.
func (s *Server) authenticated(src, _ net.Addr, _, user, _, method string, valid bool) {
	if !valid {
		s.tenants.count(func(n *Stats) { n.Denied++ })
	}
	if !valid || method != stun.MethodAllocate.String() {
		return
	}
	if n := s.tenants.other(clientOf(src), user); n != nil {
		n.close()
	}
}

// events keep count of permits and channels.
func (s *Server) events() turn.EventHandler {
	permit := func(begun bool) func(src, dst net.Addr, _, _, _ string, _ net.Addr, peer net.IP) {
		return func(src, _ net.Addr, _, _, _ string, lent net.Addr, peer net.IP) {
			if host, ok := netip.AddrFromSlice(peer); ok {
				s.tenants.granted(clientOf(src), addrPortOf(lent), host.Unmap(), begun)
			}
		}
	}
	channel := func(n int) func(src, dst net.Addr, _, _, _ string, _, _ net.Addr, _ uint16) {
		return func(src, _ net.Addr, _, _, _ string, lent, _ net.Addr, _ uint16) {
			s.tenants.bound(clientOf(src), addrPortOf(lent), n)
		}
	}
	return turn.EventHandler{
		OnAuth:              s.authenticated,
		OnPermissionCreated: permit(true), OnPermissionDeleted: permit(false),
		OnChannelCreated: channel(1), OnChannelDeleted: channel(-1),
	}
}

// Reasons why nothing is lent.
var (
	errNoFamily = errors.New("relay: no address of this family")
	errOnlyUDP  = errors.New("relay: only UDP is relayed")
	errNoUser   = errors.New("relay: nobody asks")
	errClosing  = errors.New("relay: server is closed")
)

// A lender makes the sockets of relayed addresses.
type lender struct{ server *Server }

// Validate implements turn.RelayAddressGenerator.
func (lender) Validate() error { return nil }

// AllocateListener implements turn.RelayAddressGenerator. TCP (RFC 6062) is not relayed.
func (lender) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errOnlyUDP
}

// AllocateConn implements turn.RelayAddressGenerator. TCP (RFC 6062) is not relayed.
func (lender) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errOnlyUDP }

// AllocatePacketConn implements turn.RelayAddressGenerator: it admits a client, and makes the
// socket of its allocation.
func (l lender) AllocatePacketConn(conf turn.AllocateListenerConfig) (net.PacketConn, net.Addr,
	error,
) {
	s := l.server
	c, user, ok := parseID(conf.UserID)
	if !ok || conf.RequestedPort != 0 { // ports in pairs are for RTP
		return nil, nil, errNoUser
	}
	key, ok := s.keyFor(c, user)
	if !ok {
		return nil, nil, errNoUser
	}
	for _, lent := range s.cfg.Lend {
		if lent.Public.Is4() != (conf.Network == "udp4") {
			continue
		}
		r, err := s.lend(lent)
		if err != nil {
			return nil, nil, err
		}
		at := netip.AddrPortFrom(lent.Public, addrPortOf(r.LocalAddr()).Port())
		r.tenant = &tenant{client: c, lent: at, user: user, key: key, close: func() { r.Close() }}
		old, err := s.tenants.admit(s.now(), r.tenant)
		if err != nil {
			r.Close()
			return nil, nil, err
		}
		if old != nil {
			old.close()
		}
		return r, net.UDPAddrFromAddrPort(at), nil
	}
	return nil, nil, errNoFamily
}

// lend makes a socket on an address that is lent.
func (s *Server) lend(lent Lent) (*relayed, error) {
	bind := lent.Bind
	if !bind.IsValid() {
		bind = lent.Public
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosing
	}
	var failed error
	for range portTries {
		var port uint16
		if s.cfg.PortMin != 0 && s.cfg.PortMax >= s.cfg.PortMin {
			port = s.cfg.PortMin + uint16(rand.IntN(int(s.cfg.PortMax-s.cfg.PortMin)+1))
		}
		pc, err := s.cfg.Net.ListenUDP(context.Background(), netip.AddrPortFrom(bind, port))
		if err == nil {
			return newRelayed(s, pc), nil
		}
		if failed = err; port == 0 {
			break
		}
	}
	return nil, fmt.Errorf("lending a port: %w", failed)
}
