package utp

// A stream is the bytes of one direction in their order, from those that nobody needs any
// more up to the last one. Places in it are counted in bytes since the connection began.
//
// A chunk that is small is the only one.
//
//	first <= start <= end <= first + capacity
type stream struct {
	chunks []*chunk
	first  int64 // place of the first byte of chunks[0]
	start  int64 // bytes before it were dropped
	end    int64
}

// size returns the number of bytes in the stream.
func (s *stream) size() int { return int(s.end - s.start) }

// capacity returns how many bytes the chunks have room for in all.
func (s *stream) capacity() int {
	if len(s.chunks) == 1 {
		return len(s.chunks[0].data)
	}
	return len(s.chunks) * chunkSize
}

// append copies as much of p as there is memory for, and returns how much. A stream that
// holds no chunk needs its first one.
func (s *stream) append(p []byte, m *memory) int {
	var n int
	for n < len(p) {
		at := int(s.end - s.first)
		if at == s.capacity() && !s.take(m, 1) {
			break
		}
		k := copy(s.chunks[at/chunkSize].data[at%chunkSize:], p[n:])
		n += k
		s.end += int64(k)
	}
	return n
}

// reserve takes chunks until n more bytes fit, at most chunkSize, and reports whether they do.
// An empty stream needs them.
func (s *stream) reserve(n int, m *memory) bool {
	for s.room() < n {
		if !s.take(m, n) {
			return false
		}
	}
	return true
}

// take takes another chunk, or a large one in place of a small one. A stream without any needs
// one with room for n bytes.
func (s *stream) take(m *memory, n int) bool {
	var c *chunk
	if len(s.chunks) == 0 {
		c = m.need(n)
	} else {
		c = m.take()
	}
	switch {
	case c == nil:
		return false
	case len(s.chunks) == 1 && s.chunks[0].small():
		copy(c.data, s.chunks[0].data)
		m.give(s.chunks[0])
		s.chunks[0] = c
	default:
		s.chunks = append(s.chunks, c)
	}
	return true
}

// room returns how many bytes fit into the chunks that the stream holds already.
func (s *stream) room() int { return s.capacity() - int(s.end-s.first) }

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
