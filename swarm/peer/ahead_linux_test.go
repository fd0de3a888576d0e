package peer

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func aheadNow(t *testing.T, conn net.Conn) (bytes int) {
	t.Helper()
	var failed error
	err := socketOf(conn).Control(func(fd uintptr) {
		bytes, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT)
	})
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	return bytes
}
