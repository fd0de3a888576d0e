package udpmux

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A batchPort is a UDP socket that is read and written with one system call for many
// datagrams.
type batchPort struct {
	raw syscall.RawConn
	six bool // the socket is of IPv6
	in  receiver

	everywhere bool // the socket is bound to all addresses

	senders sync.Pool   // of *sender
	joins   atomic.Bool // the kernel splits runs of datagrams (UDP_SEGMENT)

	fragments fragmenting // guarded by the socket's lock for writing

	refused atomic.Pointer[func(Refusal)] // who watches refusals; nil for nobody
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// newPort returns a port over pc.
func newPort(pc net.PacketConn) port {
	udp, ok := pc.(*net.UDPConn)
	if !ok {
		return newPlainPort(pc)
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		return newPlainPort(pc)
	}
	p := &batchPort{raw: raw}
	if err := p.configure(); err != nil {
		return newPlainPort(pc)
	}
	p.in.init(p)
	p.senders.New = func() any { return newSender(p) }
	return p
}

// bufferSize is how many bytes the system is asked to keep for a socket that is not read
// or whose link is slower than we are. A socket has 208 KiB by default, of which each
// datagram takes more than its size.
const bufferSize = 4 << 20

// configure finds out what the kernel can do, and sets the options of the socket. It fails
// only for what is no socket.
func (p *batchPort) configure() error {
	var failed error
	err := p.raw.Control(func(d uintptr) {
		fd := int(d)
		family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if failed = err; err != nil {
			return
		}
		p.six = family == unix.AF_INET6
		grow(fd, unix.SO_RCVBUF, unix.SO_RCVBUFFORCE)
		grow(fd, unix.SO_SNDBUF, unix.SO_SNDBUFFORCE)
		_, err = unix.GetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT)
		p.joins.Store(err == nil)
		// A kernel that cannot join datagrams gives them one by one.
		_ = unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1)
		if p.everywhere = boundToAll(fd); !p.everywhere {
			return
		}
		if p.six {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		} else {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		}
	})
	return errors.Join(err, failed)
}

// boundToAll reports whether a socket is bound to all addresses.
func boundToAll(fd int) bool {
	at, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	switch at := at.(type) {
	case *unix.SockaddrInet4:
		return at.Addr == [4]byte{}
	case *unix.SockaddrInet6:
		return at.Addr == [16]byte{}
	}
	return false
}

// grow asks for a buffer of bufferSize: past the system's limit, where we may, or up to it.
func grow(fd, option, force int) {
	if now, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option); err != nil ||
		now >= bufferSize {
		return
	}
	// The kernel doubles the number.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, bufferSize/2) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, bufferSize/2)
	}
}

func (p *batchPort) read(each func(Datagram)) error { return p.in.read(p.raw, each) }

func (p *batchPort) send(batch []Outgoing) (sent int, err error) {
	s := p.senders.Get().(*sender)
	defer p.senders.Put(s)
	return s.send(batch)
}

// fragmenting says what a socket does with datagrams that a link does not carry.
type fragmenting uint8

const (
	asSystem  fragmenting = iota // as the system has it by default: nothing large was sent yet
	never                        // such datagrams are lost
	anywhere                     // every router may make fragments of IPv4; we do of IPv6
	ipv6Least = 1280             // bytes that every link of IPv6 carries (RFC 8200, section 5)
)

// setFragmenting makes the socket forbid fragments or allow them. Where they are allowed,
// nothing depends on whether messages of routers that a datagram is too large come through.
// The caller has the socket to itself for writing.
func (p *batchPort) setFragmenting(fd int, f fragmenting) {
	if p.fragments == f {
		return
	}
	p.fragments = f
	// Without the options probes tell less, and large datagrams are lost on some paths.
	if !p.six {
		value := unix.IP_PMTUDISC_DONT
		if f == never {
			value = unix.IP_PMTUDISC_PROBE
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, value)
		return
	}
	value, size := unix.IPV6_PMTUDISC_DONT, ipv6Least
	if f == never {
		value, size = unix.IPV6_PMTUDISC_PROBE, 0
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, value)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU, size)
}

// repeatsMax is how often a call is repeated whose error may be one of an earlier datagram.
const repeatsMax = 3

const (
	// slots is how many datagrams, or runs of them, one system call reads. A slot has the
	// memory of the largest one, of which the system uses what it needs.
	slots    = 16
	slotSize = 64 << 10
)

// A receiver reads from a socket. It is owned by the reader of the Mux.
type receiver struct {
	try   func(fd uintptr) bool
	n     int
	errno syscall.Errno
	zones zones

	port    *batchPort
	refused *atomic.Pointer[func(Refusal)]
	quoted  quotation

	msgs     [slots]mmsghdr
	iovs     [slots]unix.Iovec
	names    [slots]sockaddr
	controls [slots]control
	data     []byte
}

func (r *receiver) init(p *batchPort) {
	r.port, r.refused = p, &p.refused
	r.data = make([]byte, slots*slotSize)
	r.try = r.recvmmsg
	for i := range r.msgs {
		r.iovs[i].Base = &r.data[i*slotSize]
		r.iovs[i].SetLen(slotSize)
		h := &r.msgs[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Control = (*byte)(unsafe.Pointer(&r.controls[i]))
		r.rearm(i)
	}
}

// rearm makes a slot ready for another read.
func (r *receiver) rearm(i int) {
	h := &r.msgs[i].hdr
	h.Namelen = uint32(unsafe.Sizeof(r.names[i]))
	h.SetControllen(int(unsafe.Sizeof(r.controls[i])))
}

func (r *receiver) read(raw syscall.RawConn, each func(Datagram)) error {
	err := raw.Read(r.try)
	switch {
	case err != nil:
		return err
	case r.errno != 0:
		return os.NewSyscallError("recvmmsg", r.errno)
	}
	for i := range r.n {
		m := &r.msgs[i]
		data := r.data[i*slotSize : i*slotSize+int(m.n)]
		d := Datagram{From: r.names[i].addrPort(&r.zones)}
		var size int
		size, d.To = r.controls[i].parse(int(m.hdr.Controllen))
		r.rearm(i)
		for size > 0 && size < len(data) {
			d.Data, data = data[:size:size], data[size:]
			each(d)
		}
		d.Data = data
		each(d)
	}
	return nil
}

// recvmmsg tries to read, and reports false when there is nothing yet.
func (r *receiver) recvmmsg(fd uintptr) bool {
	for tries := 0; ; tries++ {
		n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.msgs)),
			slots, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			r.drain(fd)
			return false
		}
		if errno != 0 && tries < repeatsMax && r.port.reported(errno) {
			r.drain(fd)
			continue
		}
		r.n, r.errno = int(n), errno
		return true
	}
}
