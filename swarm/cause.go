package swarm

import (
	"errors"
	"io/fs"

	"swarmnode/swarm/limit"
	"swarmnode/swarm/storage"
	"swarmnode/swarm/transport"
)

// A Cause is the kind of an error that a torrent ends with, or that a method of a Torrent
// returns, as far as a program or its user can act on it. The error itself says what
// happened to what.
type Cause uint8

// The causes.
const (
	CauseOther    Cause = iota // any other error, and none
	CauseExists                // the torrent was added already, or another node uses its content
	CauseInTheWay              // something else lies where the content belongs
	CauseMissing               // a file or folder does not exist
	CauseFull                  // no room is left on the disk, in a quota or in a limit
	CauseDenied                // permissions, or a file system that cannot be written to
	CauseDisk                  // another failure of files
	CauseConflict              // the torrent contradicts itself, so no content can be right
	CauseMemory                // the memory limit of the process leaves no room
	CauseReserve               // less would stay free on the disk than Engine.SetMinFree wants
)

func (c Cause) String() string {
	return [...]string{"other", "exists", "in the way", "missing", "full", "denied", "disk",
		"conflict", "memory", "reserve"}[c]
}

// CauseOf returns the cause of err. Errors of package os have one, too.
func CauseOf(err error) Cause {
	switch {
	case errors.Is(err, ErrMemory):
		return CauseMemory
	case errors.Is(err, ErrExists), errors.Is(err, storage.ErrInUse):
		return CauseExists
	case storage.IsInTheWay(err):
		return CauseInTheWay
	case errors.Is(err, storage.ErrConflict):
		return CauseConflict
	case isReserve(err):
		return CauseReserve
	case storage.IsFull(err):
		return CauseFull
	case storage.IsDenied(err):
		return CauseDenied
	case errors.Is(err, fs.ErrNotExist):
		return CauseMissing
	}
	if _, ok := errors.AsType[*storage.Error](err); ok {
		return CauseDisk
	}
	return CauseOther
}

// isReserve reports whether err is a *storage.ReserveError.
func isReserve(err error) bool {
	_, ok := errors.AsType[*storage.ReserveError](err)
	return ok
}

// SetMinFree sets how many bytes stay free on each file system from now on: a torrent whose
// next write would leave less is Faulty, with a fault of CauseReserve, until there is more room.
// It seeds meanwhile. 0 or less is no limit.
func (e *Engine) SetMinFree(bytes int64) { e.workers.SetReserve(bytes) }

// DiskSpace returns how many bytes this process may still write where a folder lies, which need
// not exist yet, and how large that file system is. The error is errors.ErrUnsupported if that
// is not known.
func DiskSpace(dir string) (free, total int64, err error) { return storage.DiskSpace(dir) }

// processMemory is shared, since it knows when garbage was collected last.
var processMemory = limit.NewMemory(nil)

// MemoryRoom reports whether the memory limit of the process (debug.SetMemoryLimit) leaves
// room for n more bytes that will stay.
func MemoryRoom(n int64) bool { return processMemory.Room(n) }

// MemorySpare reports whether there is room for n more bytes that are given back soon, such as
// those of a request. It allows more than MemoryRoom.
func MemorySpare(n int64) bool { return processMemory.Spare(n) }

// DescriptorsMax returns how many files and sockets the process may have open.
func DescriptorsMax() int { return transport.DescriptorsMax() }
