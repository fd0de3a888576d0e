//go:build linux || darwin || freebsd

package daemon

import (
	"errors"
	"io/fs"
	"math"
	"math/bits"

	"golang.org/x/sys/unix"
)

func diskSpace(dir string) (free, total int64, err error) {
	var st unix.Statfs_t
	for {
		if err = unix.Statfs(dir, &st); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	// The types of the fields differ from system to system. A full file system of FreeBSD has
	// a negative number of free blocks for users.
	block := int64(st.Bsize)
	return bytesOf(max(0, int64(st.Bavail)), block), bytesOf(int64(st.Blocks), block), nil
}

// bytesOf returns the bytes of blocks, or the largest number.
func bytesOf(blocks, size int64) int64 {
	if blocks <= 0 || size <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(blocks), uint64(size))
	if high != 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(low)
}
