package daemon

import (
	"context"

	"swarmnode/metainfo"
)

// An AddSpec describes a torrent to add.
type AddSpec struct {
	// Torrent is what to add. If it is nil, Magnet is.
	Torrent *metainfo.Torrent
	Magnet  metainfo.Magnet
	// Options are those of the torrent; an empty Dir means that of Settings.
	Options Options
	// Peers are known peers, HOST:PORT.
	Peers []string
	// Complete says that the content in Dir was just hashed.
	Complete bool
	// Source says where it came from, for the log: a file, a URL, a control.
	Source string
}

// Add adds a torrent, keeps it in the state folder, and starts it when its turn comes unless
// Options.Stopped is set. If it is there already, the error is an *ExistsError with it.
func (d *Daemon) Add(ctx context.Context, spec AddSpec) (*Torrent, error) {
	return nil, ErrRemoved
}
