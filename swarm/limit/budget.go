package limit

// The budgets of one process, unless configured otherwise.
const (
	// ConnectionsMax bounds the connections of all torrents together: what
	// home routers and default descriptor limits bear.
	ConnectionsMax = 500
	// ConnectionsPerSourceMax bounds the connections with one source (see
	// SourceOf), so that one host cannot take every place.
	ConnectionsPerSourceMax = 4
	// HalfOpenMax bounds the attempts under way to reach others: most addresses of
	// a swarm are dead, and cost a place for ten seconds.
	HalfOpenMax = 64
	// PendingMax bounds the handshakes under way that others have started. It is
	// what comes in a quarter of a second at 1,000 a second.
	PendingMax = 256
	// DialRateMax bounds the dials per second; more looks like a scan.
	DialRateMax = 20
)
