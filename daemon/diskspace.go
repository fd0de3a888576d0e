package daemon

// DiskSpace returns how many bytes of the file system of a folder the daemon may still write,
// and how many the file system has. The error says why that is not known.
func DiskSpace(dir string) (free, total int64, err error) { return diskSpace(dir) }
