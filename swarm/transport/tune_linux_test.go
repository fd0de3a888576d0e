package transport

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTune: streams of both sides carry the options, and their buffers are
// left to the system.
func TestTune(t *testing.T) {
	p := listenPair(t, loopback)
	dialled, err := TCP{}.Dial(t.Context(), p.AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	defer dialled.Close()
	accepted, err := p.TCP.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	for side, conn := range map[string]net.Conn{"dialled": dialled, "accepted": accepted} {
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		for _, option := range []struct {
			name        string
			level, code int
			want        int
		}{
			{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
			{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT,
				int(UserTimeout.Milliseconds())},
			{"TCP_NOTSENT_LOWAT", unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, NotSentLowat},
			{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0},
		} {
			var got int
			var failed error
			if err := raw.Control(func(fd uintptr) {
				got, failed = unix.GetsockoptInt(int(fd), option.level, option.code)
			}); err != nil {
				t.Fatal(err)
			}
			if failed != nil || got != option.want {
				t.Errorf("%s, %s: %d, %v; want %d", side, option.name, got, failed, option.want)
			}
		}
	}
}
