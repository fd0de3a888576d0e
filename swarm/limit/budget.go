package limit

// The budgets of one process, unless configured otherwise.
const (
	// ConnectionsMax bounds the connections of all torrents together. Home routers and the
	// usual limits of descriptors bear that many.
	ConnectionsMax = 500
	// ConnectionsPerSourceMax bounds the connections with one source (see
	// SourceOf), so that one host cannot take every place.
	ConnectionsPerSourceMax = 4
	// HalfOpenMax bounds the attempts to connect that are under way. Most addresses of a
	// swarm are dead, and each of them costs a place for ten seconds.
	HalfOpenMax = 64
	// PendingMax bounds the incoming handshakes under way. That many arrive in a quarter
	// of a second at a rate of 1,000 a second.
	PendingMax = 256
	// DialRateMax bounds the dials per second; more looks like a scan.
	DialRateMax = 20
)
