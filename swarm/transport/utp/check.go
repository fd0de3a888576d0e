package utp

const (
	checkPackets = 64
	checkEvery   = 1024
)

// checkNow panics when an invariant does not hold. Large flights are checked now and then,
// because that takes time in proportion to them.
func (m *machine) checkNow() {
	m.checks++
	if m.flight.packets()+m.in.count > checkPackets && m.checks%checkEvery != 0 {
		return
	}
	m.check()
}

func (m *machine) check() {
	m.flight.check(m.unsent, &m.out)
	m.window.check()
	chunks, bytes := m.in.check()
	chunks += len(m.out.chunks)
	bytes += m.out.capacity() + len(m.flight.ring)*sentSize
	if chunks != m.memory.chunks || bytes != m.memory.bytes && m.memory.budget != nil {
		panic("utp: memory is lost")
	}
	if m.unsent < m.out.start || m.unsent > m.out.end {
		panic("utp: what is sent is not buffered")
	}
	if m.phase == phaseClosed && len(m.out.chunks) > 0 {
		panic("utp: a closed connection holds what it cannot send")
	}
}

func (s *stream) check() {
	if s.first > s.start || s.start > s.end || s.end > s.first+int64(s.capacity()) {
		panic("utp: a stream is out of order")
	}
	if s.start == s.end && len(s.chunks) > 0 {
		panic("utp: an empty stream holds memory")
	}
}

func (f *flight) check(unsent int64, out *stream) {
	out.check()
	var bytes, owed, sent, lost, acked int
	at := f.startOf(unsent)
	if at != out.start {
		panic("utp: the stream does not begin with the first packet in flight")
	}
	for n := f.una; n != f.next; n++ {
		p := f.at(n)
		if p.offset != at {
			panic("utp: packets do not follow each other")
		}
		at += int64(p.size)
		switch p.state {
		case packetSent:
			bytes += int(p.size)
			sent++
		case packetLost:
			owed += int(p.size)
			lost++
		case packetAcked:
			acked++
		default:
			panic("utp: a packet in flight has no state")
		}
	}
	if at != unsent || bytes != f.bytes || sent != f.sent.n || lost != f.lost.n ||
		owed != f.owed || acked != f.acked {
		panic("utp: a flight is miscounted")
	}
	f.checkOrder()
}

// checkOrder follows the list of packets in flight, which is in the order of sending.
func (f *flight) checkOrder() {
	n := f.sent.first
	for i := range f.sent.n {
		p := f.at(n)
		if p.state != packetSent {
			panic("utp: a packet is in the wrong list")
		}
		if i == f.sent.n-1 {
			if n != f.sent.last {
				panic("utp: a list does not end at its last packet")
			}
			return
		}
		if f.at(p.next).sentAt < p.sentAt {
			panic("utp: packets in flight are not in the order of sending")
		}
		n = p.next
	}
}

func (w *window) check() {
	if !(w.size >= w.least() || w.mss > 0 && w.size > 0) {
		panic("utp: no window")
	}
}

// check returns how many chunks the buffer holds, and how many bytes in all.
func (in *incoming) check() (chunks, bytes int) {
	in.stream.check()
	var count, held int
	refs := make(map[*chunk]int)
	if in.count > 0 {
		for n := in.ack + 1; n != in.top+1; n++ {
			if h := in.slot(n); h.here {
				count++
				held += cost(int(h.size))
				if h.chunk != nil {
					refs[h.chunk]++
				}
			}
		}
	}
	if in.arena != nil {
		refs[in.arena] += 0
	}
	if count != in.count || held != in.held {
		panic("utp: packets that wait are miscounted")
	}
	for c, n := range refs {
		if c.refs != n {
			panic("utp: a chunk counts its packets wrongly")
		}
	}
	return len(in.stream.chunks) + len(refs),
		in.stream.capacity() + len(refs)*chunkSize + len(in.ring)*heldSize
}
