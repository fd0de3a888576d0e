package socks

import (
	"encoding/binary"
	"io"
	"net/netip"
)

const (
	version     = 5 // RFC 1928
	versionAuth = 1 // RFC 1929

	methodNone     = 0x00
	methodPassword = 0x02
	methodRefused  = 0xff

	commandConnect   = 1
	commandAssociate = 3

	typeIPv4 = 1
	typeName = 3
	typeIPv6 = 4
)

// headerMax is the longest header of a datagram that we read or write: that with a name of
// 255 bytes.
const headerMax = 3 + 1 + 1 + fieldMax + 2

// HeaderBytes is what the header adds to each datagram with an IPv6 address, which is the
// longer one.
const HeaderBytes = 3 + 1 + 16 + 2

// An address is where a request or a datagram goes, or where it comes from.
type address struct {
	ip   netip.Addr // not valid: the name counts
	name string
	port uint16
}

// addressOf returns the address of a host, which is an address or a name. The error is
// ErrName.
func addressOf(host string, port uint16) (address, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return address{ip: ip.Unmap().WithZone(""), port: port}, nil
	}
	if host == "" || len(host) > fieldMax {
		return address{}, ErrName
	}
	return address{name: host, port: port}, nil
}

// append appends the address as a request has it (RFC 1928, section 5).
func (a address) append(b []byte) []byte {
	switch {
	case !a.ip.IsValid():
		b = append(b, typeName, byte(len(a.name)))
		b = append(b, a.name...)
	case a.ip.Is4():
		ip := a.ip.As4()
		b = append(append(b, typeIPv4), ip[:]...)
	default:
		ip := a.ip.As16()
		b = append(append(b, typeIPv6), ip[:]...)
	}
	return binary.BigEndian.AppendUint16(b, a.port)
}

// parseAddress reads an address at the beginning of b, and returns what follows it. It
// reports whether it is whole and of a known type. A name is not copied.
func parseAddress(b []byte) (ip netip.Addr, name []byte, port uint16, rest []byte, ok bool) {
	if len(b) < 2 {
		return ip, nil, 0, nil, false
	}
	kind, b := b[0], b[1:]
	length := 0
	switch kind {
	case typeIPv4:
		length = 4
	case typeIPv6:
		length = 16
	case typeName:
		length, b = int(b[0]), b[1:]
	default:
		return ip, nil, 0, nil, false
	}
	if len(b) < length+2 || kind == typeName && length == 0 {
		return ip, nil, 0, nil, false
	}
	if kind == typeName {
		name = b[:length]
	} else {
		ip, _ = netip.AddrFromSlice(b[:length])
		ip = ip.Unmap()
	}
	return ip, name, binary.BigEndian.Uint16(b[length:]), b[length+2:], true
}

// appendHeader appends the header of a datagram to an address (RFC 1928, section 7).
func appendHeader(b []byte, to address) []byte {
	return to.append(append(b, 0, 0, 0)) // reserved, and no fragment
}

// parseDatagram takes the header off a datagram, and returns who sent it. Fragments,
// datagrams of unknown senders and whatever does not have the exact form are not ok.
func parseDatagram(b []byte) (from netip.AddrPort, payload []byte, ok bool) {
	if len(b) < 3 || b[0] != 0 || b[1] != 0 || b[2] != 0 {
		return netip.AddrPort{}, nil, false
	}
	ip, name, port, payload, ok := parseAddress(b[3:])
	if ok && name != nil {
		// An address as text is an address all the same.
		var err error
		ip, err = netip.ParseAddr(string(name))
		ok = err == nil
		ip = ip.Unmap().WithZone("")
	}
	if !ok || port == 0 || ip.IsUnspecified() {
		return netip.AddrPort{}, nil, false
	}
	return netip.AddrPortFrom(ip, port), payload, true
}

// readReply reads the answer to a request (RFC 1928, section 6), and not a byte more. The
// error is one of r, or wraps ErrProtocol, or is a *ReplyError.
func readReply(r io.Reader) (bound address, err error) {
	var b [4 + 1 + fieldMax + 2]byte
	if _, err := io.ReadFull(r, b[:5]); err != nil {
		return address{}, err
	}
	if b[0] != version {
		return address{}, protocolError("version %d in a reply", b[0])
	}
	length := 0
	switch b[3] {
	case typeIPv4:
		length = 4 + 1 + 4 + 2 - 1
	case typeIPv6:
		length = 4 + 1 + 16 + 2 - 1
	case typeName:
		length = 4 + 1 + int(b[4]) + 2
	default:
		if b[1] != byte(Succeeded) {
			return address{}, &ReplyError{Reply(b[1])} // what follows does not matter
		}
		return address{}, protocolError("address of type %d in a reply", b[3])
	}
	if _, err := io.ReadFull(r, b[5:length]); err != nil {
		if b[1] != byte(Succeeded) {
			err = &ReplyError{Reply(b[1])} // some proxies hang up in the middle of a refusal
		}
		return address{}, err
	}
	if b[1] != byte(Succeeded) {
		return address{}, &ReplyError{Reply(b[1])}
	}
	ip, name, port, _, ok := parseAddress(b[3:length])
	if !ok && b[3] != typeName { // an empty name is harmless here
		return address{}, protocolError("the address of a reply")
	}
	return address{ip: ip, name: string(name), port: port}, nil
}
