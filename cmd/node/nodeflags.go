package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/swarm"
)

// joinFlags say how a node joins the DHT.
type joinFlags struct {
	bootstrap listValue
	stateDir  string
	ephemeral bool
}

// named reports whether the user chose the bootstrap hosts.
func (j *joinFlags) named() bool { return len(j.bootstrap.items) > 0 }

func (j *joinFlags) register(fs *pflag.FlagSet) {
	j.bootstrap = listValue{kind: "HOST:PORT", check: checkBootstrap}
	fs.VarP(&j.bootstrap, "bootstrap", "b",
		"DHT node to join through, @FILE for a list, or none; may be repeated (default: "+
			"a built-in list)")
	fs.StringVar(&j.stateDir, "state-dir",
		"", "`FOLDER` for what the node remembers (default: $XDG_STATE_HOME/swarmnode)")
}

// registerEphemeral adds the flag for commands that need no memory.
func (j *joinFlags) registerEphemeral(fs *pflag.FlagSet) {
	fs.BoolVar(&j.ephemeral, "ephemeral", false, "remember nothing, not even the port")
}

// engineFlags are the flags of commands that exchange content with peers, the daemon among them.
type engineFlags struct {
	join     joinFlags
	listen   listenFlags
	down, up rateValue
	peersMax countValue
	// torrentPeers bounds the connections of one torrent.
	torrentPeers countValue
	dhtRate      countValue

	encryption choiceValue
	memory     memoryValue

	block     blockFlags
	debugDump string

	noDHT, noLSD     bool
	systemCongestion bool
	noPolite         bool
	noUTP, noTCP     bool
	relay            listValue // turn: URIs
	noRelay          bool
}

func (f *engineFlags) register(fs *pflag.FlagSet) {
	f.listen.register(fs, 0, portPicked)
	f.join.register(fs)
	f.registerRelay(fs)
	fs.BoolVar(&f.noDHT, "no-dht", false, "do not take part in the DHT")
	fs.Var(&f.dhtRate, "dht-rate",
		"limit of DHT queries per second, and of addresses asked in six seconds (default: 100); "+
			"thousands of torrents need more")
	fs.BoolVar(&f.noLSD, "no-lsd", false,
		"do not look for peers on the local network (never done on loopback alone)")
	fs.BoolVar(&f.noUTP, "no-utp", false, "exchange nothing with peers by uTP")
	fs.BoolVar(&f.noTCP, "no-tcp", false, "exchange nothing with peers by TCP")
	fs.Var(&f.down, "down", "download limit, as in 500k or 1.5M bytes per second "+
		"(default: none)")
	fs.Var(&f.up, "up", "upload limit")
	f.encryption = choiceValue{word: "allow", choices: slices.Sorted(maps.Keys(encryptions))}
	fs.Var(&f.encryption, "encryption",
		"hide the protocol from filters: allow encryption to peers that want it, prefer or "+
			"require it, or turn it off")
	fs.BoolVar(&f.systemCongestion, "system-congestion", false,
		"leave the congestion control of TCP to the system, also where BBR would do better")
	fs.BoolVar(&f.noPolite, "no-polite", false,
		"let uploads over TCP fill the uplink's queue, which delays others behind the same router")
	f.memory = memoryDefault
	fs.Var(&f.memory, "memory",
		"memory ceiling of the process, at least 32M; a transfer uses little of it")
	fs.Var(&f.peersMax, "max-peers", "limit of connections (default: 500)")
	fs.Var(&f.torrentPeers, "torrent-peers", "limit of connections of one torrent (default: 80)")
	f.block.register(fs)
	fs.StringVar(&f.debugDump, "debug-dump", "",
		"write the last events of each torrent to `FILE`, at SIGQUIT and at the end, for sim "+
			"--replay")
}

// prepare checks the flags together, and applies those that must come first.
func (f *engineFlags) prepare(c *console) error {
	if err := f.exclusive(); err != nil {
		return usage(c.command, err)
	}
	f.warnRelays(c)
	return f.memory.apply(c)
}

// exclusive returns an error if flags exclude each other.
func (f *engineFlags) exclusive() error {
	if f.noUTP && f.noTCP {
		return errors.New("--no-utp excludes --no-tcp")
	}
	return f.checkRelays()
}

