package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"swarmnode/metainfo"
)

// A disk is one download folder. Names are slash-separated and clean. It is
// safe for concurrent use. It is an interface so that tests can put one under
// a Store that fails, forgets or fills up.
type disk interface {
	// open opens a regular file; openCreate and openProgram make it and its
	// folders.
	open(name string, mode openMode) (file, error)
	// stat returns the state of a file, or of the target of a symbolic link. The error
	// is ErrLink for a link that leads out of the folder, or nowhere.
	stat(name string) (fileStat, error)
	// names returns the rule that changes the least of all whose names the file system
	// can hold.
	names() metainfo.NameRule
	// makeDir makes a folder and those above it.
	makeDir(name string) error
	// syncFolder puts the names in a folder on stable storage.
	syncFolder(name string) error
	// rename gives a file or folder another name, which must be free.
	rename(from, to string) error
	// remove removes a file, or an empty folder.
	remove(name string) error
	// list returns at most max entries of a folder.
	list(name string, max int) ([]fs.DirEntry, error)
	// tryFolder reports by its error whether files can be made in a folder.
	tryFolder(name string) error
	// lock locks the existing file or folder name for this Store alone, or sees that
	// no other Store has locked it. The lock ends with the process.
	lock(name string, how lockKind) (io.Closer, error)
	// path returns the name as the user would write it.
	path(name string) string
	close() error
}

// openMode says what a file is opened for.
type openMode uint8

const (
	openRead    openMode = iota // must exist
	openWrite                   // must exist
	openCreate                  // is made if it does not exist
	openProgram                 // is made if it does not exist, and may then be executed
)

// makes reports whether a missing file is made.
func (m openMode) makes() bool { return m >= openCreate }

// perm returns the permissions of a new file, before the umask.
func (m openMode) perm() fs.FileMode {
	if m == openProgram {
		return 0o777
	}
	return 0o666
}

// A file is an open regular file. It is safe for concurrent use.
type file interface {
	// pwritev writes all of bufs, one after the other, from off on.
	pwritev(bufs [][]byte, off int64) error
	// pread fills p from off on. It is ErrShort when the file ends before.
	pread(p []byte, off int64) error
	// resize makes the file size bytes long; reserve also takes room on the
	// disk for them, where the file system can.
	resize(size int64) error
	reserve(size int64) error
	// sync returns when the data written so far is on stable storage.
	// It calls late at intervals, and gives up with os.ErrDeadlineExceeded when late
	// returns true.
	sync(late func() bool) error
	// nextData returns the first offset from off on that is not in a hole, or
	// the size of the file.
	nextData(off, size int64) int64
	// willRead announces that n bytes from off on will be read soon.
	willRead(off, n int64)
	stat() (fileStat, error)
	close() error
}

// A fileStat is the state of a file.
type fileStat struct {
	mode   fs.FileMode
	size   int64 // bytes
	mtime  int64 // time of the last change of the content, nanoseconds since 1970
	ctime  int64 // time of the last change of anything, also of the name; 0 if unknown
	room   int64 // bytes on the disk, reserved ones included; size if unknown
	sparse bool  // takes less room than size, so it may have holes
	link   bool  // a symbolic link leads there, so it is only read
	info   fs.FileInfo
}

// A folderUse says how a folder is used.
type folderUse uint8

const (
	useThere folderUse = iota // it exists, and holds only files that this program made
	useMade                   // it is made if it does not exist
	useOwn                    // it exists, and is only read
)

// osDisk is a folder of the operating system.
type osDisk struct {
	dir  string // absolute
	root *os.Root
	use  folderUse

	parents sync.Once // when the folders above dir are synced
	probing sync.Once // when rule is set
	rule    metainfo.NameRule
}

// openDisk opens the folder dir.
func openDisk(dir string, use folderUse) (*osDisk, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, wrap("open", dir, err)
	}
	if use == useMade {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, wrap("create", dir, err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, wrap("open", dir, err)
	}
	return &osDisk{dir: dir, root: root, use: use}, nil
}

