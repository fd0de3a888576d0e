package utp

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// TestErrorsAreThoseOfTCP: whoever knows how TCP connections end knows how these end.
func TestErrorsAreThoseOfTCP(t *testing.T) {
	for err, errno := range map[error]syscall.Errno{
		ErrRefused: syscall.ECONNREFUSED, ErrReset: syscall.ECONNRESET,
		ErrAborted: syscall.ECONNABORTED, ErrTimeout: syscall.ETIMEDOUT,
	} {
		wrapped := error(&net.OpError{Op: "read", Net: "utp", Err: err})
		if !errors.Is(wrapped, err) || !errors.Is(wrapped, errno) {
			t.Errorf("%v is %v: %v, is %v: %v", wrapped, err, errors.Is(wrapped, err), errno,
				errors.Is(wrapped, errno))
		}
		timeout, ok := errors.AsType[net.Error](err)
		if !ok || timeout.Timeout() != (errno == syscall.ETIMEDOUT) {
			t.Errorf("%v is a timeout: %v", err, ok && timeout.Timeout())
		}
	}
}
