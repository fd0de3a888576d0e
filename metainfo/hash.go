package metainfo

import (
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
)

// Hash is a v1 info-hash, SHA-1 of the info dictionary (BEP 3), or a v2 one
// cut to its first 20 bytes (BEP 52). Handshakes, the DHT and trackers carry it.
type Hash [20]byte

// Hash256 is a v2 info-hash or the hash of a node of a v2 hash tree (BEP 52):
// SHA-256.
type Hash256 [32]byte

// errHash is returned for a text that is not an info-hash. It does not repeat the text,
// which can be long.
var errHash = errors.New("info-hash: expected 40 hexadecimal or 32 base32 digits")

// ParseHash reads an info-hash of 40 hexadecimal or 32 base32 digits of any
// case (BEP 9, "magnet URI format").
func ParseHash(s string) (Hash, error) {
	var h Hash
	switch len(s) {
	case hex.EncodedLen(len(h)):
		if _, err := hex.Decode(h[:], []byte(s)); err != nil {
			return Hash{}, errHash
		}
		return h, nil
	case base32.StdEncoding.EncodedLen(len(h)):
		if _, err := base32.StdEncoding.Decode(h[:], upperASCII(s)); err != nil {
			return Hash{}, errHash
		}
		return h, nil
	}
	return Hash{}, fmt.Errorf("%w, found %d characters", errHash, len(s))
}

// String returns 40 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short returns the first 8 hexadecimal digits, for logs.
func (h Hash) Short() string { return hex.EncodeToString(h[:4]) }

// String returns 64 hexadecimal digits.
func (h Hash256) String() string { return hex.EncodeToString(h[:]) }

// Short returns the first 20 bytes: the info-hash of a v2 torrent on the wire
// (BEP 52, "infohash").
func (h Hash256) Short() Hash { return Hash(h[:20]) }

func upperASCII(s string) []byte {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return b
}
