package storage

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openFlags keep open from blocking on a file that has become a pipe.
const openFlags = syscall.O_NONBLOCK

// iovMax bounds the buffers of one pwritev; the kernel takes 1,024.
const iovMax = 64

// osFile is a regular file of the operating system.
type osFile struct {
	*os.File
	fd int
}

func newOSFile(f *os.File) file { return &osFile{f, int(f.Fd())} }

// iovecs keeps the vectors of pwritev, so that a write allocates none.
var iovecs = sync.Pool{New: func() any { return new([iovMax]unix.Iovec) }}

func (f *osFile) pwritev(bufs [][]byte, off int64) error {
	if len(bufs) == 1 {
		_, err := f.WriteAt(bufs[0], off)
		return err
	}
	vec := iovecs.Get().(*[iovMax]unix.Iovec)
	defer iovecs.Put(vec)
	defer clear(vec[:])
	skip := 0 // bytes of bufs[0] that are written already
	for len(bufs) > 0 {
		n := min(len(bufs), iovMax)
		for i, b := range bufs[:n] {
			if i == 0 {
				b = b[skip:]
			}
			vec[i].Base = unsafe.SliceData(b)
			vec[i].SetLen(len(b))
		}
		done, _, errno := unix.Syscall6(unix.SYS_PWRITEV, uintptr(f.fd),
			uintptr(unsafe.Pointer(vec)), uintptr(n),
			uintptr(off), 0, 0)
		switch {
		case errno == unix.EINTR:
			continue
		case errno != 0:
			return errno
		case done == 0: // a regular file takes at least a byte, or says why not
			return unix.EIO
		}
		off += int64(done)
		bufs, skip = passOver(bufs, skip, int(done))
	}
	return nil
}

// passOver skips n more bytes of bufs, after skip bytes of its first element. It returns
// the rest in the same form.
func passOver(bufs [][]byte, skip, n int) (rest [][]byte, restSkip int) {
	skip += n
	for len(bufs) > 0 && skip >= len(bufs[0]) {
		skip -= len(bufs[0])
		bufs = bufs[1:]
	}
	return bufs, skip
}

func (f *osFile) pread(p []byte, off int64) error { return preadFull(f.File, p, off) }

func (f *osFile) resize(size int64) error { return f.Truncate(size) }

func (f *osFile) reserve(size int64) error {
	err := ignoringEINTR(func() error { return unix.Fallocate(f.fd, 0, 0, size) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return f.resize(size)
	}
	return err
}

// syncPortion is how many bytes are synced at once: a slow disk needs a third of
// a second for them.
const syncPortion = 32 << 20

func (f *osFile) sync(late func() bool) error {
	if err := f.syncPortions(late); err != nil {
		return err
	}
	err := ignoringEINTR(func() error { return unix.Fdatasync(f.fd) })
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EROFS) { // nothing can be written there
		return nil
	}
	return err
}

// syncPortions writes the data out in portions. It does not replace fdatasync,
// but leaves little for fdatasync to do.
func (f *osFile) syncPortions(late func() bool) error {
	st, err := f.stat()
	const how = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE |
		unix.SYNC_FILE_RANGE_WAIT_AFTER
	for at := int64(0); err == nil && at < st.size; at += syncPortion {
		if late() {
			return os.ErrDeadlineExceeded
		}
		err = ignoringEINTR(func() error { return unix.SyncFileRange(f.fd, at, syncPortion, how) })
		if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ESPIPE) ||
			errors.Is(err, unix.EINVAL) {
			return nil
		}
	}
	return err
}

func (f *osFile) nextData(off, size int64) int64 {
	at, err := unix.Seek(f.fd, off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO): // nothing but a hole up to the end
		return size
	case err != nil: // the file system does not know holes: everything is data
		return off
	}
	return min(at, size)
}

func (f *osFile) willRead(off, n int64) {
	_ = unix.Fadvise(f.fd, off, n, unix.FADV_WILLNEED) // advice only
}

