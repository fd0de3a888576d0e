package daemon

import (
	"context"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// opened returns the running torrent, or nil.
func (t *Torrent) opened() *swarm.Torrent {
	t.daemon.mu.Lock()
	defer t.daemon.mu.Unlock()
	return t.run
}

// open returns the torrent in the engine; it opens one that rests as a paused one.
func (t *Torrent) open(ctx context.Context) (*swarm.Torrent, error) {
	if run := t.opened(); run != nil {
		return run, nil
	}
	return nil, ErrRemoved
}

// Options returns what the user has set. Nobody may change its slices and maps.
func (t *Torrent) Options() Options { return Options{} }

// Set changes the options by a function that gets a copy. If the new ones are wrong, nothing
// changes, and the error is an *OptionError. Content is moved by Move, not by Options.Dir.
func (t *Torrent) Set(ctx context.Context, by func(*Options)) error { return ErrRemoved }

// Start lets the torrent run when its turn in the queue comes, or, if now is set, at once.
func (t *Torrent) Start(ctx context.Context, turn Turn) error { return ErrRemoved }

// A Turn says when a torrent starts.
type Turn bool

// The turns.
const (
	InTurn Turn = false // when the queue lets it
	AtOnce Turn = true  // outside of the queue (Options.Forced)
)

// Stop makes the torrent rest until Start.
func (t *Torrent) Stop(ctx context.Context) error { return ErrRemoved }

// Verify hashes the content again, when its turn comes.
func (t *Torrent) Verify(ctx context.Context) error { return ErrRemoved }

// Reannounce asks the trackers as soon as they allow it.
func (t *Torrent) Reannounce(ctx context.Context) error { return ErrRemoved }

// Move puts the content into another folder. It returns at once; State shows the progress, and
// Error what went wrong.
func (t *Torrent) Move(ctx context.Context, dir string) error { return ErrRemoved }

// Locate says that the content lies in another folder now. It is checked there.
func (t *Torrent) Locate(ctx context.Context, dir string) error { return ErrRemoved }

// Rename gives a file or folder of the content, named by its path in the torrent ("" is the
// top), another name.
func (t *Torrent) Rename(ctx context.Context, path, name string) error { return ErrRemoved }

// Remove ends the torrent and forgets it; with data, its files are removed, too.
func (t *Torrent) Remove(ctx context.Context, data bool) error { return ErrRemoved }

// Enqueue changes the position in the queue: the new one is that of to, from 0.
func (t *Torrent) Enqueue(to int) error { return ErrRemoved }

// Metainfo returns the torrent as a .torrent file describes it, with the trackers of Options,
// or ErrNoInfo.
func (t *Torrent) Metainfo(ctx context.Context) (*metainfo.Torrent, error) {
	return nil, ErrRemoved
}

// Magnet returns the magnet link, with trackers.
func (t *Torrent) Magnet() metainfo.Magnet { return metainfo.Magnet{} }

// Files returns the state of each file of the layout, padding included; nil before the
// metadata is known. A torrent that rests is read from the state folder.
func (t *Torrent) Files(ctx context.Context) ([]swarm.FileState, error) { return nil, ErrRemoved }

// Peers, Pieces, Trackers and WebSeeds are those of swarm.Torrent; of a torrent that rests
// there are none, except for trackers, which are those of Options.
func (t *Torrent) Peers() []swarm.PeerState { return nil }

// Pieces describes the pieces.
func (t *Torrent) Pieces() swarm.PiecesState { return swarm.PiecesState{} }

// Trackers describes the trackers.
func (t *Torrent) Trackers() []swarm.TrackerState { return nil }

// WebSeeds describes the web seeds.
func (t *Torrent) WebSeeds() []swarm.WebSeedState { return nil }

// AddPeer names another peer to try, HOST:PORT.
func (t *Torrent) AddPeer(ctx context.Context, hostPort string) error { return ErrRemoved }

// Reader reads a file of the torrent, whose content is fetched as it is read.
func (t *Torrent) Reader(ctx context.Context, file int) (*swarm.Reader, error) {
	return nil, ErrRemoved
}
