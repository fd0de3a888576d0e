package utp

import "unsafe"

// A heldPacket is a packet that waits for an earlier one.
type heldPacket struct {
	chunk *chunk // nil if nobody reads the payload
	at    uint16 // place of the payload in the chunk
	size  uint16
	here  bool
}

const (
	// heldMax bounds how far a packet may be ahead of the last one in order, in packets.
	heldMax = 1 << 14
	// heldCost is what a packet that waits is charged against the window at least, in
	// bytes, so that packets of one byte do not fill the ring.
	heldCost = 256
)

// incoming is the receive buffer of a connection: the bytes in order, which the user reads,
// and the packets after a gap.
//
//	refs of a chunk == packets of the ring in it; held == sum of their costs
type incoming struct {
	stream stream
	mem    *memory
	ack    seq // everything up to it has been received
	// ring holds the packets after ack+1 at their number. Its length is a power of two,
	// or 0 while there are none.
	ring   []heldPacket
	count  int    // packets in the ring
	top    seq    // the last number in the ring, if there are any
	held   int    // cost of the packets in the ring, in bytes
	arena  *chunk // where the next packet of the ring goes
	filled int    // bytes of arena in use

	finSeen bool
	fin     seq // number of the peer's FIN, if finSeen
}

// What became of a packet.
type arrival uint8

const (
	arrivedNext  arrival = iota // in order
	arrivedAhead                // after a gap
	arrivedAgain                // a duplicate
	arrivedLost                 // dropped: no room, or no place where it could belong
)

// finished reports whether everything up to the peer's FIN has been received.
func (in *incoming) finished() bool { return in.finSeen && in.ack == in.fin }

// size returns how much of the window is in use, in bytes.
func (in *incoming) size() int { return in.stream.size() + in.held }

// data takes a packet of data or a FIN. Room is how many bytes may be buffered at most.
// With discard the payload is acknowledged and dropped.
func (in *incoming) data(n seq, payload []byte, fin bool, room int, discard bool) arrival {
	ahead := in.ack.until(n) - 1
	switch {
	case ahead < 0:
		return arrivedAgain
	case len(payload) > chunkSize:
		return arrivedLost // our own datagrams are shorter, see newMTU
	case in.finSeen && in.fin.before(n), fin && in.finSeen && n != in.fin,
		fin && in.count > 0 && n.before(in.top):
		return arrivedLost
	case ahead == 0:
		return in.inOrder(n, payload, fin, room, discard)
	}
	return in.early(n, ahead, payload, fin, room, discard)
}

// inOrder takes the next packet, and what was waiting for it.
func (in *incoming) inOrder(n seq, payload []byte, fin bool, room int, discard bool) arrival {
	if in.count > 0 && in.slot(n).here {
		// There was no memory to put it into the stream.
		in.advance(discard)
		return arrivedAgain
	}
	if !discard {
		// A reader that holds nothing is never refused a packet.
		if in.stream.size() > 0 && in.size()+len(payload) > room {
			return arrivedLost
		}
		if !in.stream.reserve(len(payload), in.mem) {
			return arrivedLost
		}
		in.stream.append(payload, in.mem)
	}
	in.noteFin(n, fin)
	in.ack = n
	in.advance(discard)
	return arrivedNext
}

// advance puts the packets that were waiting, and that are next now, into the stream.
func (in *incoming) advance(discard bool) {
	for in.count > 0 {
		h := in.slot(in.ack + 1)
		if !h.here {
			return
		}
		if !discard {
			if !in.stream.reserve(int(h.size), in.mem) {
				return
			}
			if h.size > 0 {
				in.stream.append(h.chunk.data[h.at:][:h.size], in.mem)
			}
		}
		in.release(h)
		in.ack++
	}
	in.dropArena()
}

// rest gives up the memory of the ring while nothing waits.
func (in *incoming) rest() {
	if in.count == 0 {
		in.mem.refund(len(in.ring) * heldSize)
		in.ring = nil
	}
}

