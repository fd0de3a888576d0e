package utp

// A stream is the bytes of one direction in their order, from those that nobody needs any
// more up to the last one. Places in it are counted in bytes since the connection began.
//
//	first <= start <= end <= first + len(chunks)*chunkSize
type stream struct {
	chunks []*chunk
	first  int64 // place of the first byte of chunks[0]
	start  int64 // bytes before it were dropped
	end    int64
}

// size returns the number of bytes in the stream.
func (s *stream) size() int { return int(s.end - s.start) }

// append copies as much of p as there is memory for, and returns how much. A stream that
// holds no chunk takes its first one even if the budget is used up.
func (s *stream) append(p []byte, m *memory) int {
	var n int
	for n < len(p) {
		at := int(s.end - s.first)
		if at == len(s.chunks)*chunkSize && !s.take(m, len(s.chunks) == 0) {
			break
		}
		k := copy(s.chunks[at/chunkSize].data[at%chunkSize:], p[n:])
		n += k
		s.end += int64(k)
	}
	return n
}

// reserve takes chunks until n more bytes fit, and reports whether they do. An empty stream
// takes them even if the budget is used up.
func (s *stream) reserve(n int, m *memory) bool {
	force := s.size() == 0
	for s.room() < n {
		if !s.take(m, force) {
			return false
		}
	}
	return true
}

func (s *stream) take(m *memory, force bool) bool {
	c := m.take(force)
	if c == nil {
		return false
	}
	s.chunks = append(s.chunks, c)
	return true
}

// room returns how many bytes fit into the chunks that the stream holds already.
func (s *stream) room() int { return len(s.chunks)*chunkSize - int(s.end-s.first) }

// copy fills p with the bytes from a place on, which must be in the stream, and returns how
// many there were.
func (s *stream) copy(p []byte, from int64) int {
	p = p[:min(len(p), int(s.end-from))]
	var n int
	for n < len(p) {
		at := int(from - s.first)
		k := copy(p[n:], s.chunks[at/chunkSize].data[at%chunkSize:])
		n += k
		from += int64(k)
	}
	return n
}

// drop gives up the bytes before a place, which is in the stream or at its end.
func (s *stream) drop(before int64, m *memory) {
	s.start = before
	n := int(s.start-s.first) / chunkSize
	if s.start == s.end {
		n = len(s.chunks)
	}
	for _, c := range s.chunks[:n] {
		m.give(c)
	}
	if n == 0 {
		return
	}
	kept := copy(s.chunks, s.chunks[n:])
	clear(s.chunks[kept:])
	s.chunks = s.chunks[:kept]
	if kept == 0 {
		s.first = s.start
		return
	}
	s.first += int64(n) * chunkSize
}

// free gives all memory back.
func (s *stream) free(m *memory) {
	s.drop(s.end, m)
	s.chunks = nil
}
