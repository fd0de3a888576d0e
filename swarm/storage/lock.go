package storage

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"sync"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

const (
	// nameMax is the longest name that the file systems in use take, in bytes.
	nameMax = 255
	// lockTries is how often a lock is tried that may be held for a moment only,
	// by a Store that looks whether another one writes; lockPause is between two.
	lockTries = 5
	lockPause = 10 * time.Millisecond
	// claimsMax is how often claim and Check begin again because the content has got
	// another name meanwhile.
	claimsMax = 3
)

// The names that content may have, as indices of contentNames.
const (
	finalName = iota
	partName  // unfinished
	ownName   // unfinished, where something else has the name of the unfinished
	mergeName // complete, and being moved into the folder with the final name
)

// contentNames returns the names that content may have that is called name in the
// end. A name that would be too long is replaced by the final one. The info-hash is
// in some of them, so that nothing else has them.
func contentNames(name string, hash metainfo.Hash) (all [4]string) {
	own := name + "." + hash.Short()
	all = [...]string{name, name + PartSuffix, own + PartSuffix, own + mergeSuffix}
	for i := range all {
		if len(all[i]) > nameMax {
			all[i] = name
		}
	}
	return all
}

// claim chooses the name that the content lies under, looks what is there, and
// sees whether another Store writes to it. Nothing is made or locked while what is
// there may be complete: so content can be served where nothing can be written, and
// by several Stores.
func (s *Store) claim() (err error) {
	for range claimsMax { // another Store may finish what was there just now
		err = s.claimOnce()
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrChanged) {
			break
		}
	}
	return err
}

// claimOnce is claim, unless the content gets another name meanwhile: then the error
// is fs.ErrNotExist or ErrChanged.
func (s *Store) claimOnce() error {
	s.setTop(finalName)
	there, err := s.exists(s.names[finalName])
	if err == nil && s.cfg.Part {
		there, err = s.chooseName(there)
	}
	if err != nil || s.isReadOnly() {
		return err
	}
	s.mu.Lock()
	s.looking, s.wasThere = true, there
	s.mu.Unlock()
	if !there { // so there is something to write
		err := s.writable()
		if errors.Is(err, ErrInUse) && s.leaveFolder() {
			return nil
		}
		return err
	}
	lock, err := s.disk.lock(s.topName(), lockLook)
	if err == nil {
		return lock.Close()
	}
	if errors.Is(err, ErrInUse) && (s.leaveFolder() || s.hasName(finalName)) {
		return nil // content that others add to may be complete for all we know
	}
	return err
}

// chooseName chooses among the names for unfinished content, and the final one if
// there is something of that name. It reports whether anything has the chosen name.
func (s *Store) chooseName(final bool) (there bool, err error) {
	if s.layout.Multi && !s.isReadOnly() && s.names[mergeName] != s.names[finalName] {
		if moving, err := s.exists(s.names[mergeName]); err != nil || moving {
			return true, errors.Join(err, s.merge())
		}
	}
	own, err := s.exists(s.names[ownName])
	if err != nil {
		return false, err
	}
	part, partErr := s.exists(s.names[partName])
	if partErr != nil && !IsInTheWay(partErr) {
		return false, partErr
	}
	switch {
	case own && !(final && s.isReadOnly()):
		s.setTop(ownName)
		return true, nil
	case final && part && s.layout.Multi && !s.isReadOnly() && s.moreInPart():
		s.setTop(partName) // the folder belongs to torrents that share its name
		return true, nil
	case final:
		s.twice = part && !s.layout.Multi && s.names[partName] != s.names[finalName]
		return true, nil
	case part || partErr == nil && !s.isReadOnly():
		s.setTop(partName)
	case !s.isReadOnly():
		s.tellStrange()
		s.setTop(ownName)
	}
	return part, nil
}

// exists reports whether there is a file or folder, as the torrent has it, of
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

