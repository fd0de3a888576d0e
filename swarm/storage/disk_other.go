//go:build !linux

package storage

import (
	"io/fs"
	"os"
)

const openFlags = 0

// iovMax bounds the buffers that are written in one go.
const iovMax = 64

// osFile is a regular file of the operating system.
type osFile struct{ *os.File }

func newOSFile(f *os.File) file { return osFile{f} }

func (f osFile) pwritev(bufs [][]byte, off int64) error {
	for _, b := range bufs {
		if _, err := f.WriteAt(b, off); err != nil {
			return err
		}
		off += int64(len(b))
	}
	return nil
}

func (f osFile) pread(p []byte, off int64) error { return preadFull(f.File, p, off) }

func (f osFile) resize(size int64) error  { return f.Truncate(size) }
func (f osFile) reserve(size int64) error { return f.Truncate(size) }

func (f osFile) sync(late func() bool) error {
	if late() {
		return os.ErrDeadlineExceeded
	}
	return f.Sync()
}

func (f osFile) nextData(off, size int64) int64 { return off }

func (f osFile) willRead(off, n int64) {}

func (f osFile) stat() (fileStat, error) {
	info, err := f.Stat()
	if err != nil {
		return fileStat{}, err
	}
	return statOf(info), nil
}

func (f osFile) close() error { return f.Close() }

func statOf(info fs.FileInfo) fileStat {
	return fileStat{mode: info.Mode(), size: info.Size(), mtime: info.ModTime().UnixNano(),
		room: info.Size()}
}

// lockFile does nothing: the lock only guards against mistakes, and these
// systems have no portable lock that ends with the process.
func lockFile(*os.File, lockKind) error { return nil }

func renameNew(d *osDisk, from string, other *osDisk, to string) error {
	return renameChecked(d, from, other, to)
}

func descriptorsLimit() int { return descriptorsUnknown }

// tryUnnamed does nothing here.
func tryUnnamed(*osDisk, string) (tried bool, err error) { return false, nil }
