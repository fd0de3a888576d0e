//go:build unix

package statefile

import (
	"os"
	"syscall"
)

// openFlags keep the opening of what has just become a link or a pipe from
// following the one and waiting for the other.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// Shared reports whether other users than the one that the process runs as, and
// root, may put files into the folder dir.
func Shared(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	const groupAndOthersWrite = 0o022
	sys, ok := info.Sys().(*syscall.Stat_t)
	return info.Mode().Perm()&groupAndOthersWrite != 0 ||
		ok && sys.Uid != 0 && int(sys.Uid) != os.Geteuid()
}
