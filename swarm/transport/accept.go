package transport

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// How long Serve pauses when it cannot accept streams because the system is short of
// something, most likely of descriptors. The pauses leave time for others to close some,
// without spinning and without a long absence.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// Serve accepts streams and calls handle with each, until l is closed or ctx ends, which
// closes l. handle must not block; it owns the stream. A shortage of descriptors or memory
// makes Serve pause and go on, and so does a peer that gives up before it is accepted. The
// error is nil after a Close. Otherwise it says why l can no longer be used.
func Serve(ctx context.Context, l Listener, handle func(net.Conn)) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	pause := acceptPauseMin
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = acceptPauseMin
			handle(conn)
			continue
		case errors.Is(err, net.ErrClosed), ctx.Err() != nil:
			return nil
		case !passing(err):
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, acceptPauseMax)
	}
}

// passing reports whether an error of Accept says nothing about the listener
// itself.
func passing(err error) bool {
	for _, errno := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED,
		syscall.EINTR, syscall.EPERM, // a firewall's verdict on one stream
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
