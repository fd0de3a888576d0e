package peer

import "net"

// A scatterer is a stream that reads into several buffers at once, such as one over uTP.
type scatterer interface {
	net.Conn
	// ReadBuffers waits for bytes, and fills the buffers that room returns then, one after
	// the other. It calls idle before it waits.
	ReadBuffers(room func() [][]byte, idle func()) (int, error)
}

// A gatherer is a stream that writes several buffers at once, and drops from the vector what
// it has taken.
type gatherer interface {
	net.Conn
	WriteBuffers(v *net.Buffers) (int64, error)
}

// scatter reads from a scatterer into the targets of a reader, so that it needs memory only
// when there is something to read. It is owned by the reader.
type scatter struct {
	conn   scatterer
	reader *reader
	room   func() [][]byte
	idle   func()

	most    int // the argument of a call of read
	buffers [targetsMax][]byte
}

// newScatter returns the scatter of a connection, or nil if it is no scatterer.
func newScatter(conn net.Conn, owner *reader) *scatter {
	from, ok := conn.(scatterer)
	if !ok {
		return nil
	}
	s := &scatter{conn: from, reader: owner, idle: owner.idle}
	s.room = s.targets
	return s
}

// read waits for bytes and reads once into the reader's targets, most bytes at the most.
func (s *scatter) read(most int) (int, error) {
	s.most = most
	n, err := s.conn.ReadBuffers(s.room, s.idle)
	clear(s.buffers[:])
	return n, err
}

// targets returns the buffers of the reader, cut to the bytes that may be read.
func (s *scatter) targets() [][]byte {
	list, most := s.buffers[:0], s.most
	for _, p := range s.reader.targets(most) {
		if p = clip(p, most); len(p) == 0 {
			break
		}
		list = append(list, p)
		most -= len(p)
	}
	return list
}