// early takes a packet that comes after a gap.
func (in *incoming) early(n seq, ahead int, payload []byte, fin bool, room int,
	discard bool) arrival {
	if ahead >= heldMax || in.size()+cost(len(payload)) > room {
		return arrivedLost
	}
	if ahead >= len(in.ring) && !in.grow(ahead) {
		return arrivedLost
	}
	h := in.slot(n)
	if h.here {
		return arrivedAgain
	}
	*h = heldPacket{size: uint16(len(payload))}
	if !discard && !in.keep(h, payload) {
		return arrivedLost
	}
	h.here = true
	in.held += cost(len(payload))
	if in.count == 0 || in.top.before(n) {
		in.top = n
	}
	in.count++
	in.noteFin(n, fin)
	return arrivedAhead
}

// keep copies the payload of a packet that waits, and reports whether there was memory.
func (in *incoming) keep(h *heldPacket, payload []byte) bool {
	if in.arena == nil || in.filled+len(payload) > chunkSize {
		c := in.mem.take()
		if c == nil {
			return false
		}
		in.dropArena()
		in.arena, in.filled = c, 0
	}
	h.chunk, h.at = in.arena, uint16(in.filled)
	in.arena.refs++
	in.filled += copy(in.arena.data[in.filled:], payload)
	return true
}

// forget gives up the payload of everything that was received, since nobody reads it.
func (in *incoming) forget() {
	in.stream.drop(in.stream.end, in.mem)
	for i := range in.ring {
		if h := &in.ring[i]; h.here {
			in.forgetPayload(h)
		}
	}
	in.advance(true)
	in.dropArena()
}

// forgetPayload gives up the payload of a packet that waits.
func (in *incoming) forgetPayload(h *heldPacket) {
	c := h.chunk
	if h.chunk = nil; c == nil {
		return
	}
	if c.refs--; c.refs == 0 && c != in.arena {
		in.mem.give(c)
	}
}

// cost returns what a packet that waits is charged for.
func cost(size int) int { return max(size, heldCost) }

func (in *incoming) slot(n seq) *heldPacket { return &in.ring[int(n)&(len(in.ring)-1)] }

// heldSize is what a place in the ring takes, in bytes.
const heldSize = int(unsafe.Sizeof(heldPacket{}))

// grow makes the ring large enough for a packet that is ahead of the next one by so much, and
// reports whether there was memory.
func (in *incoming) grow(ahead int) bool {
	size := max(ringMin, len(in.ring))
	for size <= ahead {
		size *= 2
	}
	if !in.mem.charge((size-len(in.ring))*heldSize, false) {
		return false
	}
	ring := make([]heldPacket, size)
	if in.count > 0 {
		for n := in.ack + 1; n != in.top+1; n++ {
			ring[int(n)&(size-1)] = *in.slot(n)
		}
	}
	in.ring = ring
	return true
}

// release gives up the place of a packet in the ring.
func (in *incoming) release(h *heldPacket) {
	in.held -= cost(int(h.size))
	in.count--
	in.forgetPayload(h)
	*h = heldPacket{}
}

// dropArena starts no more packets in the current chunk.
func (in *incoming) dropArena() {
	if in.arena != nil && in.arena.refs == 0 {
		in.mem.give(in.arena)
	}
	in.arena = nil
}

func (in *incoming) noteFin(n seq, fin bool) {
	if fin {
		in.finSeen, in.fin = true, n
	}
}

// sack appends the bits of the packets after a gap to b (BEP 29, "selective ack"): whole
// groups of four bytes, sackBytesMax at most, none if nothing waits.
func (in *incoming) sack(b []byte) []byte {
	if in.count == 0 {
		return b
	}
	start := len(b)
	bits := min(in.ack.until(in.top)-1, sackBytesMax*8)
	for range (bits + 31) / 32 {
		b = append(b, 0, 0, 0, 0)
	}
	for i := range bits {
		if in.slot(in.ack + 2 + seq(i)).here {
			b[start+i/8] |= 1 << (i % 8)
		}
	}
	return b
}

// read fills p with the next bytes of the stream.
func (in *incoming) read(p []byte, discard bool) int {
	n := in.stream.copy(p, in.stream.start)
	in.stream.drop(in.stream.start+int64(n), in.mem)
	in.advance(discard)
	return n
}

// free gives all memory back.
func (in *incoming) free() {
	if in.count > 0 {
		for n := in.ack + 1; n != in.top+1; n++ {
			if h := in.slot(n); h.here {
				in.release(h)
			}
		}
	}
	in.dropArena()
	in.rest()
	in.stream.free(in.mem)
}
