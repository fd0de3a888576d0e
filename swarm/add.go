package swarm

import (
	"errors"

	"swarmnode/metainfo"
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
	if !e.Bears(info) {
		return nil, ErrMemory
	}
	t := newTorrent(e, spec, hash)
	if err := e.registry.add(t); err != nil {
		t.cancel()
		return nil, err
	}
	e.feed.add(t)
	t.start(info)
	return t, nil
}
