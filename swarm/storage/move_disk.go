package storage

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"swarmnode/metainfo"
)

// A movableDisk is the disk that the content of one Store lies on now. It is safe for
// concurrent use: an operation that has begun ends on the disk that it began on.
type movableDisk struct {
	mu  sync.RWMutex
	now disk
}

// current returns the disk that d stands for now.
func (d *movableDisk) current() disk {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.now
}

// exchange makes d stand for another disk, and returns the one before.
func (d *movableDisk) exchange(now disk) (before disk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before, d.now = d.now, now
	return before
}

func (d *movableDisk) open(name string, mode openMode) (file, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.now.open(name, mode)
}

func (d *movableDisk) stat(name string) (fileStat, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.now.stat(name)
}

func (d *movableDisk) names() metainfo.NameRule { return d.current().names() }

func (d *movableDisk) makeDir(name string) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.now.makeDir(name)
}

func (d *movableDisk) syncFolder(name string) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.now.syncFolder(name)
}

func (d *movableDisk) rename(from, to string) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.now.rename(from, to)
}

func (d *movableDisk) remove(name string) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.now.remove(name)
}

func (d *movableDisk) list(name string, max int) ([]fs.DirEntry, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.now.list(name, max)
}

func (d *movableDisk) tryFolder(name string) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.now.tryFolder(name)
}

func (d *movableDisk) lock(name string, how lockKind) (io.Closer, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.now.lock(name, how)
}

func (d *movableDisk) path(name string) string { return d.current().path(name) }

func (d *movableDisk) close() error { return d.current().close() }

// A systemDisk is a disk of the operating system, by which content is moved from disk to
// disk. Other disks, which are those of tests, copy.
type systemDisk interface{ system() *osDisk }

func (d *osDisk) system() *osDisk { return d }

// systemDisks returns both disks; ok is false if one is not of the operating system.
func systemDisks(a, b disk) (from, to *osDisk, ok bool) {
	x, okA := a.(systemDisk)
	y, okB := b.(systemDisk)
	if !okA || !okB {
		return nil, nil, false
	}
	return x.system(), y.system(), true
}

// renameAcross gives a file or folder of one disk a name on another, which must be free.
// The error is syscall.EXDEV if they are on different devices.
func renameAcross(from disk, name string, to disk, newName string) error {
	a, b, ok := systemDisks(from, to)
	if !ok {
		return syscall.EXDEV
	}
	err := renameNew(a, name, b, newName)
	if errors.Is(err, fs.ErrExist) {
		return &Error{"move to", b.path(newName), ErrExists}
	}
	return err
}

// linkAcross gives a file of one disk a second name on another. If it returns an error,
// the file has to be copied.
func linkAcross(from disk, name string, to disk, newName string) error {
	a, b, ok := systemDisks(from, to)
	if !ok {
		return syscall.EXDEV
	}
	return linkNew(a, name, b, newName)
}

// keepAttributes gives a copy on d the rights and the time of the last change of the
// original, whose state is st, as far as the file system can.
func keepAttributes(d disk, name string, st fileStat) {
	x, ok := d.(systemDisk)
	if !ok {
		return
	}
	root, name := x.system().root, filepath.FromSlash(name)
	_ = root.Chmod(name, st.mode.Perm())
	_ = root.Chtimes(name, time.Time{}, time.Unix(0, st.mtime))
}

// removeTree removes a file, or a folder and all that is in it, which this program alone
// has made.
func removeTree(d disk, name string) error {
	if x, ok := d.(systemDisk); ok {
		return wrap("remove", d.path(name), x.system().root.RemoveAll(filepath.FromSlash(name)))
	}
	return removeTreeBy(d, name)
}

// removeTreeBy is removeTree by the operations of a disk.
func removeTreeBy(d disk, name string) error {
	st, err := d.stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && st.mode.IsDir() {
		var entries []fs.DirEntry
		entries, err = d.list(name, metainfo.FilesMax)
		for _, entry := range entries {
			err = errors.Join(err, removeTreeBy(d, name+"/"+entry.Name()))
		}
	}
	if err != nil {
		return err
	}
	return d.remove(name)
}

// A cloner is a file that can share the data of another one.
type cloner interface{ cloneFrom(from file) error }

// cloneFile makes to share the data of from, where the file system can. It reports
// whether it did.
func cloneFile(to, from file) bool {
	x, ok := to.(cloner)
	return ok && x.cloneFrom(from) == nil
}

// forgetCache makes the system read f from its device the next time, as far as that
// can be had.
func forgetCache(f file) {
	if x, ok := f.(interface{ forgetCache() }); ok {
		x.forgetCache()
	}
}

// startWriting makes the system write n bytes of f out soon, so that syncing finds little
// to do.
func startWriting(f file, off, n int64) {
	if x, ok := f.(interface{ startWriting(off, n int64) }); ok {
		x.startWriting(off, n)
	}
}

// isAtItsPath reports by its error whether the folder of d still has the path that it was
// opened by.
func isAtItsPath(d disk) error {
	x, ok := d.(systemDisk)
	if !ok {
		return nil
	}
	path := x.system().dir
	named, err := os.Stat(path)
	if err == nil {
		var opened fs.FileInfo
		if opened, err = x.system().root.Stat("."); err == nil && !os.SameFile(named, opened) {
			err = fs.ErrNotExist
		}
	}
	return wrap("move to", path, err)
}

// sameFile reports whether two paths lead to one file or folder.
func sameFile(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}

// liesIn reports whether dir, which need not exist, is the folder top or lies below it.
func liesIn(dir, top string) bool {
	outer, err := os.Stat(top)
	if err != nil || !outer.IsDir() {
		return false
	}
	for {
		if inner, err := os.Stat(dir); err == nil && os.SameFile(inner, outer) {
			return true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return false
		}
		dir = up
	}
}
