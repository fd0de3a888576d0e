package swarm

import (
	"swarmnode/metainfo"
	"swarmnode/swarm/transport/mse"
	"swarmnode/swarm/wire"
)

// names are the info-hashes of a torrent, as far as they are known: of a hybrid
// there are two, and a swarm of each (BEP 52, "upgrade path").
type names struct {
	v1           metainfo.Hash
	v2           metainfo.Hash256
	hasV1, hasV2 bool
}

// namesOf returns what is known of the torrent to add.
func namesOf(spec *Spec) names {
	if spec.Torrent != nil {
		return namesIn(spec.Torrent.Info())
	}
	m := &spec.Magnet
	return names{v1: m.V1, v2: m.V2, hasV1: m.HasV1, hasV2: m.HasV2}
}

func namesIn(info *metainfo.Info) names {
	var n names
	n.v1, n.hasV1 = info.HashV1()
	n.v2, n.hasV2 = info.HashV2()
	return n
}

// hashes returns the info-hashes by which peers can name the torrent; first is
// one of them, or comes in addition.
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
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.names.hashes(t.hash)
}

// learnNames takes over the info-hashes of the metadata.
func (t *Torrent) learnNames(info *metainfo.Info) {
	t.mu.Lock()
	t.names = namesIn(info)
	t.mu.Unlock()
	for _, hash := range t.hashes()[1:] {
		if !t.engine.alias(t, hash) {
			t.log.Warn("another torrent here is a part of this hybrid", "other", hash.Short())
		}
	}
}

// hello is our side of the handshake (BEP 3) for the swarm of hash. That we know
// the v2 info-hash is told by a bit (BEP 52).
func (t *Torrent) hello(hash metainfo.Hash) wire.Hello {
	reserved := wire.Reserved{}.With(wire.FeatureExtension).With(wire.FeatureFast)
	if t.engine.cfg.HasDHT && !t.private() {
		reserved = reserved.With(wire.FeatureDHT)
	}
	t.mu.Lock()
	if t.names.hasV2 {
		reserved = reserved.With(wire.FeatureV2)
	}
	t.mu.Unlock()
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

// answer is our side of the handshake to a peer that came. One that named a
// hybrid by its v1 hash, and knows v2, is answered with the v2 hash: that makes
// the link one of v2 on both sides.
func (t *Torrent) answer(asked wire.Hello) wire.Hello {
	mine := t.hello(asked.InfoHash)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.names.hasV2 && asked.Reserved.Has(wire.FeatureV2) {
		mine.InfoHash = t.names.v2.Short()
	}
	return mine
}

// alias makes another info-hash of t find it. It fails if that is the hash of
// another torrent.
func (e *Engine) alias(t *Torrent, hash metainfo.Hash) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if other := e.find(hash); other != nil {
		return other == t
	}
	e.aliases[hash] = t
	e.hidden[mse.Key(hash).ID()] = hash
	return true
}

// find returns the torrent of an info-hash. The mutex is held.
func (e *Engine) find(hash metainfo.Hash) *Torrent {
	if t := e.torrents[hash]; t != nil {
		return t
	}
	return e.aliases[hash]
}
