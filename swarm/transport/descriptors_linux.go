package transport

import (
	"math"

	"golang.org/x/sys/unix"
)

// DescriptorsMax returns how many files and sockets the process may have open. The Go
// runtime raises the soft limit to the hard one at the start of the program.
func DescriptorsMax() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return math.MaxInt32
	}
	return int(min(r.Cur, math.MaxInt32))
}
