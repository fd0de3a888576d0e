package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/stun/v4"

	"swarmnode/swarm/transport/udpmux"
)

// An Allocation is an address that a TURN server lends us. It is a net.PacketConn: what it
// reads has come to that address, and what it writes leaves from there. Only hosts with a
// permit are let through. It is safe for concurrent use.
//
// It also has the methods ReadFromUDPAddrPort and WriteToUDPAddrPort of net.UDPConn, which do
// not allocate.
type Allocation struct {
	leg      leg
	server   netip.AddrPort
	relayed  netip.AddrPort
	mapped   netip.AddrPort
	start    time.Time
	patience time.Duration // with one request
	log      *slog.Logger

	login login
	trans transactions
	peers peers
	asks  pacer // of permits
	in    *inbox
	porch porch

	onKnock func(netip.Addr) // Config.Knock
	msg     stun.Message     // owned by whoever calls arrived

	// Times of type time.Duration since start.
	heard  atomic.Int64 // when the server last sent anything
	spoken atomic.Int64 // when the first datagram since heard was sent; 0 if none was
	took   atomic.Int64 // how long the last refresh took
	faulty atomic.Bool  // the system has reported that the server was not reached

	wake   chan struct{} // of the keeper
	keeper sync.WaitGroup
	ctx    context.Context // of the keeper's requests
	cancel context.CancelFunc
	ended  sync.Once
	done   chan struct{}
	err    error // set before done is closed

	lifetime  time.Duration // owned by the keeper, as are these
	refreshed time.Duration // when it was last
	failures  int
	ear       ear
}

func newAllocation(cfg *Config, server netip.AddrPort) *Allocation {
	a := &Allocation{
		server: server, start: time.Now(), log: cfg.Log,
		login: login{user: cfg.Server.User, password: cfg.Server.Password},
		in:    newInbox(), onKnock: cfg.Knock,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	a.peers.init()
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

// now returns the time since the allocation began, at least one.
func (a *Allocation) now() time.Duration { return time.Since(a.start) + 1 }

// LocalAddr returns the relayed address, a *net.UDPAddr.
func (a *Allocation) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(a.relayed) }

// AddrPort returns the relayed address.
func (a *Allocation) AddrPort() netip.AddrPort { return a.relayed }

// Server returns the address of the server.
func (a *Allocation) Server() netip.AddrPort { return a.server }

// Mapped returns our own address as the server sees it, or the zero AddrPort if it has not
// said so. Over UDP from a shared port, that is the address which a NAT has given to the port.
func (a *Allocation) Mapped() netip.AddrPort { return a.mapped }

// Done returns a channel that is closed when the allocation has ended: by Close, or because
// the server is gone. While we send, a silent server is found out within four seconds.
func (a *Allocation) Done() <-chan struct{} { return a.done }

// Err returns why the allocation has ended: net.ErrClosed after Close, an error that wraps
// ErrGone when the server was lost, or nil before the end.
func (a *Allocation) Err() error {
	select {
	case <-a.done:
		return a.err
	default:
		return nil
	}
}

// Close gives the relayed address back, without waiting for an answer. It waits until nothing
// of the allocation runs any more. Only the first call has an effect.
func (a *Allocation) Close() error {
	if a.end(net.ErrClosed) {
		a.release()
	}
	a.keeper.Wait()
	a.leg.close()
	return nil
}

// release tells the server that the allocation has ended (RFC 8656, section 8: a lifetime of
// zero). If the message is lost, the server keeps the allocation for the rest of its lifetime.
// The end of a stream says the same.
func (a *Allocation) release() {
	if a.leg.reliable() {
		return
	}
	if m, _, err := a.login.build(stun.MethodRefresh, []stun.Setter{lifetimeOf(0)}); err == nil {
		_ = a.leg.send(m.Raw)
	}
}

// end ends the allocation, and reports whether it has not ended before.
func (a *Allocation) end(err error) (first bool) {
	a.ended.Do(func() {
		first = true
		a.err = err
		close(a.done)
		a.cancel()
		a.in.close()
	})
	return first
}

// lost is why an allocation has ended by itself.
type lost struct{ why error }

func (e *lost) Error() string { return ErrGone.Error() + ": " + e.why.Error() }

// Unwrap returns ErrGone and the reason.
func (e *lost) Unwrap() []error { return []error{ErrGone, e.why} }

// fail ends an allocation whose server is lost.
func (a *Allocation) fail(why error) {
	if a.end(&lost{why}) {
		a.log.Info("relay: lost the allocation", "err", why)
	}
}

// suspect makes the keeper ask the server at once: the system says that nobody listens there,
// as a stranger who guesses our port can make it say.
func (a *Allocation) suspect() {
	a.faulty.Store(true)
	a.signal()
}

// signal wakes the keeper. It never blocks.
func (a *Allocation) signal() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// arrived takes a message of the server. One goroutine at a time calls it; it keeps nothing
// of b.
func (a *Allocation) arrived(b []byte) {
	if isChannel(b) {
		now := a.now()
		number, data, ok := parseChannel(b)
		if !ok {
			return
		}
		if from, ok := a.peers.from(now, number); ok {
			a.hear(now)
			a.in.put(from, data)
		}
		return
	}
	if udpmux.ClassOf(b) != udpmux.ClassSTUN {
		return
	}
	m := &a.msg
	m.Raw = append(m.Raw[:0], b...)
	if m.Decode() != nil {
		return
	}
	switch m.Type.Class {
	case stun.ClassIndication:
		a.indicated(m)
	case stun.ClassSuccessResponse, stun.ClassErrorResponse:
		m = &stun.Message{Raw: append([]byte(nil), b...)} // the answer is kept
		if m.Decode() != nil {
			return
		}
		if tr := a.trans.of(m); tr != nil {
			a.hear(a.now()) // before anybody can send because of the answer
			tr.take(m)
		}
	}
}

// indicated takes a Data indication (RFC 8656, section 11.4).
func (a *Allocation) indicated(m *stun.Message) {
	if m.Type.Method != stun.MethodData {
		return
	}
	from, ok := addressIn(m, stun.AttrXORPeerAddress)
	data, err := m.Get(stun.AttrData)
	now := a.now()
	if ok && err == nil && from.Addr().IsUnspecified() {
		a.knocked(now, data)
		return
	}
	if !ok || err != nil || len(data) > payloadMax || !a.peers.permitted(now, from.Addr()) {
		return
	}
	a.hear(now)
	a.in.put(from, data)
}

// hear notes that the server works.
func (a *Allocation) hear(now time.Duration) {
	a.heard.Store(int64(now))
	a.spoken.Store(0)
	a.faulty.Store(false)
}

// ReadFromUDPAddrPort is the method of net.UDPConn.
func (a *Allocation) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := a.in.get(b)
	if err != nil {
		err = a.fault("read", err)
	}
	return n, from, err
}

