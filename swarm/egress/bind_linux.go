package egress

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// bindSocket binds a socket to an interface (SO_BINDTODEVICE, socket(7)): it sends and
// receives there alone. The kernel keeps the number of the interface and not its name.
func bindSocket(c syscall.RawConn, device string) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.BindToDevice(int(fd), device)
	})
	if err == nil {
		err = failed
	}
	return bindError(device, err)
}
