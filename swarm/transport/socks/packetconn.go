package socks

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

const (
	// A relay that has ended is replaced after again, which doubles with each failure, up to
	// againMax. A relay that lasted for againMax starts from the beginning.
	again    = time.Second
	againMax = 15 * time.Second
	// againNoUDP is the time between two questions to a proxy that relays no datagrams: it
	// may be restarted with other rules.
	againNoUDP = 10 * time.Minute
)

// A PacketConn is a net.PacketConn whose datagrams go through relays of a proxy, to and from
// addresses of both families. When a relay ends, another one takes its place as soon as the
// proxy lends one; until then writes return ErrDown, and reads wait. It is safe for
// concurrent use. ReadFromUDPAddrPort and WriteToUDPAddrPort do not allocate memory.
type PacketConn struct {
	client *Client
	notify func(error)
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu       sync.Mutex
	relay    *Relay        // nil while there is none
	changed  chan struct{} // closed, and replaced, when anything here changes
	deadline time.Time     // of reads
	closed   bool
}

// PacketConn returns a PacketConn, which asks the proxy for a relay from then on. notify is
// called with nil when there is a relay, and with the reason when it has ended or when the
// first attempt brought none; afterwards only if the reason becomes another one. It must not
// block, and may be nil.
func (c *Client) PacketConn(notify func(error)) *PacketConn {
	if notify == nil {
		notify = func(error) {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &PacketConn{client: c, notify: notify, cancel: cancel, changed: make(chan struct{})}
	p.wait.Go(func() { p.keep(ctx) })
	return p
}

// keep asks for one relay after the other until ctx ends.
func (p *PacketConn) keep(ctx context.Context) {
	pause, told := again, ""
	tell := func(err error) {
		if text := textOf(err); text != told {
			told = text
			p.notify(err)
		}
	}
	for ctx.Err() == nil {
		began := time.Now()
		relay, err := p.client.Associate(ctx)
		switch {
		case err == nil:
			if !p.set(relay) {
				relay.Close()
				return
			}
			tell(nil)
			select {
			case <-relay.Done():
			case <-ctx.Done():
			}
			p.set(nil)
			relay.Close()
			err = p.client.fail(errHungUp)
			if time.Since(began) >= againMax {
				pause = again
			}
		case errors.Is(err, ErrNoUDP):
			pause = againNoUDP
		}
		if ctx.Err() != nil {
			return
		}
		tell(err)
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-ctx.Done():
		}
		pause = min(2*pause, againMax)
	}
}

// textOf tells states of a PacketConn apart.
func textOf(err error) string {
	if err == nil {
		return "relay"
	}
	return err.Error()
}

// set makes relay the one to use; it may be nil. It reports false after Close.
func (p *PacketConn) set(relay *Relay) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed && relay != nil {
		return false
	}
	p.relay = relay
	if relay != nil {
		relay.SetReadDeadline(p.deadline)
	}
	p.change()
	return true
}

// change wakes those who wait for a change. p.mu is held.
func (p *PacketConn) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// state returns what a read needs.
func (p *PacketConn) state() (relay *Relay, changed <-chan struct{}, deadline time.Time,
	closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.relay, p.changed, p.deadline, p.closed
}

// Up reports whether there is a relay.
func (p *PacketConn) Up() bool {
	relay, _, _, _ := p.state()
	return relay != nil
}

// Await waits until there is a relay. It reports false if ctx ends before, or the connection
// is closed.
func (p *PacketConn) Await(ctx context.Context) bool {
	for {
		relay, changed, _, closed := p.state()
		if relay != nil || closed {
			return !closed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// ReadFromUDPAddrPort reads the next datagram, and returns who sent it. An IPv4 address is
// returned as such.
func (p *PacketConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		relay, changed, deadline, closed := p.state()
		if closed {
			return 0, netip.AddrPort{}, net.ErrClosed
		}
		if !deadline.IsZero() && time.Until(deadline) <= 0 {
			return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
		}
		if relay == nil {
			await(changed, deadline)
			continue
		}
		n, from, err := relay.Read(b)
		if err == nil {
			return n, from, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			// The relay is at its end. Whatever the error is, its replacement is waited for.
			relay.control.Close()
			if now, _, _, _ := p.state(); now == relay {
				await(changed, deadline)
			}
		}
	}
}

// await waits for a change until a deadline, which may be zero.
func await(changed <-chan struct{}, deadline time.Time) {
	if deadline.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

// ReadFrom implements net.PacketConn. The address is a *net.UDPAddr.
func (p *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.ReadFromUDPAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteToUDPAddrPort sends a datagram. It never waits. Without a relay the error is ErrDown.
func (p *PacketConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	relay, err := p.writable()
	if err != nil {
		return 0, err
	}
	return relay.Write(b, to)
}

// WriteTo implements net.PacketConn. The address must be a *net.UDPAddr.
func (p *PacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	udp, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, &net.AddrError{Err: "not a UDP address", Addr: to.String()}
	}
	return p.WriteToUDPAddrPort(b, udp.AddrPort())
}

// WriteToHost sends a datagram to a port of a host whose name the proxy looks up.
func (p *PacketConn) WriteToHost(b []byte, host string, port uint16) (int, error) {
	relay, err := p.writable()
	if err != nil {
		return 0, err
	}
	return relay.WriteTo(b, host, port)
}

// writable returns the relay to write to.
func (p *PacketConn) writable() (*Relay, error) {
	relay, _, _, closed := p.state()
	switch {
	case closed:
		return nil, net.ErrClosed
	case relay == nil:
		return nil, ErrDown
	}
	return relay, nil
}

// LocalAddr returns the unspecified address of both families without a port: we have no
// address of our own that others could send to.
func (p *PacketConn) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv6unspecified} }

// SetReadDeadline implements net.PacketConn.
func (p *PacketConn) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	p.deadline = t
	if p.relay != nil {
		p.relay.SetReadDeadline(t)
	}
	p.change()
	return nil
}

// SetWriteDeadline does nothing: writes do not wait.
func (p *PacketConn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline implements net.PacketConn.
func (p *PacketConn) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

// Close gives the relay back, and waits for that.
func (p *PacketConn) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return net.ErrClosed
	}
	p.closed = true
	p.change()
	p.mu.Unlock()
	p.cancel()
	p.wait.Wait()
	return nil
}
