package swarm

import (
	"sync"

	"swarmnode/metainfo"
	"swarmnode/swarm/wire"
)

// names are the known info-hashes of a torrent. A hybrid has two, and a swarm for each of
// them (BEP 52, "upgrade path").
type names struct {
	v1           metainfo.Hash
	v2           metainfo.Hash256
	hasV1, hasV2 bool
}

// sharedNames holds the names of a torrent while they become known. It is safe for
// concurrent use.
type sharedNames struct {
	mu    sync.Mutex
	names names
}

func (s *sharedNames) set(n names) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = n
}

func (s *sharedNames) get() names {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names
}

// namesOf returns the names of the torrent that spec describes.
func namesOf(spec *Spec) names {
	if spec.Torrent != nil {
		return namesIn(spec.Torrent.Info())
	}
	m := &spec.Magnet
	return names{v1: m.V1, v2: m.V2, hasV1: m.HasV1, hasV2: m.HasV2}
}

// namesIn returns the names that an info dictionary has.
func namesIn(info *metainfo.Info) names {
	var n names
	n.v1, n.hasV1 = info.HashV1()
	n.v2, n.hasV2 = info.HashV2()
	return n
}

// has reports whether hash is one of the names.
func (n *names) has(hash metainfo.Hash) bool {
	return n.hasV1 && n.v1 == hash || n.hasV2 && n.v2.Short() == hash
}

// hashes returns the info-hashes by which peers can name the torrent. The first one is
// first, whether it is among the names or not.
func (n *names) hashes(first metainfo.Hash) []metainfo.Hash {
	list := []metainfo.Hash{first}
	if n.hasV1 && n.v1 != first {
		list = append(list, n.v1)
	}
	if n.hasV2 && n.v2.Short() != first {
		list = append(list, n.v2.Short())
	}
	return list
}

// hashes returns the info-hashes by which peers can name the torrent, that of
// Hash first.
func (t *Torrent) hashes() []metainfo.Hash {
	n := t.names.get()
	return n.hashes(t.hash)
}

// learnNames adopts the info-hashes of the metadata.
func (t *Torrent) learnNames(info *metainfo.Info) {
	t.names.set(namesIn(info))
	for _, hash := range t.hashes()[1:] {
		if !t.engine.registry.alias(t, hash) {
			t.log.Warn("another torrent here is one half of this hybrid", "other", hash.Short())
		}
	}
}

// hello returns our side of the handshake (BEP 3) for the swarm of hash. A bit of it says
// whether we know the v2 info-hash (BEP 52).
func (t *Torrent) hello(hash metainfo.Hash) wire.Hello {
	reserved := wire.Reserved{}.With(wire.FeatureExtension).With(wire.FeatureFast)
	if t.engine.hasDHT.Load() && !t.private() {
		reserved = reserved.With(wire.FeatureDHT)
	}
	if t.names.get().hasV2 {
		reserved = reserved.With(wire.FeatureV2)
	}
	return wire.Hello{InfoHash: hash, PeerID: t.peerID, Reserved: reserved}
}

// private reports whether the torrent is known to be private (BEP 27).
func (t *Torrent) private() bool {
	if t.spec.Torrent != nil {
		return t.spec.Torrent.Info().Private()
	}
	info := t.Info()
	return info != nil && info.Private()
}

// answer returns our side of the handshake with a peer that connected. A peer that named a
// hybrid by its v1 hash and knows v2 is answered with the v2 hash: that makes the
// connection one of v2 on both sides.
func (t *Torrent) answer(asked wire.Hello) wire.Hello {
	mine := t.hello(asked.InfoHash)
	if n := t.names.get(); n.hasV2 && asked.Reserved.Has(wire.FeatureV2) {
		mine.InfoHash = n.v2.Short()
	}
	return mine
}
