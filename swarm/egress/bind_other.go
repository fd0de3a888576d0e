//go:build !linux && !darwin

package egress

import "syscall"

// bindSocket fails: the system has no way to keep a socket to one interface.
func bindSocket(_ syscall.RawConn, device string) error {
	return bindError(device, ErrUnsupported)
}