func (f *osFile) stat() (fileStat, error) {
	var st unix.Stat_t
	if err := ignoringEINTR(func() error { return unix.Fstat(f.fd, &st) }); err != nil {
		return fileStat{}, err
	}
	return fileStat{
		size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
		room: st.Blocks * statBlock, sparse: st.Blocks*statBlock < st.Size,
	}, nil
}

func (f *osFile) close() error { return f.Close() }

// statBlock is the unit of Stat_t.Blocks, in bytes.
const statBlock = 512

// roomOf returns the file system of path, how many bytes this process may still write there,
// and how large it is.
func roomOf(path string) (system fileSystem, free, total int64, err error) {
	var st unix.Statfs_t
	if err := ignoringEINTR(func() error { return unix.Statfs(path, &st) }); err != nil {
		return fileSystem{}, 0, 0, err
	}
	if st.Blocks == 0 {
		return fileSystem{}, 0, 0, errors.ErrUnsupported // some have no limit
	}
	system = fileSystem{uint64(st.Fsid.Val[0]), uint64(st.Fsid.Val[1])}
	size := int64(st.Frsize) // it has 32 bits on some
	return system, int64(st.Bavail) * size, int64(st.Blocks) * size, nil
}

// statOf returns the state of a file that info describes.
func statOf(info fs.FileInfo) fileStat {
	st := fileStat{mode: info.Mode(), size: info.Size(), mtime: info.ModTime().UnixNano(),
		room: info.Size(), sparse: true}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.room, st.sparse = sys.Blocks*statBlock, sys.Blocks*statBlock < sys.Size
		st.ctime = sys.Ctim.Nano()
	}
	return st
}

// lockFile locks f without waiting. On file systems without locks (some network file
// systems) it does nothing.
func lockFile(f *os.File, how lockKind) error {
	mode := unix.LOCK_EX
	if how == lockLook {
		mode = unix.LOCK_SH
	}
	err := ignoringEINTR(func() error { return unix.Flock(int(f.Fd()), mode|unix.LOCK_NB) })
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return ErrInUse
	case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOSYS),
		errors.Is(err, unix.EINVAL), errors.Is(err, unix.EBADF):
		return nil
	}
	return err
}

// renameNew renames from one disk to another, unless to exists. The folders are opened
// first, so that a link put in their place cannot lead out of the roots.
func renameNew(d *osDisk, from string, other *osDisk, to string) error {
	old, err := d.root.Open(filepath.FromSlash(path.Dir(from)))
	if err != nil {
		return err
	}
	defer old.Close()
	folder, err := other.root.Open(filepath.FromSlash(path.Dir(to)))
	if err != nil {
		return err
	}
	defer folder.Close()
	err = unix.Renameat2(int(old.Fd()), path.Base(from), int(folder.Fd()), path.Base(to),
		unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return renameChecked(d, from, other, to)
	}
	return err
}

// tryUnnamed reports by its error whether a file can be made in a folder. The file has no
// name, so that a process that is killed leaves nothing behind. tried is false where the
// file system has no such files.
func tryUnnamed(d *osDisk, name string) (tried bool, err error) {
	folder, err := d.root.Open(filepath.FromSlash(name))
	if err != nil {
		return true, err
	}
	defer folder.Close()
	var fd int
	err = ignoringEINTR(func() (err error) {
		fd, err = unix.Openat(int(folder.Fd()), ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC,
			0o600)
		return err
	})
	switch {
	case err == nil:
		return true, unix.Close(fd)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENOENT),
		errors.Is(err, unix.EINVAL):
		return false, nil
	}
	return true, err
}

func ignoringEINTR(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// descriptorsLimit returns how many descriptors the process may hold.
func descriptorsLimit() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return descriptorsUnknown
	}
	return int(min(r.Cur, 1<<20))
}
