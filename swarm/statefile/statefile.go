// Package statefile reads and replaces the small files in which a node keeps
// what it remembers from one run to the next.
//
// Other users may be able to put things into the folder of such files. So this
// package follows no symbolic link in the place of a file, opens regular files
// alone, never waits for the other end of a pipe, and writes only to files that
// it has just made itself, which then take the place of the old ones as a whole.
// The folders above a file are the user's choice, and may be links.
package statefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// What can be wrong with what lies in the place of a file.
var (
	ErrLink    = errors.New("is a symbolic link, which is not followed")
	ErrSpecial = errors.New("is not a regular file")
	ErrTooLong = errors.New("is too long")
	// ErrLocked says that another process holds a lock.
	ErrLocked = errors.New("is locked by another process")
)

// perm is the permission of new files: nobody else's business.
const perm = 0o600

// TemporarySuffix ends the names of files that are not whole yet.
const TemporarySuffix = ".new"

// Open opens the regular file path for reading.
func Open(path string) (*os.File, error) { return open(path, os.O_RDONLY) }

// OpenLock opens the regular file path, to be locked, and makes it if it does not
// exist.
func OpenLock(path string) (*os.File, error) {
	f, err := open(path, os.O_RDWR)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if errors.Is(err, fs.ErrExist) { // made by another process just now
		return open(path, os.O_RDWR)
	}
	return f, err
}

// open looks first, since opening a device can do harm, and once more when the
// file is open.
func open(path string, flags int) (*os.File, error) {
	found, err := os.Lstat(path)
	if err == nil {
		err = check(path, found.Mode())
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, flags|openFlags, 0)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil {
		err = check(path, opened.Mode())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// check says why something of this mode is not opened.
func check(path string, mode fs.FileMode) error {
	why := ErrSpecial
	switch {
	case mode.IsRegular():
		return nil
	case mode&fs.ModeSymlink != 0:
		why = ErrLink
	}
	return &fs.PathError{Op: "open", Path: path, Err: why}
}

// Read returns what is in the regular file path, and when that was last changed.
// The error is fs.ErrNotExist if there is no such file, and ErrTooLong if it has
// more than max bytes.
func Read(path string, max int64) (doc []byte, changed time.Time, err error) {
	f, err := Open(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	doc, err = io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(doc)) > max {
		err = &fs.PathError{Op: "read", Path: path, Err: ErrTooLong}
	}
	return doc, info.ModTime(), err
}

// writersMax bounds the files that are written at one time: each takes a thread while it waits
// for the disk, and thousands of torrents may end together.
const writersMax = 64

var writers = make(chan struct{}, writersMax)

// Create makes the file path and puts doc into it. It fails if anything has that
// name. With durable it waits until the data is on stable storage. A file that
// cannot be written whole is removed.
func Create(path string, doc []byte, durable bool) error {
	writers <- struct{}{}
	defer func() { <-writers }()
	return create(path, doc, durable)
}

// create is Create by one of the writers.
func create(path string, doc []byte, durable bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(doc)
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

// Replace puts doc in the place of the file path, whatever lies there but a
// folder: who reads path finds the old content whole, or the new. With durable it
// waits until the data is on stable storage before it takes the old one's place.
func Replace(path string, doc []byte, durable bool) error {
	writers <- struct{}{}
	defer func() { <-writers }()
	fresh := Temporary(path)
	if err := create(fresh, doc, durable); err != nil {
		return err
	}
	err := os.Rename(fresh, path)
	if err != nil {
		os.Remove(fresh)
	}
	return err
}

// Temporary returns a name beside path that nobody can have guessed.
func Temporary(path string) string {
	return fmt.Sprintf("%s.%016x%s", path, rand.Uint64(), TemporarySuffix)
}

// Writable reports by its error whether files can be made in the folder dir. It
// makes one, and removes it.
func Writable(dir string) error {
	name := Temporary(filepath.Join(dir, ".swarmnode"))
	if err := Create(name, nil, false); err != nil {
		return err
	}
	return os.Remove(name)
}
