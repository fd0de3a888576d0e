package swarm

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"syscall"

	"swarmnode/swarm/core"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/wire"
)

// faultOf says in the words of the core how a dial came to nothing.
func faultOf(err error) core.DialFault {
	is := func(these ...error) bool {
		for _, each := range these {
			if errors.Is(err, each) {
				return true
			}
		}
		return false
	}
	_, protocol := errors.AsType[wire.ProtocolError](err)
	switch {
	case is(errBanned):
		return core.FaultBanned
	case is(syscall.ECONNREFUSED):
		return core.FaultRefused
	case is(os.ErrDeadlineExceeded, context.DeadlineExceeded, syscall.ETIMEDOUT):
		return core.FaultTimeout
	case is(syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EADDRNOTAVAIL, syscall.EACCES,
		syscall.EPERM):
		return core.FaultUnreachable
	case is(peer.ErrOtherHash):
		return core.FaultOtherTorrent
	case protocol:
		return core.FaultProtocol
	case is(peer.ErrHungUp, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE):
		return core.FaultHungUp
	}
	return core.FaultOther
}

// findOwn notes the addresses at which the engine is reached, as far as this
// machine knows them.
func (e *Engine) findOwn() {
	machine := ownAddresses()
	var own []netip.AddrPort
	for _, addr := range e.Addrs() {
		if !addr.Addr().IsUnspecified() {
			own = append(own, addr)
			continue
		}
		for ip := range machine {
			if ip.Is4() == addr.Addr().Is4() {
				own = append(own, netip.AddrPortFrom(ip, addr.Port()))
			}
		}
	}
	e.own.Store(&own)
}
