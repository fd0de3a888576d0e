package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

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
	// write makes a file that holds doc, and returns when the data is on stable
	// storage. It makes the folder if need be. The file gets a name of its own, fresh.
	write(name string, doc []byte) (fresh string, err error)
	// rename gives a file another name, in place of a file that has it.
	rename(from, to string) error
	// sync puts the names in the folder on stable storage, and with parents
	// that of the folder itself and those of all above it.
	sync(parents bool) error
	// path returns the path of a file, for messages.
	path(name string) string
}

// newRecord returns the record in the folder dir with a name that begins with stem.
func newRecord(dir, stem string) *record {
	return &record{folder: stateFolder(dir), name: stem + ResumeSuffix}
}

// stemKeyBytes is how many bytes of the SHA-256 of a path are in the names of records,
// to tell apart the records of one torrent that lies in several places.
const stemKeyBytes = 8

// stateStem returns the beginning of the names of the files in a folder for state that
// are about the content of a torrent at path. Earlier versions had one record for each
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

// replace puts doc in the place of the record, and returns when that is on stable
// storage. Calls are not made at the same time.
func (r *record) replace(doc []byte) error {
	if r.frozen {
		return nil
	}
	fresh, err := r.folder.write(r.name, doc)
	if err != nil {
		return err
	}
	if err := r.folder.rename(fresh, r.name); err != nil {
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

func (d stateFolder) write(name string, doc []byte) (fresh string, err error) {
	fresh = statefile.Temporary(name)
	err = statefile.Create(d.path(fresh), doc, true)
	if !errors.Is(err, fs.ErrNotExist) {
		return fresh, err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fresh, err
	}
	return fresh, statefile.Create(d.path(fresh), doc, true)
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
	return syncOpenFolder(f)
}

// syncParents puts the name of the folder dir, and those of all above it, on stable
// storage, in case one of them is new. A folder that cannot be synced, as one that
// must not be opened, was not made by this program.
func syncParents(dir string) {
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		_ = syncPath(parent)
		if parent == filepath.Dir(parent) {
			return
		}
	}
}

// load takes over what the record of an earlier run says, if it is about this content.
// It does so once, and reports whether this was the time. The user is warned of a record
// that cannot be used, and it counts as none.
func (j *journal) load() (first bool) {
	if j.record == nil || j.loaded {
		return false
	}
	j.loaded = true
	r, made, err := j.readRecord(j.record)
	if errors.Is(err, fs.ErrNotExist) {
		r, made, err = j.takeEarlier()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		j.cfg.warn(&Error{"resume from", j.record.path(), err})
		return true
	}
	j.known.mu.Lock()
	defer j.known.mu.Unlock()
	j.recorded, j.clean, j.resumed = r.Have, r.Clean, true
	j.known.restore(r, made+int64(recordWindow*checkpointInterval))
	j.parts.restore(r.Partfile)
	return true
}

// readRecord returns what a record says, if it is about this content, and when it
// was made.
func (j *journal) readRecord(from *record) (r *Resume, made int64, err error) {
	doc, made, err := from.read()
	if err == nil {
		r, err = ParseResume(doc)
	}
	if err == nil {
		err = j.suits(r)
	}
	return r, made, err
}

// takeEarlier takes over the record and the partfile of an earlier version, which
// had one for each torrent, if they are about this content. Otherwise the error is
// fs.ErrNotExist.
func (j *journal) takeEarlier() (r *Resume, made int64, err error) {
	if j.cfg.StateDir == "" || j.cfg.record != nil {
		return nil, 0, fs.ErrNotExist
	}
	stem := j.cfg.Hash.String()
	earlier := newRecord(j.cfg.StateDir, stem)
	r, made, err = j.readRecord(earlier)
	other := errors.Is(err, errOtherPath)
	switch {
	case other:
		return nil, 0, fs.ErrNotExist
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, 0, err
	case j.cfg.StateReadOnly:
		j.parts.useStem(stem)
		return r, made, err
	}
	// The record goes last, so that a crash in between leads here again.
	j.parts.takeEarlier(earlier.folder.path(stem+partfileSuffix), r)
	if err == nil {
		_ = os.Rename(earlier.path(), j.record.path()) // without it, it is found again
	}
	return r, made, err
}

// What can be wrong with a resume file that is whole.
var (
	errOtherTorrent = errors.New("it belongs to another torrent; checking the content")
	errOtherPath    = errors.New("it is about content elsewhere; checking the content")
	errOtherShape   = errors.New("it does not fit the torrent; checking the content")
)

// suits reports by its error whether r is about this content.
func (j *journal) suits(r *Resume) error {
	files := len(j.known.layout.Files)
	switch {
	case r.Hash != j.cfg.Hash:
		return errOtherTorrent
	case r.Path != j.place.names.finalPath():
		return errOtherPath
	case r.Have.Len() != j.known.layout.Pieces() || len(r.Files) != files,
		r.Partfile != nil && (r.Partfile.Head.Len() != files || r.Partfile.Tail.Len() != files):
		return errOtherShape
	}
	return nil
}
