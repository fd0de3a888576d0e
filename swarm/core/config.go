package core

import (
	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// A Config is what a Torrent is told at its birth. The zero value of a limit
// means its default.
type Config struct {
	// InfoHash names the swarm: of a v2-only torrent it is the truncated hash.
	InfoHash metainfo.Hash
	// HashV2 is the v2 info-hash (BEP 52), if it is known. If InfoHash is not
	// the start of it, the torrent was asked for by both, and the metadata has
	// to have both.
	HashV2 metainfo.Hash256
	// PeerID is ours; a peer that shows the same is ourselves.
	PeerID [20]byte
	// Seed is the source of every random choice. Two Torrents with the same
	// Seed that are told the same do the same.
	Seed uint64
	// Client goes into the extension handshake ("v" of BEP 10).
	Client string
	// Port is where we accept connections; 0 when we do not.
	Port uint16
	// Home is where we listen: what counts by source makes an exception of it.
	Home limit.Home
	// MetadataOnly has the torrent learn what a .torrent file holds, the info
	// dictionary and the piece layers (BEP 52), and nothing else: it neither
	// wants nor has any piece. Complete says that all of it is known.
	MetadataOnly bool
	// SuperSeed asks for the behaviour of BEP 16 as long as we have every
	// piece: each peer is shown a few pieces at a time.
	SuperSeed bool
	// Private says that the torrent is known to be private (BEP 27).
	Private bool
	// PeersOnly keeps to the peers that the user named, and to those who come by
	// themselves: nobody else is dialled, and peers are told of nobody.
	PeersOnly bool
	// Limits bound what the torrent takes.
	Limits Limits
}

// Limits bound the resources of one torrent.
type Limits struct {
	// PeersMax is the number of connections. Default 80.
	PeersMax int
	// HalfOpenMax is the number of Dials under way. Default 32.
	HalfOpenMax int
	// RequestsMax is the number of blocks asked for and not yet received, over
	// all peers: no more than the buffers that there are for them. Default
	// 4,096, which is 64 MiB.
	RequestsMax int
	// MetadataMax is the number of bytes of info dictionaries that are kept while
	// they come from several peers. Default and most 64 MiB, at least that of the
	// largest dictionary.
	MetadataMax int64
	// SlotsMax is the number of peers unchoked at a time. Default 64.
	SlotsMax int
}

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
