package peer

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// A rawReader reads from a socket without blocking in the read itself, so that
// memory is needed only when there is something to read, and into several
// buffers with one call. It is owned by the reader.
type rawReader struct {
	conn syscall.RawConn // nil when the connection is no socket
	try  func(fd uintptr) bool
	iov  [2]syscall.Iovec

	// The arguments and results of one call of try.
	in     *input
	direct []byte
	most   int
	n      int
	errno  syscall.Errno
}

func (r *rawReader) init(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	r.conn = raw
	r.try = r.readv
}

func (r *rawReader) ok() bool { return r.conn != nil }

func (r *rawReader) read(in *input, direct []byte, most int) (int, error) {
	r.in, r.direct, r.most = in, direct, most
	err := r.conn.Read(r.try)
	r.in, r.direct = nil, nil
	switch {
	case err != nil:
		return 0, err
	case r.errno != 0:
		return 0, os.NewSyscallError("readv", r.errno)
	case r.n == 0:
		return 0, io.EOF
	}
	if window := r.n - len(direct); window > 0 {
		in.w += window
	}
	return r.n, nil
}

// readv tries to read once, and reports false when there is nothing yet.
func (r *rawReader) readv(fd uintptr) bool {
	in := r.in
	if in.buf == nil || in.r < in.w {
		in.grow()
	}
	count := 0
	most := r.most
	for _, p := range [2][]byte{r.direct, in.buf[in.w:]} {
		if p = p[:min(len(p), most)]; len(p) > 0 {
			r.iov[count].Base = &p[0]
			r.iov[count].SetLen(len(p))
			most -= len(p)
			count++
		}
	}
	for {
		n, _, errno := syscall.Syscall(syscall.SYS_READV, fd, uintptr(unsafe.Pointer(&r.iov)), uintptr(count))
		if errno == syscall.EINTR {
			continue
		}
		r.iov = [2]syscall.Iovec{}
		if errno == syscall.EAGAIN {
			if in.r == in.w {
				in.free()
			}
			return false
		}
		r.n, r.errno = int(n), errno
		return true
	}
}
