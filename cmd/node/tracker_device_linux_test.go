package main_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
)

// TestTrackerGoesOn: a tracker on one interface waits while that is gone, and answers again
// at the same ports when it was made again.
func TestTrackerGoesOn(t *testing.T) {
	t.Parallel()
	binary, inside := nodeInNamespace(t)
	if !inside {
		return
	}
	v := newVPN(t, binary)
	ctx, cancel := context.WithTimeout(t.Context(), lanTimeout)
	defer cancel()
	n := v.start(false, "tracker", "--bind-device", "vpn0", "--ipv4", "--port", "0")
	await := func(event, message string) nodeproc.Event {
		t.Helper()
		e, err := n.WaitFor(ctx, event+" "+message, func(e nodeproc.Event) bool {
			return e.Event == event && strings.Contains(e.Raw, message)
		})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	found := regexp.MustCompile(`udp://([0-9.:]+)/`).FindStringSubmatch(
		await("tracker", "udp://172.30.0.2:").Raw)
	at := netip.MustParseAddrPort(found[1])
	v.mustConnect(ctx, at)
	v.ip("link", "del", "vpn0")
	await("warning", "interface vpn0 is gone: waiting for it")
	v.plug()
	await("warning", "interface vpn0 is back")
	v.mustConnect(ctx, at)
}

// mustConnect asks a tracker for a connection id from the host far, by UDP (BEP 15), and
// connects to it by TCP.
func (v *vpn) mustConnect(ctx context.Context, at netip.AddrPort) {
	v.t.Helper()
	if err := v.far.Do(func() error {
		stream, err := net.Dial("tcp4", at.String())
		if err != nil {
			return err
		}
		stream.Close()
		conn, err := net.Dial("udp4", at.String())
		if err != nil {
			return err
		}
		defer conn.Close()
		for ctx.Err() == nil {
			conn.SetDeadline(time.Now().Add(time.Second))
			conn.Write([]byte("\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00test"))
			answer := make([]byte, 100)
			if n, err := conn.Read(answer); err == nil && n == 16 {
				return nil
			}
		}
		return fmt.Errorf("no answer from %v: %w", at, ctx.Err())
	}); err != nil {
		v.t.Fatal(err)
	}
}
