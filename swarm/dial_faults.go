package swarm

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"swarmnode/swarm/book"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/wire"
)

// faultOf returns the word of the core for the outcome of a dial.
func faultOf(err error) book.Fault {
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
	case is(errBlocked):
		return book.FaultBlocked
	case is(errNearProxy):
		return book.FaultInward
	case is(errNoWay):
		return book.FaultNoWay
	case is(errBanned):
		return book.FaultBanned
	case is(syscall.ECONNREFUSED):
		return book.FaultRefused
	case is(os.ErrDeadlineExceeded, context.DeadlineExceeded, syscall.ETIMEDOUT):
		return book.FaultTimeout
	case is(syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EADDRNOTAVAIL, syscall.EACCES,
		syscall.EPERM):
		return book.FaultUnreachable
	case is(peer.ErrOtherHash):
		return book.FaultOtherTorrent
	case protocol:
		return book.FaultProtocol
	case is(peer.ErrHungUp, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE):
		return book.FaultHungUp
	}
	return book.FaultOther
}
