package udpmux

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A Datagram has arrived. It is valid until the handler that it was given to returns.
type Datagram struct {
	From netip.AddrPort // an IPv4 address as such, never mapped into IPv6
	Data []byte
	// To is the address of ours that it was sent to, if the socket is bound to all of them.
	// Only Linux knows it.
	To netip.Addr
}

// An Outgoing is one datagram to an address, or a run of datagrams of one size.
type Outgoing struct {
	To   netip.AddrPort
	Data []byte
	// Segment is the size in bytes of each datagram in Data, of which the last one may be
	// shorter. Zero means that Data is one datagram.
	Segment int
	// Whole forbids fragments of the datagrams on the way, whatever the system believes of
	// the path (RFC 8899, section 4.1): a datagram that is too large for a link is lost. Without it
	// fragments are made where a link needs them. Only Linux knows the difference.
	Whole bool
	// From is the address of ours to send from, one that a Datagram was sent to. An answer
	// from another one is taken for a stranger's. The zero Addr leaves the choice to the
	// system.
	From netip.Addr
}

// datagrams returns how many datagrams there are in o.
func (o *Outgoing) datagrams() int {
	if o.Segment <= 0 || len(o.Data) <= o.Segment {
		return 1
	}
	return (len(o.Data) + o.Segment - 1) / o.Segment
}

const (
	// readFaultsMax is how many reads may fail in a row before the reader pauses for
	// readPause: the system may report on reads that datagrams sent earlier did not
	// arrive, which says nothing of the socket.
	readFaultsMax = 16
	readPause     = 100 * time.Millisecond
)

// A port is a UDP socket as the system offers it.
type port interface {
	// read waits until datagrams have come and gives them to each. The datagrams are valid
	// until the next read.
	read(each func(Datagram)) error
	// send sends batch without waiting for room, and returns how many of its first
	// elements have gone out whole.
	send(batch []Outgoing) (sent int, err error)
}

// A Mux owns a UDP socket. Its methods are safe for concurrent use.
type Mux struct {
	pc       net.PacketConn
	port     port
	local    netip.AddrPort
	handlers [classes]atomic.Pointer[func([]Datagram)]
	dht      atomic.Pointer[dhtConn]
	arrivals atomic.Pointer[arrivalWatch] // nil if nobody wants to hear of them
	closing  chan struct{}
	closed   sync.Once
	reader   sync.WaitGroup
	counters

	ways  ways                // of the DHT
	batch [classes][]Datagram // what one read has brought; owned by the reader
}

// counters count datagrams.
type counters struct {
	received [classes]atomic.Uint64
	dropped  [classes]atomic.Uint64
}

// Stats are counts of datagrams since a Mux was made.
type Stats struct {
	Received uint64 // of the class
	Dropped  uint64 // of these, without a handler or without room in the queue
}

// New returns a Mux that owns pc from then on, and starts its reader.
func New(pc net.PacketConn) *Mux {
	m := &Mux{pc: pc, local: addrPortOf(pc.LocalAddr()), closing: make(chan struct{})}
	m.port = newPort(pc)
	m.reader.Go(m.read)
	return m
}

// AddrPort returns where the socket is bound, an IPv4 address as such.
func (m *Mux) AddrPort() netip.AddrPort { return m.local }

// LocalAddr returns where the socket is bound.
func (m *Mux) LocalAddr() net.Addr { return m.pc.LocalAddr() }

// Handle makes h take the datagrams of a class, or nobody if h is nil. The reader calls h
// with everything that one read has brought, in the order of arrival. h must not block, and
// may keep nothing of what it is given. A call of the handler of before may still be under
// way when Handle returns. ClassDHT has no handler: see DHT.
func (m *Mux) Handle(c Class, h func([]Datagram)) {
	if c != ClassUTP && c != ClassSTUN {
		panic("udpmux: no handler for class " + c.String())
	}
	if h == nil {
		m.handlers[c].Store(nil)
		return
	}
	m.handlers[c].Store(&h)
}

// Send sends batch and keeps nothing of it. It does not wait for room: it returns how many
// elements at the front of batch the system has taken whole, and why not all. A datagram
// that cannot be sent to its address, by its size or by the state of the network, counts as
// taken. The error is then that of the first one.
func (m *Mux) Send(batch []Outgoing) (sent int, err error) {
	m.noteSent(batch)
	return m.port.send(batch)
}

// ones are batches for WriteTo.
var ones = sync.Pool{New: func() any { return new([1]Outgoing) }}

// WriteTo sends one datagram, as Send does.
func (m *Mux) WriteTo(b []byte, to netip.AddrPort) error {
	return m.writeFrom(netip.Addr{}, b, to)
}

// writeFrom sends one datagram from an address of ours.
func (m *Mux) writeFrom(from netip.Addr, b []byte, to netip.AddrPort) error {
	one := ones.Get().(*[1]Outgoing)
	one[0] = Outgoing{To: to, Data: b, From: from}
	_, err := m.Send(one[:])
	one[0] = Outgoing{}
	ones.Put(one)
	return err
}

// Stats returns the counts of a class.
func (m *Mux) Stats(c Class) Stats {
	return Stats{m.received[c].Load(), m.dropped[c].Load()}
}

// Close closes the socket, and waits for the reader and so for the handlers. What is read
// from the DHT's side ends with net.ErrClosed. Only the first call has an effect.
func (m *Mux) Close() (err error) {
	m.closed.Do(func() {
		close(m.closing)
		err = m.pc.Close()
		if c := m.dht.Load(); c != nil {
			c.Close()
		}
	})
	m.reader.Wait()
	return err
}

// read sorts what arrives until the socket is closed.
func (m *Mux) read() {
	each := m.sort
	for faults := 0; ; {
		err := m.port.read(each)
		switch {
		case err == nil:
			faults = 0
			m.deliver()
			continue
		case errors.Is(err, net.ErrClosed):
			return
		}
		if faults++; faults < readFaultsMax {
			continue
		}
		faults = 0
		pause := time.NewTimer(readPause)
		select {
		case <-pause.C:
		case <-m.closing:
			pause.Stop()
			return
		}
	}
}

// sort queues a datagram of the DHT, and collects others for the handler of their class.
func (m *Mux) sort(d Datagram) {
	c := ClassOf(d.Data)
	m.received[c].Add(1)
	m.noteCame(&d, c)
	if c != ClassDHT {
		m.batch[c] = append(m.batch[c], d)
		return
	}
	if conn := m.dht.Load(); conn == nil || !conn.queue(d) {
		m.dropped[c].Add(1)
	}
}

// deliver calls the handlers with what sort has collected.
func (m *Mux) deliver() {
	for c := range m.batch {
		batch := m.batch[c]
		if len(batch) == 0 {
			continue
		}
		if h := m.handlers[c].Load(); h != nil {
			(*h)(batch)
		} else {
			m.dropped[c].Add(uint64(len(batch)))
		}
		clear(batch)
		m.batch[c] = batch[:0]
	}
}

// addrPortOf returns an address of a socket, an IPv4 address as such.
func addrPortOf(a net.Addr) netip.AddrPort {
	with, ok := a.(interface{ AddrPort() netip.AddrPort })
	if !ok {
		if a == nil {
			return netip.AddrPort{}
		}
		ap, err := netip.ParseAddrPort(a.String())
		if err != nil {
			return netip.AddrPort{}
		}
		return plain(ap)
	}
	return plain(with.AddrPort())
}

// plain returns a with an IPv4 address as such.
func plain(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Is4In6() {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return a
}
