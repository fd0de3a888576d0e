package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/dht"
	"swarmnode/metainfo"
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
	if f.noUTP && f.noTCP {
		return usage(c.command, errors.New("--no-utp excludes --no-tcp"))
	}
	if err := f.checkRelays(c); err != nil {
		return err
	}
	return f.memory.apply(c)
}

// nodeFlags are the flags of commands that exchange content in the foreground.
type nodeFlags struct {
	engineFlags
	peers      listValue
	noTrackers bool
	// peersOnly leaves only the peers of --peer to ask; prepare also sets noDHT, noLSD
	// and noTrackers.
	peersOnly bool
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

// A session is a running node of a command.
type session struct {
	c       *console
	flags   *nodeFlags
	network *swarmnode.Network
	node    *swarmnode.Node
	joined  bool
	silence silence
	hosts   []string // to join the DHT through
	started time.Time
	debug   *debugDump
	blocked *blockWatch
}

// needs is what a command needs of its session.
type needs struct {
	nodes  []string // DHT nodes that torrents name, HOST:PORT
	peers  []string // peers that magnets name
	urls   bool     // torrents name trackers that are to be asked, or web seeds
	resume bool     // records of what each torrent has, and of its peers, are kept
	lonely bool     // useful without any peer, since peers may come later
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
		Bootstrap: append(append([]string{}, p.hosts...), relays...), DHTLimits: dhtLimits(f.dhtRate),
		Down: int64(f.down), Up: int64(f.up), Peers: int(f.peersMax),
		TorrentPeers: int(f.torrentPeers), Memory: f.memory.blocks(),
		Encryption: encryptions[f.encryption.word], SystemCongestion: f.systemCongestion,
		NoPolite: f.noPolite,
		NoUTP:    f.noUTP, NoTCP: f.noTCP, Relays: f.relay.items, NoRelay: f.noRelay,
		Logger: c.log, DHTLogger: resolverLogger(c, f.join.named()),
	}
	f.listen.apply(&p.cfg)
	return p, nil
}

