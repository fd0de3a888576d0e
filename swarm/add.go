package swarm

import (
	"errors"
	"fmt"

	"swarmnode/metainfo"
	"swarmnode/swarm/storage"
)

// Add starts a torrent. It returns at once: opening the files, checking the content on
// disk and finding peers happen behind the handle. The error wraps ErrExists, is
// ErrClosed or ErrMemory, or says what is wrong with spec.
func (e *Engine) Add(spec Spec) (*Torrent, error) {
	hash := spec.Magnet.Hash()
	var info *metainfo.Info
	if spec.Torrent != nil {
		info = spec.Torrent.Info()
		hash = info.Hash()
	}
	if hash == (metainfo.Hash{}) {
		return nil, errors.New("neither a torrent nor a magnet link is given")
	}
	if spec.Hash != (metainfo.Hash{}) && spec.Hash != hash {
		hash = spec.Hash
		if known := namesOf(&spec); !known.has(hash) {
			return nil, fmt.Errorf("%v is no info-hash of the torrent", hash)
		}
	}
	if !e.Bears(info) {
		return nil, ErrMemory
	}
	t := newTorrent(e, spec, hash)
	if err := e.registry.add(t); err != nil {
		t.cancel()
		return nil, err
	}
	e.feed.Add(t)
	t.start(info)
	return t, nil
}

// Forget removes what is recorded of a torrent that is not in the engine, as Torrent.Remove
// does for one that is: what is on disk, its peers and totals, where its content was moved.
// The error wraps ErrExists if the engine has the torrent, or is that of the records.
func (e *Engine) Forget(hash metainfo.Hash) error {
	switch {
	case e.registry.find(hash) != nil:
		return fmt.Errorf("%v: %w", hash, ErrExists)
	case e.cfg.StateDir == "" || e.cfg.StateReadOnly:
		return nil
	}
	return storage.Forget(e.cfg.StateDir, hash, recordSuffixes...)
}
