package udpmux

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// hostsAge is the least time for which Hosts remember whom we have sent to; twice that
	// is the most. NATs and firewalls forget an idle mapping sooner.
	hostsAge = 10 * time.Minute
	// hostsBits is the size of a filter in bits. With 10,000 endpoints in it, one in 200
	// others is taken for one of them.
	hostsBits = 1 << 18
	// hostsHashes is how many bits stand for one entry.
	hostsHashes = 4
)

// Hosts remember to which hosts, and to which of their ports, datagrams were sent, to tell
// those who send to us unasked. They never forget one within 10 minutes. A few hosts that we
// have sent nothing to are taken for such that we have. Several Muxes may share Hosts, and
// their methods are safe for concurrent use.
type Hosts struct {
	seed [2]uint64
	now  atomic.Pointer[filter] // of what is sent now
	past atomic.Pointer[filter] // of what was sent before

	mu     sync.Mutex // held while filters are exchanged
	turned time.Time
}

// A filter is a Bloom filter.
type filter [hostsBits / 64]atomic.Uint64

// NewHosts returns Hosts that remember nobody.
func NewHosts(now time.Time) *Hosts {
	h := &Hosts{seed: [2]uint64{rand.Uint64(), rand.Uint64()}, turned: now}
	h.now.Store(new(filter))
	h.past.Store(new(filter))
	return h
}

// Tick forgets what is old. It must be called every few minutes or more often.
func (h *Hosts) Tick(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.turned) < hostsAge {
		return
	}
	h.turned = now
	h.past.Store(h.now.Load())
	h.now.Store(new(filter))
}

// note remembers that something is sent to an endpoint.
func (h *Hosts) note(to netip.AddrPort) {
	f := h.now.Load()
	f.add(h.hash(to.Addr(), 0))
	f.add(h.hash(to.Addr(), to.Port()))
}

// sentTo reports whether something was sent to a host, and to the port from is at.
func (h *Hosts) sentTo(from netip.AddrPort) (host, port bool) {
	now, past := h.now.Load(), h.past.Load()
	a, b := h.hash(from.Addr(), 0), h.hash(from.Addr(), from.Port())
	return now.has(a) || past.has(a), now.has(b) || past.has(b)
}

// hash returns a number that others cannot predict.
func (h *Hosts) hash(ip netip.Addr, port uint16) uint64 {
	b := ip.As16()
	x := mix(binary.BigEndian.Uint64(b[:8])^h.seed[0], binary.BigEndian.Uint64(b[8:])^h.seed[1])
	return mix(x^uint64(port), h.seed[1]|1)
}

// mix returns a hash of two numbers.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xd1b54a32d192ed03)
	return high ^ low
}

// bit returns the place of one of the bits for a hash.
func bit(hash uint64, i int) (word int, mask uint64) {
	at := (uint32(hash) + uint32(i)*(uint32(hash>>32)|1)) % hostsBits
	return int(at / 64), 1 << (at % 64)
}

func (f *filter) add(hash uint64) {
	for i := range hostsHashes {
		word, mask := bit(hash, i)
		if f[word].Load()&mask == 0 {
			f[word].Or(mask)
		}
	}
}

func (f *filter) has(hash uint64) bool {
	for i := range hostsHashes {
		if word, mask := bit(hash, i); f[word].Load()&mask == 0 {
			return false
		}
	}
	return true
}

// An Arrival is the first sign of a sender that we had not asked: a datagram of the DHT, or one
// that begins a uTP connection.
type Arrival struct {
	From  netip.AddrPort
	Class Class
	// Known says that we had sent to another port of the host. Otherwise we had sent
	// nothing to the host.
	Known bool
}

// arrivalWatch is who hears of arrivals.
type arrivalWatch struct {
	hosts *Hosts
	hear  func(Arrival)
}

// Arrivals makes f hear of each Arrival, as far as hosts remember to whom datagrams were sent.
// What Muxes that share hosts send counts, too. The reader calls f, which must not block. It is
// called before anything is sent.
func (m *Mux) Arrivals(hosts *Hosts, f func(Arrival)) {
	m.arrivals.Store(&arrivalWatch{hosts, f})
}

// noteSent remembers whom a batch is for.
func (m *Mux) noteSent(batch []Outgoing) {
	watch := m.arrivals.Load()
	if watch == nil {
		return
	}
	var last netip.AddrPort
	for i := range batch {
		if to := batch[i].To; to != last {
			last = to
			watch.hosts.note(plain(to))
		}
	}
}

// noteCame tells of a datagram from somebody that nothing was sent to.
func (m *Mux) noteCame(d *Datagram, c Class) {
	watch := m.arrivals.Load()
	if watch == nil || c != ClassDHT && (c != ClassUTP || d.Data[0]>>4 != utpSYN) {
		return
	}
	if host, port := watch.hosts.sentTo(d.From); !host || !port {
		watch.hear(Arrival{From: d.From, Class: c, Known: host})
	}
}
