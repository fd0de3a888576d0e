//go:build !linux && !darwin && !freebsd && !windows

package daemon

import (
	"errors"
	"io/fs"
)

func diskSpace(dir string) (free, total int64, err error) {
	return 0, 0, &fs.PathError{Op: "free space", Path: dir, Err: errors.ErrUnsupported}
}
