package storage

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"swarmnode/metainfo"
)

// A record is where the Resume of a Store is kept: a file that is replaced as a
// whole or not at all.
type record struct {
	folder recordFolder
	name   string // in folder
	synced bool   // the folder is known to outlast a loss of power
}

// recordTemporary ends the name that a new record has until it is whole.
const recordTemporary = ".new"

// A recordFolder is the folder that records lie in. It is an interface so that
// tests can put one that fails, and that loses what was not synced, under a
// Store.
type recordFolder interface {
	// read returns at most max bytes of a file, and the time of its last change
	// by the clock that stamps files, in nanoseconds since 1970.
	read(name string, max int64) (doc []byte, mtime int64, err error)
	// write makes a file, or empties it, and puts doc into it; sync waits until
	// the data is on stable storage. It makes the folder if need be.
	write(name string, doc []byte, sync bool) error
	// rename gives a file another name, in place of a file that has it.
	rename(from, to string) error
	// sync puts the names in the folder on stable storage, and with parents
	// that of the folder itself and those of all above it.
	sync(parents bool) error
	// path returns the name for messages.
	path(name string) string
}

// newRecord returns the record of a torrent in the folder dir.
func newRecord(dir string, hash metainfo.Hash) *record {
	return &record{folder: stateFolder(dir), name: recordName(hash)}
}

func recordName(hash metainfo.Hash) string { return hash.String() + ResumeSuffix }

func (r *record) path() string { return r.folder.path(r.name) }

// read returns the record and when it was made; fs.ErrNotExist when there is
// none.
func (r *record) read() (doc []byte, made int64, err error) {
	return r.folder.read(r.name, ResumeBytesMax+1)
}

// replace puts doc in the place of the record; durable waits until that is on
// stable storage. Without it a loss of power can leave neither the old record
// nor the new one. Calls are not made at the same time.
func (r *record) replace(doc []byte, durable bool) error {
	if err := r.folder.write(r.name+recordTemporary, doc, durable); err != nil {
		return err
	}
	if err := r.folder.rename(r.name+recordTemporary, r.name); err != nil || !durable {
		return err
	}
	err := r.folder.sync(!r.synced)
	r.synced = r.synced || err == nil
	return err
}

// A stateFolder is a recordFolder of the operating system, by its path.
type stateFolder string

func (d stateFolder) path(name string) string { return filepath.Join(string(d), name) }

func (d stateFolder) read(name string, max int64) ([]byte, int64, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, ErrSpecial
	}
	doc, err := io.ReadAll(io.LimitReader(f, max))
	return doc, info.ModTime().UnixNano(), err
}

func (d stateFolder) write(name string, doc []byte, sync bool) error {
	err := writeNew(d.path(name), doc, sync)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	return writeNew(d.path(name), doc, sync)
}

func writeNew(name string, doc []byte, durable bool) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(doc)
	if err == nil && durable {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (d stateFolder) rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

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
// content; it does so once, and tells whether this was the time. A record that is
// of no use is told to cfg.Warn, and is as good as none.
func (s *Store) load() (first bool) {
	if s.record == nil || s.loaded {
		return false
	}
	s.loaded = true
	doc, made, err := s.record.read()
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	var r *Resume
	if err == nil {
		r, err = ParseResume(doc)
	}
	if err == nil {
		err = s.suits(r)
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

// What can be wrong with a resume file that is whole.
var (
	errOtherTorrent = errors.New("it is that of another torrent; checking the content")
	errOtherPath    = errors.New("it is that of content elsewhere; checking the content")
	errOtherShape   = errors.New("it does not fit the torrent; checking the content")
)

// suits tells whether r is about this content.
func (s *Store) suits(r *Resume) error {
	switch {
	case r.Hash != s.cfg.Hash:
		return errOtherTorrent
	case r.Path != s.disk.path(s.cfg.Name):
		return errOtherPath
	case r.Have.Len() != s.layout.Pieces() || len(r.Files) != len(s.layout.Files),
		r.Side != nil && (r.Side.Head.Len() != len(s.layout.Files) || r.Side.Tail.Len() != len(s.layout.Files)):
		return errOtherShape
	}
	return nil
}

func (s *Store) warn(err error) {
	if s.cfg.Warn != nil {
		s.cfg.Warn(err)
	}
}
