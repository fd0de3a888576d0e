package swarm

import (
	"fmt"
	"sync"

	"swarmnode/metainfo"
	"swarmnode/swarm/transport/mse"
)

// A registry finds the torrents of an Engine by their info-hashes. It is safe for
// concurrent use.
type registry struct {
	mu       sync.Mutex
	closed   bool
	torrents map[metainfo.Hash]*Torrent // by Hash
	aliases  map[metainfo.Hash]*Torrent // by the other info-hash of hybrids
	// keys holds the info-hashes of both maps, by their names in encrypted handshakes.
	keys map[mse.ID]metainfo.Hash
}

func newRegistry() registry {
	return registry{
		torrents: make(map[metainfo.Hash]*Torrent),
		aliases:  make(map[metainfo.Hash]*Torrent),
		keys:     make(map[mse.ID]metainfo.Hash),
	}
}

// add adds t under its info-hashes. The error is ErrClosed, or wraps ErrExists if another
// torrent has one of them.
func (r *registry) add(t *Torrent) error {
	hashes := t.hashes()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	return r.put(t, hashes)
}

// regain adds t again if it is not there any more, so that nobody else adds a torrent with
// one of its info-hashes. The error wraps ErrExists if somebody has. After close it adds
// nothing, since nobody does.
func (r *registry) regain(t *Torrent) error {
	hashes := t.hashes()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed && r.torrents[t.hash] == nil {
		return nil
	}
	return r.put(t, hashes)
}

// put adds t under its info-hashes, unless another torrent has one of them. r.mu is held.
func (r *registry) put(t *Torrent, hashes []metainfo.Hash) error {
	for _, hash := range hashes {
		if other := r.byHash(hash); other != nil && other != t {
			return fmt.Errorf("%v: %w", hash, ErrExists)
		}
	}
	r.torrents[t.hash] = t
	for _, hash := range hashes[1:] {
		r.aliases[hash] = t
	}
	for _, hash := range hashes {
		r.keys[mse.Key(hash).ID()] = hash
	}
	return nil
}

// alias adds another info-hash of t. It reports false if that is the hash of another
// torrent.
func (r *registry) alias(t *Torrent, hash metainfo.Hash) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.byHash(hash); other != nil {
		return other == t
	}
	r.aliases[hash] = t
	r.keys[mse.Key(hash).ID()] = hash
	return true
}

// remove removes t and its info-hashes.
func (r *registry) remove(t *Torrent) {
	hashes := t.hashes()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, hash := range hashes {
		if r.byHash(hash) == t {
			delete(r.keys, mse.Key(hash).ID())
		}
		if r.aliases[hash] == t {
			delete(r.aliases, hash)
		}
	}
	if r.torrents[t.hash] == t {
		delete(r.torrents, t.hash)
	}
}

// close keeps torrents from being added, and returns those that are there.
func (r *registry) close() []*Torrent {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return r.list()
}

// all returns the torrents, in no order.
func (r *registry) all() []*Torrent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list()
}

// any reports whether f returns true for some torrent. f must not use r.
func (r *registry) any(f func(t *Torrent) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.torrents {
		if f(t) {
			return true
		}
	}
	return false
}

// list returns the torrents, in no order. r.mu is held.
func (r *registry) list() []*Torrent {
	all := make([]*Torrent, 0, len(r.torrents))
	for _, t := range r.torrents {
		all = append(all, t)
	}
	return all
}

// find returns the torrent of an info-hash, or nil.
func (r *registry) find(hash metainfo.Hash) *Torrent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byHash(hash)
}

// byHash returns the torrent of an info-hash, or nil. r.mu is held.
func (r *registry) byHash(hash metainfo.Hash) *Torrent {
	if t := r.torrents[hash]; t != nil {
		return t
	}
	return r.aliases[hash]
}

// key returns the info-hash that id names in an encrypted handshake, and reports whether
// a torrent has it.
func (r *registry) key(id mse.ID) (mse.Key, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	hash, ok := r.keys[id]
	return mse.Key(hash), ok
}
