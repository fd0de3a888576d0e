package swarm

import "errors"

// ErrNoInfo says that a method needs the info dictionary of the torrent, which is not known
// yet.
var ErrNoInfo = errors.New("the metadata is not known yet")

// A Priority ranks the files of a torrent. The pieces of a file with a higher priority are
// fetched before those of a file with a lower one.
type Priority uint8

// The priorities between which all others lie. A higher number than Highest counts as
// Highest.
const (
	Unwanted Priority = 0 // not fetched
	Lowest   Priority = 1
	Normal   Priority = 4 // the priority of a file unless the user chooses another one
	Highest  Priority = 7
)

// A FileState says how far a file of a torrent has come.
type FileState struct {
	Path     string // where the file lies, or will lie
	Size     int64  // in bytes
	Have     int64  // bytes of the file that lie in verified pieces
	Priority Priority
	Pad      bool // the file is padding (BEP 47) and is not made
}

// Complete reports whether all of the file is verified.
func (f *FileState) Complete() bool { return f.Have == f.Size }
