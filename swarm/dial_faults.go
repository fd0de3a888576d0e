package swarm

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"swarmnode/swarm/core"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/wire"
)

// faultOf returns the word of the core for the outcome of a dial.
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
