package udpmux

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A control holds the control messages of a datagram (cmsg(3)), in the order of the machine.
// There is room for one of UDP_GRO or UDP_SEGMENT, and one of IP_PKTINFO or IPV6_PKTINFO.
type control [16]uint64

func (c *control) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(c)), unsafe.Sizeof(*c))
}

// parse returns what n bytes of control messages say: the size of the datagrams that the
// kernel has joined, or 0, and the address that they were sent to, if it is there.
func (c *control) parse(n int) (size int, to netip.Addr) {
	b := c.bytes()
	for b = b[:min(n, len(b))]; len(b) >= unix.SizeofCmsghdr; {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		end := int(h.Len)
		if end < unix.SizeofCmsghdr || end > len(b) {
			break
		}
		data := b[unix.CmsgLen(0):end]
		switch {
		case h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO && len(data) >= 4:
			size = int(int32(binary.NativeEndian.Uint32(data)))
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO &&
			len(data) >= unix.SizeofInet4Pktinfo:
			to = netip.AddrFrom4([4]byte(data[4:8])) // ipi_spec_dst
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO &&
			len(data) >= unix.SizeofInet6Pktinfo:
			to = netip.AddrFrom16([16]byte(data[:16])).Unmap()
		}
		b = b[min(len(b), unix.CmsgSpace(end-unix.CmsgLen(0))):]
	}
	return size, to
}

// segment appends UDP_SEGMENT after n bytes, and returns how many there are then.
func (c *control) segment(n, size int) int {
	data, n := c.add(n, unix.SOL_UDP, unix.UDP_SEGMENT, 2)
	binary.NativeEndian.PutUint16(data, uint16(size))
	return n
}

// source appends the address to send from after n bytes, for a socket of IPv6 or of IPv4. It
// returns how many bytes there are then.
func (c *control) source(n int, from netip.Addr, six bool) int {
	if six {
		data, n := c.add(n, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
		ip := from.As16()
		copy(data, ip[:])
		return n
	}
	if from = from.Unmap(); !from.Is4() {
		return n
	}
	data, n := c.add(n, unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
	ip := from.As4()
	copy(data[4:8], ip[:])
	return n
}

// add appends a message of some bytes, which are zero, after n bytes.
func (c *control) add(n, level, kind, size int) (data []byte, end int) {
	b := c.bytes()[n:]
	end = unix.CmsgSpace(size)
	clear(b[:end])
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = int32(level), int32(kind)
	h.SetLen(unix.CmsgLen(size))
	return b[unix.CmsgLen(0):end], n + end
}
