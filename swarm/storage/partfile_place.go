package storage

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

const (
	// partfileSuffix ends the name of a partfile.
	partfileSuffix = ".parts"
	// partfileTemporary begins the name of the temporary folder of a partfile that
	// has no other place.
	partfileTemporary = "swarmnode-"
)

// A partfilePlace is where a partfile lies. Folder and file are opened when they are
// first needed; most torrents never need them. It is safe for concurrent use.
type partfilePlace struct {
	stem   atomic.Pointer[string] // begins the name
	disks  *sharedDisks           // of the Workers
	frozen bool                   // the folder is only read

	mu        sync.Mutex
	dir       string // "": a temporary one is still to be made
	temporary bool   // close removes dir
	disk      disk   // nil until it is needed
	lock      io.Closer
}

func (x *partfilePlace) init(cfg *Config, stem string) {
	x.stem.Store(&stem)
	x.dir, x.frozen = cfg.StateDir, cfg.StateReadOnly
	x.disks, x.disk = &cfg.Workers.disks, cfg.partDisk
}

// name returns the name of the partfile in its folder. It is not kept, since few torrents
// ever need it.
func (x *partfilePlace) name() string { return *x.stem.Load() + partfileSuffix }

// folder returns the folder of the partfile. To write, it is made if need be; to read,
// the error is fs.ErrNotExist if there is none.
func (x *partfilePlace) folder(how access) (disk, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if how == toWrite && x.frozen && !x.temporary {
		x.leaveFrozen()
	}
	if x.disk != nil {
		return x.disk, nil
	}
	if how == toRead && x.dir == "" {
		return nil, fs.ErrNotExist
	}
	if x.dir == "" {
		dir, err := os.MkdirTemp("", partfileTemporary)
		if err != nil {
			return nil, wrap("create", os.TempDir(), err)
		}
		x.dir, x.temporary = dir, true
	}
	if how == toWrite {
		if err := os.MkdirAll(x.dir, 0o700); err != nil {
			return nil, wrap("create", x.dir, err)
		}
	}
	d, err := x.disks.open(x.dir, useThere)
	if err != nil {
		return nil, err
	}
	x.disk = d
	return d, nil
}

// leaveFrozen makes the place a temporary folder, unless there is a partfile in the
// folder for state, in which nothing can be made. x.mu is held.
func (x *partfilePlace) leaveFrozen() {
	if x.disk != nil {
		if _, err := x.disk.stat(x.name()); err == nil {
			return
		}
		x.disk.close()
	}
	x.dir, x.disk = "", nil
}

// path returns the path of the partfile, for messages.
func (x *partfilePlace) path() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.disk != nil {
		return x.disk.path(x.name())
	}
	return filepath.Join(x.dir, x.name())
}

// room returns the folder whose disk the partfile is on, or will be.
func (x *partfilePlace) room() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dir == "" {
		return os.TempDir()
	}
	return x.dir
}

// stat returns the state of the partfile; there is false if there is none.
func (x *partfilePlace) stat() (st fileStat, there bool, err error) {
	d, err := x.folder(toRead)
	if err == nil {
		st, err = d.stat(x.name())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fileStat{}, false, nil
	}
	if err == nil {
		err = kindError(st.mode, false)
	}
	if err != nil {
		return fileStat{}, false, wrap("open", x.path(), err)
	}
	return st, true, nil
}

// open opens the partfile to read.
func (x *partfilePlace) open() (file, error) {
	d, err := x.folder(toRead)
	if err != nil {
		return nil, err
	}
	x.mu.Lock() // it may be getting another name
	defer x.mu.Unlock()
	return d.open(x.name(), openRead)
}

// moveTo gives the partfile the name that begins with stem. It returns the state of the
// file; there is false if there is none.
func (x *partfilePlace) moveTo(stem string) (st fileStat, there bool) {
	d, err := x.folder(toRead)
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.name()
	x.stem.Store(&stem)
	if err != nil || x.frozen && !x.temporary || d.rename(old, x.name()) != nil {
		return fileStat{}, false
	}
	st, err = d.stat(x.name())
	return st, err == nil
}

// make opens the partfile to write. It makes and locks the file, and gives it at least
// size bytes.
func (x *partfilePlace) make(size int64) (file, error) {
	d, err := x.folder(toWrite)
	if err != nil {
		return nil, err
	}
	f, err := d.open(x.name(), openCreate)
	if err != nil {
		return nil, err
	}
	err = x.hold()
	var st fileStat
	if err == nil {
		st, err = f.stat()
	}
	if err == nil && st.size < size {
		err = f.resize(size)
	}
	if err != nil {
		f.close()
		return nil, wrap("open", x.path(), err)
	}
	return f, nil
}

// hold locks the existing partfile, unless this Store has locked it.
func (x *partfilePlace) hold() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lock != nil {
		return nil
	}
	lock, err := x.disk.lock(x.name(), lockWrite)
	if err == nil {
		x.lock = lock
	}
	return err
}

// syncFolder puts the name of the partfile on stable storage.
func (x *partfilePlace) syncFolder() error {
	d, err := x.folder(toRead)
	if err != nil {
		return err
	}
	return d.syncFolder(".")
}

// remove removes the partfile, of which no handle is open.
func (x *partfilePlace) remove() error {
	d, err := x.folder(toRead)
	if err != nil {
		return err
	}
	err = d.remove(x.name())
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lock != nil {
		x.lock.Close()
		x.lock = nil
	}
	return err
}

// close gives up lock and folder, and removes a temporary folder.
func (x *partfilePlace) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var err error
	if x.lock != nil {
		x.lock.Close()
		x.lock = nil
	}
	if x.disk != nil {
		err = x.disk.close()
		x.disk = nil
	}
	if x.temporary {
		err = errors.Join(err, os.RemoveAll(x.dir))
		x.dir, x.temporary = "", false
	}
	return err
}

// takeEarlier gives the partfile of an earlier version, at path, its name of today,
// unless one has that name. It returns the states before and after; ok is false if
// nothing was renamed. Pieces in a partfile that stays behind are fetched again.
func (x *partfilePlace) takeEarlier(path string) (was, is fileStat, ok bool) {
	now := x.path()
	before, err := os.Lstat(path)
	if _, gone := os.Lstat(now); err != nil || !errors.Is(gone, fs.ErrNotExist) ||
		os.Rename(path, now) != nil {
		return was, is, false
	}
	after, err := os.Lstat(now)
	if err != nil {
		return was, is, false
	}
	return statOf(before), statOf(after), true
}
