package tracker

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"

	"swarmnode/metainfo"
)

// idEpoch is how long an address gets the same connection id. The previous id is
// valid as well, so each id is valid for at least two minutes (BEP 15).
const idEpoch = 2 * time.Minute

// answerMax6 bounds the peers in an answer over IPv6, so that the answer fits a
// datagram: 20 + 70*18 bytes.
const answerMax6 = 70

// connectionIDs makes the ids by which a sender proves that it receives datagrams at
// its address. It keeps no state per id: an id is a keyed hash of the address and the
// time.
type connectionIDs struct {
	secret [32]byte
	start  time.Time
}

func newConnectionIDs() connectionIDs {
	c := connectionIDs{start: time.Now()}
	rand.Read(c.secret[:])
	return c
}

func (c *connectionIDs) epoch(now time.Time) uint64 { return uint64(now.Sub(c.start) / idEpoch) }

func (c *connectionIDs) id(ip netip.Addr, epoch uint64) uint64 {
	var b [len(c.secret) + 8 + 16]byte
	copy(b[:], c.secret[:])
	binary.BigEndian.PutUint64(b[len(c.secret):], epoch)
	a := ip.As16()
	copy(b[len(c.secret)+8:], a[:])
	sum := sha256.Sum256(b[:])
	return binary.BigEndian.Uint64(sum[:])
}

// good reports whether id was made for ip in this epoch or in the last one.
func (c *connectionIDs) good(id uint64, ip netip.Addr, now time.Time) bool {
	epoch := c.epoch(now)
	same := func(epoch uint64) bool {
		var got, want [8]byte
		binary.BigEndian.PutUint64(got[:], id)
		binary.BigEndian.PutUint64(want[:], c.id(ip, epoch))
		return subtle.ConstantTimeCompare(got[:], want[:]) == 1
	}
	return same(epoch) || epoch > 0 && same(epoch-1)
}

// readFaultsMax is how many reads in a row may fail before we give up on a socket. A
// read may fail because the system reports that an earlier datagram was refused.
const readFaultsMax = 100

// servePackets answers datagrams until p is closed.
func (s *Server) servePackets(p net.PacketConn) error {
	in := make([]byte, packetMax)
	out := make([]byte, 0, packetMax)
	udp, _ := p.(*net.UDPConn)
	faults := 0
	for {
		n, from, err := readFrom(p, udp, in)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			if faults++; faults > readFaultsMax {
				return err
			}
			continue
		}
		faults = 0
		out = s.answerPacket(time.Now(), out[:0], in[:n], from)
		if len(out) == 0 {
			continue
		}
		// A datagram that cannot be sent counts as lost.
		if udp != nil {
			udp.WriteToUDPAddrPort(out, from)
		} else {
			p.WriteTo(out, net.UDPAddrFromAddrPort(from))
		}
	}
}

// readFrom reads a datagram, without an allocation if udp is set.
func readFrom(p net.PacketConn, udp *net.UDPConn, b []byte) (int, netip.AddrPort, error) {
	if udp != nil {
		return udp.ReadFromUDPAddrPort(b)
	}
	n, from, err := p.ReadFrom(b)
	if addr, ok := from.(*net.UDPAddr); ok {
		return n, addr.AddrPort(), err
	}
	return n, netip.AddrPort{}, err
}

// answerPacket appends the answer to a datagram (BEP 15). It does not answer malformed
// datagrams, nor senders that have not proven their address: a forged address never
// gets more bytes than its forger has sent.
func (s *Server) answerPacket(now time.Time, dst, b []byte, from netip.AddrPort) []byte {
	if len(b) < connectSize || !from.IsValid() || from.Port() == 0 {
		s.refused.Add(1)
		return dst
	}
	be := binary.BigEndian
	ip := from.Addr().Unmap()
	id, action, transaction := be.Uint64(b), be.Uint32(b[8:]), be.Uint32(b[12:])
	if action == actionConnect && id == protocolID {
		if !s.connectRate.Allow(now, ip) {
			s.limited.Add(1)
			return dst
		}
		s.connects.Add(1)
		dst = be.AppendUint32(dst, actionConnect)
		dst = be.AppendUint32(dst, transaction)
		return be.AppendUint64(dst, s.ids.id(ip, s.ids.epoch(now)))
	}
	if !s.ids.good(id, ip, now) {
		s.refused.Add(1)
		return dst
	}
	if !s.rate.Allow(now, ip) {
		s.limited.Add(1)
		return dst
	}
	switch {
	case action == actionAnnounce && len(b) >= announceSize:
		return s.announcePacket(now, dst, b, ip)
	case action == actionScrape && len(b) >= scrapeSize+hashSize:
		return s.scrapePacket(dst, b)
	}
	s.refused.Add(1)
	dst = be.AppendUint32(dst, actionError)
	dst = be.AppendUint32(dst, transaction)
	return append(dst, "not a request of BEP 15"...)
}

func (s *Server) announcePacket(now time.Time, dst, b []byte, ip netip.Addr) []byte {
	be := binary.BigEndian
	transaction := be.Uint32(b[12:])
	a := announcement{
		hash:  metainfo.Hash(b[16:36]),
		addr:  netip.AddrPortFrom(ip, be.Uint16(b[96:])),
		seed:  be.Uint64(b[64:]) == 0,
		event: Event(be.Uint32(b[80:])),
		want:  wanted(int64(int32(be.Uint32(b[92:])))),
	}
	if a.event > Stopped || a.addr.Port() == 0 {
		s.refused.Add(1)
		dst = be.AppendUint32(dst, actionError)
		dst = be.AppendUint32(dst, transaction)
		return append(dst, "unknown event, or no port"...)
	}
	if !ip.Is4() {
		a.want = min(a.want, answerMax6)
	}
	s.announcesUDP.Add(1)
	at := len(dst)
	dst = append(dst, make([]byte, announceAnswerSize)...)
	var counts Counts
	if ip.Is4() {
		counts, dst, _ = s.store.announce(now, &a, dst, nil)
	} else {
		counts, _, dst = s.store.announce(now, &a, nil, dst)
	}
	head := dst[at:]
	be.PutUint32(head, actionAnnounce)
	be.PutUint32(head[4:], transaction)
	be.PutUint32(head[8:], uint32(s.cfg.Interval/time.Second))
	be.PutUint32(head[12:], uint32(counts.Leeches))
	be.PutUint32(head[16:], uint32(counts.Seeds))
	return dst
}

func (s *Server) scrapePacket(dst, b []byte) []byte {
	be := binary.BigEndian
	s.scrapesUDP.Add(1)
	dst = be.AppendUint32(dst, actionScrape)
	dst = be.AppendUint32(dst, be.Uint32(b[12:]))
	hashes := b[scrapeSize:]
	for i := 0; i < ScrapeMax && len(hashes) >= hashSize; i++ {
		counts, _ := s.store.scrape(metainfo.Hash(hashes[:hashSize]))
		dst = be.AppendUint32(dst, uint32(counts.Seeds))
		dst = be.AppendUint32(dst, uint32(counts.Completed))
		dst = be.AppendUint32(dst, uint32(counts.Leeches))
		hashes = hashes[hashSize:]
	}
	return dst
}

// wanted returns how many peers to send to a client that asks for n.
func wanted(n int64) int {
	if n < 0 {
		return serverWant
	}
	return int(min(n, serverWantMax))
}
