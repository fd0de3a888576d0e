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
	// sendsMax is how often a datagram is sent: after 15 + 30 s without an
	// answer the next tracker is the better choice. BEP 15 goes on for an hour.
	sendsMax = 2
	// connectionAge is how long a connection id may be used (BEP 15), and so
	// how long a station is kept that nobody uses.
	connectionAge = time.Minute
	// stationsMax bounds the stations, each of which has a socket. It is more
	// than can be in use at a time.
	stationsMax = inFlightUDP + 16
	// straysMax bounds the datagrams of a station that nobody asked for, since
	// the last that somebody did. More are a flood, and end it.
	straysMax = 100
)

// errSilent tells that a UDP tracker did not answer.
var errSilent = errors.New("the tracker does not answer")

// A station is a UDP tracker at one address, shared by all torrents: they use
// one socket, and one connection id for as long as it lasts. The socket is
// connected, so that the system drops what others send, and tells when nobody
// listens.
type station struct {
	addr netip.AddrPort
	conn net.Conn

	mu        sync.Mutex
	waiting   map[uint32]chan<- reply // by transaction id
	strays    int
	err       error     // why the station is of no more use
	id        uint64    // the connection id
	connected time.Time // when id was given; zero if there is none
	flight    *flight   // a request for an id that is under way

	users int         // guarded by the Client's mutex
	idle  *time.Timer // guarded by the Client's mutex; closes the station
}

// A reply is a datagram, or why there is none.
type reply struct {
	datagram []byte
	err      error
}

// A flight is one request for a connection id, for all who want one.
type flight struct {
	done    chan struct{} // closed when the rest is set
	err     error
	dropped bool // whoever asked has gone, and err says nothing of the tracker
}

func newStation(addr netip.AddrPort, conn net.Conn) *station {
	return &station{addr: addr, conn: conn, waiting: make(map[uint32]chan<- reply)}
}

// read is the goroutine of a station. It hands on datagrams until the socket is
// closed, or of no more use.
func (s *station) read() {
	b := make([]byte, packetMax)
	for {
		n, err := s.conn.Read(b)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			s.fail(fmt.Errorf("nobody listens at %v", s.addr), false)
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

// deliver hands a datagram to whoever waits for it. It reports false when there
// were too many for which nobody did.
func (s *station) deliver(b []byte) bool {
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

// fail tells all who wait why they wait in vain, and those who come later if it
// is for good.
func (s *station) fail(err error, forGood bool) {
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

// dead reports whether the station is of no more use.
func (s *station) dead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

// exchange sends one datagram and waits for its answer.
func (s *station) exchange(ctx context.Context, wait time.Duration,
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

// connection returns a connection id that may be used, and whether it is one
// that was given before. There is one request for it at a time.
func (s *station) connection(ctx context.Context, wait time.Duration) (id uint64, old bool,
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
			return 0, false, f.err // another request would fare no better
		}
	}
}

// connect asks for a connection id, as the one flight.
func (s *station) connect(ctx context.Context, wait time.Duration,
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

// forget drops a connection id that has brought no answer: the tracker may have
// been started anew.
func (s *station) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id == id {
		s.connected = time.Time{}
	}
}

// ask sends the packet that build makes, for a connection id and a transaction
// id, again if need be, and returns the answer.
func (s *station) ask(ctx context.Context, build func(connection uint64,
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
			// An error may be all that a tracker has for an id it knows no
			// more. With a new one we learn what it means.
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
