package tracker

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

const (
	// wantMax6 bounds the peers that we ask for over UDP and IPv6, so that the
	// answer is not fragmented: 20 + 70*18 bytes.
	wantMax6 = 70
	// resolveTimeout bounds the lookup of a tracker's name.
	resolveTimeout = 15 * time.Second
)

// A dialFunc is DialUDP of an egress.Net, or a fake of a test: it opens the socket for a UDP
// tracker.
type dialFunc = func(local netip.Addr, tracker netip.AddrPort) (net.Conn, error)

// resolve returns the addresses of a tracker in a family to which we may send, at
// least one.
func (c *Client) resolve(ctx context.Context, t Tracker,
	family guard.Family) ([]netip.AddrPort, error) {
	port, err := strconv.ParseUint(t.url.Port(), 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%w: port %q", ErrURL, t.url.Port())
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	ips, err := c.net.LookupNetIP(ctx, family, t.url.Hostname())
	if err != nil {
		return nil, err
	}
	target := t.target(t.url)
	var addrs []netip.AddrPort
	for _, ip := range ips {
		addr := netip.AddrPortFrom(ip.Unmap(), uint16(port))
		if refused := target.Check(addr); refused != nil {
			err = refused
			continue
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) == 0 {
		return nil, err
	}
	return addrs, nil
}

// use returns the udpConn of a tracker. The caller has to give it back by leave.
func (c *Client) use(ctx context.Context, t Tracker, family guard.Family) (*udpConn, error) {
	if c.proxied() {
		return c.useProxy(ctx, t)
	}
	addrs, err := c.resolve(ctx, t, family)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, addr := range addrs {
		var s *udpConn
		if s, err = c.connTo(addr); err == nil {
			s.users++
			return s, nil
		}
	}
	return nil, err
}

// connTo returns the udpConn to an address, a new one if need be. The caller holds
// the mutex.
func (c *Client) connTo(addr netip.AddrPort) (*udpConn, error) {
	s, err := c.known(udpKey{addr: addr})
	if s != nil || err != nil {
		return s, err
	}
	var from netip.Addr
	if c.local != nil {
		from = c.local(addr.Addr())
	}
	conn, err := c.dial(from, addr)
	if err != nil {
		return nil, err
	}
	return c.add(newUDPConn(udpKey{addr: addr}, conn)), nil
}

// known returns the udpConn of a key if there is one that works. The caller holds the mutex.
func (c *Client) known(k udpKey) (*udpConn, error) {
	if c.closed {
		return nil, net.ErrClosed
	}
	s := c.udpConns[k]
	if s != nil && s.dead() {
		c.drop(s) // its present users get an error
		return nil, nil
	}
	return s, nil
}

// add keeps a new udpConn, and reads from it. The caller holds the mutex.
func (c *Client) add(s *udpConn) *udpConn {
	if len(c.udpConns) >= udpConnsMax {
		for _, idle := range c.udpConns {
			if idle.users == 0 {
				c.drop(idle)
				break
			}
		}
	}
	c.udpConns[s.key] = s
	c.reading.Go(s.read)
	return s
}

// drop closes a udpConn. The caller holds the mutex.
func (c *Client) drop(s *udpConn) {
	if s.idle != nil {
		s.idle.Stop()
	}
	if c.udpConns[s.key] == s {
		delete(c.udpConns, s.key)
	}
	s.conn.Close()
}

// leave gives a udpConn back. An unused one is kept for connectionAge.
func (c *Client) leave(s *udpConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.users--; s.users > 0 || c.udpConns[s.key] != s {
		return
	}
	if s.idle != nil {
		s.idle.Stop()
	}
	s.idle = time.AfterFunc(connectionAge, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if s.users == 0 {
			c.drop(s)
		}
	})
}

func (c *Client) announceUDP(ctx context.Context, t Tracker, r *Request,
	family guard.Family) (Response, error) {
	s, err := c.use(ctx, t, family)
	if err != nil {
		return Response{}, err
	}
	defer c.leave(s)
	asked := *r
	if !s.host().Is4() { // an address that is not known yet may be either
		asked.Want = min(asked.Want, wantMax6)
	}
	answer, err := s.ask(ctx, func(connection uint64, transaction uint32) []byte {
		return appendAnnounce(nil, connection, transaction, &asked, urlData(t.url))
	})
	if err != nil {
		return Response{}, err
	}
	response, err := parseAnnounceUDP(answer, s.host())
	response.Peers = sift(response.Peers, s.host())
	return response, err
}

func (c *Client) scrapeUDP(ctx context.Context, t Tracker, hashes []metainfo.Hash,
	family guard.Family) ([]Counts, error) {
	s, err := c.use(ctx, t, family)
	if err != nil {
		return nil, err
	}
	defer c.leave(s)
	answer, err := s.ask(ctx, func(connection uint64, transaction uint32) []byte {
		return appendScrape(nil, connection, transaction, hashes)
	})
	if err != nil {
		return nil, err
	}
	return parseScrapeUDP(answer, len(hashes))
}
