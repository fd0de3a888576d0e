package utp

import (
	"encoding/binary"
	"errors"
)

// A packetType is the type of a packet (BEP 29, "type").
type packetType uint8

// The types of packets. The names are those of BEP 29.
const (
	typeData  packetType = iota // ST_DATA: payload
	typeFin                     // ST_FIN: the last packet of a direction
	typeState                   // ST_STATE: an acknowledgement without payload
	typeReset                   // ST_RESET: the connection is gone
	typeSyn                     // ST_SYN: the first packet of a connection
	typeCount
)

const (
	// headerSize is the size of a header without extensions, in bytes.
	headerSize = 20
	version    = 1

	extensionNone = 0
	extensionSack = 1
	// extensionBits is what libutp calls extension bits: 8 bytes that say what an endpoint
	// can do. Implementations skip bits that they do not know.
	extensionBits = 2
	// extensionPad is of no known meaning, so every implementation skips it. The padding
	// of a probe for larger datagrams consists of it.
	extensionPad = 0xf0

	extensionBitsSize = 8
	// sackBytesMax is the longest selective acknowledgement: its length is one byte and a
	// multiple of four.
	sackBytesMax = 252
	// extensionsMax bounds the chain of extensions of one packet. The padding of a
	// datagram of 64 KiB is a chain of 255.
	extensionsMax = 300
)

// Errors of parseHeader.
var (
	errShort      = errors.New("utp: packet shorter than its header")
	errVersion    = errors.New("utp: not a packet of version 1")
	errExtensions = errors.New("utp: extensions longer than the packet")
)

// A header is what a packet says besides its payload (BEP 29, "header format").
type header struct {
	kind packetType
	// id says which connection of the receiver the packet belongs to. Only that of a SYN
	// is the id at which its sender wants to receive.
	id uint16
	// timestamp is the sender's clock when the packet was sent, in microseconds. It wraps.
	timestamp uint32
	// difference is the receiver's clock minus the timestamp of the last packet that the
	// sender of this header received, in microseconds. It wraps, and is 0 before the first.
	difference uint32
	// window is the room for payload in the sender's receive buffer, in bytes.
	window uint32
	// seq is the packet's own number, that of the next data packet if it is a STATE.
	seq seq
	// ack is the last number up to which every packet has been received.
	ack seq
	// sack tells which packets after ack+1 have been received: bit i, counted from the
	// lowest bit of the first byte, stands for ack+2+i. It aliases the datagram. Empty if
	// there is no selective acknowledgement.
	sack []byte
	// bits are the extension bits, 0 if there are none.
	bits uint64
}

// parseHeader parses a datagram. The payload and the selective acknowledgement alias b.
// Unknown extensions are skipped by their length.
func parseHeader(b []byte) (h header, payload []byte, err error) {
	if len(b) < headerSize {
		return h, nil, errShort
	}
	if b[0]&0xf != version || b[0]>>4 >= byte(typeCount) {
		return h, nil, errVersion
	}
	h.kind = packetType(b[0] >> 4)
	next := b[1]
	h.id = binary.BigEndian.Uint16(b[2:])
	h.timestamp = binary.BigEndian.Uint32(b[4:])
	h.difference = binary.BigEndian.Uint32(b[8:])
	h.window = binary.BigEndian.Uint32(b[12:])
	h.seq = seq(binary.BigEndian.Uint16(b[16:]))
	h.ack = seq(binary.BigEndian.Uint16(b[18:]))
	b = b[headerSize:]
	for range extensionsMax {
		if next == extensionNone {
			return h, b, nil
		}
		if len(b) < 2 || len(b)-2 < int(b[1]) {
			return h, nil, errExtensions
		}
		body := b[2 : 2+int(b[1])]
		switch {
		case next == extensionSack && len(body) <= sackBytesMax:
			h.sack = body
		case next == extensionBits && len(body) == extensionBitsSize:
			h.bits = binary.BigEndian.Uint64(body)
		}
		next, b = b[0], b[2+int(b[1]):]
	}
	return h, nil, errExtensions
}

// appendHeader appends a header, with the extensions that are set in it and pad bytes of
// padding, which parseHeader skips. A pad of one byte becomes none, since an extension has
// at least two.
func appendHeader(b []byte, h *header, pad int) []byte {
	start := len(b)
	b = append(b, byte(h.kind)<<4|version, extensionNone)
	b = binary.BigEndian.AppendUint16(b, h.id)
	b = binary.BigEndian.AppendUint32(b, h.timestamp)
	b = binary.BigEndian.AppendUint32(b, h.difference)
	b = binary.BigEndian.AppendUint32(b, h.window)
	b = binary.BigEndian.AppendUint16(b, uint16(h.seq))
	b = binary.BigEndian.AppendUint16(b, uint16(h.ack))
	// next is the byte that names the extension to come.
	next := start + 1
	if len(h.sack) > 0 {
		b[next], next = extensionSack, len(b)
		b = append(b, extensionNone, byte(len(h.sack)))
		b = append(b, h.sack...)
	}
	// libutp drops packets whose first extension it does not know, so the bits go before
	// the padding.
	if h.bits != 0 || pad >= 2+extensionBitsSize {
		b[next], next = extensionBits, len(b)
		b = append(b, extensionNone, extensionBitsSize)
		b = binary.BigEndian.AppendUint64(b, h.bits)
		pad -= 2 + extensionBitsSize
	}
	for pad >= 2 {
		n := min(pad, 2+255)
		if pad-n == 1 {
			n--
		}
		b[next], next = extensionPad, len(b)
		b = append(b, extensionNone, byte(n-2))
		b = append(b, zeros[:n-2]...)
		pad -= n
	}
	return b
}

var zeros [255]byte
