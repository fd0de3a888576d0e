package storage

import (
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// linkNew gives the file name of one disk a second name on another. The folders are opened
// first, so that a link put in their place cannot lead out of the roots.
func linkNew(a *osDisk, name string, b *osDisk, newName string) error {
	old, err := a.root.Open(filepath.FromSlash(path.Dir(name)))
	if err != nil {
		return err
	}
	defer old.Close()
	if err := b.makeDir(path.Dir(newName)); err != nil {
		return err
	}
	folder, err := b.root.Open(filepath.FromSlash(path.Dir(newName)))
	if err != nil {
		return err
	}
	defer folder.Close()
	return unix.Linkat(int(old.Fd()), path.Base(name), int(folder.Fd()), path.Base(newName), 0)
}

func (f *osFile) cloneFrom(from file) error {
	source, ok := from.(*osFile)
	if !ok {
		return unix.EXDEV
	}
	return ignoringEINTR(func() error { return unix.IoctlFileClone(f.fd, source.fd) })
}

func (f *osFile) startWriting(off, n int64) {
	_ = unix.SyncFileRange(f.fd, off, n, unix.SYNC_FILE_RANGE_WRITE) // advice only
}

func (f *osFile) forgetCache() {
	_ = unix.Fadvise(f.fd, 0, 0, unix.FADV_DONTNEED) // advice only
}
