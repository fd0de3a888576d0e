//go:build unix && !linux

package metainfo

import (
	"io/fs"
	"syscall"
	"time"
)

// openFlags keep the opening of a file that has just become a pipe from waiting for the
// other end of the pipe.
const openFlags = syscall.O_NONBLOCK

// A fileID distinguishes the files of a machine that exist at the same time.
type fileID struct{ device, number uint64 }

func idOf(info fs.FileInfo) fileID {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{uint64(sys.Dev), uint64(sys.Ino)}
	}
	return fileID{}
}

func (a fileID) matches(b fileID, _ time.Time) bool { return a == b }

// descriptorsMax returns how many files and sockets the process may have open.
func descriptorsMax() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return descriptorsUnknown
	}
	return int(min(r.Cur, descriptorsUnknown))
}
