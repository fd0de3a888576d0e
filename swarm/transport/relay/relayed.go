package relay

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// A relayed is the socket of a relayed address, as the TURN library sees it. Datagrams that
// may not be relayed do not exist for it.
//
// What exceeds the rate waits for a moment: on its way in with the system, since ReadFrom
// returns later, and on its way out in a queue. Both are bounded, and what finds no room is
// lost.
type relayed struct {
	*net.UDPConn
	server *Server
	tenant *tenant // set before the TURN library has the socket
	once   sync.Once
	gone   chan struct{} // closed by Close
	wake   chan struct{} // of the sender; holds a token while something waits

	mu      sync.Mutex
	waiting []parcel
	bytes   int // of waiting
}

// A parcel is a datagram that waits to be sent.
type parcel struct {
	data []byte
	to   netip.AddrPort
}

// newRelayed returns a socket for an allocation. Its sender runs until Close.
func newRelayed(s *Server, pc *net.UDPConn) *relayed {
	r := &relayed{UDPConn: pc, server: s, gone: make(chan struct{}), wake: make(chan struct{}, 1)}
	_ = pc.SetReadBuffer(s.cfg.Limits.queue())
	s.runs.Add(1)
	s.runs.Go(r.drain)
	return r
}

// ReadFrom implements net.PacketConn. It returns what may go to the client.
func (r *relayed) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := readAddrPort(r.UDPConn, b, r.gone)
		if err != nil {
			return 0, nil, err
		}
		from = plain(from)
		if size, at, ok := r.knock(b, n, from); ok {
			return size, at, nil
		}
		// A datagram that fills the buffer may have been cut.
		if n < len(b) && r.server.tenants.fits(r.server.now(), r.tenant, from, b[:n]) && r.pay(n) {
			return n, net.UDPAddrFromAddrPort(from), nil
		}
	}
}

// pay waits until a datagram of n bytes has its turn, and reports false if that never comes.
func (r *relayed) pay(n int) bool {
	for {
		wait, ok := r.server.tenants.charge(r.server.now(), r.tenant, n)
		if !ok || wait == 0 {
			return ok
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-r.gone:
			timer.Stop()
			return false
		}
	}
}

// WriteTo implements net.PacketConn. It sends what may go to a peer, at once or in its turn,
// and drops the rest.
func (r *relayed) WriteTo(b []byte, to net.Addr) (int, error) {
	addr, now := addrPortOf(to), r.server.now()
	if !r.server.tenants.fits(now, r.tenant, addr, b) {
		return len(b), nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 {
		if wait, ok := r.server.tenants.charge(now, r.tenant, len(b)); !ok || wait == 0 {
			r.dispatch(b, addr)
			return len(b), nil
		}
	}
	if r.bytes+len(b) > r.server.cfg.Limits.queue() {
		r.server.tenants.count(func(s *Stats) { s.OverLimit++ })
		return len(b), nil
	}
	r.waiting = append(r.waiting, parcel{append([]byte(nil), b...), addr})
	r.bytes += len(b)
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return len(b), nil
}

// dispatch sends a datagram that has been charged. What finds no room is lost.
func (r *relayed) dispatch(b []byte, to netip.AddrPort) {
	_ = sendSoon(r, func() error {
		_, err := r.WriteToUDPAddrPort(b, to)
		return err
	})
}

// drain sends what waits, until the socket is closed.
func (r *relayed) drain() {
	for {
		select {
		case <-r.gone:
			return
		case <-r.wake:
		}
		for {
			r.mu.Lock()
			if len(r.waiting) == 0 {
				r.waiting = nil
				r.mu.Unlock()
				break
			}
			next := r.waiting[0]
			r.mu.Unlock()
			if !r.pay(len(next.data)) {
				return
			}
			r.dispatch(next.data, next.to)
			r.mu.Lock()
			r.waiting[0] = parcel{}
			r.waiting = r.waiting[1:]
			r.bytes -= len(next.data)
			r.mu.Unlock()
		}
	}
}

// Close implements net.PacketConn, and ends the allocation. Only the first call has an effect.
func (r *relayed) Close() (err error) {
	r.once.Do(func() {
		close(r.gone)
		err = r.UDPConn.Close()
		r.server.tenants.leave(r.tenant)
		r.server.runs.Done()
	})
	return err
}

const (
	// readFaultsMax is how many reads of a socket may fail in a row before it is left alone
	// for readPause: the system may report on reads that datagrams have not arrived.
	readFaultsMax = 16
	readPause     = 100 * time.Millisecond
)

// readAddrPort reads a datagram. The error says that the socket is closed.
func readAddrPort(pc *net.UDPConn, b []byte, closing <-chan struct{}) (int, netip.AddrPort, error) {
	for faults := 1; ; faults++ {
		n, from, err := pc.ReadFromUDPAddrPort(b)
		if err == nil || errors.Is(err, net.ErrClosed) {
			return n, from, err
		}
		if faults%readFaultsMax != 0 {
			continue
		}
		pause := time.NewTimer(readPause)
		select {
		case <-pause.C:
		case <-closing:
			pause.Stop()
			return 0, netip.AddrPort{}, net.ErrClosed
		}
	}
}
