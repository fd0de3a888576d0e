package storage

import (
	"path/filepath"
	"sync"
)

// sharedDisks gives all Stores that use one download folder in one way the same disk.
type sharedDisks struct {
	mu    sync.Mutex
	disks map[sharedKey]*sharedDisk
}

type sharedKey struct {
	dir string // absolute
	own bool   // useOwn
}

type sharedDisk struct {
	*osDisk
	all  *sharedDisks
	key  sharedKey
	uses int // guarded by sharedDisks.mu
}

// open returns the disk for the folder dir.
func (d *sharedDisks) open(dir string, use folderUse) (disk, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, wrap("open", dir, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := sharedKey{abs, use == useOwn}
	shared := d.disks[key]
	if shared == nil {
		opened, err := openDisk(abs, use)
		if err != nil {
			return nil, err
		}
		shared = &sharedDisk{osDisk: opened, all: d, key: key}
		if d.disks == nil {
			d.disks = make(map[sharedKey]*sharedDisk)
		}
		d.disks[key] = shared
	}
	shared.uses++
	return shared, nil
}

// close ends one use.
func (d *sharedDisk) close() error {
	d.all.mu.Lock()
	defer d.all.mu.Unlock()
	d.uses--
	if d.uses > 0 {
		return nil
	}
	delete(d.all.disks, d.key)
	return d.osDisk.close()
}
