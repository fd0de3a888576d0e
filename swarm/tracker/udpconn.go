package tracker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

const (
	// retransmitFirst is the wait before a datagram is sent again; it doubles
	// each time (BEP 15, "Time outs").
	retransmitFirst = 15 * time.Second
	// sendsMax is how often a datagram is sent. After 15 + 30 s without an answer
	// the next tracker is the better choice; BEP 15 would go on for an hour.
	sendsMax = 2
	// connectionAge is how long a connection id may be used (BEP 15), and hence how
	// long an unused udpConn is kept.
	connectionAge = time.Minute
	// udpConnsMax bounds the udpConns, each of which has a socket. It is more than
	// can be in use at a time.
	udpConnsMax = inFlightUDP + 16
	// straysMax bounds the unexpected datagrams between two expected ones. More are
	// a flood, and end the udpConn.
	straysMax = 100
)

// errSilent means that a UDP tracker did not answer in time.
var errSilent = errors.New("tracker does not answer")

// A udpConn is the connection to a UDP tracker at one address. All torrents share its
// socket and its connection id. The socket is connected, so that the system drops
// datagrams from elsewhere and reports if nobody listens.
type udpConn struct {
	key  udpKey
	conn net.Conn

	mu        sync.Mutex
	waiting   map[uint32]chan<- reply // by transaction id
	strays    int
	err       error     // set once the udpConn has failed for good
	id        uint64    // the connection id
	connected time.Time // when id was received; zero if there is none
	flight    *flight   // the open request for an id, or nil

	users int         // guarded by the Client's mutex
	idle  *time.Timer // guarded by the Client's mutex; closes the udpConn
}

// A udpKey tells udpConns apart: by the address of the tracker, or behind a proxy by its host
// and port.
type udpKey struct {
	addr netip.AddrPort
	host string // HOST:PORT
}

func (k udpKey) String() string {
	if k.host != "" {
		return k.host
	}
	return k.addr.String()
}

// A reply is a datagram, or the reason why there is none.
type reply struct {
	datagram []byte
	err      error
}

// A flight is one request for a connection id, shared by all who need the id.
type flight struct {
	done    chan struct{} // closed when the rest is set
	err     error
	dropped bool // the context of the request ended: err says nothing about the tracker
}

func newUDPConn(k udpKey, conn net.Conn) *udpConn {
	return &udpConn{key: k, conn: conn, waiting: make(map[uint32]chan<- reply)}
}

// read is the goroutine of a udpConn. It delivers datagrams until the socket fails or
// is closed.
func (s *udpConn) read() {
	b := make([]byte, packetMax)
	for {
		n, err := s.conn.Read(b)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			s.fail(fmt.Errorf("nobody listens at %v", s.key), false)
			continue
		case err != nil:
			s.fail(err, true)
			return
		}
		if !s.deliver(b[:n]) {
			s.fail(fmt.Errorf("%w: too many stray datagrams", ErrAnswer), true)
			return
		}
	}
}

// deliver hands a datagram to the exchange that waits for it. It reports false after
// too many unexpected datagrams.
func (s *udpConn) deliver(b []byte) bool {
	_, id, ok := parseHeader(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.waiting[id]
	if !ok || c == nil {
		s.strays++
		return s.strays <= straysMax
	}
	s.strays = 0
	delete(s.waiting, id)
	c <- reply{datagram: append([]byte(nil), b...)}
	return true
}

// fail ends all waiting exchanges with err, and also later ones if forGood is set.
func (s *udpConn) fail(err error, forGood bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.waiting {
		delete(s.waiting, id)
		c <- reply{err: err}
	}
	if forGood && s.err == nil {
		s.err = err
	}
}

// dead reports whether the udpConn has failed for good.
func (s *udpConn) dead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

// exchange sends one datagram and waits for its answer.
func (s *udpConn) exchange(ctx context.Context, wait time.Duration,
	build func(transaction uint32) []byte) ([]byte, error) {
	answer := make(chan reply, 1)
	transaction := rand.Uint32()
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return nil, s.err
	}
	for s.waiting[transaction] != nil {
		transaction++
	}
	s.waiting[transaction] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waiting, transaction)
		s.mu.Unlock()
	}()
	if _, err := s.conn.Write(build(transaction)); err != nil {
		// That nobody listens is news of an earlier datagram. Anything else is wrong with the
		// socket: its address or its interface may be gone.
		if !errors.Is(err, syscall.ECONNREFUSED) {
			s.fail(err, true)
		}
		return nil, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case r := <-answer:
		return r.datagram, r.err
	case <-timer.C:
		return nil, errSilent
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// connection returns a valid connection id, and whether the id is an old one, from an
// earlier request. At most one request for an id is open at a time.
func (s *udpConn) connection(ctx context.Context, wait time.Duration) (id uint64, old bool,
	err error) {
	for {
		s.mu.Lock()
		if !s.connected.IsZero() && time.Since(s.connected) < connectionAge {
			defer s.mu.Unlock()
			return s.id, true, nil
		}
		f := s.flight
		if f == nil {
			f = &flight{done: make(chan struct{})}
			s.flight = f
			s.mu.Unlock()
			id, err := s.connect(ctx, wait, f)
			return id, false, err
		}
		s.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return 0, false, context.Cause(ctx)
		}
		if f.err != nil && !f.dropped {
			return 0, false, f.err // another request would fail as well
		}
	}
}

// connect requests a connection id, on behalf of all who wait for f.
func (s *udpConn) connect(ctx context.Context, wait time.Duration,
	f *flight) (id uint64, err error) {
	answer, err := s.exchange(ctx, wait, func(transaction uint32) []byte {
		return appendConnect(nil, transaction)
	})
	if err == nil {
		id, err = parseConnect(answer)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight, f.err, f.dropped = nil, err, ctx.Err() != nil
	if err == nil {
		s.id, s.connected = id, time.Now()
	}
	close(f.done)
	return id, err
}

// forget drops a connection id that brought no answer: the tracker may have been
// restarted.
func (s *udpConn) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id == id {
		s.connected = time.Time{}
	}
}

// ask sends a packet and returns the answer. It calls build to make the packet for a
// connection id and a transaction id, again for each repetition.
func (s *udpConn) ask(ctx context.Context, build func(connection uint64,
	transaction uint32) []byte) ([]byte, error) {
	wait, renewed := retransmitFirst, false
	for sends := 0; sends < sendsMax; {
		id, old, err := s.connection(ctx, wait)
		var answer []byte
		if err == nil {
			answer, err = s.exchange(ctx, wait, func(transaction uint32) []byte {
				return build(id, transaction)
			})
		}
		if action, _, _ := parseHeader(answer); err == nil && old && !renewed &&
			action == actionError {
			// A tracker may answer an expired connection id with an error. With
			// a new id we learn whether the error has another reason.
			s.forget(id)
			renewed = true
			continue
		}
		if !errors.Is(err, errSilent) {
			return answer, err
		}
		s.forget(id)
		wait *= 2
		sends++
	}
	return nil, errSilent
}
