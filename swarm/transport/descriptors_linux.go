package transport

import (
	"math"

	"golang.org/x/sys/unix"
)

// DescriptorsMax returns how many files and sockets the process may have open;
// as a rule the soft limit was raised to the hard one when the program started.
func DescriptorsMax() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return math.MaxInt32
	}
	return int(min(r.Cur, math.MaxInt32))
}
