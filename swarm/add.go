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
	hash, err := spec.hash()
	if err != nil {
		return nil, err
	}
	var info *metainfo.Info
	if spec.Torrent != nil {
		info = spec.Torrent.Info()
	}
	if !e.Bears(info) {
		return nil, ErrMemory
	}
	t := newTorrent(e, spec, hash)
	if err := e.registry.add(t); err != nil {
		t.cancel()
		t.limits.end(e)
		return nil, err
	}
	e.feed.Add(t)
	t.start(info)
	return t, nil
}

// hash returns the info-hash by which the torrent of s goes.
func (s *Spec) hash() (metainfo.Hash, error) {
	hash := s.Magnet.Hash()
	if s.Torrent != nil {
		hash = s.Torrent.Info().Hash()
	}
	if hash == (metainfo.Hash{}) {
		return hash, errors.New("neither a torrent nor a magnet link is given")
	}
	if s.Hash != (metainfo.Hash{}) && s.Hash != hash {
		if known := namesOf(s); !known.has(s.Hash) {
			return hash, fmt.Errorf("%v is no info-hash of the torrent", s.Hash)
		}
		hash = s.Hash
	}
	return hash, nil
}

// Find returns the folder where the content of spec would be found if it were added now:
// spec.Dir, or the one that the content was moved to from there. there reports whether
// anything has a name of the content in that folder; it is false while the metadata is not
// known. Find only looks.
func (e *Engine) Find(spec Spec) (dir string, there bool) {
	cfg, err := e.placeOf(&spec)
	if err != nil {
		return spec.Dir, false
	}
	return storage.Find(cfg)
}

// Locate says that the content of spec, which was in spec.Dir, lies in the folder dir now, because
// the user has moved it by other means. It is found there by the names that the user gave to it,
// if it has them there. The error wraps ErrExists if the engine has the torrent, is ErrNoInfo
// while the metadata is not known, or that of the records.
func (e *Engine) Locate(spec Spec, dir string) error {
	cfg, err := e.placeOf(&spec)
	if err != nil {
		return err
	}
	if e.registry.find(cfg.Hash) != nil {
		return fmt.Errorf("%v: %w", cfg.Hash, ErrExists)
	}
	return storage.Locate(cfg, dir)
}

// placeOf says where the content of spec lies. The error is ErrNoInfo while the metadata is not
// known, or says what is wrong with spec.
func (e *Engine) placeOf(spec *Spec) (storage.Config, error) {
	hash, err := spec.hash()
	if err == nil && spec.Torrent == nil {
		err = ErrNoInfo
	}
	if err != nil {
		return storage.Config{}, err
	}
	return storage.Config{Dir: spec.Dir, Name: spec.Name, Names: spec.Names,
		Layout: spec.Torrent.Info().Layout(), Hash: hash, StateDir: e.cfg.StateDir,
		StateReadOnly: e.cfg.StateReadOnly, Room: e.memory.Room}, nil
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
