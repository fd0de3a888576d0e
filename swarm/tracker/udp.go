package tracker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

const (
	// retransmitFirst is the wait before a datagram is sent again; it doubles
	// each time (BEP 15, "Time outs").
	retransmitFirst = 15 * time.Second
	// sendsMax is how often a datagram is sent: after 15 + 30 s without an
	// answer the next tracker is the better choice. BEP 15 goes on for an hour.
	sendsMax = 2
	// connectionAge is how long a connection id may be used (BEP 15).
	connectionAge = time.Minute
	// strayMax bounds the datagrams that are looked at while one is expected.
	strayMax = 100
	// wantMax6 is how many peers are asked for over UDP and IPv6, so that the
	// answer is not fragmented: 20 + 70*18 bytes.
	wantMax6 = 70
)

// errSilent tells that a UDP tracker did not answer.
var errSilent = errors.New("the tracker does not answer")

// A dialogue is one or two exchanges with a UDP tracker. It has a socket of its
// own, connected, so that the system drops what others send, and tells when
// nobody listens.
type dialogue struct {
	conn    *net.UDPConn
	tracker netip.AddrPort
	buf     []byte

	connection uint64
	connected  time.Time // zero before the first connection id
}

// dialUDP resolves the tracker's name and starts a dialogue with it.
func (c *Client) dialUDP(ctx context.Context, t Tracker, family guard.Family) (*dialogue, error) {
	target := t.target(t.url)
	d := net.Dialer{Control: target.Control(), Timeout: retransmitFirst}
	if c.local.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.local, 0))
	}
	conn, err := d.DialContext(ctx, family.Network("udp"), t.url.Host)
	if err != nil {
		return nil, err
	}
	udp := conn.(*net.UDPConn)
	addr := udp.RemoteAddr().(*net.UDPAddr).AddrPort()
	return &dialogue{conn: udp, tracker: addr, buf: make([]byte, packetMax)}, nil
}

// ask sends the packet that build makes, for a connection id and a transaction
// id, and returns the answer, which is valid until the next call.
func (d *dialogue) ask(ctx context.Context, build func(connection uint64, transaction uint32) []byte) ([]byte, error) {
	wait := retransmitFirst
	for range sendsMax {
		if d.connected.IsZero() || time.Since(d.connected) > connectionAge {
			answer, err := d.exchange(ctx, wait, func(transaction uint32) []byte {
				return appendConnect(nil, transaction)
			})
			if errors.Is(err, errSilent) {
				wait *= 2
				continue
			}
			if err != nil {
				return nil, err
			}
			if d.connection, err = parseConnect(answer); err != nil {
				return nil, err
			}
			d.connected = time.Now()
		}
		answer, err := d.exchange(ctx, wait, func(transaction uint32) []byte {
			return build(d.connection, transaction)
		})
		if !errors.Is(err, errSilent) {
			return answer, err
		}
		wait *= 2
	}
	return nil, errSilent
}

// exchange sends one datagram and waits for its answer.
func (d *dialogue) exchange(ctx context.Context, wait time.Duration, build func(transaction uint32) []byte) ([]byte, error) {
	deadline := time.Now().Add(wait)
	if err := d.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { d.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	transaction := rand.Uint32()
	if _, err := d.conn.Write(build(transaction)); err != nil && ctx.Err() == nil {
		return nil, err
	}
	for range strayMax {
		n, err := d.conn.Read(d.buf)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, errSilent
		case errors.Is(err, syscall.ECONNREFUSED):
			return nil, fmt.Errorf("nobody listens at %v: %w", d.tracker, err)
		case err != nil:
			return nil, err
		}
		if _, id, ok := parseHeader(d.buf[:n]); ok && id == transaction {
			return d.buf[:n], nil
		}
	}
	return nil, fmt.Errorf("%w: too many stray datagrams", ErrAnswer)
}

func (c *Client) announceUDP(ctx context.Context, t Tracker, r *Request, family guard.Family) (Response, error) {
	d, err := c.dialUDP(ctx, t, family)
	if err != nil {
		return Response{}, err
	}
	defer d.conn.Close()
	asked := *r
	if !d.tracker.Addr().Unmap().Is4() {
		asked.Want = min(asked.Want, wantMax6)
	}
	answer, err := d.ask(ctx, func(connection uint64, transaction uint32) []byte {
		return appendAnnounce(nil, connection, transaction, &asked, urlData(t.url))
	})
	if err != nil {
		return Response{}, err
	}
	response, err := parseAnnounceUDP(answer, d.tracker.Addr())
	response.Peers = sift(response.Peers, d.tracker.Addr())
	return response, err
}

func (c *Client) scrapeUDP(ctx context.Context, t Tracker, hashes []metainfo.Hash, family guard.Family) ([]Counts, error) {
	d, err := c.dialUDP(ctx, t, family)
	if err != nil {
		return nil, err
	}
	defer d.conn.Close()
	answer, err := d.ask(ctx, func(connection uint64, transaction uint32) []byte {
		return appendScrape(nil, connection, transaction, hashes)
	})
	if err != nil {
		return nil, err
	}
	return parseScrapeUDP(answer, len(hashes))
}
