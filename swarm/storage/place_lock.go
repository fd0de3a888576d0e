package storage

import (
	"errors"
	"io"
	"io/fs"
	"sync"
	"time"

	"swarmnode/metainfo"
)

const (
	// lockTries is how often a lock is tried that may be held for a moment only,
	// by a Store that looks whether another one writes; lockPause is between two.
	lockTries = 5
	lockPause = 10 * time.Millisecond
)

// begin makes the place one that is written to: it makes the file or folder at the
// top, or sees that the existing one can be written to, and locks it. The lock is on
// the content itself: on its folder, or on its only file. So it works wherever two
// nodes keep their state, leaves nothing behind, and moves along when the content
// is renamed. p.preparing is held.
func (p *place) begin() error {
	if p.twice { // it could not get its name in the end
		return &Error{"open", p.names.path(), ErrExists}
	}
	err := p.lockTop()
	if errors.Is(err, ErrInUse) && p.avoidFolder() {
		err = p.lockTop()
	}
	if err == nil && p.cfg.Part && p.layout.Multi && p.names.noneIn(p.names.topName()) {
		p.makeSome()
	}
	return err
}

// lockTop makes, if need be, and locks the file or folder with the chosen name.
func (p *place) lockTop() error {
	p.names.mu.Lock()
	top, wasThere := p.names.top, p.wasThere
	p.names.mu.Unlock()
	there, err := p.names.exists(top)
	switch {
	case err != nil, there:
	case wasThere: // another Store has finished it
		err = &Error{"open", p.names.disk.path(top), ErrChanged}
	default:
		err = p.makeTop()
	}
	if err != nil {
		return err
	}
	lock, err := p.writers.lock(p, top)
	for range lockTries {
		if !errors.Is(err, ErrInUse) {
			break
		}
		time.Sleep(lockPause)
		lock, err = p.writers.lock(p, top)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = &Error{"open", p.names.disk.path(top), ErrChanged}
	}
	if err != nil {
		return err
	}
	if there { // now that nobody else gives it another name
		if err := p.tryWriting(top); err != nil {
			lock.Close()
			return err
		}
	}
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	p.lock, p.looking = lock, false
	return nil
}

// tryWriting reports by its error whether the user may change the existing file or
// folder top, as far as that will be needed.
func (p *place) tryWriting(top string) error {
	var err error
	if p.layout.Multi {
		err = p.names.disk.tryFolder(top)
	} else {
		var f file
		if f, err = p.names.disk.open(top, openWrite); err == nil {
			err = f.close()
		}
	}
	if err == nil && !p.names.hasName(finalName) { // it is renamed in the end
		err = p.names.disk.tryFolder(".")
	}
	if IsDenied(err) {
		return err
	}
	return nil // any other fault shows when the content is written to
}

// makeTop makes the folder, or the empty file, for lockTop.
func (p *place) makeTop() error {
	if p.layout.Multi {
		return p.names.disk.makeDir(p.names.topName())
	}
	f, err := p.names.disk.open(p.names.topName(), makeMode(p.layout, 0))
	if err != nil {
		return err
	}
	return f.close()
}

// makeSome makes the first and the largest wanted file, so that other Stores see that
// the folder holds content of this torrent, even if they have one of the two as well.
// If they cannot be made, the first write says why.
func (p *place) makeSome() {
	first, largest := -1, -1
	for i := range p.layout.Files {
		if !hasPlace(p.layout, i) || !p.wanted.wants(i) {
			continue
		}
		if first < 0 {
			first, largest = i, i
		}
		if p.layout.Files[i].Length > p.layout.Files[largest].Length {
			largest = i
		}
	}
	if first < 0 {
		return
	}
	for _, i := range []int{first, largest} {
		if f, err := p.names.disk.open(p.names.fileName(i), makeMode(p.layout, i)); err == nil {
			f.close()
		}
	}
}

// avoidFolder moves a torrent of several files to a folder of its own when others
// write to the folder that it would share with them, unless that has files of this
// torrent. It reports whether it did.
func (p *place) avoidFolder() bool {
	return p.layout.Multi && p.names.noneIn(p.names.topName()) && p.takeOwnName()
}

// leaveFolder moves the torrent to a folder of its own if the folder at the top is
// another torrent's, even if it has files of this one; nothing that was found there
// counts yet. It reports whether it did.
func (p *place) leaveFolder() bool { return p.isOthersFolder() && p.takeOwnName() }

// isOthersFolder reports whether the folder at the top, which another Store has locked,
// is that of another torrent. Torrents of one name often have a file in common.
func (p *place) isOthersFolder() bool {
	top := p.names.topName()
	if !p.layout.Multi || p.names.noneIn(top) {
		return p.layout.Multi
	}
	if other, known := p.writers.torrent(p.names.disk.path(top)); known {
		return other != p.cfg.Hash
	}
	return p.holdsOthers()
}

// takeOwnName gives up the chosen name, and all that was found under it, for the name
// that nothing else has. It reports whether it did.
func (p *place) takeOwnName() bool {
	if !p.cfg.Part || p.names.hasName(ownName) || p.names.all[ownName] == p.names.all[finalName] {
		return false
	}
	there, err := p.names.exists(p.names.all[ownName])
	if err != nil {
		return false
	}
	p.files.closeAll()
	p.unlock()
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	p.names.top = p.names.all[ownName]
	p.looking, p.wasThere, p.twice = true, there, false
	p.known.forgetAllStamps()
	return true
}

// unlock lets others write.
func (p *place) unlock() {
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	if p.lock != nil {
		p.lock.Close()
		p.lock = nil
	}
	p.writers.forget(p)
}

// writers are the places that are written to with the same Workers, by the paths that
// they have locked. It is safe for concurrent use.
type writers struct {
	mu  sync.Mutex
	all map[string]*place
}

// lock locks the file or folder top, so that only p writes there.
func (w *writers) lock(p *place, top string) (io.Closer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	lock, err := p.names.disk.lock(top, lockWrite)
	if err != nil {
		return nil, err
	}
	if w.all == nil {
		w.all = make(map[string]*place)
	}
	p.locked = p.names.disk.path(top)
	w.all[p.locked] = p
	return lock, nil
}

// torrent returns the torrent that is written at path; known is false if none of the
// places has locked it.
func (w *writers) torrent(path string) (hash metainfo.Hash, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, known := w.all[path]
	if known {
		hash = p.cfg.Hash
	}
	return hash, known
}

// forget takes p out of the list.
func (w *writers) forget(p *place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all[p.locked] == p {
		delete(w.all, p.locked)
	}
}

// A lockKind says what a lock is for.
type lockKind uint8

const (
	lockWrite lockKind = iota // nobody else has it
	lockLook                  // nobody has it for writing
)
