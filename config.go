package swarmnode

import (
	"cmp"
	"log/slog"
	"net/netip"

	"swarmnode/dht"
	"swarmnode/swarm"
)

// Config describes a Node. The zero value of each field has a meaning, and the zero Config
// is a node of the public network that remembers nothing.
type Config struct {
	// Listen are the addresses to listen on, each for TCP and UDP at once. An address
	// without a port, port 0, takes Port. An address that is not valid, the zero
	// netip.Addr, stands for every address of both families; so does an empty Listen.
	Listen []netip.AddrPort
	// Port is for the addresses of Listen that name none. Zero means the port that an
	// earlier run has picked and StateDir remembers. The first run picks a port from 49152
	// to 65535 at random. If another program has the port, others are tried, and the
	// remembered one stays remembered (see Node.TakenPort).
	Port uint16
	// AnyPort leaves a Port of zero to the system. Nothing is remembered.
	AnyPort bool

	// Network is the way by which the node reaches others; nil leaves that to the system.
	Network *Network

	// StateDir is the folder for what the node remembers between runs: its port, the DHT
	// nodes that it has met, what each torrent has, and the peers of each torrent. It is
	// made if it does not exist. Several processes may share it. Empty means that nothing is
	// kept. A folder that cannot be written to is only read, with a warning.
	StateDir string
	// NoRecords keeps nothing of torrents in StateDir, as for a node that only fetches
	// metadata.
	NoRecords bool

	// Bootstrap are the hosts, HOST:PORT each, through which the node joins the DHT, and relays,
	// in the form of Relays, which are used in random order. Nil means the built-in list (see
	// Bootstrap). An empty slice that is not nil means nobody: such a node waits for others.
	Bootstrap []string
	// Relays are TURN servers (RFC 8656) that can lend the node an address when peers cannot
	// reach it otherwise: turn:[USER:PASSWORD@]HOST[:PORT][?transport=udp|tcp] each. They are
	// tried in this order, before those of Bootstrap and those that the DHT knows. A server
	// without a user is asked for credentials as a RelayServer gives them.
	Relays []string
	// NoRelay uses no relay at all.
	NoRelay bool
	// DHTLimits bound the traffic and the memory of the DHT node.
	DHTLimits dht.Limits
	// NoDHT, NoLSD and NoPEX start the node without the DHT, without local service
	// discovery (BEP 14) and without the exchange of peers (BEP 11). SetDHT, SetLSD and
	// SetPEX change that while the node runs.
	NoDHT, NoLSD, NoPEX bool

	// Blocklists are files, and http or https URLs, of lists of addresses with which nothing
	// is exchanged, in one of the formats of package blocklist. Start reads them all, and fails
	// if one of them cannot be read. What a server sends is kept in StateDir, is used by the
	// next Start without waiting for the server, and is asked for again once a day. See
	// swarm.Engine.SetBlocklist for what is blocked; the DHT node ignores those addresses too.
	Blocklists []string

	// Down and Up limit the payload of all torrents together, in bytes per second. Zero
	// means no limit. SetLimits changes these and the following limits.
	Down, Up int64
	// Peers bounds the connections of all torrents together, and TorrentPeers those of one
	// torrent. Zero means 500 and 80.
	Peers, TorrentPeers int
	// Memory bounds, in bytes, the blocks on their way between connections and files. Zero
	// means 48 MiB. As many bytes again may be held for other messages.
	Memory int64
	// Encryption says which connections are encrypted.
	Encryption swarm.Encryption
	// SystemCongestion leaves the congestion control of TCP to the system. Otherwise
	// connections to peers beyond the local network change to BBR where the path loses
	// packets at random, has a deep queue, or is shared with others that send, on systems
	// that have BBR and allow it.
	SystemCongestion bool
	// NoPolite lets uploads over TCP beyond the local network fill the queue before the
	// uplink. Otherwise they are held to a rate at which that queue stays short, while the
	// node fetches little, on systems that say how long round trips take (Linux). On others,
	// torrents that only upload try uTP first.
	NoPolite bool

	// NoUTP keeps the node from exchanging content by uTP (BEP 29), and NoTCP from doing so by
	// TCP. Start returns swarm.ErrNoTransport if both are set. The DHT, trackers and web seeds
	// are not concerned.
	NoUTP, NoTCP bool

	// NoPortmap does not ask the routers of this machine to map our ports. Otherwise they are
	// asked by PCP, NAT-PMP and UPnP, unless the node is behind a proxy or listens on loopback
	// alone.
	NoPortmap bool

	// Client is our name and version, told to peers (BEP 10, "v"). Empty means this package
	// and its Version.
	Client string
	// PeerIDPrefix starts our peer ids (BEP 20), as in "-SN0100-", at most 20 bytes. Empty
	// means a default.
	PeerIDPrefix string

	// Logger takes a line per change of state, warnings, and more about peers at debug
	// level. Nothing is logged if it is nil.
	Logger *slog.Logger
	// DHTLogger takes the lines of the DHT node instead of Logger, unless it is nil.
	DHTLogger *slog.Logger

	listed []string // relays of Bootstrap
}

// withDefaults returns cfg with values in place of the zero values that stand for them.
func (cfg Config) withDefaults() Config {
	cfg.Client = cmp.Or(cfg.Client, "swarmnode "+Version)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.DHTLogger == nil {
		cfg.DHTLogger = cfg.Logger
	}
	if cfg.Bootstrap == nil {
		cfg.Bootstrap, _ = dht.ParseBootstrap([]byte(Bootstrap))
		cfg.listed, _ = ParseRelays([]byte(Bootstrap))
		return cfg
	}
	hosts, uris := splitBootstrap(cfg.Bootstrap)
	cfg.Bootstrap, cfg.listed = hosts, append(cfg.listed, uris...)
	return cfg
}
