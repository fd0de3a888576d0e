package daemon

import (
	"slices"
	"sync"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/feed"
)

// An ID names a torrent in one state folder. IDs begin with 1 and are never used again.
type ID int32

// A Torrent is one torrent of a Daemon, running or not. Its methods are safe for concurrent
// use.
type Torrent struct {
	daemon *Daemon
	id     ID
	hash   metainfo.Hash
	// adopted is not nil if the owner of the node has added it, and closes it; see Daemon.Adopt.
	adopted *adoption
	fed     feed.Entry[Torrent] // in the feed of the daemon

	// life is held while the torrent is opened, closed or removed, and while it is paused or
	// resumed. It is taken before mu.
	life sync.Mutex

	// editing is held while options are set, and by Start, so that one change comes after the
	// other.
	editing sync.Mutex

	mu    sync.Mutex
	rec   record // what is kept, without Version, V1 and V2
	names names
	run   *swarm.Torrent // nil while it is not open
	drive drive
	saved saving
}

// A drive is what a torrent is to do, and how far that has come. Torrent.mu guards it.
type drive struct {
	aim     aim
	why     string // why it rests; see State.Why
	fault   error  // what the user has to do something about
	failed  bool   // fault keeps it from running
	short   bool   // the memory limit leaves no room for it
	verify  bool   // the user wants the content hashed
	check   check  // what of hashing is under way
	queued  bool   // it is in the queue of the hands
	done    bool   // it was complete when last looked at
	known   bool   // done is known: its storage was open
	running bool   // it was resumed
	looks   bool   // the check that runs is one that the user wants
	placed  bool   // it has a place of the hands
	ending  bool   // the torrent in the engine has failed
	dropped bool   // a control has removed it, even if its files could not be
	removed bool
	files   chan struct{} // closed when the files of run are known; nil while it is not open
	started time.Time     // when it last began to run
	touched time.Time     // when somebody last needed it to be open
	stalled bool          // see State.Stalled
	moving  bool          // Move is under way
	trusted bool          // it was opened as whole, so the engine records no change of place
	paying  bool          // the command for its completion waits for its turn
	renames int           // calls that give the top another name
	users   int           // readers that need it to be open
	used    time.Time     // when a reader or a visit last did
	leaving bool          // it was temporary, and is being removed
	needs   int           // calls that wait until its files are open; see need
	// bare is the metadata whose file lacks piece layers (BEP 52); nil if none are missing, or
	// while it is not open.
	bare *metainfo.Torrent
}

// An aim says whether a torrent is to run.
type aim uint8

const (
	aimRest aim = iota
	aimRun
)

// A check says how far the hashing of content has come.
type check uint8

const (
	checkNone    check = iota
	checkWaiting       // for its turn
	checkGranted       // it is its turn, and a hand is on its way
	checkRunning
)

// newTorrent returns a torrent that rests.
func newTorrent(d *Daemon, hash metainfo.Hash, rec *record) *Torrent {
	t := &Torrent{daemon: d, id: rec.ID, hash: hash, rec: *rec}
	t.names, _ = rec.names()
	t.rec.V1, t.rec.V2 = "", ""
	t.rec.intern()
	t.drive.known = rec.Shown.HaveInfo
	t.drive.why = rec.Goal
	t.drive.done = rec.Shown.HaveInfo && rec.Shown.Left == 0
	return t
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

func (s Status) String() string {
	return [...]string{"stopped", "waiting to be checked", "checking", "waiting to download",
		"downloading", "waiting to seed", "seeding"}[s]
}

// opened returns the torrent in the engine, or nil.
func (t *Torrent) opened() *swarm.Torrent {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.run
}

// entryOf and idOf are for the feed.
func entryOf(t *Torrent) *feed.Entry[Torrent] { return &t.fed }
func idOf(t *Torrent) ID                      { return t.id }

// changed says that something changed about the torrent, after it did.
func (t *Torrent) changed(kinds swarm.Kind) { t.daemon.feed.Change(t, uint8(kinds)) }

// isRemoved reports whether the torrent was removed.
func (t *Torrent) isRemoved() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.drive.removed
}

// hashes returns the info-hashes by which the torrent can be found, its own first.
func (t *Torrent) hashes() []metainfo.Hash {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := []metainfo.Hash{t.hash}
	for _, hash := range t.names.short() {
		if !slices.Contains(list, hash) {
			list = append(list, hash)
		}
	}
	return list
}
