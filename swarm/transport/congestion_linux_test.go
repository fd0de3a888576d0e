package transport

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"swarmnode/internal/realclient"
)

// TestKeepPace: a stream between addresses that count as public has BBR, if the system
// allows it.
func TestKeepPace(t *testing.T) {
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
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	name := func() (name string) {
		raw.Control(func(fd uintptr) {
			name, err = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
		})
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	before := name()
	set := KeepPace(covered{conn})
	switch after := name(); {
	case set && after != "bbr":
		t.Errorf("KeepPace reports true, but the stream has %s", after)
	case !set && after != before:
		t.Errorf("KeepPace reports false, but %s has become %s", before, after)
	case !set:
		t.Skip("the system allows no BBR")
	}
}
