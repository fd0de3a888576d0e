package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"swarmnode/metainfo"
	"swarmnode/swarm/statefile"
)

// A record is where the Resume of a Store is kept: a file that is replaced as a
// whole or not at all.
type record struct {
	folder recordFolder
	name   string // in folder
	frozen bool   // it is only read
	synced bool   // the folder is known to outlast a loss of power
}

// A recordFolder is the folder that records lie in. It is an interface so that
// tests can put one that fails, and that loses what was not synced, under a
// Store.
type recordFolder interface {
	// read returns a file of at most max bytes, and the time of its last change
	// by the clock that stamps files, in nanoseconds since 1970.
	read(name string, max int64) (doc []byte, mtime int64, err error)
	// write makes a file and puts doc into it; sync waits until the data is on
	// stable storage. It makes the folder if need be. The file has another name,
	// which it returns.
	write(name string, doc []byte, sync bool) (fresh string, err error)
	// rename gives a file another name, in place of a file that has it.
	rename(from, to string) error
	// sync puts the names in the folder on stable storage, and with parents
	// that of the folder itself and those of all above it.
	sync(parents bool) error
	// path returns the name for messages.
	path(name string) string
}

// newRecord returns the record in the folder dir whose name begins with stem.
func newRecord(dir, stem string) *record {
	return &record{folder: stateFolder(dir), name: stem + ResumeSuffix}
}

// stemKeyBytes is how much of the SHA-256 of a path tells the records of one
// torrent apart that lies in several places.
const stemKeyBytes = 8

// stateStem begins the names of the files in a folder for state that are about
// the content of a torrent at path. Earlier versions had one record for each
// torrent, whose stem is the info-hash alone.
func stateStem(hash metainfo.Hash, path string) string {
	key := sha256.Sum256([]byte(path))
	return hash.String() + "-" + hex.EncodeToString(key[:stemKeyBytes])
}

func (r *record) path() string { return r.folder.path(r.name) }

// read returns the record and when it was made; fs.ErrNotExist when there is
// none.
func (r *record) read() (doc []byte, made int64, err error) {
	return r.folder.read(r.name, ResumeBytesMax)
}

// replace puts doc in the place of the record; durable waits until that is on
// stable storage. Without it a loss of power can leave neither the old record
// nor the new one. Calls are not made at the same time.
func (r *record) replace(doc []byte, durable bool) error {
	if r.frozen {
		return nil
	}
	fresh, err := r.folder.write(r.name, doc, durable)
	if err != nil {
		return err
	}
	if err := r.folder.rename(fresh, r.name); err != nil || !durable {
		return err
	}
	err = r.folder.sync(!r.synced)
	r.synced = r.synced || err == nil
	return err
}

// A stateFolder is a recordFolder of the operating system, by its path.
type stateFolder string

func (d stateFolder) path(name string) string { return filepath.Join(string(d), name) }

func (d stateFolder) read(name string, max int64) ([]byte, int64, error) {
	doc, changed, err := statefile.Read(d.path(name), max)
	return doc, changed.UnixNano(), err
}

func (d stateFolder) write(name string, doc []byte, sync bool) (fresh string, err error) {
	fresh = statefile.Temporary(name)
	err = statefile.Create(d.path(fresh), doc, sync)
	if !errors.Is(err, fs.ErrNotExist) {
		return fresh, err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fresh, err
	}
	return fresh, statefile.Create(d.path(fresh), doc, sync)
}

func (d stateFolder) rename(from, to string) error {
	err := os.Rename(d.path(from), d.path(to))
	if err != nil {
		os.Remove(d.path(from))
	}
	return err
}

func (d stateFolder) sync(parents bool) error {
	if parents {
		syncParents(string(d))
	}
	return syncPath(string(d))
}

// syncPath puts the names in a folder on stable storage, where the file system
// has such a thing.
func syncPath(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// syncParents makes it outlast a loss of power that dir is
// there, in case it or a folder above it is new. What cannot be synced, such as
// a folder that may not be opened, was not made by us.
func syncParents(dir string) {
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		_ = syncPath(parent)
		if parent == filepath.Dir(parent) {
			return
		}
	}
}

