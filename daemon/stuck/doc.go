// Package stuck says why a torrent does not get on: one sentence from the facts of the engine, and
// one about what its user can do.
//
// It is pure: what it says depends on a Facts alone. The daemon says it of its torrents, and
// commands that run without a daemon when their time is over.
package stuck

import (
	"time"

	"swarmnode/dht"
	"swarmnode/swarm"
	"swarmnode/swarm/reach"
)

// A Reason is the word for what keeps a torrent from getting on; "" is nothing.
type Reason string

// The reasons.
const (
	Moving Reason = "" // it moves, has nothing to do, or rests because its user wants that

	// What the node decides.
	Goal           Reason = "goal"            // it seeded as long as it should
	Queued         Reason = "queued"          // others come first
	CheckingQueued Reason = "checking-queued" // others are checked first
	Memory         Reason = "memory"          // the memory limit leaves no room
	Limit          Reason = "limit"           // a limit of its rate is tiny
	Relocating     Reason = "moving"          // its content is being copied to another folder
	Starting       Reason = "starting"        // it has just begun, or is about to

	// What files are in the way of.
	Reserve   Reason = "reserve"    // more must stay free on the disk
	DiskFull  Reason = "disk-full"  // the disk, a quota or a limit is full
	DiskError Reason = "disk-error" // content is missing, or cannot be read or written
	Failed    Reason = "error"      // another error

	// What concerns peers.
	CutOff       Reason = "cut-off"       // nothing can be sent to anybody
	Nobody       Reason = "nobody"        // no peer is known
	DHTSilent    Reason = "dht-silent"    // no peer is known, and no DHT node answers
	TrackerError Reason = "tracker-error" // no peer is known, and all trackers fail
	Unreachable  Reason = "unreachable"   // peers are known, and none is connected
	NoMetadata   Reason = "no-metadata"   // no peer has the metadata, or sends it
	NobodyHas    Reason = "nobody-has"    // no peer has what is missing
	Choked       Reason = "choked"        // no peer lets us request
	Silent       Reason = "silent"        // peers let us request, and send nothing
)

// Reasons are all of them but Moving.
var Reasons = []Reason{Goal, Queued, CheckingQueued, Memory, Limit, Relocating, Starting, Reserve,
	DiskFull, DiskError, Failed, CutOff, Nobody, DHTSilent, TrackerError, Unreachable, NoMetadata,
	NobodyHas, Choked, Silent}

const (
	// settle is how long a torrent may look for peers before there is something to say about
	// them. Rates are those of as many seconds.
	settle = 20 * time.Second
	// tinyRate is a limit, in bytes per second, at which nobody wants to wait.
	tinyRate = 10 << 10
)

// A Stage says how far a torrent has come on its way to the network.
type Stage uint8

// The stages.
const (
	Running   Stage = iota // it has what it needs
	Resting                // its user wants it to rest
	AtGoal                 // Facts.Why is the goal that it has reached
	AwaitTurn              // in the queue, for Facts.Why
	AwaitRoom              // for free space, for Facts.Why
	AwaitMemory
	AwaitCheck
	Checking
	Opening // it was told to run
)

// Facts are what is known of a torrent.
type Facts struct {
	Stage Stage
	Why   string // see Stage
	// Err keeps it from going on.
	Err error
	// Age is the time since it began to run.
	Age time.Duration
	// Queue is its position, from 0.
	Queue int
	// Limit is what its download is held to, in bytes per second; 0: nothing. LimitBy says what
	// does so, as in "the limit of all torrents".
	Limit   int64
	LimitBy string

	// Swarm is the state in the engine.
	Swarm swarm.State
	// DHT has the numbers of the DHT node; nil if the torrent may not use one. DHTOff says that
	// there is none.
	DHT    *dht.Stats
	DHTOff bool
	// Asked says that no DHT node has answered, and who was asked.
	Asked string
	// Trackers counts the trackers that the torrent has.
	Trackers int
	// CutOff says why nothing can be sent to anybody; empty if something can.
	CutOff string
	// Reach is how others reach the node, and NoRelay says that it uses no relay.
	Reach   reach.Standing
	NoRelay bool
	// Piece is the first missing piece that no peer has, from 0; negative: it was not looked for.
	Piece int
}

// A Verdict says why a torrent is stuck.
type Verdict struct {
	Reason Reason
	// Text and Advice are a sentence each: what it is, and what to do.
	Text, Advice string
	// Values are the numbers and words of Text, for those who write it in another language.
	Values map[string]any
}
