package utp

// outboxMax bounds what an outbox collects, in bytes.
const outboxMax = 128 << 10

// A cut is one datagram of an outbox.
type cut struct {
	size int
	// fragment says that the datagram may be fragmented on its way: it is larger than what
	// the path is known to carry, and cannot be made smaller.
	fragment bool
}

// An outbox collects datagrams of one connection, one directly after the other, so that those
// of equal size can leave with one system call (UDP GSO).
type outbox struct {
	data []byte
	cuts []cut
}

// reset empties the outbox, and keeps its memory.
func (o *outbox) reset() { o.data, o.cuts = o.data[:0], o.cuts[:0] }

// fits reports whether there is room for another datagram.
func (o *outbox) fits(size int) bool { return len(o.data)+size <= outboxMax }

// end ends the datagram whose bytes were appended to data from start on.
func (o *outbox) end(start int, fragment bool) {
	o.cuts = append(o.cuts, cut{len(o.data) - start, fragment})
}

// A run is a sequence of datagrams that can leave with one call: all have the same size, but
// the last one may be shorter.
type run struct {
	data     []byte
	size     int
	fragment bool
}

// runs calls yield for each run of datagrams until it returns false. No run has more than
// countMax datagrams or sizeMax bytes.
func (o *outbox) runs(countMax, sizeMax int, yield func(run) bool) {
	at, data := 0, o.data
	for at < len(o.cuts) {
		first := o.cuts[at]
		n, bytes := 1, first.size
		for at+n < len(o.cuts) && n < countMax && o.cuts[at+n-1].size == first.size {
			next := o.cuts[at+n]
			if next.size > first.size || next.fragment != first.fragment ||
				bytes+next.size > sizeMax {
				break
			}
			bytes += next.size
			n++
		}
		if !yield(run{data[:bytes:bytes], first.size, first.fragment}) {
			return
		}
		at, data = at+n, data[bytes:]
	}
}
