package wire

import (
	"bytes"

	"swarmnode/metainfo"
)

// A Feature is a capability that a bit of the handshake announces.
type Feature uint16

// The features, as offset of the byte in Reserved and mask of the bit.
const (
	FeatureExtension Feature = 5<<8 | 0x10 // BEP 10, extension protocol
	FeatureDHT       Feature = 7<<8 | 0x01 // BEP 5, has a DHT node
	FeatureFast      Feature = 7<<8 | 0x04 // BEP 6, fast extension
	FeatureV2        Feature = 7<<8 | 0x10 // BEP 52, knows v2 torrents
)

// Reserved is the eight bytes of the handshake that announce features.
type Reserved [8]byte

// Has reports whether the feature is announced.
func (r Reserved) Has(f Feature) bool { return r[f>>8]&byte(f) != 0 }

// With returns r with the feature announced.
func (r Reserved) With(f Feature) Reserved {
	r[f>>8] |= byte(f)
	return r
}

// Without returns r without the feature.
func (r Reserved) Without(f Feature) Reserved {
	r[f>>8] &^= byte(f)
	return r
}

// Sizes of the handshake, in bytes.
const (
	// HelloSize is the size of the whole handshake.
	HelloSize = len(protocol) + 8 + 20 + 20
	// HelloHashEnd is the size of the part that ends with the info-hash. The accepting
	// side can answer as soon as it has that; the peer id may come later.
	HelloHashEnd = len(protocol) + 8 + 20
)

const protocol = "\x13BitTorrent protocol"

// A Hello is the handshake of BEP 3, the first thing that each side sends.
type Hello struct {
	InfoHash metainfo.Hash
	PeerID   [20]byte
	Reserved Reserved
}

// AppendHello appends the HelloSize bytes of h to dst.
func AppendHello(dst []byte, h Hello) []byte {
	dst = append(dst, protocol...)
	dst = append(dst, h.Reserved[:]...)
	dst = append(dst, h.InfoHash[:]...)
	return append(dst, h.PeerID[:]...)
}

// HelloPrefix reports whether b, the first bytes of a connection, can be the
// start of a handshake. With it the caller closes at once on garbage.
func HelloPrefix(b []byte) bool {
	n := min(len(b), len(protocol))
	return string(b[:n]) == protocol[:n]
}

// ParseHello reads a handshake, whole or without its peer id: b has HelloSize
// or HelloHashEnd bytes. Unknown reserved bits are kept.
func ParseHello(b []byte) (Hello, error) {
	if len(b) != HelloSize && len(b) != HelloHashEnd || !bytes.HasPrefix(b, []byte(protocol)) {
		return Hello{}, ProtocolError{RuleHandshake}
	}
	var h Hello
	b = b[len(protocol):]
	b = b[copy(h.Reserved[:], b):]
	b = b[copy(h.InfoHash[:], b):]
	copy(h.PeerID[:], b)
	return h, nil
}
