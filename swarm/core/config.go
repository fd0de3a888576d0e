package core

import (
	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// A Config says what New makes. The zero value of a limit means its default.
type Config struct {
	// InfoHash names the swarm: of a v2-only torrent it is the truncated hash.
	InfoHash metainfo.Hash
	// HashV2 is the v2 info-hash (BEP 52), if it is known. If InfoHash is not
	// the start of it, the user named the torrent by both hashes, and the metadata
	// must have both.
	HashV2 metainfo.Hash256
	// PeerID is ours. A peer with the same id is ourselves.
	PeerID [20]byte
	// Seed is the source of every random choice. Two Torrents with the same Seed
	// and the same events do the same.
	Seed uint64
	// Client is our name in the extension handshake ("v" of BEP 10).
	Client string
	// Port is where we accept connections, or 0 if we do not.
	Port uint16
	// Home is where we listen. Connections from there do not count by source.
	Home limit.Home
	// MetadataOnly makes the torrent fetch only what a .torrent file holds: the info
	// dictionary and the piece layers (BEP 52). It neither wants nor has any piece.
	// Complete follows once all of that is known.
	MetadataOnly bool
	// SuperSeed shows each peer only a few pieces at a time while we have every piece
	// (BEP 16).
	SuperSeed bool
	// Private says that the torrent is known to be private (BEP 27).
	Private bool
	// PeersOnly makes the torrent dial only the peers that the user named. It accepts
	// others that connect, and tells peers of nobody.
	PeersOnly bool
	// NoPEX starts the torrent as after the event PEXOff.
	NoPEX bool
	// Limits bound what the torrent uses.
	Limits Limits

	disguised *disguised // set in a replay
}

// Limits bound the resources of one torrent.
type Limits struct {
	// PeersMax is the number of connections. Default 80.
	PeersMax int
	// HalfOpenMax is the number of Dials under way. Default 32.
	HalfOpenMax int
	// RequestsMax is the number of blocks requested of all peers and not yet received.
	// The driver must have a buffer for each. Default 4,096, which is 64 MiB.
	RequestsMax int
	// MetadataMax is the number of bytes of unfinished info dictionaries from all peers.
	// Default and most 64 MiB, at least the size of the largest dictionary.
	MetadataMax int64
	// SlotsMax is the number of peers unchoked at a time. Default 64.
	SlotsMax int
}

// listenAt sets the port where we accept connections.
func (c *Config) listenAt(port uint16) { c.Port = port }

const (
	peersMaxDefault    = 80
	halfOpenMaxDefault = 32
	requestsMaxDefault = 64 << 20 / block.Size
	slotsMaxDefault    = 64
)

func (l Limits) withDefaults() Limits {
	set := func(v *int, fallback int) {
		if *v <= 0 {
			*v = fallback
		}
	}
	set(&l.PeersMax, peersMaxDefault)
	set(&l.HalfOpenMax, halfOpenMaxDefault)
	set(&l.RequestsMax, requestsMaxDefault)
	set(&l.SlotsMax, slotsMaxDefault)
	if l.MetadataMax == 0 {
		l.MetadataMax = metadataBytesMax
	}
	l.MetadataMax = min(max(l.MetadataMax, wire.MetadataSizeMax), metadataBytesMax)
	return l
}
