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
type fileID struct {
	device, number uint64
	changed        int64 // also by a new name, Unix nanoseconds
}

func idOf(info fs.FileInfo) fileID {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{sys.Dev, sys.Ino, sys.Ctim.Nano()}
	}
	return fileID{}
}

// settledAge is how old the last change of a file must be for its time to identify the
// file: far more than the clocks of servers usually differ.
const settledAge = 10 * time.Second

// matches reports whether a and b are the same file, given that b was found at the time
// when. A file that was renamed to take the place of another has another number, and
// the renaming changed it. Some network file systems give a file another number now and
// then; a new hard link changes a file.
func (a fileID) matches(b fileID, when time.Time) bool {
	return a.device == b.device && a.number == b.number ||
		a.changed == b.changed && b.changed < when.Add(-settledAge).UnixNano()
}

// descriptorsMax returns how many files and sockets the process may have open.
func descriptorsMax() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return descriptorsUnknown
	}
	return int(min(r.Cur, descriptorsUnknown))
}
