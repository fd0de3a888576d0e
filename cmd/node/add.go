package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

func addCommand() *command {
	return &command{
		name:  "add",
		args:  "SOURCE...",
		short: "fetch torrents, and exit when they are complete and verified",
		long: `A SOURCE is a magnet link, an info-hash in hexadecimal, the path of a .torrent
file, or an http(s) URL of one. Peers are found through the DHT, on the local
network, and through the trackers and peers that a SOURCE names; web seeds serve as
well. Content that exists already is checked and kept, so an interrupted fetch
continues where it stopped.

The path of each finished file or folder is printed on standard output. When a
folder is fetched in part, by --files or by the so= of a magnet link, the path of
each file is printed instead. A glob with a slash is compared with the whole path,
any other with the name of the file; one that ends in a slash stands for all that a
folder holds.

With --http a web page shows the torrents, steers them, and plays their files while
they are fetched. add then also waits for torrents that were added by the page.

With --detach the daemon does it, as node daemon says, and add prints the number,
the info-hash and the name of each torrent instead. --dir is then the folder of the
daemon's choice unless it is given.`,
		examples: []example{
			{"node add 'magnet:?xt=urn:btih:…'", "fetch into the current folder"},
			{"node add -d ~/Downloads some.torrent", "fetch what a .torrent file describes"},
			{"node add --files 0,2-5 --files '*.srt' 'magnet:?xt=urn:btih:…'",
				"fetch some of the files, by index and by name"},
			{"node add --seed --up 500k 'magnet:?xt=urn:btih:…'",
				"stay and seed afterwards, at 500 KiB/s at most"},
			{"node add --timeout 10m --json HASH",
				"give up after ten minutes, with events for a program"},
			{"node add --webseed https://example.org/films/ film.torrent",
				"fetch from a web server as well"},
			{"node add --peers-only --peer 192.0.2.7:6881 some.torrent",
				"fetch from one known peer, and ask nobody else"},
			{"node add --http :8080 'magnet:?xt=urn:btih:…'",
				"watch at http://127.0.0.1:8080/ while it is fetched"},
			{"node add --detach --label linux some.torrent", "let the daemon fetch it"},
		},
		argsMin: 1,
		argsMax: anyNumber,
		setup: func(fs *pflag.FlagSet) action {
			var f addFlags
			f.register(fs)
			return f.run
		},
	}
}

type addFlags struct {
	node    nodeFlags
	hand    handFlags
	page    pageFlags
	dir     string
	output  nameValue
	seed    bool
	timeout timeValue

	files      listValue
	trackers   listValue
	webSeeds   listValue
	sequential bool
	portable   bool
}

func (f *addFlags) register(fs *pflag.FlagSet) {
	fs.StringVarP(&f.dir, "dir", "d", ".", "`FOLDER` to put the content in")
	fs.VarP(&f.output, "output", "o",
		"`NAME` for the file or folder, in place of the torrent's own")
	f.files = listValue{kind: "GLOB|INDICES", check: checkFiles}
	fs.Var(&f.files, "files", "only files that match, or that have these indices in node ls, as "+
		"in 0,2-5; may be repeated")
	f.registerSource(fs)
	fs.BoolVar(&f.sequential, "sequential", false,
		"fetch from the first piece to the last, which is worse for the swarm")
	fs.BoolVar(&f.seed, "seed", false, "keep seeding when complete, until interrupted")
	fs.Var(&f.timeout, "timeout",
		"give up when not complete after this time, as in 90s or 1h (default: never)")
	f.node.register(fs)
	f.node.metrics.register(fs)
	f.page.register(fs)
	f.hand.register(fs)
}

