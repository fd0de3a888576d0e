//go:build !linux && !darwin && !freebsd && !windows

package storage

import "errors"

// roomOf knows nothing here.
func roomOf(string) (system fileSystem, free, total int64, err error) {
	return fileSystem{}, 0, 0, errors.ErrUnsupported
}