// look returns what lies at a local name, for reading, and whether the name is a link.
// It follows a link that stays within the root.
func (d *osDisk) look(name string) (info fs.FileInfo, link bool, err error) {
	info, err = d.root.Lstat(name)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 || d.use == useThere {
		return info, false, err
	}
	if info, err = d.root.Stat(name); err != nil {
		err = errLinkOut
	}
	return info, true, err
}

// lookToWrite returns what lies at a local name, for writing. It follows no link.
func (d *osDisk) lookToWrite(name string) (info fs.FileInfo, link bool, err error) {
	info, err = d.root.Lstat(name)
	return info, false, err
}

func (d *osDisk) close() error { return d.root.Close() }

func (d *osDisk) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

func (d *osDisk) stat(name string) (fileStat, error) {
	parent, err := d.checkParents(name, d.look)
	if err != nil {
		return fileStat{}, err
	}
	info, link, err := d.look(filepath.FromSlash(name))
	if err != nil {
		return fileStat{}, wrap("open", d.path(name), err)
	}
	st := statOf(info)
	st.link, st.info = link || parent, info
	return st, nil
}

// checkParents reports by its error whether all folders above name are folders, and
// whether one of them is a link. Even a symbolic link put in their place later cannot lead
// out of the root.
func (d *osDisk) checkParents(name string, look func(string) (fs.FileInfo, bool,
	error)) (link bool, err error) {
	for end := 0; ; end++ {
		next := strings.IndexByte(name[end:], '/')
		if next < 0 {
			return link, nil
		}
		end += next
		info, is, err := look(filepath.FromSlash(name[:end]))
		link = link || is
		if err == nil {
			err = kindError(info.Mode(), true)
		}
		if err != nil {
			return link, wrap("open", d.path(name[:end]), err)
		}
	}
}

// kindError returns the reason why something with this mode is not a folder or, as asked,
// not a file; nil if it is.
func kindError(mode fs.FileMode, folder bool) error {
	switch {
	case mode&fs.ModeSymlink != 0:
		return ErrLink
	case folder && !mode.IsDir():
		return ErrNotFolder
	case folder:
		return nil
	case mode.IsDir():
		return ErrFolder
	case !mode.IsRegular():
		return ErrSpecial
	}
	return nil
}

func (d *osDisk) makeDir(name string) error {
	for end := 0; end < len(name); end++ {
		if next := strings.IndexByte(name[end:], '/'); next >= 0 {
			end += next
		} else {
			end = len(name)
		}
		err := d.root.Mkdir(filepath.FromSlash(name[:end]), 0o777)
		if errors.Is(err, fs.ErrExist) {
			var info fs.FileInfo
			if info, err = d.root.Lstat(filepath.FromSlash(name[:end])); err == nil {
				err = kindError(info.Mode(), true)
			}
		}
		if err != nil {
			return wrap("create", d.path(name[:end]), err)
		}
	}
	return nil
}

func (d *osDisk) open(name string, mode openMode) (file, error) {
	f, err := d.openFile(name, mode)
	if mode.makes() && errors.Is(err, fs.ErrNotExist) {
		if err := d.makeDir(path.Dir(name)); err != nil {
			return nil, err
		}
		f, err = d.openFile(name, mode)
	}
	if err != nil {
		return nil, wrap("open", d.path(name), err)
	}
	return f, nil
}

