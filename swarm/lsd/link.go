package lsd

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"swarmnode/swarm/guard"
	"swarmnode/swarm/limit"
)

const (
	// linksMax bounds the interfaces in use, in each family. Machines that run containers
	// have hundreds.
	linksMax = 32
	// readFaultsMax is how many reads in a row may fail before a link is given up. The
	// next look at the interfaces opens the link again.
	readFaultsMax = 16
	// packetsPerSecond bounds the packets of one link that are parsed. It is several times
	// what hundreds of neighbours send. packetsPerSource bounds those of one sender, so
	// that a neighbour's flood leaves room for the others; the announces of two thousand
	// torrents fit.
	packetsPerSecond = 200
	packetsPerSource = 80

	port = 6771
)

// The groups of BEP 14.
var (
	group4 = netip.AddrPortFrom(netip.AddrFrom4([4]byte{239, 192, 152, 143}), port)
	group6 = netip.AddrPortFrom(netip.MustParseAddr("ff15::efc0:988f"), port)
)

// A linkKey names an interface in a family, and the address that we announce there.
type linkKey struct {
	index int
	name  string
	v6    bool
	from  netip.Addr // not valid if the system chooses
}

// group returns the group of the family.
func (k linkKey) group() netip.AddrPort {
	if k.v6 {
		return group6
	}
	return group4
}

// A link is an interface in one family, with the socket that has joined the
// group there. Its fields do not change.
type link struct {
	key   linkKey
	addrs []netip.Prefix // of the interface, in this family
	conn  packetConn
	to    netip.AddrPort
}

// A packetConn is a net.UDPConn, or what tests use instead.
type packetConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
	Close() error
}

// send sends a packet to the group. A packet that cannot be sent is lost, as any datagram
// may be; scan finds out that a link is down.
func (l *link) send(b []byte) {
	l.conn.WriteToUDPAddrPort(b, l.to)
}

// A boundConn sends from an address that the system would not choose by itself. A socket
// bound to the address would not hear what is sent to the group.
type boundConn struct {
	*net.UDPConn
	source []byte // the control message that says so
}

func (c boundConn) WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	n, _, err := c.WriteMsgUDPAddrPort(b, c.source, addr)
	return n, err
}

// openLink joins the group on an interface.
func (s *Service) openLink(key linkKey, ifi *net.Interface) (packetConn, error) {
	conn, err := s.cfg.Net.ListenMulticast(ifi, key.group())
	if err != nil {
		return nil, err
	}
	if err := tune(conn, ifi.Index, key.v6); err != nil {
		conn.Close()
		return nil, err
	}
	if key.from.IsValid() {
		return boundConn{conn, sourceOf(key.from, ifi.Index)}, nil
	}
	return conn, nil
}

// read handles packets until the socket is closed.
func (s *Service) read(l *link) {
	b := make([]byte, packetMax+1)
	faults := 0
	var rate packetRate
	for {
		n, from, err := l.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			if faults++; errors.Is(err, net.ErrClosed) || faults > readFaultsMax {
				s.drop(l)
				return
			}
			continue
		}
		faults = 0
		if !rate.allow(time.Now(), from.Addr()) {
			continue
		}
		m, err := parseSearch(b[:n])
		if err == nil && l.local(from.Addr()) {
			s.heard(&m, from.Addr().Unmap())
		}
	}
}

// A packetRate counts the packets of one link.
type packetRate struct {
	second  time.Time // since when
	packets int
	sources map[netip.Addr]int // at most packetsPerSecond of them
}

// allow counts a packet, and reports whether it is within the bounds.
func (r *packetRate) allow(now time.Time, from netip.Addr) bool {
	if r.sources == nil || now.Sub(r.second) >= time.Second {
		r.second, r.packets = now, 0
		r.sources = make(map[netip.Addr]int)
	}
	sender := senderOf(from)
	if r.packets >= packetsPerSecond || r.sources[sender] >= packetsPerSource {
		return false
	}
	r.packets++
	r.sources[sender]++
	return true
}

// senderOf returns what counts as one sender: a source, or each address of a link, where
// all share one /64.
func senderOf(ip netip.Addr) netip.Addr {
	if ip = ip.Unmap().WithZone(""); ip.IsLinkLocalUnicast() {
		return ip
	}
	return limit.SourceOf(ip)
}