// openSession starts the node, and prepares to join the DHT.
func openSession(ctx context.Context, c *console, f *nodeFlags, want needs) (*session, error) {
	p, err := f.plan(ctx, c, want.nodes)
	if err != nil {
		return nil, err
	}
	folder, err := stateFolder(c, f.join.stateDir, f.join.ephemeral)
	if err != nil {
		return nil, err
	}
	s := &session{c: c, flags: f, network: p.network, started: time.Now(), hosts: p.hosts}
	p.cfg.StateDir, p.cfg.NoRecords = folder, !want.resume
	p.cfg.NoDHT, p.cfg.NoLSD = true, true // until join
	p.cfg.Blocklists = f.block.lists.items
	// The session ends with close, after what follows the end of ctx.
	if s.node, err = swarmnode.Start(context.WithoutCancel(ctx), p.cfg); err != nil {
		return nil, startFailure(err, f.join.stateDir)
	}
	s.debug = watchDebug(c, s.node, f.debugDump, folder)
	s.blocked = watchBlocklist(c, s.node, &f.block)
	if taken := s.node.TakenPort(); taken != 0 {
		c.note("port %d is taken, listening on %d", taken, s.node.Addrs()[0].Port())
	}
	if err := s.check(ctx, want, p.named); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// startFailure returns the failure of a node that cannot start. named is the state folder
// that the user named, if any.
func startFailure(err error, named string) error {
	if listen, ok := errors.AsType[*swarmnode.ListenError](err); ok {
		return bindFailure(listen.Addrs, listen.Err)
	}
	if state, ok := errors.AsType[*swarmnode.StateError](err); ok {
		return stateFailure(named, state.Err)
	}
	if list, ok := errors.AsType[*swarmnode.BlocklistError](err); ok {
		return blocklistFailure(list)
	}
	if hosts, ok := errors.AsType[*swarmnode.BootstrapError](err); ok {
		return fail(exitOther, "starting the DHT node", hosts.Err)
	}
	return fail(exitOther, "starting the node", err)
}

// check fails if nothing that the user named can be reached, and nothing else is known to
// ask. hosts are the bootstrap hosts.
func (s *session) check(ctx context.Context, want needs, hosts []string) error {
	if s.flags.noDHT {
		return s.checkPeers(ctx, want)
	}
	others := s.node.DHT().Remembers() || len(want.nodes) > 0 || len(want.peers) > 0 ||
		len(s.flags.peers.items) > 0 || want.urls
	return checkReachable(ctx, s.c, s.network, hosts, s.flags.join.named(), others)
}

// join starts the DHT node and local discovery, unless they are switched off or run
// already. Torrents added from then on are announced.
func (s *session) join() error {
	if s.joined {
		return nil
	}
	s.joined = true
	s.silence.hosts = s.hosts
	if err := s.node.SetLSD(!s.flags.noLSD); err != nil {
		return fail(exitOther, "starting local discovery", err)
	}
	if err := s.node.SetDHT(!s.flags.noDHT); err != nil {
		return startFailure(err, "")
	}
	return nil
}

// hosts returns the bootstrap hosts that the flags stand for, and the relays beside these.
func (f *engineFlags) hosts(c *console) (hosts, relays []string, err error) {
	if f.noDHT {
		return nil, nil, nil
	}
	return bootstrapHosts(c, f.join.bootstrap.items, swarmnode.Bootstrap)
}

// urls reports whether src names servers that may have its content or know its peers.
func (f *nodeFlags) urls(src *source) bool {
	return !f.peersOnly && (src.asks(f.noTrackers) || src.webSeeds())
}

// validHosts leaves out the DHT nodes of a torrent that are not HOST:PORT, and those at
// addresses that a stranger must not name.
func validHosts(hosts []string) []string {
	return slices.DeleteFunc(slices.Clone(hosts), func(h string) bool {
		addr, err := netip.ParseAddrPort(h)
		return checkHostPort(h) != nil || err == nil && !swarm.LinkMayName(addr)
	})
}

// checkReachable warns of bootstrap hosts that have no address, if the user named them.
// It fails if none has one and no other way into a swarm is known, from an earlier run or
// named as a peer: a user who names hosts wants the DHT, not the local network alone.
func checkReachable(ctx context.Context, c *console, n *swarmnode.Network, hosts []string,
	named, others bool) error {
	if !named || len(hosts) == 0 {
		return nil
	}
	bad := n.CheckHosts(ctx, hosts)
	if len(bad) == 0 {
		return nil
	}
	if len(bad) == len(slices.Compact(slices.Sorted(slices.Values(hosts)))) && !others {
		return failWithHint(exitNetwork, "bootstrap host "+describeHosts(hosts), bad[hosts[0]],
			"another --bootstrap, or --peer")
	}
	for _, h := range slices.Sorted(maps.Keys(bad)) {
		c.warn("bootstrap host %s: %v", h, bad[h])
	}
	return nil
}

// checkPeers fails if no peer that the user named has an address and nothing else can
// find one, since there is no DHT. The engine warns of those that do not matter.
func (s *session) checkPeers(ctx context.Context, want needs) error {
	named := s.flags.peers.items
	others := len(want.peers) > 0 && !s.flags.peersOnly || want.urls ||
		!s.flags.noLSD && s.node.LocalPeers()
	if want.lonely || len(named) == 0 || others {
		return nil
	}
	bad := s.network.CheckHosts(ctx, named)
	for _, p := range named {
		if bad[p] == nil {
			return nil
		}
	}
	return failWithHint(exitNetwork, "peer "+describeHosts(named), bad[named[0]],
		"another --peer, or the DHT")
}

// describeHosts names the first of hosts and how many follow.
func describeHosts(hosts []string) string {
	if len(hosts) == 1 {
		return hosts[0]
	}
	return fmt.Sprintf("%s and %d more", hosts[0], len(hosts)-1)
}

// close stops the node, which saves what the next run needs.
func (s *session) close() {
	s.debug.close()
	s.blocked.close()
	if err := s.node.Close(); err != nil {
		s.c.log.Info("closing the node", "err", err)
	}
}

// spec fills in what every torrent of the session shares.
func (s *session) spec(spec swarm.Spec) swarm.Spec {
	spec.Peers = s.flags.peers.items
	spec.NoTrackers, spec.PeersOnly = s.flags.noTrackers, s.flags.peersOnly
	return spec
}

// addrs returns the addresses that the session listens on.
func (s *session) addrs() []string {
	var list []string
	for _, a := range s.node.Addrs() {
		list = append(list, a.String())
	}
	return list
}

// announceStart reports that the session runs.
func (s *session) announceStart() {
	s.c.event("start", startEvent{s.c.command, swarmnode.Version, s.addrs()})
	if s.network.Proxied() {
		s.c.log.Info("behind a proxy, listening nowhere", "dht", !s.flags.noDHT)
		return
	}
	s.c.log.Info("listening", "addrs", strings.Join(s.addrs(), " "), "dht", !s.flags.noDHT)
}

// viewDHT returns what lines say about the DHT now, and warns once if no node answers. It
// is for the goroutine of the command.
func (s *session) viewDHT(now time.Time) dhtView {
	d := s.node.DHT()
	if !d.On() {
		return dhtView{}
	}
	st, age := d.Stats(), s.silence.age(now, d.Since(), s.cutOff() != "")
	s.silence.look(s.c, st, age)
	return viewOf(st, age)
}

// nodeLine returns the progress line of a node without torrents.
func nodeLine(st dht.Stats) string {
	return fmt.Sprintf("dht %s, %d good  %d queries answered  peers of %d hashes, %s",
		plural(st.Contacts[0]+st.Contacts[1], "node"), st.Good[0]+st.Good[1], st.QueriesIn,
		st.Hashes, plural(st.Items, "item"))
}

// countPeers sets how many peers are connected and how many are known, web seeds that are
// connected included. The book has neither those, nor peers that came to us and named no port.
func (s *status) countPeers(st *swarm.State) {
	s.connected, s.utp, s.webSeeds = st.PeersConnected, st.PeersUTP, st.PeersConnected-st.PeersHere
	s.found = max(st.PeersKnown+s.webSeeds, st.PeersConnected)
}

// statusOf returns what t is doing now.
func statusOf(t *swarm.Torrent) status {
	st := t.State()
	s := status{
		hash: t.Hash().String(), state: st.Phase.String(),
		have: st.Got, total: st.Wanted, down: st.DownRate, up: st.UpRate,
		received: st.Down, sent: st.Up, wasted: st.Wasted(),
	}
	s.countPeers(&st)
	switch st.Phase {
	case swarm.Metadata:
		s.have, s.total = int64(st.MetadataHave), int64(st.MetadataSize)
	case swarm.Checking:
		s.have, s.total = st.Checked, st.CheckTotal
	case swarm.Faulty:
		if st.Fault != nil {
			s.fault = plain(st.Fault).Error()
		}
	}
	return s
}

// metadataOf describes an info dictionary.
func metadataOf(info *metainfo.Info, since time.Time) metadataEvent {
	l := info.Layout()
	files := 0
	for i := range l.Files {
		if !l.Files[i].Pad {
			files++
		}
	}
	return metadataEvent{
		Torrent: info.Hash().String(), Name: info.Name(), Bytes: l.Size(), Files: files,
		Pieces: l.Pieces(), PieceLength: l.PieceLength, Private: info.Private(),
		Seconds: time.Since(since).Seconds(),
	}
}

// torrentFailure returns the failure of a torrent that has ended with err.
func torrentFailure(t *swarm.Torrent, err error) error {
	what := t.Hash().Short()
	if info := t.Info(); info != nil {
		what = info.Name()
	}
	if errors.Is(err, swarm.ErrNothingWanted) {
		return noneChosen(what)
	}
	return addFailure(what, err)
}

// addFailure returns the failure of a torrent that the engine refuses, or that has ended
// with err.
func addFailure(what string, err error) error {
	if errors.Is(err, swarm.ErrMemory) {
		return failWithHint(exitOther, what, err, memoryHint)
	}
	return fail(torrentCode(err), what, err)
}

// torrentCode returns the exit code for the error that a torrent ended with.
func torrentCode(err error) int {
	switch swarm.CauseOf(err) {
	case swarm.CauseExists, swarm.CauseInTheWay:
		return exitExists
	case swarm.CauseFull, swarm.CauseDenied, swarm.CauseMissing, swarm.CauseDisk:
		return exitDisk
	}
	return exitInput
}