// noneIn reports whether the folder name holds no file of this torrent.
func (s *Store) noneIn(name string) bool {
	for i := range s.layout.Files {
		if s.layout.Files[i].Pad || len(s.layout.Files[i].Link) > 0 {
			continue
		}
		if _, err := s.disk.stat(s.nameIn(name, i)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return !s.layout.NamesVary() || !s.mayFind() || !s.holdsFile(name)
}

// moreInPart reports whether the folder of the unfinished content, and not that with
// the final name, is the one to go on in.
func (s *Store) moreInPart() bool {
	return s.noneIn(s.names[finalName]) ||
		s.filesIn(s.names[partName]) > s.filesIn(s.names[finalName])
}

// filesIn returns how many files the folder name has under the names of this torrent.
func (s *Store) filesIn(name string) (n int) {
	for i := range s.layout.Files {
		if !s.hasPlace(i) {
			continue
		}
		if _, err := s.disk.stat(s.nameIn(name, i)); err == nil {
			n++
		}
	}
	return n
}

// errAgain tells that the content has another name by now.
var errAgain = errors.New("check again")

// orAgain makes errAgain of an error that something lies in the way, if that was
// taken for unfinished content of an earlier run and no record says that it is.
func (s *Store) orAgain(err error) error {
	s.mu.Lock()
	may := s.mayBeForeign()
	s.mu.Unlock()
	if may && s.hasName(partName) && IsInTheWay(err) && s.leaveForeign() == nil {
		return errAgain
	}
	return err
}

// complete reports whether nothing has to be written to have all that is wanted,
// given the sound pieces.
func (s *Store) complete(have *bits.Set) bool {
	if !s.hasName(finalName) {
		return false
	}
	if s.wanted.pieces != nil {
		return !s.wanted.pieces.AnyNotIn(have)
	}
	return have.All()
}

// toWrite prepares to write, unless the content is only read. It is errAgain if
// another Store has finished the content meanwhile, or writes another torrent there.
func (s *Store) toWrite() error {
	if !s.isLooking() {
		return nil
	}
	err := s.writable()
	switch {
	case errors.Is(err, ErrInUse) && s.leaveFolder():
		return errAgain // what was found there belongs to the other torrent
	case errors.Is(err, ErrChanged):
		return cmp.Or(s.claim(), errAgain)
	}
	return err
}

// begin makes the Store one that writes: it makes the file or folder at the top, or
// sees that what is there can be written to, and locks it. The lock is on the
// content itself: on its folder, or on its only file. So it is held wherever two
// nodes keep their state, leaves nothing behind, and moves along when the content
// is renamed. s.settling is held.
func (s *Store) begin() error {
	if s.twice { // it could not get its name in the end
		return &Error{"open", s.path(), ErrExists}
	}
	err := s.lockTop()
	if errors.Is(err, ErrInUse) && s.goAside() {
		err = s.lockTop()
	}
	if err == nil && s.cfg.Part && s.layout.Multi && s.noneIn(s.topName()) {
		s.makeSome()
	}
	return err
}

// lockTop is begin for the name that was chosen.
func (s *Store) lockTop() error {
	s.mu.Lock()
	top, wasThere := s.top, s.wasThere
	s.mu.Unlock()
	there, err := s.exists(top)
	switch {
	case err != nil, there:
	case wasThere: // another Store has finished it
		err = &Error{"open", s.disk.path(top), ErrChanged}
	default:
		err = s.makeTop()
	}
	if err != nil {
		return err
	}
	lock, err := s.workers.writers.lock(s, top)
	for range lockTries {
		if !errors.Is(err, ErrInUse) {
			break
		}
		time.Sleep(lockPause)
		lock, err = s.workers.writers.lock(s, top)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = &Error{"open", s.disk.path(top), ErrChanged}
	}
	if err != nil {
		return err
	}
	if there { // now that nobody else gives it another name
		if err := s.tryWriting(top); err != nil {
			lock.Close()
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lock, s.looking = lock, false
	return nil
}

// tryWriting reports whether what is called top, and is there, may be changed as far
// as that is needed.
func (s *Store) tryWriting(top string) error {
	var err error
	if s.layout.Multi {
		err = s.disk.tryFolder(top)
	} else {
		var f file
		if f, err = s.disk.open(top, openWrite); err == nil {
			err = f.close()
		}
	}
	if err == nil && !s.hasName(finalName) { // it is renamed in the end
		err = s.disk.tryFolder(".")
	}
	if IsDenied(err) {
		return err
	}
	return nil // what else there is shows when it is written to
}

// makeTop makes the folder, or the empty file, that is to be locked.
func (s *Store) makeTop() error {
	if s.layout.Multi {
		return s.disk.makeDir(s.topName())
	}
	f, err := s.disk.open(s.topName(), s.makeMode(0))
	if err != nil {
		return err
	}
	return f.close()
}

// makeSome makes the first and the largest file that is wanted, so that other Stores see
// that the folder holds content of this torrent, even if they have one of the two as
// well. Whether they can be made shows later.
func (s *Store) makeSome() {
	first, largest := -1, -1
	for i := range s.layout.Files {
		if !s.hasPlace(i) || !s.wanted.file(i) {
			continue
		}
		if first < 0 {
			first, largest = i, i
		}
		if s.layout.Files[i].Length > s.layout.Files[largest].Length {
			largest = i
		}
	}
	if first < 0 {
		return
	}
	for _, i := range []int{first, largest} {
		if f, err := s.disk.open(s.fileName(i), s.makeMode(i)); err == nil {
			f.close()
		}
	}
}

// goAside has a torrent of several files go to a folder of its own when others
// write to the one that it would share with them, unless that has files of this
// torrent. It reports whether it did.
func (s *Store) goAside() bool {
	return s.layout.Multi && s.noneIn(s.topName()) && s.takeOwnName()
}

// leaveFolder is goAside also for a folder that has files of this torrent, before
// anything that was found there counts.
func (s *Store) leaveFolder() bool { return s.isOthersFolder() && s.takeOwnName() }

// isOthersFolder reports whether the folder at the top, which another Store has locked,
// is that of another torrent. Torrents of one name often have a file in common.
func (s *Store) isOthersFolder() bool {
	top := s.topName()
	if !s.layout.Multi || s.noneIn(top) {
		return s.layout.Multi
	}
	if other, known := s.workers.writers.torrent(s.disk.path(top)); known {
		return other != s.cfg.Hash
	}
	return s.holdsOthers()
}

// takeOwnName gives up the name that was chosen for the one that nothing else has,
// with all that was found under the former. It reports whether that can be done.
func (s *Store) takeOwnName() bool {
	if !s.cfg.Part || s.hasName(ownName) || s.names[ownName] == s.names[finalName] {
		return false
	}
	there, err := s.exists(s.names[ownName])
	if err != nil {
		return false
	}
	s.workers.files.closeAll(s, false)
	s.unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.top = s.names[ownName]
	s.looking, s.wasThere, s.twice = true, there, false
	clear(s.stamps[:s.sideIndex()])
	return true
}

func (s *Store) setTop(name int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.top = s.names[name]
}

func (s *Store) topName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.top
}

// hasName reports whether the content has that of its names now.
func (s *Store) hasName(name int) bool { return s.topName() == s.names[name] }

func (s *Store) isLooking() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looking
}

// unlock lets others write.
func (s *Store) unlock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock != nil {
		s.lock.Close()
		s.lock = nil
	}
	s.workers.writers.forget(s)
}

// writers are the Stores of Workers that write, by the paths that they have locked. It
// is safe for concurrent use.
type writers struct {
	mu  sync.Mutex
	all map[string]*Store
}

// lock locks what is called top for s to write.
func (w *writers) lock(s *Store, top string) (io.Closer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	lock, err := s.disk.lock(top, lockWrite)
	if err != nil {
		return nil, err
	}
	if w.all == nil {
		w.all = make(map[string]*Store)
	}
	s.locked = s.disk.path(top)
	w.all[s.locked] = s
	return lock, nil
}

// torrent returns what the Store that has locked path writes; known is false if no
// Store of these Workers has.
func (w *writers) torrent(path string) (hash metainfo.Hash, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, known := w.all[path]
	if known {
		hash = s.cfg.Hash
	}
	return hash, known
}

// forget takes back what s has locked.
func (w *writers) forget(s *Store) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all[s.locked] == s {
		delete(w.all, s.locked)
	}
}

// A lockKind says what a lock is taken for.
type lockKind uint8

const (
	lockWrite lockKind = iota // nobody else has it
	lockLook                  // nobody has it for writing
)
