package transport

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"swarmnode/internal/realclient"
)

// TestWatch: a stream between addresses that count as public is watched, and can be
// given BBR where the system allows that. A clean path changes nothing.
func TestWatch(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	l, err := net.Listen("tcp", "11.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	path := new(Uplink).Watch(covered{conn})
	if path == nil {
		t.Fatal("the stream is not watched")
	}
	name := func() (name string) {
		path.socket.raw.Control(func(fd uintptr) {
			name, err = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
		})
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	before, now := name(), time.Now()
	for i := range 8 {
		path.Sent(now.Add(time.Duration(i) * lookEvery))
	}
	if after := name(); after != before {
		t.Errorf("%s has become %s on a clean path", before, after)
	}
	c, ok := path.socket.condition()
	if !ok || c.rtt <= 0 || c.rttMin <= 0 || c.rttMin > time.Second {
		t.Errorf("the system says %+v, %v", c, ok)
	}
	path.socket.keepPace()
	if after := name(); after != "bbr" {
		t.Skipf("the system allows no BBR: %s stays", after)
	}
	conn.Close()
	path.Sent(now.Add(time.Hour)) // does nothing
}

// TestUplinkPaces: a stream that is held gets a rate from the system, and any rate when it is
// let go. Nothing is watched where nothing may be changed.
func TestUplinkPaces(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	l, err := net.Listen("tcp", "11.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	path := NewUplink(UplinkConfig{SystemCongestion: true}).Watch(conn)
	if path == nil {
		t.Fatal("the stream is not watched")
	}
	for _, rate := range []float64{50_000, 12e6, 0} {
		path.flow.hold(rate)
		var got uint64
		path.socket.raw.Control(func(fd uintptr) {
			got, err = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE)
		})
		want := uint64(rate)
		if rate == 0 {
			want = ^uint64(0)
		}
		if err != nil || got != want {
			t.Errorf("the system holds the stream to %d (%v), want %d", got, err, want)
		}
	}
	if NewUplink(UplinkConfig{SystemCongestion: true, Greedy: true}).Watch(conn) != nil {
		t.Error("a stream is watched although nothing may be changed")
	}
}
