package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

func seedCommand() *command {
	return &command{
		name:  "seed",
		args:  "PATH...",
		short: "make a torrent of each file or folder, print its magnet link, and seed it",
		long: `The magnet link is printed on standard output, alone on its line, as soon as the
content is hashed and before it is announced. Seeding continues until interrupted.
The torrent is of version 1 unless --hybrid or --v2 is given, because Transmission
3.00 and aria2 1.36 can fetch neither by its link, whoever made it.

The link names this node as a peer (x.pe) at every --announce-ip, or else at every
--listen address that other machines can reach, so that it works without a DHT or a
tracker. Otherwise a second link follows on standard error, once the node knows
where others reach it: at a port that the router maps, for example.`,
		examples: []example{
			{"node seed film.mkv", "seed a file, and print the magnet link to pass on"},
			{"node seed --torrent photos.torrent photos/",
				"seed a folder, and also write a .torrent file"},
			{"node seed --tracker udp://tracker.example:6969 --webseed " +
				"https://example.org/films/ film.mkv",
				"also name a tracker and a web server that has the file"},
			{"node seed --announce-ip 192.0.2.7 --port 6881 film.mkv",
				"put the public address of a router into the link"},
			{"node seed --http :8080 photos/", "with a web page of who fetches it"},
			{"node seed --port 6881 --up 2M *.iso",
				"seed several files on a chosen port, at 2 MiB/s at most"},
		},
		argsMin: 1,
		argsMax: anyNumber,
		setup: func(fs *pflag.FlagSet) action {
			var f seedFlags
			f.register(fs)
			return f.run
		},
	}
}

type seedFlags struct {
	node       nodeFlags
	hand       handFlags
	page       pageFlags
	build      buildFlags
	outside    outsideFlags
	announceIP listValue
	torrent    string
	force      bool
	superSeed  bool
}

func (f *seedFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.torrent, "torrent", "", "also write a .torrent `FILE`")
	fs.BoolVar(&f.force, "force", false,
		"let --torrent replace a file that describes something else")
	f.outside.register(fs)
	fs.BoolVar(&f.superSeed, "super-seed", false,
		"show each peer a few pieces at a time until another peer is complete, BEP 16")
	f.announceIP = listValue{kind: "IP", check: checkIP}
	fs.Var(&f.announceIP, "announce-ip",
		"address for the link at which peers reach this node; may be repeated")
	// The link is for every client, and Transmission 3.00 and aria2 1.36 cannot use that
	// of a hybrid, whoever made it.
	f.build.register(fs, metainfo.V1)
	f.node.register(fs)
	f.node.metrics.register(fs)
	f.page.register(fs)
	f.hand.register(fs)
}

func (f *seedFlags) run(ctx context.Context, c *console, args []string) error {
	if f.torrent != "" && len(args) > 1 {
		return usage(c.command, errors.New("--torrent needs a single PATH"))
	}
	if err := f.build.check(c.command); err != nil {
		return err
	}
	if err := f.hand.check(c, seedDetached...); err != nil {
		return err
	}
	for _, path := range args {
		st, err := os.Stat(path)
		if err != nil {
			return fail(diskCode(err), cmp.Or(path, `""`), err)
		}
		if st.Mode().IsRegular() && isTorrentFile(path) {
			c.warn("seeding the file %s itself, not the content that it describes (try: %s add "+
				"--seed %[1]s)", path, program)
		}
	}
	if f.torrent != "" {
		if err := checkOutput(c, f.torrent, f.force); err != nil {
			return err
		}
	}
	if f.hand.on() {
		return f.runDetached(ctx, c, args)
	}
	if err := f.node.prepare(c,
		map[string]bool{"tracker": len(f.outside.trackers.items) > 0}); err != nil {
		return err
	}
	if err := f.page.prepare(c); err != nil {
		return err
	}
	// The session opens before the long work of hashing, so that a port in use is
	// reported at once. Nothing is announced before there is something to seed.
	s, err := openSession(ctx, c, &f.node, needs{lonely: true, resume: true})
	if err != nil {
		return err
	}
	defer s.close()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if err := f.page.open(ctx, s, ".", func() { end(errShutDown) }); err != nil {
		return err
	}
	s.announceStart()
	f.checkTrackers(ctx, c, s.network)
	f.checkPeers(c, s.node.Addrs())
	watching, cancel := context.WithCancel(ctx)
	w := startWatch(watching, s, nil)
	defer w.wait.Wait()
	defer cancel()
	if len(f.announceIP.items) == 0 {
		w.links = newLinkView(s.started, ownAddrs(s.node.Addrs(), nil), f.magnet)
	}
	on := seeding{s: s}
	if err := f.addAll(watching, w, &on, args); err != nil {
		if errors.Is(err, errShutDown) {
			return endedWith(ctx, len(args)) // while it hashed
		}
		return err
	}
	s.checkAnnounce(on.left)
	if s.page != nil {
		w.ends = s.page.isEmpty
	}
	w.run(ctx, nil, on.hear)
	if on.left == 0 {
		return on.failed
	}
	w.tellStop()
	return endedWith(ctx, 0)
}

