package dht

import (
	"net/netip"
	"time"
)

// NodeInfo names a node.
type NodeInfo struct {
	ID   ID
	Addr netip.AddrPort
}

// Lookup sums up a walk through the DHT, over both families.
type Lookup struct {
	Target   ID
	Asked    int           // queries sent; a few nodes are asked twice
	Answered int           // nodes that answered
	Stored   int           // nodes that accepted an announce or a put
	Closest  []NodeInfo    // up to 8 per family that answered, the closest first
	Duration time.Duration // from the first query to the end of the lookup
}

// Pong is the answer to a ping.
type Pong struct {
	ID       ID
	RTT      time.Duration
	Version  string         // the "v" of BEP 5, as received; often two letters and a number
	External netip.AddrPort // where that node sees us, or zero
	Secure   bool           // its id fits its address, BEP 42
}

// Contact is an entry of the routing table.
type Contact struct {
	NodeInfo
	Bucket   int           // leading bits that its id shares with ours, at least
	Good     bool          // heard of within 15 minutes, BEP 5
	Fails    int           // unanswered queries in a row
	RTT      time.Duration // of its last answer
	Answered time.Duration // since its last answer
	Secure   bool          // its id fits its address, BEP 42
}

// Sample is the answer to sample_infohashes, BEP 51.
type Sample struct {
	Hashes   []ID          // info-hashes that the node stores peers for
	Num      int           // how many the node has in all
	Interval time.Duration // to wait before asking the node again
	Nodes    []NodeInfo    // near the target of the query
}

// Stats holds counts since the start of the Node, and its present sizes.
type Stats struct {
	PacketsIn, PacketsOut uint64
	BytesOut              uint64
	QueriesIn             uint64 // answered
	QueriesOut            uint64
	Answers               uint64 // to queries of ours, errors among them
	TimedOut              uint64 // queries of ours
	Malformed             uint64 // packets that are not KRPC, and invalid answers
	Unsolicited           uint64 // answers that match no query
	Limited               uint64 // queries over the limit of their source
	Dropped               uint64 // ignored packets: blocked, our own, or in read-only mode
	Throttled             uint64 // packets not sent for lack of budget
	Lookups               uint64

	// Strangers are the networks, a /24 of IPv4 or a /48 of IPv6, from which hosts have sent
	// queries within an hour that we had sent nothing to for ten minutes: whether the network
	// lets anybody reach us, over IPv4 and over IPv6.
	Strangers [2]int

	Contacts [2]int // in the IPv4 and the IPv6 table
	Good     [2]int // of them
	Hashes   int    // info-hashes with peers, stored for others
	Items    int    // items of BEP 44, stored for others
	Queries  int    // open queries of ours
	Joined   bool
	Saved    int // nodes of an earlier run that the node started with
}
