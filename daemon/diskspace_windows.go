package daemon

import (
	"io/fs"
	"math"

	"golang.org/x/sys/windows"
)

func diskSpace(dir string) (free, total int64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, &fs.PathError{Op: "free space", Path: dir, Err: err}
	}
	var available, all uint64
	if err := windows.GetDiskFreeSpaceEx(name, &available, &all, nil); err != nil {
		return 0, 0, &fs.PathError{Op: "free space", Path: dir, Err: err}
	}
	return int64(min(available, math.MaxInt64)), int64(min(all, math.MaxInt64)), nil
}
