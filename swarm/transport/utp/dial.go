package utp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// Errors of Dial, besides ErrRefused, ErrTimeout and that of the context.
var (
	// ErrNoAddress means that nothing can be at the address.
	ErrNoAddress = errors.New("utp: no address to connect to")
	// ErrFull means that the socket has as many connections as it may have.
	ErrFull = errors.New("utp: too many connections")
)

// Dial connects to addr. It ends with ctx. The connection is a *Conn; the error is a
// *net.OpError around ErrRefused, ErrTimeout, ErrNoAddress, ErrFull, net.ErrClosed or that of
// the context.
func (s *Socket) Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	return s.dial(ctx, addr, false)
}

// dial is Dial, or Punch.
func (s *Socket) dial(ctx context.Context, addr netip.AddrPort, punch bool) (net.Conn, error) {
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	if err := ctx.Err(); err != nil {
		return nil, s.fault("dial", net.UDPAddrFromAddrPort(addr), err)
	}
	c, err := s.begin(addr, punch)
	if err != nil {
		return nil, s.fault("dial", net.UDPAddrFromAddrPort(addr), err)
	}
	defer s.watchRefusals()()
	stop := context.AfterFunc(ctx, func() { c.kill(ctx.Err()) })
	c.mu.Lock()
	for c.dialling = true; !c.m.connected() && c.over() == nil; {
		c.writable.Wait()
	}
	c.dialling = false
	err = c.over()
	c.mu.Unlock()
	if err == nil && !stop() {
		err = context.Cause(ctx)
	}
	stop()
	if err != nil {
		c.kill(err)
		c.Close()
		return nil, s.fault("dial", c.RemoteAddr(), err)
	}
	return c, nil
}

// begin adds a connection to addr to the table, and sends its SYN.
func (s *Socket) begin(addr netip.AddrPort, punch bool) (*Conn, error) {
	if !addr.IsValid() || addr.Port() == 0 {
		return nil, ErrNoAddress
	}
	s.mu.Lock()
	if s.retired {
		s.mu.Unlock()
		return nil, net.ErrClosed
	}
	key, ok := s.newIDs(addr)
	if !ok || !s.makeRoom(0) {
		s.mu.Unlock()
		return nil, ErrFull
	}
	now := time.Now()
	c := newConn(s, key)
	c.m = newDialled(now, s.machineConfig(addr.Addr(), key.id))
	if punch {
		c.m.timers.synSoon = synSoonMax
	}
	c.mu.Lock() // nobody knows it, so the order of locks does not matter
	defer c.mu.Unlock()
	s.conns[key] = c
	s.mu.Unlock()
	c.update(now)
	return c, nil
}
