package daemon

import (
	"errors"
	"fmt"
)

// ErrRemoved says that the torrent was removed.
var ErrRemoved = errors.New("the torrent was removed")

// ErrNoInfo says that the metadata of a magnet link is not known yet.
var ErrNoInfo = errors.New("the metadata is not known yet")

// ErrClosed says that the daemon was closed.
var ErrClosed = errors.New("the daemon is closed")

// An ExistsError says that a torrent was added before.
type ExistsError struct{ Torrent *Torrent }

func (e *ExistsError) Error() string { return "torrent already added" }

// A SettingError says what is wrong with a setting, which has the name of its flag.
type SettingError struct {
	Name string
	Err  error
}

func (e *SettingError) Error() string { return fmt.Sprintf("%s: %v", e.Name, e.Err) }

// Unwrap returns the cause.
func (e *SettingError) Unwrap() error { return e.Err }

// An OptionError says what is wrong with an option of a torrent.
type OptionError struct {
	Name string // of the field, in lower case
	Err  error
}

func (e *OptionError) Error() string { return fmt.Sprintf("%s: %v", e.Name, e.Err) }

// Unwrap returns the cause.
func (e *OptionError) Unwrap() error { return e.Err }

// A PathError says that a folder lies outside of the folders that a control may use.
type PathError struct {
	Path string
	Err  error // why, for the log of the daemon
}

func (e *PathError) Error() string {
	return fmt.Sprintf("%s is outside of the allowed folders", e.Path)
}

// Unwrap returns the cause.
func (e *PathError) Unwrap() error { return e.Err }

// A LockError says that another daemon has the state folder.
type LockError struct {
	Dir     string
	PID     int    // its process id; 0 if that is not known
	Started string // when it was started, for users; may be empty
}

func (e *LockError) Error() string {
	who := "another daemon"
	if e.PID != 0 {
		who = fmt.Sprintf("the daemon with process id %d", e.PID)
	}
	if e.Started != "" {
		who += ", started " + e.Started
	}
	return fmt.Sprintf("%s is in use by %s", e.Dir, who)
}

// A GoneError says that nothing is left of the content of a torrent, which may be because a disk
// is not mounted. Nothing is fetched again until Torrent.Verify has looked, or Torrent.Locate has
// said where the content is.
type GoneError struct{ Dir string }

func (e *GoneError) Error() string {
	return fmt.Sprintf("the content is gone: there is nothing in %s; if its disk is missing, mount "+
		"it and start the torrent, otherwise verify it to fetch the content again", e.Dir)
}

// A KeepError says that a torrent could not be written to the state folder, so that the next
// run would not know it.
type KeepError struct{ Err error }

func (e *KeepError) Error() string {
	return fmt.Sprintf("the torrent cannot be kept in the state folder: %v", e.Err)
}

// Unwrap returns the cause.
func (e *KeepError) Unwrap() error { return e.Err }
