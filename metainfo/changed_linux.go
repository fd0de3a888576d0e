package metainfo

import (
	"io/fs"
	"syscall"
	"time"
)

// openFlags keep the opening of what has just become a pipe from waiting for its other
// end.
const openFlags = syscall.O_NONBLOCK

// A fileID tells the files of a machine apart that exist at the same time.
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

// settledAge is how long ago a file was changed when it was found, for the time of that
// to tell it from another: far more than clocks of servers differ as a rule.
const settledAge = 10 * time.Second

// matches reports whether both are of one file, of which b was found at the time when.
// A file that takes the place of another by being renamed has another number, and was
// changed by that. Some file systems over a network give a file another number now and
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
