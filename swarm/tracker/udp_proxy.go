package tracker

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// proxyTimeout bounds the wait for a socket of the proxy.
const proxyTimeout = 15 * time.Second

// proxied reports whether trackers are asked through a proxy, which looks up their names and
// chooses the family.
func (c *Client) proxied() bool { return c.net.Proxy() != nil }

// useProxy returns the udpConn of a tracker, which leads through the proxy. The caller has to
// give it back by leave.
func (c *Client) useProxy(ctx context.Context, t Tracker) (*udpConn, error) {
	host := t.url.Hostname()
	port, err := strconv.ParseUint(t.url.Port(), 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("%w: port %q", ErrURL, t.url.Port())
	}
	target := t.target(t.url)
	if err := target.CheckHost(host); err != nil {
		return nil, err
	}
	key := udpKey{host: net.JoinHostPort(host, t.url.Port())}
	s, err := c.take(key, nil)
	if s != nil || err != nil {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, proxyTimeout)
	defer cancel()
	conn, err := c.net.Proxy().DialUDP(ctx, host, uint16(port)) // takes round trips: not locked
	if err != nil {
		return nil, err
	}
	return c.take(key, conn)
}

// take returns the udpConn of a key for another user. If there is none, it makes one of
// conn, and returns nil if conn is nil. A conn that is not needed is closed.
func (c *Client) take(k udpKey, conn net.Conn) (*udpConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.known(k)
	switch {
	case s == nil && err == nil && conn != nil:
		s = c.add(newUDPConn(k, conn))
	case conn != nil:
		conn.Close()
	}
	if s != nil {
		s.users++
	}
	return s, err
}

// host returns the address of the tracker. Through a proxy it is known from the first answer
// on, and not valid before.
func (s *udpConn) host() netip.Addr {
	if s.key.addr.IsValid() {
		return s.key.addr.Addr()
	}
	if addr, ok := s.conn.RemoteAddr().(*net.UDPAddr); ok {
		return addr.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
