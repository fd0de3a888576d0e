package storage

import (
	"hash/fnv"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// roomOf returns the volume of path, how many bytes this process may still write there, and
// how large it is.
func roomOf(path string) (system fileSystem, free, total int64, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return fileSystem{}, 0, 0, err
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return fileSystem{}, 0, 0, err
	}
	var usable, size uint64
	if err := windows.GetDiskFreeSpaceEx(name, &usable, &size, nil); err != nil {
		return fileSystem{}, 0, 0, err
	}
	volume := make([]uint16, windows.MAX_PATH+1)
	if err := windows.GetVolumePathName(name, &volume[0], uint32(len(volume))); err != nil {
		return fileSystem{}, 0, 0, err
	}
	h := fnv.New64a()
	h.Write([]byte(windows.UTF16ToString(volume)))
	return fileSystem{h.Sum64()}, int64(usable), int64(size), nil
}