// load takes over what the record of an earlier run says, if it is about this
// content; it does so once, and reports whether this was the time. A record that is
// of no use is told to cfg.Warn, and is as good as none.
func (s *Store) load() (first bool) {
	if s.record == nil || s.loaded {
		return false
	}
	s.loaded = true
	r, made, err := s.readRecord(s.record)
	if errors.Is(err, fs.ErrNotExist) {
		r, made, err = s.takeEarlier()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		s.warn(&Error{"resume from", s.record.path(), err})
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have = r.Have.Clone()
	s.durable, s.recorded, s.clean = r.Have.Clone(), r.Have, r.Clean
	if !r.Clean {
		s.writtenUntil = made + int64(recordWindow*checkpointInterval)
	}
	for i, f := range r.Files {
		if f.Size >= 0 {
			s.stamps[i] = stamp{mtime: f.Mtime, ctime: f.Ctime, size: f.Size}
		}
	}
	s.takeSide(r.Side)
	s.resumed = true
	s.unproven = r.Have.Clone()
	return true
}

// readRecord returns what a record says, if it is about this content, and when it
// was made.
func (s *Store) readRecord(from *record) (r *Resume, made int64, err error) {
	doc, made, err := from.read()
	if err == nil {
		r, err = ParseResume(doc)
	}
	if err == nil {
		err = s.suits(r)
	}
	return r, made, err
}

// takeEarlier takes over the record and the side file of an earlier version, which
// had one for each torrent, if they are about this content. Otherwise the error is
// fs.ErrNotExist.
func (s *Store) takeEarlier() (r *Resume, made int64, err error) {
	if s.cfg.StateDir == "" || s.cfg.record != nil {
		return nil, 0, fs.ErrNotExist
	}
	stem := s.cfg.Hash.String()
	earlier := newRecord(s.cfg.StateDir, stem)
	r, made, err = s.readRecord(earlier)
	other := errors.Is(err, errOtherPath)
	switch {
	case other:
		return nil, 0, fs.ErrNotExist
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, 0, err
	case s.cfg.StateReadOnly:
		s.side.name = stem + sideSuffix
		return r, made, err
	}
	// The record goes last, so that a crash in between leads here again.
	s.takeEarlierSide(earlier.folder.path(stem+sideSuffix), r)
	if err == nil {
		_ = os.Rename(earlier.path(), s.record.path()) // without it, it is found again
	}
	return r, made, err
}

// takeEarlierSide gives the side file of an earlier version its name of today, unless
// there is one. Without it, what lies there is fetched again. r is what the record
// says, or nil.
func (s *Store) takeEarlierSide(earlier string, r *Resume) {
	now := s.side.path()
	was, err := os.Lstat(earlier)
	if _, gone := os.Lstat(now); err != nil || !errors.Is(gone, fs.ErrNotExist) ||
		os.Rename(earlier, now) != nil {
		return
	}
	is, err := os.Lstat(now)
	if err == nil && r != nil && r.Side != nil && r.Side.Ctime == statOf(was).ctime {
		r.Side.Ctime = statOf(is).ctime // a new name is a change, but not of the content
	}
}

// What can be wrong with a resume file that is whole.
var (
	errOtherTorrent = errors.New("it is that of another torrent; checking the content")
	errOtherPath    = errors.New("it is that of content elsewhere; checking the content")
	errOtherShape   = errors.New("it does not fit the torrent; checking the content")
)

// suits reports whether r is about this content.
func (s *Store) suits(r *Resume) error {
	switch {
	case r.Hash != s.cfg.Hash:
		return errOtherTorrent
	case r.Path != s.disk.path(s.cfg.Name):
		return errOtherPath
	case r.Have.Len() != s.layout.Pieces() || len(r.Files) != len(s.layout.Files),
		r.Side != nil && (r.Side.Head.Len() != len(s.layout.Files) ||
			r.Side.Tail.Len() != len(s.layout.Files)):
		return errOtherShape
	}
	return nil
}

func (s *Store) warn(err error) {
	if s.cfg.Warn != nil {
		s.cfg.Warn(err)
	}
}
