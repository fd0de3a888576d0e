package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

const (
	// attemptDelay is how long an attempt to connect goes on alone before the next address of
	// the name is tried as well (RFC 8305, section 5, "Connection Attempt Delay").
	attemptDelay = 250 * time.Millisecond
	// attemptsMax bounds the addresses of a name that are tried.
	attemptsMax = 8
	// keepAlive is the time between probes of idle connections to servers.
	keepAlive = 30 * time.Second
)

// DialTCP connects to an address over TCP, through the proxy if there is one, within the time
// of ctx. local is the address to connect from; the zero Addr leaves the choice to the
// system, and a proxy does not use it. The stream sends no keep-alives.
func (n *Net) DialTCP(ctx context.Context, local netip.Addr, to netip.AddrPort) (net.Conn, error) {
	return n.dialTCP(ctx, local, to, -1)
}

func (n *Net) dialTCP(ctx context.Context, local netip.Addr, to netip.AddrPort,
	keepAlive time.Duration) (net.Conn, error) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if proxy := n.Proxy(); proxy != nil {
		if !n.Family().Has(to.Addr()) {
			return nil, dialError("tcp", to, ErrFamily)
		}
		return proxy.DialTCP(ctx, to.Addr().String(), to.Port())
	}
	if err := n.allow(to.Addr()); err != nil {
		return nil, dialError("tcp", to, err)
	}
	d := net.Dialer{KeepAlive: keepAlive}
	if n.Device() != "" {
		d.Control = n.control
	}
	if local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	return d.DialContext(ctx, "tcp", to.String())
}

// dialError returns the error of an attempt that was not made, in the form of the net
// package's.
func dialError(network string, to netip.AddrPort, err error) error {
	return &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(to), Err: err}
}

// DialUDP returns a UDP socket that is connected to an address. local is as for DialTCP.
// Behind a proxy the error is ErrProxied: see Proxy.
func (n *Net) DialUDP(local netip.Addr, to netip.AddrPort) (net.Conn, error) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if n.Proxy() != nil {
		return nil, dialError("udp", to, ErrProxied)
	}
	if err := n.allow(to.Addr()); err != nil {
		return nil, dialError("udp", to, err)
	}
	var d net.Dialer
	if n.Device() != "" {
		d.Control = n.control
	}
	if local.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	return d.DialContext(context.Background(), "udp", to.String()) // it waits for nothing
}

// A Host is a server to connect to.
type Host struct {
	Name   string // a name or an address
	Port   uint16
	Family Family
	// Local returns the address to connect to another address from; the zero Addr leaves the
	// choice to the system. It may be nil.
	Local func(remote netip.Addr) netip.Addr
	// Check returns an error for an address that must not be connected to. It is called for
	// every address, after the name was looked up. It may be nil.
	Check func(netip.AddrPort) error
	// CheckName returns an error for a host, a name or an address, that the proxy must not be
	// asked for. It may be nil.
	CheckName func(host string) error
}

// DialHost connects to a host over TCP, within the time of ctx. A name is looked up in both
// families at once, and its addresses are tried in turns of the families, each after
// attemptDelay or once the one before has failed; the first connection counts (RFC 8305,
// "Happy Eyeballs Version 2"). A proxy gets the name as it is, and looks it up itself, so the
// address is not checked: CheckName is.
func (n *Net) DialHost(ctx context.Context, h Host) (net.Conn, error) {
	if n.Proxy() != nil {
		if h.CheckName != nil {
			if err := h.CheckName(h.Name); err != nil {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
			}
		}
		return n.Proxy().DialTCP(ctx, h.Name, h.Port)
	}
	ip, err := netip.ParseAddr(h.Name)
	ips := []netip.Addr{ip}
	if err != nil {
		if ips, err = n.lookup(ctx, h.Family, h.Name); err != nil {
			return nil, err
		}
	}
	r := race{n: n, host: &h, ctx: ctx}
	return r.run(ips[:min(len(ips), attemptsMax)])
}

// A race is the attempts to connect to the addresses of one host.
type race struct {
	n    *Net
	host *Host
	ctx  context.Context
}

// A lap is the outcome of one attempt.
type lap struct {
	conn net.Conn
	err  error
}

// run tries ips, and returns the first connection. The error is that of the attempt that
// says most: a family that this machine does not have says little.
func (r *race) run(ips []netip.Addr) (net.Conn, error) {
	ctx, cancel := context.WithCancel(r.ctx)
	laps := make(chan lap, len(ips))
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	var failed error
	ended := r.ctx.Done()
	next := time.NewTimer(0)
	defer next.Stop()
	for running := 0; running > 0 || len(ips) > 0; {
		due := next.C
		if len(ips) == 0 {
			due = nil
		}
		select {
		case <-due:
			ip := ips[0]
			ips = ips[1:]
			running++
			wait.Go(func() { laps <- r.attempt(ctx, ip) })
			next.Reset(attemptDelay)
		case l := <-laps:
			running--
			if l.err == nil {
				cancel()
				r.close(&wait, laps)
				return l.conn, nil
			}
			if failed == nil || unreachable(failed) {
				failed = l.err
			}
			next.Reset(0)
		case <-ended:
			ips, ended = nil, nil // the attempts that run end as well
		}
	}
	if failed == nil {
		failed = &net.OpError{Op: "dial", Net: "tcp", Err: r.ctx.Err()}
	}
	return nil, failed
}

// close waits for the attempts that still run, and closes what they have connected.
func (r *race) close(wait *sync.WaitGroup, laps chan lap) {
	wait.Wait()
	for {
		select {
		case l := <-laps:
			if l.conn != nil {
				l.conn.Close()
			}
		default:
			return
		}
	}
}

// attempt connects to one address.
func (r *race) attempt(ctx context.Context, ip netip.Addr) lap {
	to := netip.AddrPortFrom(ip.Unmap(), r.host.Port)
	if !r.host.Family.Has(ip) {
		return lap{err: dialError("tcp", to, ErrFamily)}
	}
	if r.host.Check != nil {
		if err := r.host.Check(to); err != nil {
			return lap{err: dialError("tcp", to, err)}
		}
	}
	var local netip.Addr
	if r.host.Local != nil {
		local = r.host.Local(to.Addr())
	}
	conn, err := r.n.dialTCP(ctx, local, to, keepAlive)
	return lap{conn, err}
}

// unreachable reports whether an attempt failed because this machine has no way to a
// network, as without a family.
func unreachable(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, ErrFamily)
}
