package transport

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"swarmnode/swarm/limit"
	"swarmnode/swarm/transport/udpmux"
)

// A refuser refuses uTP (BEP 29) at once. Many clients try uTP first, and try TCP only after
// a time-out of three seconds to two minutes.
//
// An attempt to connect is answered with ST_RESET, which is as long as the shortest
// attempt. There are at most resetsMax answers a second, and resetsPerSource to one
// source.
type refuser struct {
	m *udpmux.Mux

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

// RefuseUTP makes every attempt to connect to m by uTP be refused.
func RefuseUTP(m *udpmux.Mux) { m.Handle(udpmux.ClassUTP, newRefuser(m).refuse) }

func newRefuser(m *udpmux.Mux) *refuser { return &refuser{m: m, seed: maphash.MakeSeed()} }

func (r *refuser) refuse(batch []udpmux.Datagram) {
	for _, d := range batch {
		if d.Data[0] == utpSyn && r.mayAnswer(time.Now(), d.From.Addr()) {
			answer := appendReset(make([]byte, 0, utpHeaderSize), d.Data)
			_ = r.m.WriteTo(answer, d.From) // a peer that does not get it asks again
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

func (r *refuser) mayAnswer(now time.Time, to netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.second) >= time.Second {
		r.second, r.resets = now, 0
		clear(r.counts[:])
	}
	n := &r.counts[maphash.Comparable(r.seed, limit.SourceOf(to))%sourceCounts]
	if r.resets >= resetsMax || *n >= resetsPerSource {
		return false
	}
	r.resets++
	*n++
	return true
}
