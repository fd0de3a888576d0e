package udpmux

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// messagesMax is how many messages one call sends.
	messagesMax = 64
	// joinedMax is how many datagrams the kernel splits one message into
	// (UDP_MAX_SEGMENTS), and joinedSizeMax how many bytes these may have, headers and all
	// less than the 64 KiB of an IP packet.
	joinedMax     = 64
	joinedSizeMax = 65000
	// smallSize is the size in bytes of datagrams that no link cuts: 1,280 bytes, the least that
	// a link of IPv6 carries (RFC 8200, section 5), less the headers.
	smallSize = 1232
)

// A sender sends one batch at a time. It is owned by a call of send.
type sender struct {
	p   *batchPort
	try func(fd uintptr) bool

	// The arguments and results of one call of try.
	whole bool
	from  int
	n     int
	errno syscall.Errno

	used     int // messages
	msgs     [messagesMax]mmsghdr
	iovs     [messagesMax]unix.Iovec
	names    [messagesMax]sockaddr
	controls [messagesMax]control
	elements [messagesMax]int // of the batch that a message is of
	sizes    [messagesMax]int // of the datagrams that a message is split into, or 0
	sources  [messagesMax]int // bytes of a control that say where a message is sent from
}

func newSender(p *batchPort) *sender {
	s := &sender{p: p}
	s.try = s.sendmmsg
	for i := range s.msgs {
		h := &s.msgs[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&s.names[i]))
		h.Iov = &s.iovs[i]
		h.SetIovlen(1)
	}
	return s
}

// send implements port.send.
func (s *sender) send(batch []Outgoing) (sent int, err error) {
	for i := range batch {
		o := &batch[i]
		if i == 0 {
			s.whole = o.Whole
		} else if o.Whole != s.whole && (len(o.Data) > smallSize || o.Whole) {
			if at, full, failed := s.flush(); full {
				return at, failed
			} else if err == nil {
				err = failed
			}
			s.whole = o.Whole
		}
		if at, full, failed := s.add(i, o); full {
			return at, failed
		} else if err == nil {
			err = failed
		}
	}
	at, full, failed := s.flush()
	if err == nil || full {
		err = failed
	}
	if full {
		return at, err
	}
	return len(batch), err
}

// add makes messages of an element, and sends what does not fit. The results are those of
// flush.
func (s *sender) add(element int, o *Outgoing) (at int, full bool, err error) {
	size, step := o.Segment, o.Segment
	switch {
	case o.datagrams() == 1:
		size, step = 0, max(1, len(o.Data))
	case !s.p.joins.Load():
		size = 0
	default:
		step *= max(1, min(joinedMax, joinedSizeMax/size))
	}
	for start := 0; ; start += step {
		if s.used == messagesMax {
			var failed error
			if at, full, failed = s.flush(); full {
				return at, full, failed
			} else if err == nil {
				err = failed
			}
		}
		if !s.message(element, o, o.Data[start:min(start+step, len(o.Data))], size) {
			return 0, false, unix.EAFNOSUPPORT
		}
		if start+step >= len(o.Data) {
			return 0, false, err
		}
	}
}

// message adds a message. size is that of the datagrams in it, or 0 for one. It reports
// false if the socket cannot send to the address.
func (s *sender) message(element int, o *Outgoing, data []byte, size int) bool {
	i := s.used
	h := &s.msgs[i].hdr
	n := s.names[i].set(o.To, s.p.six)
	if n == 0 {
		return false
	}
	h.Namelen = uint32(n)
	s.iovs[i].Base = unsafe.SliceData(data)
	s.iovs[i].SetLen(len(data))
	control := 0
	if s.p.everywhere && o.From.IsValid() {
		control = s.controls[i].source(control, o.From, s.p.six)
	}
	s.sources[i] = control
	if size > 0 && size < len(data) {
		control = s.controls[i].segment(control, size)
	} else {
		size = 0
	}
	s.setControl(i, control)
	s.elements[i], s.sizes[i] = element, size
	s.used++
	return true
}

// setControl gives a message the first n bytes of its control.
func (s *sender) setControl(i, n int) {
	h := &s.msgs[i].hdr
	h.Control = nil
	if n > 0 {
		h.Control = (*byte)(unsafe.Pointer(&s.controls[i]))
	}
	h.SetControllen(n)
}

// flush sends the messages. If the system is full, at is the element of the first one that
// it has not taken, and err the reason. Otherwise err is that of the first one that could
// not be sent.
func (s *sender) flush() (at int, full bool, err error) {
	defer s.forget()
	for s.from = 0; s.from < s.used; {
		if failed := s.p.raw.Write(s.try); failed != nil {
			return s.elements[s.from], true, failed // the socket is closed
		}
		if s.errno == 0 {
			s.from += s.n
			continue
		}
		failed := os.NewSyscallError("sendmmsg", s.errno)
		switch s.errno {
		case unix.EAGAIN, unix.ENOBUFS:
			return s.elements[s.from], true, failed
		case unix.EIO, unix.EINVAL, unix.EMSGSIZE, unix.EOPNOTSUPP:
			if s.sizes[s.from] > 0 {
				failed = s.split()
			}
		}
		s.from++
		if err == nil {
			err = failed
		}
	}
	return 0, false, err
}

// split sends the datagrams of a message one by one, because the kernel does not split it:
// the interface cannot compute checksums, or the datagrams are too large for it. The former
// is so every time.
func (s *sender) split() (err error) {
	if s.errno == unix.EIO || s.errno == unix.EOPNOTSUPP {
		s.p.joins.Store(false)
	}
	i := s.from
	iov := &s.iovs[i]
	data, size := unsafe.Slice(iov.Base, int(iov.Len)), s.sizes[i]
	s.setControl(i, s.sources[i]) // without UDP_SEGMENT
	used := s.used
	s.used = i + 1 // so that one message goes out
	defer func() { s.used = used }()
	for len(data) > 0 {
		n := min(size, len(data))
		iov.Base = &data[0]
		iov.SetLen(n)
		data = data[n:]
		if failed := s.p.raw.Write(s.try); failed != nil {
			return failed
		}
		if s.errno != 0 && err == nil {
			err = os.NewSyscallError("sendmmsg", s.errno)
		}
	}
	return err
}

// forget drops the messages, and what they point to.
func (s *sender) forget() {
	for i := range s.used {
		s.iovs[i].Base = nil
	}
	s.used = 0
}

// sendmmsg sends messages once. It never waits.
func (s *sender) sendmmsg(fd uintptr) bool {
	if s.whole {
		s.p.setFragmenting(int(fd), never)
	} else if s.large() {
		s.p.setFragmenting(int(fd), anywhere)
	}
	for tries := 0; ; tries++ {
		n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, fd,
			uintptr(unsafe.Pointer(&s.msgs[s.from])), uintptr(s.used-s.from),
			unix.MSG_DONTWAIT, 0, 0)
		if errno == syscall.EINTR || errno != 0 && tries < repeatsMax && s.p.reported(errno) {
			continue
		}
		s.n, s.errno = int(n), errno
		return true
	}
}

// large reports whether one of the messages might be cut on its way.
func (s *sender) large() bool {
	for i := s.from; i < s.used; i++ {
		if s.iovs[i].Len > smallSize {
			return true
		}
	}
	return false
}
