package storage

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A record is where the Resume of a Store is kept. It is an interface so that
// tests can put one that loses what was not synced under a Store.
type record interface {
	// read returns the record and the time it was made at by the clock that
	// stamps files, in nanoseconds since 1970; fs.ErrNotExist when there is
	// none.
	read() (doc []byte, made int64, err error)
	// replace puts doc in the place of the record, as a whole or not at all;
	// durable waits until that is on stable storage.
	replace(doc []byte, durable bool) error
	// path returns the name for messages.
	path() string
}

// fileRecord is a record in a file of its own.
type fileRecord struct{ name string }

// newFileRecord returns the record of a torrent in the folder dir.
func newFileRecord(dir, hash string) fileRecord {
	return fileRecord{filepath.Join(dir, hash+".resume")}
}

func (r fileRecord) path() string { return r.name }

// temporary returns the name that a new record has until it is whole.
func (r fileRecord) temporary() string { return r.name + ".new" }

func (r fileRecord) read() ([]byte, int64, error) {
	f, err := os.Open(r.name)
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
	doc, err := io.ReadAll(io.LimitReader(f, ResumeBytesMax+1))
	return doc, info.ModTime().UnixNano(), err
}

func (r fileRecord) replace(doc []byte, durable bool) error {
	dir := filepath.Dir(r.name)
	temporary := r.temporary()
	err := writeNew(temporary, doc, durable)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		err = writeNew(temporary, doc, durable)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, r.name); err != nil || !durable {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
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
		s.writtenUntil = made + int64(recordWindow*s.interval())
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
