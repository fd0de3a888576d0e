package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// An Error is a fault of the local disk, or something there that is in the
// way.
type Error struct {
	Op   string // what was being done: "open", "read", "write", "sync", ...
	Path string // the file or folder, as the user would name it
	Err  error
}

func (e *Error) Error() string { return e.Op + " " + e.Path + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// What can be in the way, as the Err of an Error.
var (
	// ErrClosed tells that the Store was closed.
	ErrClosed = errors.New("storage is closed")
	// ErrLink tells that a symbolic link lies where something would have to be
	// written, or leads out of the folder or nowhere.
	ErrLink = errors.New("is a symbolic link, through which nothing is written")
	// ErrFolder tells that a folder lies where a file belongs.
	ErrFolder = errors.New("is a folder, where the torrent has a file")
	// ErrNotFolder tells that something else lies where a folder belongs.
	ErrNotFolder = errors.New("is not a folder, where the torrent has one")
	// ErrSpecial tells that a device, pipe or socket lies where a file belongs.
	ErrSpecial = errors.New("is not a regular file")
	// ErrLonger tells that a file is longer than in the torrent, so that it is
	// something else, which must not be overwritten.
	ErrLonger = errors.New("is longer than in the torrent, so it is another file")
	// ErrExists tells that there is other data under the name of the content.
	ErrExists = errors.New("exists, and holds other data")
	// ErrInUse tells that another Store, of this process or another, writes to
	// the same content.
	ErrInUse = errors.New("is in use by another node")
	// ErrChanged tells that a file is no longer as the Store left it.
	ErrChanged = errors.New("was changed by another program")
	// ErrShort tells that a file ends before the data that should be there.
	ErrShort = errors.New("is shorter than it should be")
	// ErrRange tells that a block does not lie within a piece of the torrent.
	ErrRange = errors.New("block lies outside of its piece")
	// ErrReadOnly tells that a Store opened for reading was asked to write.
	ErrReadOnly = errors.New("is only being read")
	// ErrUnwanted tells that a block belongs to files alone that are not
	// wanted.
	ErrUnwanted = errors.New("block belongs to no wanted file")
	// ErrConflict tells that data of a hybrid agrees with one of its hashes and
	// not with the other: no data can ever satisfy the torrent, and BEP 52 has
	// clients refuse it. It is no *Error, since no file is at fault.
	ErrConflict = errors.New(
		"the torrent contradicts itself: its v1 and v2 hashes are of different content")
	errLinkOut = fmt.Errorf("%w, and which is absolute or leads out of the folder or nowhere",
		ErrLink)
	errNamesChanged = errors.New(
		"the file system cannot hold some names of the torrent, which are changed")
	// ErrSelection tells that Config.Wanted is not about as many files as there
	// are.
	ErrSelection = errors.New("the choice of files does not fit the torrent")
)

// IsFull reports whether err says that there is no room: disk, quota or file
// size limit.
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

// wrap says what was being done to path. A nil error stays nil, and an Error
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
