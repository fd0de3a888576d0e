package blocklist

import (
	"iter"
	"net/netip"
)

// A List is a set of blocked addresses. A nil List is empty. Nothing changes a List, so it is
// safe for concurrent use.
type List struct {
	v4 table4
	v6 table6
}

// Contains reports whether addr is blocked. An IPv4 address mapped into IPv6 counts as the
// IPv4 address, which a range of IPv6 around it does not block. A zone does not count. An
// address that is not valid is never blocked.
func (l *List) Contains(addr netip.Addr) bool {
	if l == nil {
		return false
	}
	if addr = addr.Unmap(); addr.Is4() {
		return l.v4.contains(value4(addr))
	}
	return addr.IsValid() && l.v6.contains(value6(addr))
}

// Len returns the number of ranges, in which neighbours count as one.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return (len(l.v4.low)+1)/2 + (len(l.v6.high)+1)/2
}

// Bytes returns the memory that the list takes.
func (l *List) Bytes() int {
	if l == nil {
		return 0
	}
	return 4*len(l.v4.index) + 2*cap(l.v4.low) + 8*(cap(l.v6.high)+cap(l.v6.low))
}

// Ranges yields the first and the last address of each range, in order, those of IPv4 first.
func (l *List) Ranges() iter.Seq2[netip.Addr, netip.Addr] {
	return func(yield func(first, last netip.Addr) bool) {
		if l == nil {
			return
		}
		for r := range l.v4.ranges() {
			if !yield(addr4(r.first), addr4(r.last)) {
				return
			}
		}
		for r := range l.v6.ranges() {
			if !yield(r.first.addr(), r.last.addr()) {
				return
			}
		}
	}
}