// addAll seeds the content of each path, and follows it by w.
func (f *seedFlags) addAll(ctx context.Context, w *watch, on *seeding, paths []string) error {
	s := on.s
	for i, path := range paths {
		t, err := f.add(ctx, s, w.links, path)
		if errors.Is(err, swarm.ErrMemory) && i > 0 {
			s.c.warn("memory limit of %s reached: seeding %d of %d torrents (try: %s)",
				formatBytes(int64(f.node.memory)), on.left, len(paths), memoryHint)
			return nil
		}
		if err != nil {
			return err
		}
		if t != nil {
			on.left++
			w.add(ctx, t)
		}
		// A torrent's follower exits once its news is delivered. The followers of
		// thousands of torrents would take much memory.
		w.drain(func(n news) bool { on.hear(n); return true })
	}
	return nil
}

// checkTrackers warns of trackers in the link that nodes which get the link will not ask.
func (f *seedFlags) checkTrackers(ctx context.Context, c *console, n *swarmnode.Network) {
	for _, tier := range tiers(f.outside.trackers.items) {
		for _, url := range tier {
			// The engine reports a URL that cannot be that of a tracker.
			err := swarm.CheckLinkTracker(ctx, n.Egress(), url)
			if unasked, ok := errors.AsType[*swarm.LinkTrackerError](err); ok {
				c.warn("the link names tracker %s, but nodes that get the link will not ask it: %v",
					unasked.Tracker, unasked.Err)
			}
		}
	}
}

// checkPeers warns of addresses in the link that nodes which get the link will not dial.
func (f *seedFlags) checkPeers(c *console, bound []netip.AddrPort) {
	for _, own := range ownAddrs(bound, f.announceIP.items) {
		if addr, err := netip.ParseAddrPort(own); err == nil && !swarm.LinkMayName(addr) {
			c.warn("the link names %s, but nodes that get the link will not dial it: it is "+
				"link-local or a port below 1024 "+
				"of a local network (try: --listen or --announce-ip with another one)", own)
		}
	}
}

// add hashes the content of path, prints its magnet link, which links may tell again, and seeds
// it. It returns nil if the same content is seeded already.
func (f *seedFlags) add(ctx context.Context, s *session, links *linkView,
	path string) (*swarm.Torrent, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fail(exitOther, path, err)
	}
	opt := f.build.options(s.c, path)
	opt.Output = f.torrent
	built, err := buildWith(ctx, s.c, opt)
	if err != nil {
		return nil, err
	}
	f.outside.apply(built)
	if f.torrent != "" {
		if err := writeTorrent(f.torrent, built, f.force); err != nil {
			return nil, err
		}
	}
	info := built.Info()
	if len(f.node.peers.items) == 0 {
		warnPrivate(s.c, built)
	}
	if !s.awaitRoom(ctx, info) {
		return nil, addFailure(path, swarm.ErrMemory)
	}
	if err := s.join(); err != nil {
		return nil, err
	}
	dir, name := contentAt(path)
	t, err := s.add(ctx, swarm.Spec{
		Torrent: built, Dir: dir, Name: name, Complete: true, SuperSeed: f.superSeed,
		Trackers: tiers(f.outside.trackers.items),
	})
	exists := errors.Is(err, swarm.ErrExists)
	if err != nil && !exists {
		return nil, addFailure(path, err)
	}
	// Only a link that works is printed: Add may have found no memory for the torrent.
	link := built.Magnet()
	link.Peers = ownAddrs(s.node.Addrs(), f.announceIP.items)
	magnet := link.String()
	s.c.result(magnet)
	s.c.event("seeding", seedingEvent{info.Hash().String(), info.Name(), magnet,
		info.Layout().Size()})
	if exists {
		s.c.warn("%s has the same content as another PATH", path)
		return nil, nil
	}
	links.add(info)
	return t, nil
}

