//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// UseCubic makes CUBIC the congestion control of the TCP sockets that a process has, and of
// the connections that it accepts on them: as on most machines, where a namespace cannot
// have it by default.
func UseCubic(pid int) error {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("reaching the sockets of %d: %w", pid, err)
	}
	defer unix.Close(process)
	folder := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	list, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range list {
		kind, err := os.Readlink(filepath.Join(folder, e.Name()))
		number, notNumber := strconv.Atoi(e.Name())
		if err != nil || notNumber != nil || !strings.HasPrefix(kind, "socket:") {
			continue // closed meanwhile, or no socket
		}
		ours, err := unix.PidfdGetfd(process, number, 0)
		if errors.Is(err, unix.EBADF) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reaching a socket of %d: %w", pid, err)
		}
		protocol, err := unix.GetsockoptInt(ours, unix.SOL_SOCKET, unix.SO_PROTOCOL)
		if err == nil && protocol == unix.IPPROTO_TCP {
			err = unix.SetsockoptString(ours, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
		}
		unix.Close(ours)
		if err != nil {
			return fmt.Errorf("choosing the congestion control of %d: %w", pid, err)
		}
	}
	return nil
}
