package dht

import (
	"encoding/binary"
	"net/netip"

	"swarmnode/metainfo/bencode"
)

// clientVersion is our "v": two letters and a number, BEP 5.
const clientVersion = "SN\x00\x01"

// The functions below append the parts of a packet in the order of their
// keys, which BEP 3 wants sorted.

func appendKey(dst []byte, key string) []byte { return bencode.AppendString(dst, key) }

func appendPair[T string | []byte](dst []byte, key string, value T) []byte {
	return bencode.AppendString(appendKey(dst, key), value)
}

func appendNumber(dst []byte, key string, n int64) []byte {
	return bencode.AppendInt(appendKey(dst, key), n)
}

// appendTail appends the end of a packet: t, v and y.
func appendTail(dst, tid []byte, kind string) []byte {
	dst = appendPair(dst, "t", tid)
	dst = appendPair(dst, "v", clientVersion)
	dst = appendPair(dst, "y", kind)
	return append(dst, 'e')
}

// appendReplyHead appends the start of the reply to from, up to the values of "r".
func appendReplyHead(dst []byte, from netip.AddrPort) []byte {
	dst = append(dst, 'd')
	dst = appendExternal(dst, from)
	dst = appendKey(dst, "r")
	return append(dst, 'd')
}

// appendExternal tells the receiver where we see it, BEP 42.
func appendExternal(dst []byte, a netip.AddrPort) []byte {
	dst = appendKey(dst, "ip")
	return appendCompact(dst, a)
}

// appendCompact appends a as a string of 6 or 18 bytes.
func appendCompact(dst []byte, a netip.AddrPort) []byte {
	if a.Addr().Is4() {
		dst = append(dst, "6:"...)
	} else {
		dst = append(dst, "18:"...)
	}
	return appendAddr(dst, a)
}

// appendErrorReply appends a whole error packet.
func appendErrorReply(dst, tid []byte, e krpcError) []byte {
	dst = append(dst, 'd')
	dst = appendKey(dst, "e")
	dst = append(dst, 'l')
	dst = bencode.AppendInt(dst, int64(e.code))
	dst = bencode.AppendString(dst, e.text)
	dst = append(dst, 'e')
	return appendTail(dst, tid, "e")
}

// request holds the arguments of a query of ours. Zero fields are not sent.
type request struct {
	method method
	target ID // find_node, get, sample_infohashes; get_peers and announce_peer
	wants  [2]bool

	token   []byte
	port    uint16
	implied bool
	seed    bool
	scrape  bool

	value  []byte
	key    []byte
	sig    []byte
	salt   []byte
	seq    int64
	hasSeq bool
	cas    int64
	hasCas bool
}

// appendQuery appends a whole query packet.
func appendQuery(dst []byte, tid uint32, self ID, readOnly bool, q *request) []byte {
	dst = append(dst, 'd')
	dst = appendKey(dst, "a")
	dst = append(dst, 'd')
	if q.hasCas {
		dst = appendNumber(dst, "cas", q.cas)
	}
	dst = appendPair(dst, "id", self[:])
	if q.method == methodAnnounce {
		implied := int64(0)
		if q.implied {
			implied = 1
		}
		dst = appendNumber(dst, "implied_port", implied)
	}
	if q.method == methodGetPeers || q.method == methodAnnounce {
		dst = appendPair(dst, "info_hash", q.target[:])
	}
	if q.key != nil {
		dst = appendPair(dst, "k", q.key)
	}
	dst = appendAnnounceArgs(dst, q)
	dst = appendItemArgs(dst, q)
	dst = append(dst, 'e')
	dst = appendPair(dst, "q", methodNames[q.method])
	if readOnly {
		dst = appendNumber(dst, "ro", 1)
	}
	var t [4]byte
	binary.BigEndian.PutUint32(t[:], tid)
	return appendTail(dst, t[:], "q")
}

func appendAnnounceArgs(dst []byte, q *request) []byte {
	if q.method == methodAnnounce {
		dst = appendNumber(dst, "port", int64(q.port))
	}
	if len(q.salt) > 0 {
		dst = appendPair(dst, "salt", q.salt)
	}
	if q.scrape {
		dst = appendNumber(dst, "scrape", 1)
	}
	if q.method == methodAnnounce && q.seed {
		dst = appendNumber(dst, "seed", 1)
	}
	return dst
}

func appendItemArgs(dst []byte, q *request) []byte {
	if q.hasSeq {
		dst = appendNumber(dst, "seq", q.seq)
	}
	if q.sig != nil {
		dst = appendPair(dst, "sig", q.sig)
	}
	switch q.method {
	case methodFindNode, methodGet, methodSample, methodTurn:
		dst = appendPair(dst, "target", q.target[:])
	}
	if q.token != nil {
		dst = appendPair(dst, "token", q.token)
	}
	if q.value != nil {
		dst = append(appendKey(dst, "v"), q.value...)
	}
	if q.wants[v4] || q.wants[v6] {
		dst = append(appendKey(dst, "want"), 'l')
		if q.wants[v4] {
			dst = bencode.AppendString(dst, "n4")
		}
		if q.wants[v6] {
			dst = bencode.AppendString(dst, "n6")
		}
		dst = append(dst, 'e')
	}
	return dst
}