// openFile opens name without making folders. It first looks what has the name,
// since opening a pipe or a device can block or do harm, and looks again
// when the file is open.
func (d *osDisk) openFile(name string, mode openMode) (file, error) {
	look := d.lookToWrite
	if mode == openRead {
		look = d.look
	}
	if _, err := d.checkParents(name, look); err != nil {
		return nil, err
	}
	local := filepath.FromSlash(name)
	info, _, err := look(local)
	switch {
	case err == nil:
		if err := kindError(info.Mode(), false); err != nil {
			return nil, err
		}
	case !mode.makes() || !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	flags := os.O_RDONLY | openFlags
	switch {
	case mode == openWrite || mode.makes() && info != nil:
		flags = os.O_RDWR | openFlags
	case mode.makes():
		flags = os.O_RDWR | os.O_CREATE | os.O_EXCL
	}
	f, err := d.root.OpenFile(local, flags, mode.perm())
	if mode.makes() && errors.Is(err, fs.ErrExist) { // made by another worker just now
		f, err = d.root.OpenFile(local, os.O_RDWR|openFlags, 0)
	}
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil {
		err = kindError(opened.Mode(), false)
	}
	if err == nil && info != nil && !os.SameFile(info, opened) {
		err = ErrChanged
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return newOSFile(f), nil
}

func (d *osDisk) list(name string, max int) ([]fs.DirEntry, error) {
	f, err := d.root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, wrap("open", d.path(name), err)
	}
	defer f.Close()
	entries, err := f.ReadDir(max)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return entries, wrap("read", d.path(name), err)
}

func (d *osDisk) tryFolder(name string) error {
	if tried, err := tryUnnamed(d, name); tried {
		return wrap("write to", d.path(name), err)
	}
	trial := filepath.Join(filepath.FromSlash(name), fmt.Sprintf(".node-%016x", rand.Uint64()))
	f, err := d.root.OpenFile(trial, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = errors.Join(f.Close(), d.root.Remove(trial))
	}
	return wrap("write to", d.path(name), err)
}

func (d *osDisk) lock(name string, how lockKind) (io.Closer, error) {
	f, err := d.root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, wrap("lock", d.path(name), err)
	}
	err = lockFile(f, how)
	if err == nil { // the name may have been given away before the lock was ours
		var held, named fs.FileInfo
		if held, err = f.Stat(); err == nil {
			if named, err = d.root.Lstat(filepath.FromSlash(name)); err == nil &&
				!os.SameFile(held, named) {
				err = ErrInUse
			}
		}
	}
	if err != nil {
		f.Close()
		return nil, wrap("lock", d.path(name), err)
	}
	return f, nil
}

func (d *osDisk) rename(from, to string) error {
	err := renameNew(d, from, d, to)
	if errors.Is(err, fs.ErrExist) {
		return &Error{"rename", d.path(to), ErrExists}
	}
	return wrap("rename", d.path(from), err)
}

func (d *osDisk) remove(name string) error {
	return wrap("remove", d.path(name), d.root.Remove(filepath.FromSlash(name)))
}

func (d *osDisk) syncFolder(name string) error {
	f, err := d.root.Open(filepath.FromSlash(name))
	if err != nil {
		return wrap("sync", d.path(name), err)
	}
	defer f.Close()
	d.parents.Do(func() { syncParents(d.dir) })
	return wrap("sync", d.path(name), syncOpenFolder(f))
}

// syncOpenFolder puts the names in a folder on stable storage, where the file system has such a
// thing. Windows refuses, and NTFS keeps a journal of names.
func syncOpenFolder(f *os.File) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	if err := f.Sync(); !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// renameChecked renames unless to exists, on systems that cannot check that in the same
// step.
func renameChecked(d *osDisk, from string, other *osDisk, to string) error {
	from, to = filepath.FromSlash(from), filepath.FromSlash(to)
	if _, err := other.root.Lstat(to); err == nil {
		return fs.ErrExist
	}
	if d.dir == other.dir {
		return d.root.Rename(from, to)
	}
	return os.Rename(filepath.Join(d.dir, from), filepath.Join(other.dir, to))
}

// preadFull fills p, by several reads if need be.
func preadFull(f *os.File, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		return ErrShort
	}
	return err
}