// local reports whether an address can be that of a neighbour on the link: one of a
// private range, or of a range that the interface has. Multicast from elsewhere is forged,
// or came in by mistake.
func (l *link) local(ip netip.Addr) bool {
	ip = ip.Unmap()
	reach, ok := guard.ReachOf(ip)
	if !ok {
		return false
	}
	return reach != guard.Public || slices.ContainsFunc(l.addrs, func(p netip.Prefix) bool {
		return p.Contains(ip.WithZone(""))
	})
}

// drop forgets a link and closes its socket.
func (s *Service) drop(l *link) {
	l.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links[l.key] == l {
		delete(s.links, l.key)
	}
}

func (s *Service) closeLinks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links {
		l.conn.Close() // its reader drops it
	}
}

// A place is where a link should be at the moment.
type place struct {
	ifi   net.Interface
	addrs []netip.Prefix
}

// findPlaces returns where links should be.
func (s *Service) findPlaces() map[linkKey]place {
	interfaces, err := s.cfg.Net.Interfaces()
	if err != nil {
		s.cfg.Logger.Debug("lsd: reading interfaces", "err", err)
		return nil
	}
	addresses, err := s.cfg.Net.Prefixes()
	if err != nil {
		s.cfg.Logger.Debug("lsd: reading addresses", "err", err)
		return nil
	}
	all := make(map[linkKey]place)
	used := 0
	for _, ifi := range interfaces {
		const able = net.FlagUp | net.FlagMulticast
		if ifi.Flags&able != able {
			continue
		}
		before := len(all)
		for v6, addrs := range byFamily(addresses[ifi.Index]) {
			for _, from := range sources(s.cfg.Bound, addrs, v6) {
				all[linkKey{index: ifi.Index, name: ifi.Name, v6: v6, from: from}] = place{ifi,
					addrs}
			}
		}
		if len(all) == before {
			continue
		}
		if used++; used >= linksMax {
			break
		}
	}
	return all
}

// byFamily splits the addresses of an interface into those of IPv4 and those of IPv6.
func byFamily(addrs []netip.Prefix) map[bool][]netip.Prefix {
	list := make(map[bool][]netip.Prefix)
	for _, p := range addrs {
		v6 := !p.Addr().Is4()
		list[v6] = append(list[v6], p)
	}
	return list
}

// sources returns which addresses of an interface in one family we announce: those that we
// are bound to, or one that the system chooses, which is not valid here, if we can be
// reached at any.
func sources(bound []netip.Addr, addrs []netip.Prefix, v6 bool) (from []netip.Addr) {
	if len(bound) == 0 {
		return []netip.Addr{{}}
	}
	for _, b := range bound {
		b = b.Unmap().WithZone("")
		if b.IsUnspecified() && b.Is6() == v6 {
			return []netip.Addr{{}}
		}
		has := func(p netip.Prefix) bool { return p.Addr().Unmap() == b }
		if slices.ContainsFunc(addrs, has) && !slices.Contains(from, b) {
			from = append(from, b)
		}
	}
	return from
}

// scan opens missing links, and closes those whose interface has gone or has other
// addresses. All torrents are announced on a new link.
func (s *Service) scan() {
	places := s.places()
	s.mu.Lock()
	for key, l := range s.links {
		if at, ok := places[key]; ok && slices.Equal(at.addrs, l.addrs) {
			delete(places, key) // as it was
			continue
		}
		delete(s.links, key)
		l.conn.Close()
		s.cfg.Logger.Debug("lsd: left", "interface", key.name)
	}
	s.mu.Unlock()
	opened := false
	for key, at := range places {
		conn, err := s.open(key, &at.ifi)
		if err != nil {
			s.cfg.Logger.Debug("lsd: joining", "interface", key.name, "err",
				strings.TrimSpace(err.Error()))
			continue
		}
		s.cfg.Logger.Debug("lsd: joined", "interface", key.name, "ipv6", key.v6)
		l := &link{key: key, addrs: at.addrs, conn: conn, to: key.group()}
		s.mu.Lock()
		s.links[key] = l
		s.mu.Unlock()
		s.wait.Go(func() { s.read(l) })
		opened = true
	}
	if opened {
		s.announceAll()
	}
}

// announceAll makes every torrent due, because there is a new network.
func (s *Service) announceAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().Add(gatherTime)
	for _, t := range s.torrents {
		t.due, t.again = now, true
	}
	s.hurry()
}
