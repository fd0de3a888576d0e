package udpmux

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// refusalsMax is how many reports are read at a time, and quoteMax how much is read of
	// the datagram that one quotes.
	refusalsMax = 16
	quoteMax    = 128
	// offendedSize is the size of struct sock_extended_err (linux/errqueue.h).
	offendedSize = 16
)

// watch implements refusalPort (IP_RECVERR, ip(7)). Without it a socket that is not connected
// hears of no errors.
func (p *batchPort) watch(each func(Refusal)) error {
	level, option, on := unix.IPPROTO_IP, unix.IP_RECVERR, 0
	if p.six {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	if each != nil {
		p.refused.Store(&each)
		on = 1
	} else {
		p.refused.Store(nil)
	}
	var failed error
	err := p.raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), level, option, on)
	})
	return errors.Join(err, failed)
}

// reported reports whether an error of a call may be one of a datagram that was sent earlier,
// so that the call should be repeated. The system gives each error once.
func (p *batchPort) reported(errno syscall.Errno) bool {
	switch errno {
	case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EMSGSIZE, unix.EPROTO,
		unix.EACCES, unix.ENOPROTOOPT, unix.EOPNOTSUPP, unix.EHOSTDOWN, unix.ENONET:
		return p.refused.Load() != nil
	}
	return false
}

// drain gives the reports that wait (recvmsg(2), MSG_ERRQUEUE) to whoever watches.
func (r *receiver) drain(fd uintptr) {
	each := r.refused.Load()
	if each == nil {
		return
	}
	q := &r.quoted
	for range refusalsMax {
		q.iov = unix.Iovec{Base: &q.data[0]}
		q.iov.SetLen(len(q.data))
		q.hdr = unix.Msghdr{Name: &q.name[0], Namelen: uint32(len(q.name)), Iov: &q.iov,
			Control: &q.control.bytes()[0]}
		q.hdr.SetIovlen(1)
		q.hdr.SetControllen(len(q.control.bytes()))
		n, _, errno := syscall.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&q.hdr)),
			unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if errno != 0 {
			return
		}
		if refuses(q.control.bytes()[:min(int(q.hdr.Controllen), len(q.control.bytes()))]) {
			(*each)(Refusal{q.name.addrPort(&r.zones), q.data[:min(int(n), len(q.data))]})
		}
	}
}

// A quotation is what one report is read into.
type quotation struct {
	hdr     unix.Msghdr
	iov     unix.Iovec
	name    sockaddr
	control control
	data    [quoteMax]byte
}

// refuses reports whether control messages tell of a report that a port is unreachable.
func refuses(b []byte) bool {
	const (
		atOrigin, atType, atCode = 4, 5, 6
		fromICMP, fromICMP6      = 2, 3 // SO_EE_ORIGIN_ICMP and SO_EE_ORIGIN_ICMP6
	)
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		end := int(h.Len)
		if end < unix.SizeofCmsghdr || end > len(b) {
			return false
		}
		e := b[unix.CmsgLen(0):end]
		if len(e) >= offendedSize {
			switch {
			case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_RECVERR:
				return e[atOrigin] == fromICMP && e[atType] == 3 && e[atCode] == 3 // RFC 792
			case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_RECVERR:
				return e[atOrigin] == fromICMP6 && e[atType] == 1 && e[atCode] == 4 // RFC 4443
			}
		}
		b = b[min(len(b), unix.CmsgSpace(end-unix.CmsgLen(0))):]
	}
	return false
}
