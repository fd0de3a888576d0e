package peer

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// A rawReader reads from a socket without blocking in the read itself, so that it needs
// memory only when there is something to read. One call reads into several buffers. It is
// owned by the reader.
type rawReader struct {
	conn   syscall.RawConn // nil when the connection is no socket
	reader *reader
	try    func(fd uintptr) bool
	iov    [targetsMax]syscall.Iovec

	// The argument and results of one call of try.
	most  int
	n     int
	errno syscall.Errno
}

func (r *rawReader) init(conn net.Conn, owner *reader) {
	r.conn, r.reader = socketOf(conn), owner
	r.try = r.readv
}

// socketOf returns the socket behind conn, or nil.
func socketOf(conn net.Conn) syscall.RawConn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

func (r *rawReader) ok() bool { return r.conn != nil }

// read waits for bytes and reads once into the reader's targets, most bytes at
// the most.
func (r *rawReader) read(most int) (int, error) {
	r.most = most
	err := r.conn.Read(r.try)
	switch {
	case err != nil:
		return 0, err
	case r.errno != 0:
		return 0, os.NewSyscallError("readv", r.errno)
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

// readv tries to read once, and reports false when there is nothing yet.
func (r *rawReader) readv(fd uintptr) bool {
	count, most := 0, r.most
	for _, p := range r.reader.targets(most) {
		if p = clip(p, most); len(p) == 0 {
			break
		}
		r.iov[count].Base = &p[0]
		r.iov[count].SetLen(len(p))
		most -= len(p)
		count++
	}
	for {
		n, _, errno := syscall.Syscall(syscall.SYS_READV, fd, uintptr(unsafe.Pointer(&r.iov)),
			uintptr(count))
		if errno == syscall.EINTR {
			continue
		}
		clear(r.iov[:count])
		if errno == syscall.EAGAIN {
			r.reader.idle()
			return false
		}
		r.n, r.errno = int(n), errno
		return true
	}
}