// ReadFrom implements net.PacketConn.
func (a *Allocation) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := a.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// messages are buffers for messages to the server.
var messages = sync.Pool{New: func() any { return new([frameMax]byte) }}

// WriteToUDPAddrPort sends a datagram from the relayed address. It never waits: a datagram
// for which the system has no room is lost. The error wraps ErrNotPermitted if the host has
// no permit, and ErrTooLong for more than 1,500 bytes.
func (a *Allocation) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	select {
	case <-a.done:
		return 0, a.fault("write", net.ErrClosed)
	default:
	}
	if len(b) > payloadMax {
		return 0, a.fault("write", ErrTooLong)
	}
	if to.Addr().Is4In6() {
		to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	}
	now := a.now()
	channel, worth, ok := a.peers.way(now, to)
	if !ok {
		return 0, a.fault("write", ErrNotPermitted)
	}
	if worth {
		a.signal()
	}
	a.spoken.CompareAndSwap(0, int64(now))
	var err error
	if channel == 0 {
		err = a.sendIndication(b, to)
	} else {
		buf := messages.Get().(*[frameMax]byte)
		err = a.leg.send(appendChannel(buf[:0], channel, b, a.leg.reliable()))
		messages.Put(buf)
	}
	if errors.Is(err, net.ErrClosed) {
		return 0, a.fault("write", err)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		a.suspect()
	}
	return len(b), nil
}

// sendIndication sends a datagram to an address without a channel (RFC 8656, section 11.1).
func (a *Allocation) sendIndication(b []byte, to netip.AddrPort) error {
	m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
		peerAddress(to), stun.RawAttribute{Type: stun.AttrData, Value: b})
	if err != nil {
		return err
	}
	return a.leg.send(m.Raw)
}

// WriteTo implements net.PacketConn.
func (a *Allocation) WriteTo(b []byte, to net.Addr) (int, error) {
	addr := addrPortOf(to)
	if !addr.IsValid() {
		return 0, a.fault("write", ErrNotPermitted)
	}
	return a.WriteToUDPAddrPort(b, addr)
}

// SetDeadline implements net.PacketConn.
func (a *Allocation) SetDeadline(t time.Time) error { return a.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (a *Allocation) SetReadDeadline(t time.Time) error {
	if err := a.Err(); err != nil {
		return a.fault("set", net.ErrClosed)
	}
	a.in.setDeadline(t)
	return nil
}

// SetWriteDeadline implements net.PacketConn. Writes do not wait.
func (a *Allocation) SetWriteDeadline(time.Time) error {
	if err := a.Err(); err != nil {
		return a.fault("set", net.ErrClosed)
	}
	return nil
}

// fault names the operation and the address with an error.
func (a *Allocation) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Addr: a.LocalAddr(), Err: err}
}

// A peerAddress is the attribute XOR-PEER-ADDRESS (RFC 8656, section 18.3).
type peerAddress netip.AddrPort

// AddTo adds the attribute to a message.
func (p peerAddress) AddTo(m *stun.Message) error {
	return xorAddress(netip.AddrPort(p)).AddToAs(m, stun.AttrXORPeerAddress)
}

// lifetimeOf returns the attribute LIFETIME (RFC 8656, section 18.2), in seconds.
func lifetimeOf(d time.Duration) stun.Setter {
	return stun.RawAttribute{Type: stun.AttrLifetime,
		Value: binary.BigEndian.AppendUint32(nil, uint32(d/time.Second))}
}