// magnet returns the link of a torrent of this command, without peers.
func (f *seedFlags) magnet(info *metainfo.Info) metainfo.Magnet {
	t := metainfo.NewTorrent(info)
	f.outside.apply(t)
	return t.Magnet()
}

// warnPrivate warns if nobody will find peers of t.
func warnPrivate(c *console, t *metainfo.Torrent) {
	if t.Info().Private() && len(t.Trackers) == 0 {
		c.warn("%q is private: only trackers may name peers, and it names none (try: "+
			"--tracker URL)", t.Info().Name())
	}
}

// warnSingle warns if t was made of a folder but will be taken for the file in it. In a
// torrent of version 2 alone, a single file at the top is not a folder with a file.
func warnSingle(c *console, t *metainfo.Torrent) {
	l := t.Info().Layout()
	if file, ok := l.OnlyFile(); ok {
		c.warn("%q has one file, so others will see a torrent of version 2 as the file %q, "+
			"without the folder (try: --hybrid or --v1)",
			l.Name, file)
	}
}

// contentAt returns the folder and the name of the content that the user calls path,
// which may be a symbolic link to it.
func contentAt(path string) (dir, name string) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return filepath.Dir(path), filepath.Base(path)
}

// seeding counts the torrents that have not failed.
type seeding struct {
	s      *session
	left   int
	failed error // the last failure
}

// hear handles what happened to a torrent, and reports whether others are left.
func (x *seeding) hear(n news) bool {
	if !n.done || n.t.Err() == nil {
		return true
	}
	if x.s.page.dropped(n.t) {
		return true // ends sees when none is left
	}
	x.failed = torrentFailure(n.t, n.t.Err())
	x.left--
	if x.left > 0 {
		x.s.c.warn("%v", x.failed)
	}
	return x.left > 0
}

// buildFlags say how to make a torrent.
type buildFlags struct {
	usual          metainfo.Kind // if none is asked for
	pieceLength    pieceValue
	v1, v2, hybrid bool
	private        bool
	source         textValue
	hidden         bool
	include        listValue
	exclude        listValue
}

// register adds the flags; usual is the kind of torrent that is made by default.
func (f *buildFlags) register(fs *pflag.FlagSet, usual metainfo.Kind) {
	f.usual = usual
	f.include = listValue{kind: "GLOB", check: metainfo.CheckGlob}
	f.exclude = listValue{kind: "GLOB", check: metainfo.CheckGlob}
	about := map[metainfo.Kind]string{
		metainfo.V1:     "make a torrent of version 1, which every client reads",
		metainfo.V2:     "make a torrent of version 2 alone, BEP 52",
		metainfo.Hybrid: "make a torrent of both versions; Transmission 3 and aria2 cannot read it",
	}
	about[usual] += " (the default)"
	fs.Var(&f.pieceLength, "piece-length",
		"length of pieces, a power of two from 16K (default: chosen by size)")
	fs.BoolVar(&f.v1, "v1", false, about[metainfo.V1])
	fs.BoolVar(&f.v2, "v2", false, about[metainfo.V2])
	fs.BoolVar(&f.hybrid, "hybrid", false, about[metainfo.Hybrid])
	fs.BoolVar(&f.private, "private", false, "only the trackers may name peers, BEP 27")
	fs.Var(&f.source, "source", "text that gives the torrent another info-hash")
	fs.BoolVar(&f.hidden, "hidden", false, "include files whose names start with a dot")
	fs.Var(&f.include, "include", "only files that match; may be repeated")
	fs.Var(&f.exclude, "exclude", "no files that match; may be repeated")
}

