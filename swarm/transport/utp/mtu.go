package utp

import "time"

const (
	// mtuFloor is the payload of UDP in the smallest datagram that every IPv4 host takes
	// (RFC 791: 576 bytes, without the largest headers that are in use).
	mtuFloor = 576 - 48
	// mtuBase is the payload of UDP that a connection begins with. It fits into the least
	// MTU of IPv6, 1,280 bytes, as in QUIC (RFC 9000, 14.1).
	mtuBase = 1280 - 48
	// mtuCommon is the payload of UDP in a full frame of Ethernet. libtorrent and libutp read
	// datagrams into a buffer of 1,500 bytes, cut off the rest of longer ones, and acknowledge
	// them as if they were whole: where an interface takes more, as loopback does, their stream
	// would be damaged. So only peers that say wideFlights are sent more.
	mtuCommon = 1500 - 28
	// mtuStep ends the search: sizes as close as this are as good as equal.
	mtuStep = 8
	// mtuTries is how many probes of one size must be lost before it counts as too large.
	mtuTries = 3
	// mtuAgain is how long a search is over before the next one.
	mtuAgain = 10 * time.Minute
	// blackAgain is the same after a fall: perhaps the path was only silent.
	blackAgain = time.Minute
	// blackTimeouts is how many timeouts in a row mean that the path no longer carries
	// datagrams of this size.
	blackTimeouts = 2
)

// mtu finds how large a datagram may be, as the payload of UDP in bytes. A probe is a packet
// with the payload of an ordinary one and padding up to the size in question. Its loss costs
// no more than that of any packet, and the payload is sent again without the padding.
//
//	mtuFloor <= size <= ceiling; size < probe <= ceiling while a probe is out
type mtu struct {
	size    int // known to get through
	ceiling int // not worth trying beyond
	limit   int // of the interface, or of the path as configured
	probe   int // the size of the probe that is out, 0 for none
	tries   int // probes of that size that were lost
	tried   int // the size that tries counts
	again   time.Duration
}

func newMTU(limit int) mtu {
	limit = min(max(limit, mtuFloor), chunkSize)
	return mtu{size: min(mtuBase, limit), ceiling: limit, limit: limit}
}

// raise allows datagrams up to limit, now that the peer is known to take them.
func (m *mtu) raise(limit int) {
	limit = min(limit, chunkSize)
	if limit > m.limit {
		m.limit, m.ceiling, m.again = limit, limit, 0
		m.tries = 0
	}
}

// commonMTUs are payloads of UDP that paths often end at: Ethernet, PPPoE and tunnels, with
// IPv4 and with IPv6. The search tries them before sizes between.
var commonMTUs = [...]int{8972, 8952, 1472, 1464, 1452, 1444, 1432, 1412, 1392, 1372}

// want returns the size of the next probe, 0 if none is due.
func (m *mtu) want(now time.Duration) int {
	if m.probe != 0 {
		return 0
	}
	if m.size+mtuStep > m.ceiling {
		if m.again == 0 {
			m.again = now + mtuAgain
		}
		if now < m.again || m.ceiling == m.limit {
			return 0
		}
		m.ceiling, m.again, m.tries = m.limit, 0, 0
	}
	if m.tries == 0 {
		m.tried = m.choose()
	}
	return m.tried
}

// choose returns the next size to try: the ceiling if nothing was tried yet, then the
// largest common one below, else the middle.
func (m *mtu) choose() int {
	if m.ceiling == m.limit {
		return m.ceiling
	}
	for _, size := range commonMTUs {
		if size <= m.ceiling && size > m.size+mtuStep {
			return size
		}
	}
	return (m.size + m.ceiling + 1) / 2
}

// sent records that a probe of a size is out.
func (m *mtu) sent(size int) { m.probe = size }

// arrived records that a probe, or any datagram of a size, got through.
func (m *mtu) arrived(size int) {
	m.probe, m.tries = 0, 0
	m.size = max(m.size, size)
	m.ceiling = max(m.ceiling, m.size)
}

// dropped records that a probe was lost.
func (m *mtu) dropped() {
	size := m.probe
	m.probe = 0
	m.tries++
	if m.tries >= mtuTries && size > 0 {
		m.ceiling, m.tries = size-1, 0
	}
}

// black records that the path no longer carries datagrams of the current size. It falls back
// to what is known to be safe, and reports whether that is any smaller.
func (m *mtu) black(now time.Duration) bool {
	smaller := mtuFloor
	if m.size > mtuBase {
		smaller = mtuBase
	}
	if m.size <= smaller {
		return false
	}
	m.ceiling, m.size = m.size-1, smaller
	m.probe, m.tries, m.again = 0, 0, now+blackAgain
	return true
}
