package peer

import (
	"net"
	"sync"
)

const (
	// windowSize is the size in bytes of the window of a connection that
	// moves data. It is lent only while there is something in it or to come.
	windowSize = 128 << 10
	// restSize is the size in bytes of the window of a connection at rest,
	// where readiness cannot be told apart from data.
	restSize = 2 << 10
)

// windows are lent to connections that move data.
var windows = sync.Pool{New: func() any { return new([windowSize]byte) }}

// An input is the window on the bytes that arrive at a connection: buf[r:w]
// came and was not consumed.
type input struct {
	conn net.Conn
	buf  []byte
	r, w int
	lent *[windowSize]byte // what buf is, if it was lent
	rest []byte            // what buf is at rest, once it was needed
	need int               // bytes that the message at r has, if they are known
}

// window returns what came and was not consumed; it is valid until the next
// read.
func (in *input) window() []byte { return in.buf[in.r:in.w] }

// consume takes the first n bytes out of the window.
func (in *input) consume(n int) {
	if in.r += n; in.r == in.w {
		in.r, in.w = 0, 0
	}
	in.need = 0
}

// want tells that nothing can be consumed before the window has n bytes.
func (in *input) want(n int) { in.need = n }

// read waits for bytes and reads once into the window, at most so many. It is
// for connections that cannot tell whether there is something to read: the
// memory to wait with is small until something large comes.
func (in *input) read(most int) (n int, err error) {
	if in.empty() {
		in.free()
		if in.rest == nil {
			in.rest = make([]byte, restSize)
		}
		in.buf = in.rest
	} else {
		in.grow()
	}
	n, err = in.conn.Read(clip(in.buf[in.w:], most))
	in.w += n
	return n, err
}

// empty tells whether all that came was consumed.
func (in *input) empty() bool { return in.r == in.w }

// room makes room behind the window and returns it.
func (in *input) room() []byte {
	if in.buf == nil || !in.empty() {
		in.grow()
	}
	return in.buf[in.w:]
}

// grow makes room behind the window, for the whole of a message that is
// longer than the window can be, or else by a window of windowSize.
func (in *input) grow() {
	switch {
	case in.need > windowSize:
		if len(in.buf) < in.need {
			in.replace(make([]byte, in.need), nil)
			return
		}
	case in.lent == nil:
		lent := windows.Get().(*[windowSize]byte)
		in.replace(lent[:], lent)
		return
	}
	if in.r > 0 {
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
}

// replace moves the window into buf.
func (in *input) replace(buf []byte, lent *[windowSize]byte) {
	n := copy(buf, in.buf[in.r:in.w])
	in.giveBack()
	in.buf, in.lent, in.r, in.w = buf, lent, 0, n
}

// free gives up the memory of an empty window.
func (in *input) free() {
	in.giveBack()
	in.buf, in.r, in.w = nil, 0, 0
}

func (in *input) giveBack() {
	if in.lent != nil {
		windows.Put(in.lent)
		in.lent = nil
	}
}
