package core

import "net/netip"

// State is where a torrent stands.
type State uint8

// The states.
const (
	// NeedInfo: the metadata is not known yet.
	NeedInfo State = iota
	// Opening: the metadata is known, and its storage is being opened.
	Opening
	// Downloading: some wanted piece is missing.
	Downloading
	// Seeding: every wanted piece is there.
	Seeding
	// Stalled: storage failed; nothing is asked for until it works again.
	Stalled
	// Unusable: the metadata cannot be used.
	Unusable
	stateCount
)

var stateNames = [stateCount]string{"metadata", "opening", "downloading", "seeding", "stalled", "unusable"}

func (s State) String() string {
	if s < stateCount {
		return stateNames[s]
	}
	return "unknown"
}

// A Snapshot is what a torrent can tell of itself, as a value that shares
// nothing with it. Rates are payload bytes per second over the last 20 s or
// less.
type Snapshot struct {
	State State
	Err   error // why it is Stalled or Unusable

	MetadataSize int // bytes, as claimed until known; 0 when nobody claimed
	MetadataHave int // bytes of it that have come

	Pieces       int   // of the torrent; 0 before the metadata is known
	PiecesHave   int   // verified
	PiecesWanted int   // verified or still wanted
	Length       int64 // bytes of content
	Have         int64 // bytes of verified pieces
	Left         int64 // bytes of wanted pieces that are not verified

	Down, Up         int64 // payload bytes since birth, waste included
	DownRate, UpRate int64

	PeersKnown     int // addresses in the book
	PeersDialling  int
	PeersConnected int
	SeedsConnected int
	PeersUnchoked  int // by us
	PeersServing   int // that unchoke us
	Asked          int // blocks asked for and not yet received

	// Waste counts received payload bytes that were of no use, by reason.
	Waste [reasonCount]int64
	// Drops counts the connections that we ended, by reason.
	Drops [reasonCount]int
}

// Wasted returns the sum of Waste, in bytes.
func (s *Snapshot) Wasted() int64 {
	var sum int64
	for _, n := range s.Waste {
		sum += n
	}
	return sum
}

// A PeerInfo is what a torrent knows of one of its connections.
type PeerInfo struct {
	Peer             PeerRef
	Addr             netip.AddrPort
	ID               [20]byte
	Client           string // as it says itself (BEP 10), cleaned of control characters
	Outgoing         bool
	Seed             bool
	Choking          bool // it chokes us
	Interested       bool // it is interested in us
	Unchoked         bool // by us
	Interesting      bool // we are interested in it
	Snubbed          bool // it let our requests wait for too long
	Pieces           int
	Asked            int   // blocks that we wait for
	Queued           int   // blocks that it waits for
	Down, Up         int64 // payload bytes
	DownRate, UpRate int64 // bytes per second
}