// nodeFlags are the flags of commands that exchange content in the foreground.
type nodeFlags struct {
	engineFlags
	peers      listValue
	noTrackers bool
	// peersOnly leaves only the peers of --peer to ask; prepare also sets noDHT, noLSD
	// and noTrackers.
	peersOnly bool
	metrics   metricsFlags // of commands that register it
}

func (f *nodeFlags) register(fs *pflag.FlagSet) {
	f.engineFlags.register(fs)
	f.join.registerEphemeral(fs)
	f.peers = listValue{kind: "HOST:PORT", check: checkHostPort}
	fs.Var(&f.peers, "peer", "peer to connect to; may be repeated")
	fs.BoolVar(&f.noTrackers, "no-trackers", false,
		"ask only trackers given with --tracker, not those that torrents and links name")
	fs.BoolVar(&f.peersOnly, "peers-only", false,
		"ask nobody but the peers of --peer: no DHT, local network, trackers, web seeds, "+
			"remembered peers or peer exchange")
}

// prepare checks the flags together, and applies those that must come first. more maps
// the flags that name others than peers to whether they were given.
func (f *nodeFlags) prepare(c *console, more map[string]bool) error {
	if f.peersOnly && !(f.noUTP && f.noTCP) {
		for _, flag := range slices.Sorted(maps.Keys(more)) {
			if more[flag] {
				return usage(c.command, fmt.Errorf("--peers-only excludes --%s", flag))
			}
		}
		f.noDHT, f.noLSD, f.noTrackers = true, true, true
		f.noRelay = f.noRelay || len(f.relay.items) == 0
	}
	return f.engineFlags.prepare(c)
}

// encryptions maps the words of --encryption.
var encryptions = map[string]swarm.Encryption{
	"allow": swarm.EncryptionAllowed, "prefer": swarm.EncryptionPreferred,
	"require": swarm.EncryptionRequired, "off": swarm.EncryptionOff,
}

// A nodePlan is what the flags of an engine say about its node.
type nodePlan struct {
	cfg     swarmnode.Config // without a state folder and a blocklist
	network *swarmnode.Network
	named   []string // bootstrap hosts that the flags stand for
	hosts   []string // these, and the DHT nodes that torrents name
}

// plan opens the network, and fails if the node could not work with it. nodes are DHT nodes
// that torrents name, HOST:PORT.
func (f *engineFlags) plan(ctx context.Context, c *console, nodes []string) (*nodePlan, error) {
	if err := checkDescriptors(descriptorsNode); err != nil {
		return nil, err
	}
	network, err := f.listen.open()
	if err != nil {
		return nil, err
	}
	if err := checkProxy(ctx, network); err != nil {
		return nil, err
	}
	if network.Proxied() && f.listen.pinned() {
		c.warn("--listen and --port have no effect with --proxy: nobody can connect to us but " +
			"through it")
	}
	hosts, relays, err := f.hosts(c)
	if err != nil {
		return nil, err
	}
	if err := checkDebugDump(f.debugDump); err != nil {
		return nil, err
	}
	p := &nodePlan{network: network, named: hosts,
		hosts: append(slices.Clip(hosts), validHosts(nodes)...)}
	p.cfg = swarmnode.Config{
		Network:   network,
		Bootstrap: append(append([]string{}, p.hosts...), relays...),
		DHTLimits: dhtLimits(f.dhtRate),
		Down:      int64(f.down), Up: int64(f.up), Peers: int(f.peersMax),
		TorrentPeers: int(f.torrentPeers), Memory: f.memory.blocks(),
		Encryption: encryptions[f.encryption.word], SystemCongestion: f.systemCongestion,
		NoPolite: f.noPolite,
		NoUTP:    f.noUTP, NoTCP: f.noTCP, Relays: f.relay.items, NoRelay: f.noRelay,
		Logger: c.log, DHTLogger: resolverLogger(c, f.join.named()),
	}
	f.listen.apply(&p.cfg)
	return p, nil
}

// hosts returns the bootstrap hosts that the flags stand for, and the relays beside these.
func (f *engineFlags) hosts(c *console) (hosts, relays []string, err error) {
	if f.noDHT {
		return nil, nil, nil
	}
	return bootstrapHosts(c, f.join.bootstrap.items, swarmnode.Bootstrap)
}
