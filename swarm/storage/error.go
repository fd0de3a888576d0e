package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"syscall"
)

// An Error is a fault of the local disk, or of something there that is in the way.
type Error struct {
	Op   string // the operation: "open", "read", "write", "sync", ...
	Path string // the file or folder, as the user would name it
	Err  error
}

// Error leaves the operation out where the cause says what the file is.
func (e *Error) Error() string {
	if errors.Is(e.Err, ErrName) {
		return strconv.Quote(e.Path) + ": " + e.Err.Error()
	}
	if IsInTheWay(e.Err) || errors.Is(e.Err, ErrInside) || errors.Is(e.Err, ErrInUse) ||
		errors.Is(e.Err, ErrChanged) {
		return e.Path + ": " + e.Err.Error()
	}
	return e.Op + " " + e.Path + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// The faults, as the Err of an Error.
var (
	// ErrClosed says that the Store was closed.
	ErrClosed = errors.New("storage is closed")
	// ErrLink says that a symbolic link lies where something would have to be
	// written, or leads out of the folder or nowhere.
	ErrLink = errors.New("is a symbolic link, through which nothing is written")
	// ErrFolder says that a folder lies where a file belongs.
	ErrFolder = errors.New("is a folder, where the torrent has a file")
	// ErrNotFolder says that something else lies where a folder belongs.
	ErrNotFolder = errors.New("is not a folder, where the torrent has one")
	// ErrSpecial says that a device, pipe or socket lies where a file belongs.
	ErrSpecial = errors.New("is not a regular file")
	// ErrLonger says that a file is longer than in the torrent: then it is another
	// file, which must not be overwritten.
	ErrLonger = errors.New("is longer than in the torrent, so it is another file")
	// ErrExists says that other data has the name of the content.
	ErrExists = errors.New("exists, and holds other data")
	// ErrInUse says that another Store, of this process or another, writes to
	// the same content.
	ErrInUse = errors.New("is in use by another node")
	// ErrChanged says that a file is no longer as the Store left it.
	ErrChanged = errors.New("was changed by another program")
	// ErrShort says that a file ends before the data that should be there.
	ErrShort = errors.New("is shorter than it should be")
	// ErrRange says that a block does not lie within a piece of the torrent.
	ErrRange = errors.New("block lies outside of its piece")
	// ErrReadOnly says that a Store opened for reading was asked to write.
	ErrReadOnly = errors.New("is only being read")
	// ErrConflict says that data of a hybrid agrees with one of its hashes and
	// not with the other: no data can ever satisfy the torrent, and clients must refuse
	// it (BEP 52). It is not an *Error, since no file is at fault.
	ErrConflict = errors.New(
		"the torrent contradicts itself: its v1 and v2 hashes are of different content")
	// ErrInside says that content cannot be moved into a folder of its own.
	ErrInside = errors.New("is a folder of the content that would be moved there")
	// ErrBadCopy says that a copy was not what the original is. The original stays.
	ErrBadCopy = errors.New("the copy differs from the original")
	// ErrName says that a file or folder cannot have a name.
	ErrName    = errors.New("cannot be the name of a file or folder")
	errLinkOut = fmt.Errorf("%w, and which is absolute or leads out of the folder or nowhere",
		ErrLink)
	errNamesChanged = errors.New(
		"the file system cannot hold some names of the torrent, which are changed")
	// ErrSelection says that the length of Config.Wanted is not the number of files.
	ErrSelection = errors.New("the choice of files does not fit the torrent")
)

// IsFull reports whether err says that no room is left: on the disk, in a quota or
// within a limit of file sizes.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		errors.Is(err, syscall.EFBIG)
}

// IsDenied reports whether err says that the folder or file may not be written
// (or read): permissions, or a read-only file system.
func IsDenied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// IsInTheWay reports whether err says that something else lies where the content
// belongs.
func IsInTheWay(err error) bool {
	for _, target := range []error{ErrLink, ErrFolder, ErrNotFolder, ErrSpecial, ErrLonger,
		ErrExists} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// wrap adds the operation and its path to err. A nil error stays nil, and an Error
// is not wrapped again.
func wrap(op, path string, err error) error {
	if err == nil {
		return nil
	}
	if own := (*Error)(nil); errors.As(err, &own) {
		return err
	}
	var path1 *fs.PathError
	if errors.As(err, &path1) {
		err = path1.Err
	}
	return &Error{Op: op, Path: path, Err: err}
}