// registerSource makes the flags that say where content comes from, and how its files are
// called.
func (f *addFlags) registerSource(fs *pflag.FlagSet) {
	fs.BoolVar(&f.portable, "portable-names", false,
		"give files names that every system can hold, even if this one needs no change")
	f.trackers = listValue{kind: "URL", check: checkTrackers}
	f.webSeeds = listValue{kind: "URL", check: checkURL}
	fs.Var(&f.trackers, "tracker",
		"another tracker to ask, or several with commas as one tier; may be repeated")
	fs.Var(&f.webSeeds, "webseed", "web server that has the content, BEP 19; may be repeated")
}

// errPeersOnly is the usage error of a node that would have nobody to ask.
var errPeersOnly = errors.New("--peers-only needs a --peer")

// An adding is one run of the command.
type adding struct {
	flags   *addFlags
	c       *console
	s       *session
	sources []source
	from    map[*swarm.Torrent]*source
	left    int   // torrents neither complete nor failed
	whole   int   // torrents complete
	failed  error // the first failure
}

func (f *addFlags) run(ctx context.Context, c *console, args []string) error {
	if err := f.hand.check(c, ownDetached...); err != nil {
		return err
	}
	if f.hand.on() {
		return f.runDetached(ctx, c, args)
	}
	a := &adding{flags: f, c: c, from: make(map[*swarm.Torrent]*source)}
	if len(f.webSeeds.items) > 0 && len(args) > 1 {
		return usage(c.command, errors.New("--webseed needs a single SOURCE"))
	}
	if f.output != "" && len(args) > 1 {
		return usage(c.command, errors.New("--output needs a single SOURCE"))
	}
	named := map[string]bool{"tracker": len(f.trackers.items) > 0,
		"webseed": len(f.webSeeds.items) > 0}
	if err := f.node.prepare(c, named); err != nil {
		return err
	}
	if f.node.peersOnly && len(f.node.peers.items) == 0 {
		return usage(c.command, errPeersOnly)
	}
	if err := f.page.prepare(c); err != nil {
		return err
	}
	want := needs{resume: true}
	seen := make(map[metainfo.Hash]bool)
	for _, arg := range args {
		src, err := parseSource(ctx, c, &f.node.listen, f.timeout, arg)
		if stop := ended(ctx); stop != nil {
			return stop
		}
		if err != nil {
			return err
		}
		if seen[src.hash()] {
			c.warn("torrent %s is given twice and added once", src.hash().Short())
			continue
		}
		seen[src.hash()] = true
		src.own = tiers(f.trackers.items)
		if src.torrent != nil {
			if chosen := f.choose(src.torrent.Info(), &src); chosen.files == 0 {
				return noneChosen(src.name())
			}
		}
		a.sources = append(a.sources, src)
		want.nodes = append(want.nodes, src.nodes()...)
		want.peers = append(want.peers, src.magnet.Peers...)
		want.urls = want.urls || f.node.urls(&src) || len(f.webSeeds.items) > 0
	}
	if err := a.prepareDir(); err != nil {
		return err
	}
	var err error
	if a.s, err = openSession(ctx, c, &f.node, want); err != nil {
		return err
	}
	defer a.s.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := f.page.open(ctx, a.s, f.dir, func() { cancel(errShutDown) }); err != nil {
		return err
	}
	if err := a.s.join(); err != nil {
		return err
	}
	a.s.announceStart()
	return a.fetch(ctx)
}

// prepareDir makes the download folder and checks, before any other work, that it can be
// written to. A read-only folder is accepted if the content may be there already.
func (a *adding) prepareDir() error {
	err := os.MkdirAll(a.flags.dir, 0o777)
	var f *os.File
	if err == nil {
		f, err = os.CreateTemp(a.flags.dir, ".node-*")
	}
	if err != nil {
		if swarm.CauseOf(err) == swarm.CauseDenied && a.mayBeThere() {
			return nil // storage looks for what is missing
		}
		return failWithHint(exitDisk, "folder "+a.flags.dir, err, "another --dir")
	}
	f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return fail(exitDisk, "folder "+a.flags.dir, err)
	}
	return nil
}

