package portmap

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const (
	// packetsPerSecond bounds the datagrams of one socket that are handled.
	packetsPerSecond = 100
	// searchTime is how long answers to a search are waited for, answersMax how many, and
	// answersPerSource how many from one address, so that one neighbour does not displace the
	// router.
	searchTime       = 3 * time.Second
	answersMax       = 256
	answersPerSource = 16
)

// The groups to which routers announce that they have lost their mappings (RFC 6887, section
// 14.1.3; RFC 6886, section 3.2.1).
var (
	announceGroup4 = netip.AddrPortFrom(netip.AddrFrom4([4]byte{224, 0, 0, 1}), announcePort)
	announceGroup6 = netip.AddrPortFrom(netip.MustParseAddr("ff02::1"), announcePort)
)

// A path is a gateway with its sockets. It belongs to the loop; its readers post events.
type path struct {
	m       *Mapper
	gateway *gateway
	zone    string // of the interface, for multicast of IPv6
	started time.Time
	until   time.Time // when it is given up; zero while it is in use
	ctx     context.Context
	cancel  context.CancelFunc
	control net.Conn // to the control port; nil until it is needed, or after a failure
}

// newPath opens a path.
func (m *Mapper) newPath(now time.Time, s *site) *path {
	p := &path{m: m, gateway: m.newGateway(now, s.place, s.onLink), zone: s.ifi.Name,
		started: now}
	p.ctx, p.cancel = context.WithCancel(m.ctx)
	announces, notices := announceGroup4, ssdpGroup4
	if s.place.local.Is6() {
		announces, notices = announceGroup6, ssdpGroup6
	}
	p.listen(s, announces, announced, func(b []byte) bool {
		_, notPCP := parsePCP(b)
		_, notPMP := parsePMP(b)
		return notPCP == nil || notPMP == nil
	})
	p.listen(s, netip.AddrPortFrom(notices, ssdpPort), noticed, isNotice)
	return p
}

// listen posts an event for each message of the router to a group for which is reports true.
// Without it, restarts of the router are noticed within a minute.
func (p *path) listen(s *site, group netip.AddrPort, kind eventKind, is func([]byte) bool) {
	conn, err := p.m.cfg.Net.ListenMulticast(&s.ifi, group)
	if err != nil {
		p.m.cfg.Log.Debug("portmap: joining a group", "group", group, "err", err)
		return
	}
	p.m.wait.Go(func() { p.readGroup(conn, kind, is) })
}

// leave begins to give the path up: its mappings are removed as far as the router answers.
func (p *path) leave(now time.Time) {
	if p.until.IsZero() {
		p.until = now.Add(closeTime)
		p.gateway.close(now)
	}
}

// close ends the readers and requests of the path.
func (p *path) close() {
	p.cancel() // it closes the sockets
}

// post hands an event to the loop.
func (p *path) post(e event) {
	e.path = p
	select {
	case p.m.events <- e:
	case <-p.ctx.Done():
	}
}

// carryOut does what the gateway wants. What fails is lost, as any datagram may be.
func (p *path) carryOut(e *effect) {
	switch {
	case e.datagram != nil:
		p.send(e.datagram)
	case e.search:
		p.search()
	case e.request != nil:
		r := e.request
		p.m.wait.Go(func() {
			body, err := exchange(p.ctx, p.m.cfg.Net, p.gateway.at.local, r)
			if err != nil {
				p.m.cfg.Log.Debug("portmap: request", "to", r.at.server, "action", r.action,
					"err", err)
			}
			p.post(event{kind: replied, id: r.id, data: body, err: err})
		})
	}
}

// send sends a datagram to the control port.
func (p *path) send(b []byte) {
	if p.control == nil {
		at := p.gateway.at
		conn, err := p.m.cfg.Net.DialUDP(at.local, netip.AddrPortFrom(at.router, controlPort))
		if err != nil {
			p.m.cfg.Log.Debug("portmap: opening a socket", "err", err)
			return
		}
		p.control = conn
		p.m.wait.Go(func() { p.readControl(conn) })
	}
	p.control.Write(b) // the reader sees what is wrong with the socket
}

// controlEnded forgets the socket to the control port, so that the next datagram opens another
// one.
func (p *path) controlEnded() { p.control = nil }

// A quota bounds the datagrams of a socket that are handled in a second.
type quota struct {
	second time.Time
	spent  int
}

// allow counts a datagram, and reports whether it is within the bound.
func (q *quota) allow(now time.Time) bool {
	if now.Sub(q.second) >= time.Second {
		q.second, q.spent = now, 0
	}
	q.spent++
	return q.spent <= packetsPerSecond
}

// readControl posts what comes from the control port, until the path is closed.
func (p *path) readControl(conn net.Conn) {
	defer context.AfterFunc(p.ctx, func() { conn.Close() })()
	defer conn.Close()
	b := make([]byte, controlBytesMax+1)
	var q quota
	for {
		n, err := conn.Read(b)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			if q.allow(time.Now()) {
				p.post(event{kind: unreachable})
			}
		case err != nil:
			p.post(event{kind: broken, err: err})
			return
		case q.allow(time.Now()):
			p.post(event{kind: received, data: append([]byte(nil), b[:n]...)})
		}
	}
}

// readGroup posts what the router says to all, until the path is closed.
func (p *path) readGroup(conn *net.UDPConn, kind eventKind, is func([]byte) bool) {
	defer context.AfterFunc(p.ctx, func() { conn.Close() })()
	defer conn.Close()
	b := make([]byte, ssdpBytesMax+1)
	var q quota
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if same(from.Addr(), p.gateway.at.router) && q.allow(time.Now()) && is(b[:n]) {
			p.post(event{kind: kind})
		}
	}
}

// search sends a search to the network and to the router, each of which some devices do not
// answer, and posts the answers.
func (p *path) search() {
	at := p.gateway.at
	conn, err := p.m.cfg.Net.ListenUDP(p.ctx, netip.AddrPortFrom(at.local, 0))
	if err != nil {
		p.m.cfg.Log.Debug("portmap: searching for devices", "err", err)
		return
	}
	group, targets := ssdpGroup4, searched4
	if at.local.Is6() {
		group, targets = ssdpGroup6.WithZone(p.zone), searched6
	} else {
		multicastFrom(conn, at.local)
	}
	conn.SetReadDeadline(time.Now().Add(searchTime))
	for _, target := range targets {
		for _, ip := range []netip.Addr{group, at.router} {
			to := netip.AddrPortFrom(ip, ssdpPort)
			conn.WriteToUDPAddrPort(appendSearch(nil, to, target), to)
		}
	}
	p.m.wait.Go(func() { p.readFound(conn) })
}

// readFound posts the answers to a search.
func (p *path) readFound(conn *net.UDPConn) {
	defer context.AfterFunc(p.ctx, func() { conn.Close() })()
	defer conn.Close()
	b := make([]byte, ssdpBytesMax+1)
	answers := make(map[netip.Addr]int)
	for range answersMax {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			if errors.Is(err, syscall.ECONNREFUSED) {
				continue
			}
			return
		}
		if answers[from.Addr()]++; answers[from.Addr()] > answersPerSource {
			continue
		}
		p.post(event{kind: found, from: from, data: append([]byte(nil), b[:n]...)})
	}
}
