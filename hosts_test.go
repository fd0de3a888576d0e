package swarmnode

import (
	"context"
	"testing"
)

// Addresses need no lookup; a name that does not exist is reported.
func TestCheckHosts(t *testing.T) {
	var w *Network
	bad := w.CheckHosts(t.Context(), []string{"127.0.0.1:1", "[::1]:2", "no-such-host.invalid:3"})
	if len(bad) != 1 || bad["no-such-host.invalid:3"] == nil {
		t.Errorf("unresolved = %v", bad)
	}
	// A look-up that nobody answers in time says nothing about the name.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if bad := w.CheckHosts(ctx, []string{"no-such-host.invalid:3"}); len(bad) != 0 {
		t.Errorf("unresolved after the end = %v", bad)
	}
}