// mayBeThere reports whether the download folder, which cannot be written to, may hold
// content of one of the sources. The names behind a magnet link are not known yet, so any
// file may be its content.
func (a *adding) mayBeThere() bool {
	folder, err := os.Open(a.flags.dir)
	if err != nil {
		return false
	}
	defer folder.Close()
	some, _ := folder.Readdirnames(1)
	for i := range a.sources {
		src := &a.sources[i]
		name := string(a.flags.output)
		if name == "" && src.torrent != nil {
			name = src.name()
		}
		if name == "" {
			if len(some) > 0 {
				a.c.warn("folder %s cannot be written to: only content that is complete there "+
					"can be seeded", a.flags.dir)
				return true
			}
			continue
		}
		if swarm.HasContent(a.flags.dir, name) {
			return true
		}
	}
	return false
}

// fetch adds the torrents and waits for them.
func (a *adding) fetch(ctx context.Context) error {
	dir, err := filepath.Abs(a.flags.dir)
	if err != nil {
		return fail(exitDisk, "folder "+a.flags.dir, err)
	}
	var torrents []*swarm.Torrent
	for i := range a.sources {
		src := &a.sources[i]
		spec := swarm.Spec{
			Torrent: src.torrent, Magnet: src.magnet, Dir: dir, Name: string(a.flags.output),
			Sequential: a.flags.sequential,
			WebSeeds:   cleanURLs(a.flags.webSeeds.items), Trackers: src.own,
			Names: a.flags.names(),
		}
		if len(a.flags.files.items) > 0 || len(src.magnet.Select) > 0 {
			spec.Wanted = func(l *metainfo.Layout) []bool {
				return choose(l, a.flags.files.items, src.magnet).wanted
			}
		}
		t, err := a.s.add(ctx, spec)
		if err != nil {
			return addFailure(src.hash().Short(), err)
		}
		torrents = append(torrents, t)
		a.from[t] = src
	}
	a.left = len(torrents)
	a.s.checkAnnounce(len(torrents))
	watching, cancel := context.WithCancel(ctx)
	w := startWatch(watching, a.s, torrents)
	defer w.wait.Wait()
	defer cancel()

	var expired <-chan time.Time
	if a.flags.timeout > 0 {
		timer := time.NewTimer(time.Duration(a.flags.timeout))
		defer timer.Stop()
		expired = timer.C
	}
	if a.s.page != nil {
		w.ends = func() bool { return !a.goesOn() }
	}
	timedOut := w.run(ctx, expired, func(n news) bool { return a.onNews(w, n) })
	switch {
	case timedOut && a.left > 0:
		return a.timeoutFailure(torrents)
	case a.left > 0:
		w.tellStop()
		return endedWith(ctx, a.left)
	case a.flags.seed && a.whole > 0:
		if a.s.page != nil {
			w.ends = a.s.page.isEmpty
		}
		w.run(ctx, nil, func(news) bool { return true })
		w.tellStop()
		return cmp.Or(endedWith(ctx, 0), a.failed)
	case ended(ctx) != nil && a.failed == nil:
		return endedWith(ctx, 0) // while others used the page
	}
	return a.failed
}

// goesOn reports whether there is more to wait for.
func (a *adding) goesOn() bool {
	if a.left > 0 {
		a.s.page.look()
		return true
	}
	seeds := a.flags.seed && a.whole > 0
	return !seeds && a.s.page.waits()
}

// names returns the rule for the names of new files.
func (f *addFlags) names() metainfo.NameRule {
	if f.portable {
		return metainfo.NamesPortable
	}
	return metainfo.NamesNative
}

// choose returns which files of src are wanted.
func (f *addFlags) choose(info *metainfo.Info, src *source) choice {
	return choose(info.Layout(), f.files.items, src.magnet)
}

