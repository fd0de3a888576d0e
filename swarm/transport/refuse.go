package transport

import (
	"encoding/binary"
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"time"

	"swarmnode/swarm/limit"
)

// A RefusingConn is a UDP socket for a DHT node that refuses uTP (BEP 29) at once. Many
// clients try uTP first, and try TCP only after a time-out of three seconds to two
// minutes.
//
// An attempt to connect is answered with ST_RESET, which is as long as the shortest
// attempt. There are at most resetsMax answers a second, and resetsPerSource to one
// source. Other datagrams are passed on.
type RefusingConn struct {
	*net.UDPConn

	mu     sync.Mutex
	seed   maphash.Seed // which sources share a count is secret
	second time.Time    // start of the second that resets and counts are of
	resets int
	counts [sourceCounts]uint8
}

const (
	// resetsMax bounds the answers per second. More attempts than that do not come from
	// clients, and their addresses may be forged.
	resetsMax = 1000
	// resetsPerSource bounds the answers to one source, so that a flood from one address,
	// forged or not, leaves answers for the others.
	resetsPerSource = 50
	// sourceCounts is how many counts all sources share.
	sourceCounts = 1024
)

// The header of uTP (BEP 29, "header format").
const (
	utpHeaderSize = 20
	utpSyn        = 4<<4 | 1 // type ST_SYN, version 1
	utpReset      = 3<<4 | 1 // type ST_RESET, version 1
)

// RefuseUTP returns conn with every attempt to connect by uTP refused.
func RefuseUTP(conn *net.UDPConn) *RefusingConn {
	return &RefusingConn{UDPConn: conn, seed: maphash.MakeSeed()}
}

// ReadFrom implements net.PacketConn.
func (c *RefusingConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromUDPAddrPort is the method of net.UDPConn, without attempts to connect.
func (c *RefusingConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := c.UDPConn.ReadFromUDPAddrPort(b)
		if err != nil || n < utpHeaderSize || b[0] != utpSyn {
			return n, from, err
		}
		if c.mayAnswer(time.Now(), from.Addr()) {
			answer := appendReset(make([]byte, 0, utpHeaderSize), b)
			_, _ = c.WriteToUDPAddrPort(answer, from) // what is lost is asked again
		}
	}
}

// appendReset appends the refusal of an attempt to connect.
func appendReset(dst, syn []byte) []byte {
	dst = append(dst, utpReset, 0)
	dst = append(dst, syn[2:4]...) // connection id
	dst = binary.BigEndian.AppendUint32(dst, uint32(time.Now().UnixMicro()))
	dst = append(dst, 0, 0, 0, 0)     // timestamp difference
	dst = append(dst, 0, 0, 0, 0)     // window
	dst = append(dst, 0, 0)           // sequence number
	return append(dst, syn[16:18]...) // what is acknowledged: its sequence number
}

func (c *RefusingConn) mayAnswer(now time.Time, to netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.second) >= time.Second {
		c.second, c.resets = now, 0
		clear(c.counts[:])
	}
	n := &c.counts[maphash.Comparable(c.seed, limit.SourceOf(to))%sourceCounts]
	if c.resets >= resetsMax || *n >= resetsPerSource {
		return false
	}
	c.resets++
	*n++
	return true
}
