package wire

import (
	"encoding/binary"
	"net/netip"
)

// A HolepunchType is the purpose of a holepunch message (BEP 55).
type HolepunchType uint8

// The holepunch messages of BEP 55.
const (
	HolepunchRendezvous HolepunchType = 0 // to the relay: connect me to Addr
	HolepunchConnect    HolepunchType = 1 // from the relay: connect to Addr now
	HolepunchFailed     HolepunchType = 2 // from the relay: refused, because of Err
)

// A HolepunchError is the reason why a relay refused (BEP 55, "error codes").
type HolepunchError uint32

// The error codes of BEP 55.
const (
	HolepunchNoSuchPeer   HolepunchError = 1 // the address is not valid
	HolepunchNotConnected HolepunchError = 2 // the relay is not connected to the target
	HolepunchNoSupport    HolepunchError = 3 // the target does not have the extension
	HolepunchNoSelf       HolepunchError = 4 // the target is the relay itself
)

// A Holepunch is a message of the extension ut_holepunch (BEP 55).
type Holepunch struct {
	Type HolepunchType
	Addr netip.AddrPort
	Err  HolepunchError // of HolepunchFailed
}

// AppendHolepunch appends m, the payload of an Extended message, to dst: 12
// bytes for an IPv4 address, 24 for an IPv6 one.
func AppendHolepunch(dst []byte, m Holepunch) []byte {
	dst = append(dst, byte(m.Type), byte(family(m.Addr)))
	dst = appendCompact(dst, m.Addr)
	return binary.BigEndian.AppendUint32(dst, uint32(m.Err))
}

// ParseHolepunch reads the payload of a message of ut_holepunch. The error
// code may be missing from rendezvous and connect: common clients leave it out there.
// Types that BEP 55 does not define are a ProtocolError.
func ParseHolepunch(payload []byte) (Holepunch, error) {
	bad := ProtocolError{RuleHolepunch}
	if len(payload) < 2 || payload[1] > 1 || payload[0] > byte(HolepunchFailed) {
		return Holepunch{}, bad
	}
	m := Holepunch{Type: HolepunchType(payload[0])}
	size := compact4
	if payload[1] == 1 {
		size = compact6
	}
	rest := payload[2:]
	switch {
	case len(rest) == size+4:
		m.Err = HolepunchError(binary.BigEndian.Uint32(rest[size:]))
	case len(rest) == size && m.Type != HolepunchFailed:
	default:
		return Holepunch{}, bad
	}
	a, _ := netip.AddrFromSlice(rest[:size-2])
	m.Addr = netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(rest[size-2:]))
	if !connectable(m.Addr) {
		return Holepunch{}, bad
	}
	return m, nil
}
