package tracker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"
)

// The cause of an announce that failed says nothing of the URL.
func TestCauseOf(t *testing.T) {
	lost := &url.Error{Op: "Get", URL: "http://x/secret", Err: &net.OpError{Op: "dial",
		Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}
	for err, want := range map[error]string{
		context.DeadlineExceeded:                                 "no answer",
		fmt.Errorf("announcing to x: %w", errors.New("no good")): "no good",
		fmt.Errorf("announcing to x: %w", &url.Error{Op: "Get", URL: "http://x/secret",
			Err: errors.New("bad redirect")}): "bad redirect",
		fmt.Errorf("announcing to x: %w", lost): syscall.ECONNREFUSED.Error(),
		fmt.Errorf("announcing to x: %w", &Failure{Reason: "not registered"}): "refused us: " +
			"not registered",
	} {
		if got := (Report{Err: err}).Cause().Error(); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
