package lsd

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"swarmnode/metainfo"
)

const (
	// packetMax bounds the packets that we send and read, in bytes (BEP 14: no more than
	// 1400). The read cuts longer ones off, and they are refused.
	packetMax = 1400
	// linesMax bounds the lines of a packet that are parsed.
	linesMax = 64
	// cookieMax bounds the cookie of a packet, in bytes. Longer ones are cut.
	cookieMax = 64
	// hashesMax is how many torrents fit into one packet of ours.
	hashesMax = (packetMax - headMax) / hashLine
	headMax   = 200 // bytes: all but the hashes
	hashLine  = len("Infohash: \r\n") + 2*len(metainfo.Hash{})
)

// A search is one packet of BEP 14.
type search struct {
	host   string // group and port
	port   uint16 // of the sender, for peers
	cookie string // by which a sender knows its own packets; may be ""
	hashes []metainfo.Hash
}

// appendSearch appends a packet.
func appendSearch(dst []byte, s *search) []byte {
	dst = fmt.Appendf(dst, "BT-SEARCH * HTTP/1.1\r\nHost: %s\r\nPort: %d\r\n", s.host, s.port)
	for _, h := range s.hashes {
		dst = fmt.Appendf(dst, "Infohash: %x\r\n", h[:])
	}
	if s.cookie != "" {
		dst = fmt.Appendf(dst, "cookie: %s\r\n", s.cookie)
	}
	return append(dst, "\r\n\r\n"...)
}

var errSearch = errors.New("not a search of BEP 14")

// parseSearch reads a packet. It ignores unknown and unusable headers, and refuses a
// packet without a port or without any hash.
func parseSearch(b []byte) (s search, err error) {
	if len(b) > packetMax {
		return search{}, errSearch
	}
	line, rest := cutLine(b)
	if !bytes.HasPrefix(line, []byte("BT-SEARCH * HTTP/")) {
		return search{}, errSearch
	}
	for range linesMax {
		if line, rest = cutLine(rest); len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return search{}, errSearch
		}
		value = bytes.TrimSpace(value)
		switch string(bytes.ToLower(name)) {
		case "host":
			s.host = string(value)
		case "port":
			n, err := strconv.ParseUint(string(value), 10, 16)
			if err != nil || n == 0 {
				return search{}, errSearch
			}
			s.port = uint16(n)
		case "cookie":
			s.cookie = string(value[:min(len(value), cookieMax)])
		case "infohash":
			var h metainfo.Hash
			if len(value) == hex.EncodedLen(len(h)) {
				if _, err := hex.Decode(h[:], value); err == nil {
					s.hashes = append(s.hashes, h)
				}
			}
		}
	}
	if s.port == 0 || len(s.hashes) == 0 {
		return search{}, errSearch
	}
	return s, nil
}

// cutLine returns the first line of b without its end, and the rest.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}
