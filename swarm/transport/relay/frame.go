package relay

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/pion/stun/v4"

	"swarmnode/swarm/transport/udpmux"
)

const (
	// DatagramMax is the largest uTP datagram for a relayed path, in bytes. With the header
	// of a channel it fits the links that NATs and tunnels leave, so that no fragments are
	// made: some NATs drop those.
	DatagramMax = 1400

	payloadMax        = 1500 // bytes of a datagram that a client takes at all
	stunHeaderSize    = 20
	channelHeaderSize = 4
	// channelFirst and channels are the numbers that our client gives to channels. They are
	// few of those that RFC 8656 allows (0x4000 to 0x4fff), because datagrams of these begin
	// like nothing else on a shared port (udpmux.ClassOf). Our server allows channelsMax.
	channelFirst = 0x4000
	channels     = 96
	// frameMax bounds a message on a stream: a STUN message with a datagram in it.
	frameMax = 2048
	krpcMin  = 12 // bytes, less than the shortest KRPC message
)

// Errors of a stream of messages.
var (
	errFrame     = errors.New("relay: neither STUN nor a channel")
	errFrameLong = errors.New("relay: message is too long")
)

// A peer's address in the form that the messages of pion/stun have.
func xorAddress(a netip.AddrPort) stun.XORMappedAddress {
	return stun.XORMappedAddress{IP: a.Addr().AsSlice(), Port: int(a.Port())}
}

// addressIn returns the address in an attribute of m.
func addressIn(m *stun.Message, attr stun.AttrType) (netip.AddrPort, bool) {
	var a stun.XORMappedAddress
	if a.GetFromAs(m, attr) != nil {
		return netip.AddrPort{}, false
	}
	ip, ok := netip.AddrFromSlice(a.IP)
	if !ok || a.Port <= 0 || a.Port > 0xffff {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(a.Port)), true
}

// isChannel reports whether a message begins as ChannelData does (RFC 8656, section 12.4).
func isChannel(b []byte) bool { return len(b) >= channelHeaderSize && b[0]>>6 == 1 }

// parseChannel returns the number and the payload of a ChannelData message. On UDP there may
// be padding after the payload.
func parseChannel(b []byte) (number uint16, data []byte, ok bool) {
	if !isChannel(b) {
		return 0, nil, false
	}
	number, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
	if n > len(b)-channelHeaderSize {
		return 0, nil, false
	}
	return number, b[channelHeaderSize : channelHeaderSize+n], true
}

// appendChannel appends a ChannelData message to b. On a stream it is padded to a multiple of
// four bytes (RFC 8656, section 12.5).
func appendChannel(b []byte, number uint16, data []byte, stream bool) []byte {
	b = binary.BigEndian.AppendUint16(b, number)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	b = append(b, data...)
	for stream && len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// frameSize returns the size of the message at the beginning of a stream, padding included,
// or 0 if the first bytes do not say it yet.
func frameSize(b []byte) (int, error) {
	if len(b) < channelHeaderSize {
		return 0, nil
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	switch b[0] >> 6 {
	case 0:
		n += stunHeaderSize
		if n%4 != 0 {
			return 0, errFrame
		}
	case 1:
		n = (n+3)&^3 + channelHeaderSize
	default:
		return 0, errFrame
	}
	if n > frameMax {
		return 0, errFrameLong
	}
	return n, nil
}

// carried reports whether a relay may carry a datagram: it looks like uTP or KRPC. All keys
// of a KRPC dictionary (BEP 5) are shorter than ten bytes.
func carried(b []byte) bool {
	switch udpmux.ClassOf(b) {
	case udpmux.ClassUTP:
		return true
	case udpmux.ClassDHT:
		return len(b) >= krpcMin && b[1] >= '1' && b[1] <= '9' && b[2] == ':' && b[len(b)-1] == 'e'
	}
	return false
}
