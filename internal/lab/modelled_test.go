//go:build linux

package lab

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"swarmnode/internal/realclient"
)

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestModelledLinks: real sockets see the delay, the rate, the queue and the losses of a
// modelled link.
func TestModelledLinks(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	l := OpenModelled(t)
	way := Way{Rate: 20, Delay: 10 * time.Millisecond, Queue: 80 * time.Millisecond}
	lossy := way
	lossy.Loss = 0.03
	home := must(l.Home("home", way, way))(t)
	first := must(home.Inside("first"))(t)
	second := must(home.Inside("second"))(t)
	near := must(l.Modelled("near", Way{}, Way{}))(t)
	unlucky := must(l.Modelled("unlucky", lossy, lossy))(t)
	ctx := t.Context()

	// A busy machine makes everything later and slower. So the bounds are those that the model
	// keeps even then.
	idle := must(second.Ping(ctx, near, 500*time.Millisecond))(t)
	if p := idle.At(0.5); p < 20*time.Millisecond {
		t.Errorf("idle round trip %v, want at least 20 ms", p)
	}
	flow := must(first.Flow(near))(t)
	await(t, "a queue before the uplink", func() bool { return first.Up().Waited > way.Queue/2 })
	busy := must(second.Ping(ctx, near, time.Second))(t)
	if p := busy.At(1); p <= 20*time.Millisecond {
		t.Errorf("round trips beside a flow take up to %v", p)
	}
	rate := must(Rate(ctx, flow.Came, time.Second))(t)
	if rate <= 0 || rate > 1.2*way.Rate {
		t.Errorf("a flow has %.1f Mbit/s on a link of %g", rate, way.Rate)
	}
	flow.Close()
	if up := first.Up(); up.Waited > way.Queue || up.Bytes < flow.Came() {
		t.Errorf("%+v on the uplink, want %d bytes, and a wait of at most %v", up,
			flow.Came(), way.Queue)
	}

	flow = must(unlucky.Flow(near))(t)
	await(t, "losses", func() bool { return unlucky.Up().Lost > 0 })
	flow.Close()
}

// TestHostsUseCubic: connections of a modelled host begin with CUBIC on both ends, whatever
// the machine prefers, and may change.
func TestHostsUseCubic(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	l := OpenModelled(t)
	way := Way{Rate: 20}
	a, b := must(l.Modelled("a", way, way))(t), must(l.Modelled("b", way, way))(t)
	var listener net.Listener
	var dialled net.Conn
	if err := b.Do(func() (err error) {
		listener, err = net.Listen("tcp4", netip.AddrPortFrom(b.Addr, 0).String())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := a.Do(func() (err error) {
		dialled, err = net.Dial("tcp4", listener.Addr().String())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer dialled.Close()
	accepted := must(listener.Accept())(t)
	defer accepted.Close()
	for end, conn := range map[string]net.Conn{"dialled": dialled, "accepted": accepted} {
		raw := must(conn.(*net.TCPConn).SyscallConn())(t)
		var name string
		var asked, set error
		if err := raw.Control(func(fd uintptr) {
			name, asked = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
			set = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
		}); err != nil || asked != nil || set != nil {
			t.Fatal(err, asked, set)
		}
		if name != "cubic" {
			t.Errorf("the %s end uses %q, want cubic", end, name)
		}
	}
}

// await waits for something that is sure to happen, however slowly.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !done(); <-tick.C {
		if time.Since(began) > time.Minute {
			t.Fatalf("timed out: no %s after a minute", what)
		}
	}
}
