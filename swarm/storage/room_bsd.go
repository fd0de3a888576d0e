//go:build darwin || freebsd

package storage

import "golang.org/x/sys/unix"

// roomOf returns the file system of path, how many bytes this process may still write there,
// and how large it is.
func roomOf(path string) (system fileSystem, free, total int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return fileSystem{}, 0, 0, err
	}
	system = fileSystem{uint64(st.Fsid.Val[0]), uint64(st.Fsid.Val[1])}
	size := int64(st.Bsize)
	return system, max(int64(st.Bavail), 0) * size, int64(st.Blocks) * size, nil
}
