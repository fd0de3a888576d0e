package udpmux

import "encoding/binary"

// A Class is the protocol that a datagram belongs to.
type Class uint8

// The classes of datagrams.
const (
	ClassNone Class = iota // none that we know; such datagrams are dropped
	ClassDHT               // KRPC (BEP 5), a bencoded dictionary
	ClassUTP               // uTP (BEP 29), version 1
	ClassSTUN              // STUN (RFC 8489, section 5), and ChannelData of TURN
	classes
)

// String returns the name of the protocol.
func (c Class) String() string {
	switch c {
	case ClassDHT:
		return "DHT"
	case ClassUTP:
		return "uTP"
	case ClassSTUN:
		return "STUN"
	}
	return "unknown"
}

const (
	headerSize     = 20         // of uTP and of STUN, in bytes
	stunCookie     = 0x2112A442 // RFC 8489, section 5
	utpVersion     = 1
	utpSYN         = 4 // ST_SYN, the last type
	stunCookieFrom = 4

	// Channels 0x4000 to 0x40ff (RFC 8656, section 12) have a first byte that begins no uTP
	// packet: the low half of the byte would be version 0. Clients of a shared port number
	// their channels so.
	channelFirst      = 0x40
	channelHeaderSize = 4
)

// ClassOf returns the class of a datagram. STUN is told by its cookie first, because the
// first byte of a STUN message can be that of uTP.
func ClassOf(b []byte) Class {
	if len(b) == 0 {
		return ClassNone
	}
	if b[0] == 'd' {
		return ClassDHT
	}
	if b[0] == channelFirst && len(b) >= channelHeaderSize {
		return ClassSTUN
	}
	if len(b) < headerSize {
		return ClassNone
	}
	if b[0]>>6 == 0 && binary.BigEndian.Uint32(b[stunCookieFrom:]) == stunCookie {
		return ClassSTUN
	}
	if b[0]&0xf == utpVersion && b[0]>>4 <= utpSYN {
		return ClassUTP
	}
	return ClassNone
}
