package storage

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
)

// nameMax is the longest name that the file systems in use take, in bytes.
const nameMax = 255

// claim chooses the name that the content lies under, looks what is there, and
// locks it. The lock is on the content itself: on its folder, or on its only
// file. So it is held wherever the two nodes keep their state, leaves nothing
// behind, and moves along when the content is renamed.
func (s *Store) claim() error {
	final, part := s.cfg.Name, s.cfg.Name+PartSuffix
	there, err := s.exists(final)
	if err != nil {
		return err
	}
	if s.cfg.Part && len(part) <= nameMax {
		unfinished, err := s.exists(part)
		if err != nil {
			return err
		}
		switch {
		case there && unfinished && !s.readOnly: // it could not get its name in the end
			return &Error{"open", s.disk.path(final), ErrExists}
		case !there && (unfinished || !s.readOnly):
			s.top, there = part, unfinished
		}
	}
	if s.readOnly {
		return nil
	}
	if !there {
		if err := s.makeTop(); err != nil {
			return err
		}
	}
	s.lock, err = s.disk.lock(s.top)
	return err
}

// exists tells whether there is a file or folder, as the torrent has it, of
// this name. Anything else is an error.
func (s *Store) exists(name string) (bool, error) {
	st, err := s.disk.stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = kindError(st.mode, s.layout.Multi)
	}
	return err == nil, wrap("open", s.disk.path(name), err)
}

// makeTop makes the folder, or the empty file, that is to be locked.
func (s *Store) makeTop() error {
	if s.layout.Multi {
		return s.disk.makeDir(s.top)
	}
	f, err := s.disk.open(s.top, s.makeMode(0))
	if err != nil {
		return err
	}
	return f.close()
}

// sharedDisks gives Stores that use one download folder alike one open folder.
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
