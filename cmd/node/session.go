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

	"swarmnode"
	"swarmnode/dht"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

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
	folder  string       // for what the node remembers; empty for nothing
	page    *page        // nil if none is served
	numbers *nodeMetrics // nil if none are served
}

// needs is what a command needs of its session.
type needs struct {
	nodes  []string // DHT nodes that torrents name, HOST:PORT
	peers  []string // peers that magnets name
	urls   bool     // torrents name trackers that are to be asked, or web seeds
	resume bool     // records of what each torrent has, and of its peers, are kept
	lonely bool     // useful without any peer, since peers may come later
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
	s := &session{c: c, flags: f, network: p.network, started: time.Now(), hosts: p.hosts,
		folder: folder}
	p.cfg.StateDir, p.cfg.NoRecords = folder, !want.resume
	p.cfg.NoDHT, p.cfg.NoLSD = true, true // until join
	p.cfg.Blocklists = f.block.lists.items
	// The session ends with close, after what follows the end of ctx.
	if s.node, err = swarmnode.Start(context.WithoutCancel(ctx), p.cfg); err != nil {
		return nil, startFailure(err, f.join.stateDir)
	}
	s.debug = watchDebug(c, s.node, f.debugDump, folder)
	s.blocked = watchBlocklist(c, s.node, &f.block)
	if s.numbers, err = f.metrics.serveNode(ctx, c, p.network, s.node); err != nil {
		s.close()
		return nil, err
	}
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
	s.page.close()
	s.numbers.close()
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
	s.c.event("start", startEvent{Command: s.c.command, Version: swarmnode.Version,
		Listen: s.addrs(), HTTP: s.page.addrs()})
	s.page.tell()
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
	st, age := d.Stats(), s.silence.age(now, d.Since(), s.node.CutOff() != "")
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
