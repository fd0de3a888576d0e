package sim

import "time"

// Mbit is a million bits per second, in bytes per second.
const Mbit = 1_000_000 / 8

// Behaviour is how the nodes of a class act.
type Behaviour uint8

// The behaviours. All but Honest drive an honest core, and spoil what it does.
const (
	Honest    Behaviour = iota
	FreeRider           // never unchokes anybody
	Liar                // sends wrong blocks
	Mute                // unchokes, and never answers a request
	Spoiler             // sends one wrong block to each, when it is trusted
)

// A Class is a number of nodes of one kind.
type Class struct {
	Name     string
	Count    int
	Up, Down int64         // bytes per second; 0: no limit
	Distance time.Duration // one way, to the middle of the net
	Jitter   time.Duration // what a node's distance may differ
	Loss     float64       // of packets, 0 to 1
	Seed     bool          // has everything to begin with
	All      float64       // share of the pieces that it has to begin with
	Without  []int         // pieces that it lacks, whatever All says
	// NAT is the share of the nodes that are behind routers. These keep their ports, and let in
	// whom something was sent to from inside within 30 s.
	NAT       float64
	Acts      Behaviour
	Join      time.Duration // when the first of them comes
	JoinOver  time.Duration // over how long the others follow
	Life      time.Duration // mean time until one leaves; 0: it stays
	Away      time.Duration // mean time until it comes back; 0: it does not
	Runs      time.Duration // mean time until one pauses; 0: never
	Pause     time.Duration // mean time until it goes on
	Copies    float64       // it leaves once it has sent this many copies; 0: never
	PeersMax  int           // connections of each; 0: as the Scenario has it
	Magnet    bool          // it has no metadata to begin with
	SuperSeed bool
	Leaves    bool // it leaves when it has everything
	// Rate, if not 0, makes it a player: it consumes the pieces in order, at this
	// many bytes per second, once it has buffered StartBuffer.
	Rate        int64
	StartBuffer time.Duration
}

// A Scenario describes a swarm to simulate.
type Scenario struct {
	Name        string
	About       string // in one sentence
	Pieces      int
	PieceLength int // bytes, a multiple of 16 KiB
	Classes     []Class
	Limit       time.Duration // virtual time at which the run gives up
	PeersMax    int           // connections of each node; 0: the default of core
	Large       bool          // a run takes more than a second or two
	// Streams: connections are streams as TCP makes them, over links with queues. They
	// begin slowly, slow down after losses, wait in queues of up to 100 ms at an uplink and
	// a downlink, and their acknowledgements take room on the way back. Otherwise each
	// connection takes its turn at the uplink at once, and nothing else limits it.
	Streams bool
	// Introducer: each node learns the address of the first one, once, and none
	// from outside. Peer exchange does the rest.
	Introducer bool
	// Draw, if not nil, returns the swarm of a seed. Then only Name, About, Large
	// and Check of the Scenario itself count.
	Draw func(seed uint64) Scenario
	// Check returns what is wrong with a Result, or nil.
	Check func(r *Result) error
}

// Length returns the bytes of content.
func (s *Scenario) Length() int64 { return int64(s.Pieces) * int64(s.PieceLength) }

// Bound returns the fluid lower bound on the time from the start until the
// last of the honest leeches is done: max(F/u, F/d, N F/(u + sum of u_i)),
// where F is the content, u the uplinks of the seeds, d the slowest downlink
// and u_i the uplinks of the N leeches.
func (s *Scenario) Bound() time.Duration {
	content := float64(s.Length())
	var seeds, all, leeches, slowest float64
	for _, c := range s.Classes {
		n := float64(c.Count)
		if c.Acts == Liar || c.Acts == Mute {
			continue
		}
		if c.Acts != FreeRider {
			all += n * float64(c.Up)
		}
		if c.Seed {
			seeds += n * float64(c.Up)
			continue
		}
		leeches += n
		if c.Down > 0 && (slowest == 0 || float64(c.Down) < slowest) {
			slowest = float64(c.Down)
		}
	}
	bound := 0.0
	if seeds > 0 {
		bound = max(bound, content/seeds)
	}
	if slowest > 0 {
		bound = max(bound, content/slowest)
	}
	if all > 0 {
		bound = max(bound, leeches*content/all)
	}
	return time.Duration(bound * float64(time.Second))
}
