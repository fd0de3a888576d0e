package peer

import (
	"net"
	"sync"

	"swarmnode/swarm/limit"
)

const (
	// windowSize is the size in bytes of the window of a connection that moves blocks. The
	// window is lent only while it holds something or something is about to come.
	windowSize = 128 << 10
	// narrowSize is the size in bytes of the window of a connection without blocks. A
	// block of the metadata fits, and as many hashes.
	narrowSize = 18 << 10
	// restSize is the size in bytes of the window of a connection at rest, where readiness
	// cannot be told apart from data, or while it holds a part of a small message.
	// Anything larger is charged.
	restSize = 2 << 10
)

// windows and narrows are lent to connections on which data arrive.
var (
	windows = sync.Pool{New: func() any { return new([windowSize]byte) }}
	narrows = sync.Pool{New: func() any { return new([narrowSize]byte) }}
)

// An input is the window on the bytes that arrive at a connection: buf[r:w] was read and
// not yet consumed.
type input struct {
	conn    net.Conn
	account *limit.Account // of what is kept beyond restSize; may be nil
	charged int
	buf     []byte
	r, w    int
	lent    any    // what buf is, if it was lent: of windows or narrows
	rest    []byte // what buf is at rest, once it was needed
	need    int    // bytes that the message at r has, if they are known
}

// window returns the bytes that were read and not consumed. It is valid until the next
// read.
func (in *input) window() []byte { return in.buf[in.r:in.w] }

// consume removes the first n bytes from the window.
func (in *input) consume(n int) {
	if in.r += n; in.r == in.w {
		in.r, in.w = 0, 0
	}
	in.need = 0
}

// want says that nothing can be consumed before the window has n bytes.
func (in *input) want(n int) { in.need = n }

// read waits for bytes and reads once into the window, most bytes at the most. It is for
// connections that cannot tell whether there is something to read: it waits with little
// memory until something large comes.
func (in *input) read(most int) (n int, err error) {
	if in.empty() {
		in.free()
		in.replace(in.resting(), nil)
	} else if in.compact(); in.w == restSize && len(in.buf) == restSize {
		in.lendNarrow()
		in.charge(narrowSize)
	} else if in.w == len(in.buf) {
		in.double()
	}
	n, err = in.conn.Read(clip(in.buf[in.w:], most))
	in.w += n
	return n, err
}

// resting returns the small window.
func (in *input) resting() []byte {
	if in.rest == nil {
		in.rest = make([]byte, restSize)
	}
	return in.rest
}

// empty reports whether everything that was read is consumed.
func (in *input) empty() bool { return in.r == in.w }

// room makes room behind the window and returns it. The window becomes one of windowSize
// if wide is set, and a narrow one otherwise. A parked window is filled before a larger
// one is lent.
func (in *input) room(wide bool) []byte {
	in.compact()
	if in.empty() && in.lent == nil {
		in.free()
	}
	parked := in.lent == nil && !in.empty()
	switch {
	case parked && in.w < len(in.buf), len(in.buf) == windowSize && in.w < windowSize:
	case len(in.buf) >= windowSize:
		in.double()
	case wide || max(in.need, in.w+1) > narrowSize:
		lent := windows.Get().(*[windowSize]byte)
		in.replace(lent[:], lent)
	case len(in.buf) < narrowSize:
		in.lendNarrow()
	}
	return in.buf[in.w:]
}

func (in *input) lendNarrow() {
	lent := narrows.Get().(*[narrowSize]byte)
	in.replace(lent[:], lent)
}

// compact moves the window to the start of the buffer.
func (in *input) compact() {
	if in.r > 0 {
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
}

// double makes room for as many bytes again. However long a message claims to be, its
// memory grows with the bytes that have come.
func (in *input) double() {
	in.replace(make([]byte, 2*len(in.buf)), nil)
	in.charge(len(in.buf))
}

// replace moves the window into buf.
func (in *input) replace(buf []byte, lent any) {
	n := copy(buf, in.buf[in.r:in.w])
	in.giveBack()
	in.buf, in.lent, in.r, in.w = buf, lent, 0, n
}

// park keeps bytes that cannot be used yet in as little memory as possible, and charges
// them.
func (in *input) park() {
	n := in.w - in.r
	if n == 0 {
		in.free()
		return
	}
	if in.lent == nil {
		return
	}
	size := restSize
	for size <= n {
		size *= 2
	}
	switch {
	case size == restSize:
		in.replace(in.resting(), nil)
	case size < len(in.buf):
		in.replace(make([]byte, size), nil)
		in.charge(size)
	default:
		in.charge(len(in.buf))
	}
}

// charge sets what the account pays for to n bytes.
func (in *input) charge(n int) {
	in.account.Add(n - in.charged)
	in.charged = n
}

// free gives up the memory of an empty window.
func (in *input) free() {
	in.giveBack()
	in.buf, in.r, in.w = nil, 0, 0
}

func (in *input) giveBack() {
	in.charge(0)
	switch lent := in.lent.(type) {
	case *[windowSize]byte:
		windows.Put(lent)
	case *[narrowSize]byte:
		narrows.Put(lent)
	}
	in.lent = nil
}
