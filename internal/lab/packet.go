//go:build linux

package lab

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A packetView is an IP packet that a NAT may translate: UDP, TCP, ICMP echo, or an ICMP
// error about one of those. It refers to the bytes of the packet.
type packetView struct {
	raw      []byte // from the IP header on
	proto    uint8
	from, to netip.AddrPort // the identifier of ICMP echo is the port of the side that asked
	data     int            // where the header of the protocol begins
	syn      bool           // TCP: it opens a connection
	ends     bool           // TCP: FIN or RST
	reply    bool           // it is an ICMP echo reply, or a RST: it opens no mapping
	inner    *packetView    // of an ICMP error: the packet that it is about
}

const (
	headerV4 = 20 // bytes of an IPv4 header without options
	headerV6 = 40
	// headerTCP is the length of a TCP header without options.
	headerTCP = 20

	errorBytes = 8 // the header of an ICMP error, before the packet that it is about

	tcpFIN, tcpSYN, tcpRST = 1, 2, 4

	unreachableV4, exceededV4, problemV4 = 3, 11, 12 // ICMP errors (RFC 792)
	errorsV6                             = 128       // ICMPv6 types below are errors (RFC 4443)
	echoRequestV6, echoReplyV6           = 128, 129
)

// parsePacket reads a packet. It returns false for what no NAT of the lab translates:
// other protocols, fragments, extension headers of IPv6, and what is not global.
func parsePacket(raw []byte) (*packetView, bool) {
	p, ok := parseHeader(raw)
	if !ok || p.to.Addr().IsMulticast() || p.to.Addr().IsLinkLocalUnicast() {
		return nil, false
	}
	return p, p.parseProtocol(true)
}

// parseHeader reads the IP header.
func parseHeader(raw []byte) (*packetView, bool) {
	p := &packetView{raw: raw}
	var from, to netip.Addr
	switch {
	case len(raw) >= headerV4 && raw[0]>>4 == 4:
		p.data, p.proto = int(raw[0]&15)*4, raw[9]
		from, _ = netip.AddrFromSlice(raw[12:16])
		to, _ = netip.AddrFromSlice(raw[16:20])
		if binary.BigEndian.Uint16(raw[6:])&0x3fff != 0 { // more fragments, or an offset
			return nil, false
		}
	case len(raw) >= headerV6 && raw[0]>>4 == 6:
		p.data, p.proto = headerV6, raw[6]
		from, _ = netip.AddrFromSlice(raw[8:24])
		to, _ = netip.AddrFromSlice(raw[24:40])
	default:
		return nil, false
	}
	p.from, p.to = netip.AddrPortFrom(from, 0), netip.AddrPortFrom(to, 0)
	return p, p.data >= headerV4 && len(raw) >= p.data+8
}

// parseProtocol reads the header behind that of IP. An error within an error is none.
func (p *packetView) parseProtocol(outermost bool) bool {
	b := p.raw[p.data:]
	switch p.proto {
	case unix.IPPROTO_UDP:
	case unix.IPPROTO_TCP:
		if outermost && len(b) < headerTCP {
			return false
		}
		if len(b) >= headerTCP { // an ICMP error may hold less of it
			p.syn, p.ends = b[13]&tcpSYN != 0, b[13]&(tcpFIN|tcpRST) != 0
			p.reply = b[13]&tcpRST != 0
		}
	case unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6:
		return p.parseICMP(b, outermost)
	default:
		return false
	}
	p.from = netip.AddrPortFrom(p.from.Addr(), binary.BigEndian.Uint16(b))
	p.to = netip.AddrPortFrom(p.to.Addr(), binary.BigEndian.Uint16(b[2:]))
	return true
}

func (p *packetView) parseICMP(b []byte, outermost bool) bool {
	v6 := p.proto == unix.IPPROTO_ICMPV6
	id := binary.BigEndian.Uint16(b[4:])
	switch kind := b[0]; {
	case !v6 && kind == echoRequest, v6 && kind == echoRequestV6:
		p.from = netip.AddrPortFrom(p.from.Addr(), id)
		return true
	case !v6 && kind == echoReply, v6 && kind == echoReplyV6:
		p.to, p.reply = netip.AddrPortFrom(p.to.Addr(), id), true
		return true
	case !v6 && kind != unreachableV4 && kind != exceededV4 && kind != problemV4,
		v6 && kind >= errorsV6, !outermost:
		return false
	}
	inner, ok := parseHeader(b[errorBytes:])
	if !ok || inner.from.Addr().Is4() == v6 {
		return false
	}
	p.inner = inner
	return inner.parseProtocol(false)
}

// setFrom replaces the source.
func (p *packetView) setFrom(to netip.AddrPort) {
	p.replace(p.from, to, 12, 0)
	p.from = to
}

// setTo replaces the destination.
func (p *packetView) setTo(to netip.AddrPort) {
	p.replace(p.to, to, 16, 2)
	p.to = to
}

// replace puts an endpoint of IPv4 in the place of another one: its address at one place,
// and its port at an offset in the header of the protocol. Checksums are corrected as RFC
// 1624 says. Endpoints of IPv6 stay as they are, since nobody translates them.
func (p *packetView) replace(old, now netip.AddrPort, address, port int) {
	if old == now || !now.Addr().Is4() {
		return
	}
	var was, is [6]byte
	copy(was[:], old.Addr().AsSlice())
	copy(is[:], now.Addr().AsSlice())
	binary.BigEndian.PutUint16(was[4:], old.Port())
	binary.BigEndian.PutUint16(is[4:], now.Port())
	copy(p.raw[address:], is[:4])
	correct(p.raw[10:], was[:4], is[:4])
	b := p.raw[p.data:]
	switch p.proto {
	case unix.IPPROTO_UDP:
		copy(b[port:], is[4:])
		if binary.BigEndian.Uint16(b[6:]) != 0 { // there is a checksum
			correct(b[6:], was[:], is[:])
			if binary.BigEndian.Uint16(b[6:]) == 0 { // which would say that there is none
				b[6], b[7] = 0xff, 0xff
			}
		}
	case unix.IPPROTO_TCP:
		copy(b[port:], is[4:])
		if len(b) >= headerTCP {
			correct(b[16:], was[:], is[:])
		}
	case unix.IPPROTO_ICMP:
		if p.inner == nil { // the identifier of an echo
			copy(b[4:], is[4:])
			correct(b[2:], was[4:], is[4:])
		}
	}
}

// correct corrects a checksum for bytes that have changed.
func correct(sum, was, is []byte) {
	total := uint32(^binary.BigEndian.Uint16(sum))
	for i := 0; i < len(was); i += 2 {
		total += uint32(^binary.BigEndian.Uint16(was[i:]))
		total += uint32(binary.BigEndian.Uint16(is[i:]))
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	binary.BigEndian.PutUint16(sum, ^uint16(total))
}

// sumError computes the checksum of an ICMP error after a change of the packet that it is
// about. That of ICMPv6 has not changed.
func (p *packetView) sumError() {
	if p.proto != unix.IPPROTO_ICMP {
		return
	}
	b := p.raw[p.data:]
	b[2], b[3] = 0, 0
	if len(b)%2 != 0 {
		b = append(b[:len(b):len(b)], 0)
	}
	binary.BigEndian.PutUint16(p.raw[p.data+2:], checksum(b))
}