func (f *buildFlags) check(path string) error {
	if f.v1 && f.v2 || f.v1 && f.hybrid || f.v2 && f.hybrid {
		return usage(path, errors.New("only one of --v1, --v2 and --hybrid can be given"))
	}
	return nil
}

func (f *buildFlags) kind() metainfo.Kind {
	switch {
	case f.hybrid:
		return metainfo.Hybrid
	case f.v2:
		return metainfo.V2
	case f.v1:
		return metainfo.V1
	}
	return f.usual
}

func (f *buildFlags) options(c *console, path string) metainfo.BuildOptions {
	start := time.Now()
	m := newMeter(c, start)
	last := start
	return metainfo.BuildOptions{
		Path: path, Kind: f.kind(), PieceLength: int(f.pieceLength),
		Hidden: f.hidden, Include: f.include.items, Exclude: f.exclude.items,
		Private: f.private, Source: f.source.text,
		Skipped: func(path string, why error) { c.warn("%s is left out: %v", path, why) },
		SkippedHidden: func(n int) {
			line := fmt.Sprintf("%d hidden files and folders are left out (try: --hidden)", n)
			if n == 1 {
				line = "1 hidden file or folder is left out (try: --hidden)"
			}
			c.event("warning", warningEvent{line})
			c.note("%s", line)
		},
		Progress: func(done, total int64) {
			now := time.Now()
			if now.Sub(last) < hashingInterval {
				return
			}
			last = now
			rate := int64(float64(done) / now.Sub(start).Seconds())
			m.update(now, []status{{state: stateHashing, have: done, total: total, down: rate}},
				dhtView{})
		},
	}
}

// hashingInterval is the time between two updates of the hashing progress.
const hashingInterval = 250 * time.Millisecond

// buildWith hashes the content of opt.Path and shows the progress.
func buildWith(ctx context.Context, c *console, opt metainfo.BuildOptions) (*metainfo.Torrent,
	error) {
	var done, total int64
	show := opt.Progress
	opt.Progress = func(now, all int64) {
		done, total = now, all
		show(now, all)
	}
	t, err := metainfo.Build(ctx, opt)
	c.endProgress()
	if stop := ended(ctx); stop != nil {
		c.note("%s: stopped at %s of the hashing; the same command starts over", opt.Path,
			formatPercent(done, total))
		return nil, stop
	}
	if err != nil {
		if p, ok := errors.AsType[*os.PathError](err); ok {
			return nil, fail(diskCode(err), p.Path, err)
		}
		if large, ok := errors.AsType[*metainfo.InfoSizeError](err); ok {
			return nil, &failure{code: exitInput, why: err, hint: smallerInfo(large)}
		}
		return nil, &failure{code: exitInput, why: err}
	}
	warnRenamed(c, t.Info(), metainfo.NamesPortable,
		"will be saved, on systems that cannot hold that name, as")
	warnSingle(c, t)
	return t, nil
}

// smallerInfo says how to make the info dictionary small enough.
func smallerInfo(e *metainfo.InfoSizeError) string {
	var flags []string
	if e.OtherKind {
		flags = append(flags, map[metainfo.Kind]string{metainfo.V1: "--v1",
			metainfo.V2: "--v2"}[e.Kind])
	}
	if e.LargerPieces {
		flags = append(flags, "--piece-length "+formatPieceLength(e.PieceLength))
	}
	if len(flags) == 0 {
		return "fewer files in each of several torrents"
	}
	return strings.Join(flags, " ")
}

// formatPieceLength writes a length as --piece-length takes it.
func formatPieceLength(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%dM", n>>20)
	}
	return fmt.Sprintf("%dK", n>>10)
}

// isTorrentFile reports whether a file is a torrent by its name and content.
func isTorrentFile(path string) bool {
	if !strings.EqualFold(filepath.Ext(path), ".torrent") {
		return false
	}
	b, err := readInput(path, metainfo.TorrentBytesMax)
	if err != nil {
		return false
	}
	_, err = metainfo.ParseTorrent(b)
	return err == nil
}