// tellChoice tells the user which part of a torrent is fetched.
func (a *adding) tellChoice(info *metainfo.Info, chosen choice) {
	if chosen.files == 0 {
		return // the torrent fails with noneChosen
	}
	for _, s := range chosen.vain {
		a.c.warn("%s: --files %s matches no file", info.Hash().Short(), quoteSource(s))
	}
	if chosen.part() {
		a.c.note("%s %d of %s chosen, %s", info.Hash().Short(), chosen.files,
			plural(chosen.all, "file"), formatBytes(chosen.bytes))
	}
}

// onNews tells the user what happened to a torrent, and reports whether there is more to
// wait for.
func (a *adding) onNews(w *watch, n news) bool {
	if !n.done {
		w.metadata(n.t.Info(), a.from[n.t], a.flags.names())
		a.tellChoice(n.t.Info(), a.flags.choose(n.t.Info(), a.from[n.t]))
		a.s.page.tellStream(n.t)
		return true
	}
	a.left--
	if err := n.t.Err(); err != nil {
		if err = torrentFailure(n.t, err); a.s.page.dropped(n.t) {
			err = fail(exitIncomplete, n.t.Hash().Short(), errDropped)
		}
		if a.failed != nil || a.left > 0 || a.flags.seed && a.whole > 0 {
			// The error line at the end is about the first failure only.
			a.c.warn("%v", err)
		}
		if a.failed == nil {
			a.failed = err
		}
		return a.goesOn()
	}
	a.whole++
	a.complete(n.t)
	return a.goesOn()
}

// complete prints the result of one torrent.
func (a *adding) complete(t *swarm.Torrent) {
	info, st := t.Info(), t.State()
	l, chosen := info.Layout(), a.s.page.chosen(t, a.flags.choose(info, a.from[t]))
	paths := t.Paths()
	if chosen.part() {
		paths = nil
	}
	a.c.endProgress() // the next update draws it again
	for i := range l.Files {
		f := &l.Files[i]
		if f.Pad || f.Link != nil || !chosen.has(i) {
			continue
		}
		path := t.FilePath(i)
		a.c.event("file", fileEvent{info.Hash().String(), path, f.Length})
		if chosen.part() {
			paths = append(paths, path)
		}
	}
	for _, p := range paths {
		a.c.result(p)
	}
	took := time.Since(a.s.started)
	a.c.event("complete", completeEvent{
		Torrent: info.Hash().String(), Name: info.Name(), Paths: paths, Bytes: chosen.bytes,
		Downloaded: st.Down, Uploaded: st.Up, Wasted: st.Wasted(), Seconds: took.Seconds(),
	})
	a.c.note("%s complete: %s in %s", info.Hash().Short(), formatBytes(chosen.bytes),
		formatTook(took))
	if a.flags.seed {
		magnet := metainfo.NewTorrent(info).Magnet().String()
		a.c.event("seeding", seedingEvent{info.Hash().String(), info.Name(), magnet, l.Size()})
	}
}

// timeoutFailure returns the failure of a command whose time is over: what the torrents
// lacked, and why.
func (a *adding) timeoutFailure(torrents []*swarm.Torrent) error {
	if a.failed != nil {
		return a.failed
	}
	after := formatDuration(time.Duration(a.flags.timeout))
	lonely := 0
	var what, why string
	for _, t := range torrents {
		select {
		case <-t.Done():
			continue
		default:
		}
		st := t.State()
		if st.Phase == swarm.Faulty && st.Fault != nil {
			return torrentFailure(t, st.Fault)
		}
		if st.Phase == swarm.Metadata || alone(st) {
			lonely++
		}
		if why == "" {
			what, why = t.Hash().Short(), a.s.verdictOf(t).String()
		}
	}
	code := exitIncomplete
	if lonely == a.left {
		code = exitNoPeers
	}
	if a.left > 1 {
		why += fmt.Sprintf("; %s incomplete", plural(a.left-1, "more torrent"))
	}
	return failWithHint(code, what, fmt.Errorf("after %s: %s", after, why),
		a.s.timeoutHint())
}
