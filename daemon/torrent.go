package daemon

import (
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// An ID names a torrent in one state folder. IDs begin with 1 and are never used again.
type ID int32

// A Torrent is one torrent of a Daemon, running or not. Its methods are safe for concurrent
// use.
type Torrent struct {
	daemon *Daemon
	id     ID
	hash   metainfo.Hash
	run    *swarm.Torrent // nil while it is not open
}

// ID returns the number of the torrent.
func (t *Torrent) ID() ID { return t.id }

// Hash returns the info-hash.
func (t *Torrent) Hash() metainfo.Hash { return t.hash }

// A Status says what a torrent does.
type Status uint8

// The statuses, with the numbers that Transmission gives them.
const (
	Stopped Status = iota
	CheckQueued
	Checking
	DownloadQueued
	Downloading // or waiting for the metadata of a magnet link
	SeedQueued
	Seeding
)
