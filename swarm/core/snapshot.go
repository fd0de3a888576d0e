package core

import (
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/picker"
)

// A Snapshot is the state of a torrent at one moment. It shares its maps with other
// snapshots, so nobody may change them. Rates are payload bytes per second over the last
// 20 s or less.
type Snapshot struct {
	State State
	Err   error // why it is Stalled or Unusable
	// Paused says that the user wants no traffic: there are no peers, whatever State is.
	Paused bool

	MetadataSize int // bytes, as peers claim until it is known; 0 if none has
	MetadataHave int // bytes of it received

	Pieces       int // of the torrent; 0 before the metadata is known
	PiecesHave   int // verified
	PiecesWanted int // verified or still wanted
	// Padding (BEP 47) counts in none of these.
	Length int64 // bytes of all files
	Have   int64 // of them, in verified pieces
	Left   int64 // of them, in wanted pieces that are not verified
	Wanted int64 // bytes of the files that are wanted
	Got    int64 // of them, in verified pieces

	Down, Up         int64 // payload bytes since birth, waste included
	DownRate, UpRate int64

	PeersKnown     int // addresses in the book that are not our own
	PeersMet       int // connections to peers until now, web seeds left out
	PeersDialling  int
	PeersConnected int
	SeedsConnected int
	PeersUnchoked  int // by us
	PeersServing   int // that unchoke us
	Asked          int // blocks asked for and not yet received

	// Of the present connections, web seeds left out:
	PeersHere         int
	PeersUTP          int // over uTP; the others over TCP
	PeersUseful       int // that have something we want
	PeersWithMetadata int // that offer the metadata
	// Unmet counts the known addresses without a connection, by the reason.
	Unmet book.Unmet
	// PeersForgotten counts the addresses that failed so often that the book dropped
	// them.
	PeersForgotten int

	// Waste counts useless payload bytes that were received, by reason. It is nil
	// without any, and so is Drops.
	Waste map[Reason]int64
	// Drops counts the connections that we ended, by reason.
	Drops map[Reason]int
}

// Wasted returns the sum of Waste, in bytes.
func (s *Snapshot) Wasted() int64 {
	var sum int64
	for _, n := range s.Waste {
		sum += n
	}
	return sum
}

// Totals are the numbers of a torrent that change with every block.
type Totals struct {
	Down, Up int64 // payload bytes since birth, waste included
	// Missing is how many bytes of files, wanted or not, are not verified. It is 0 only
	// if every piece is verified, and negative while that is not known.
	Missing int64
	// Done reports whether every wanted piece is verified.
	Done bool
}

// Totals returns the current numbers. It is cheap enough for every block.
func (t *Torrent) Totals() Totals {
	s := Totals{Down: t.down.sum(), Up: t.up.sum(), Missing: -1}
	if t.pick != nil && !t.cfg.MetadataOnly {
		s.Missing, s.Done = t.progress.missing(), t.pick.Done()
		if t.pick.Count(picker.Have) < t.pick.Pieces() {
			s.Missing = max(s.Missing, 1) // pieces of padding alone
		}
	}
	return s
}

// Snapshot returns where the torrent stands.
func (t *Torrent) Snapshot() Snapshot {
	known := t.pick != nil
	s := Snapshot{
		State:          t.standing.state(known, known && t.pick.Done(), t.cfg.MetadataOnly),
		Err:            t.standing.err(),
		Paused:         t.standing.isPaused(),
		Down:           t.down.sum(),
		Up:             t.up.sum(),
		DownRate:       t.down.rate(t.now),
		UpRate:         t.up.rate(t.now),
		PeersConnected: t.peers.count(),
		PeersUnchoked:  t.choker.Unchoked(),
		Asked:          t.requests.count(),
	}
	for _, p := range t.peers.all() {
		s.countPeer(p)
	}
	s.count(t.book.Census())
	t.counters.show(&s)
	if !known {
		s.MetadataHave, s.MetadataSize = t.meta.progress()
		return s
	}
	s.MetadataSize = len(t.info.Raw())
	s.MetadataHave = s.MetadataSize
	t.progress.show(&s, t.pick)
	return s
}

// count counts the peers that the book knows.
func (s *Snapshot) count(c book.Census) {
	s.PeersKnown, s.PeersDialling, s.PeersForgotten = c.Known, c.Dialling, c.Forgotten
	s.Unmet = c.Unmet
}

// countPeer counts a connection.
func (s *Snapshot) countPeer(p *peer) {
	if p.has.isSeed() {
		s.SeedsConnected++
	}
	if !p.chokesUs() {
		s.PeersServing++
	}
	if p.isServer() {
		return
	}
	s.PeersHere++
	if p.transport == endpoint.TransportUTP {
		s.PeersUTP++
	}
	if p.interesting() {
		s.PeersUseful++
	}
	if p.ext.claimsMetadata() {
		s.PeersWithMetadata++
	}
}
