package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

func catCommand() *command {
	return &command{
		name:  "cat",
		args:  "SOURCE [PATH]",
		short: "write a file to standard output while it is being fetched",
		long: `A SOURCE is what node add takes. PATH names one file of the torrent as --files of
node add does: by its index in node ls, or by a glob. Without PATH the torrent must have
a single file. No other file is fetched.

The file is fetched in order, and every byte is verified before it is written. It lies
in a temporary folder, which is removed at the end, or with --dir in a folder where it
stays. TMPDIR names the place for temporary folders.`,
		examples: []example{
			{"node cat film.torrent | mpv -", "watch a film while it is being fetched"},
			{"node cat 'magnet:?xt=urn:btih:…' '*.mkv' > film.mkv", "one file of several"},
			{"node cat -d ~/Downloads some.torrent 3 | less", "keep what was fetched"},
		},
		argsMin: 1,
		argsMax: 2,
		setup: func(fs *pflag.FlagSet) action {
			var f catFlags
			f.register(fs)
			return f.run
		},
	}
}

// catFlags are the flags of node add that concern a single file.
type catFlags struct{ add addFlags }

func (f *catFlags) register(fs *pflag.FlagSet) {
	a := &f.add
	fs.StringVarP(&a.dir, "dir", "d", "",
		"`FOLDER` to keep the file in (default: a temporary folder, removed at the end)")
	a.registerSource(fs)
	fs.Var(&a.timeout, "timeout",
		"give up when not complete after this time, as in 90s or 1h (default: never)")
	a.node.register(fs)
}

// A catting is one run of the command.
type catting struct {
	adding
	path string // of the file that is wanted, as in --files; empty for the only one
	out  *catOutput
	kept bool // the file stays
}

func (f *catFlags) run(ctx context.Context, c *console, args []string) error {
	if c.json {
		return usage(c.command, errors.New("--json would mix events with the file"))
	}
	if !c.raw {
		c.silent = true // the file and the progress would share the terminal
	}
	k := &catting{kept: f.add.dir != ""}
	k.adding = adding{flags: &f.add, c: c, from: make(map[*swarm.Torrent]*source), left: 1}
	if len(args) > 1 {
		k.path = args[1]
		if err := checkFiles(k.path); err != nil || k.path == "" {
			return usage(c.command, fmt.Errorf("PATH is neither an index nor a glob"))
		}
	}
	want, err := k.prepare(ctx, args[0])
	if err != nil {
		return err
	}
	if !k.kept {
		if f.add.dir, err = os.MkdirTemp("", "node-cat-"); err != nil {
			return failWithHint(exitDisk, "temporary folder", err, "--dir")
		}
		defer os.RemoveAll(f.add.dir)
	}
	if err := k.prepareDir(); err != nil {
		return err
	}
	if k.s, err = openSession(ctx, c, &f.add.node, want); err != nil {
		return err
	}
	defer k.s.close()
	if err := k.s.join(); err != nil {
		return err
	}
	k.s.announceStart()
	return k.fetch(ctx)
}

// prepare reads the source, and checks what can be checked before anything is fetched.
func (k *catting) prepare(ctx context.Context, arg string) (want needs, err error) {
	f := k.flags
	named := map[string]bool{"tracker": len(f.trackers.items) > 0,
		"webseed": len(f.webSeeds.items) > 0}
	if err := f.node.prepare(k.c, named); err != nil {
		return want, err
	}
	if f.node.peersOnly && len(f.node.peers.items) == 0 {
		return want, usage(k.c.command, errPeersOnly)
	}
	src, err := parseSource(ctx, k.c, &f.node.listen, f.timeout, arg)
	if stop := ended(ctx); stop != nil {
		return want, stop
	}
	if err != nil {
		return want, err
	}
	src.own = tiers(f.trackers.items)
	if src.torrent != nil {
		if _, err := k.pick(src.torrent.Info().Layout(), src.magnet); err != nil {
			return want, err
		}
	}
	k.sources = []source{src}
	// What lies in a temporary folder is of no use to a later run.
	return needs{resume: k.kept, nodes: src.nodes(), peers: src.magnet.Peers,
		urls: f.node.urls(&src) || len(f.webSeeds.items) > 0}, nil
}

// catShown bounds the list of files from which the user must choose.
const catShown = 50

// pick returns the index of the file that is wanted. The error says why there is not one,
// after the files from which the user must choose.
func (k *catting) pick(l *metainfo.Layout, m metainfo.Magnet) (int, error) {
	fit := k.fitting(l, m)
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) == 0:
		return 0, noneChosen(l.Name)
	}
	listed := listFiles(l)
	for _, i := range fit[:min(len(fit), catShown)] {
		for j := range listed {
			if listed[j].Index == i {
				k.c.say(listed[j].line())
			}
		}
	}
	return 0, failWithHint(exitUsage, l.Name, fmt.Errorf("%d files fit", len(fit)),
		"an index of the list, as PATH")
}

// fitting returns the indices of the files with content that PATH fits, or that the magnet
// link selects (BEP 53).
func (k *catting) fitting(l *metainfo.Layout, m metainfo.Magnet) []int {
	var files []string
	if k.path != "" {
		files = []string{k.path}
	}
	chosen := choose(l, files, m)
	var fit []int
	for i := range l.Files {
		if f := &l.Files[i]; !f.Pad && f.Link == nil && chosen.has(i) {
			fit = append(fit, i)
		}
	}
	return fit
}

// fetch adds the torrent, and writes the file.
func (k *catting) fetch(ctx context.Context) error {
	src := &k.sources[0]
	dir, err := filepath.Abs(k.flags.dir)
	if err != nil {
		return fail(exitDisk, "folder "+k.flags.dir, err)
	}
	t, err := k.s.node.Add(k.s.spec(swarm.Spec{
		Torrent: src.torrent, Magnet: src.magnet, Dir: dir, Names: k.flags.names(),
		WebSeeds: cleanURLs(k.flags.webSeeds.items), Trackers: src.own,
		Wanted: func(l *metainfo.Layout) []bool {
			wanted := make([]bool, len(l.Files))
			if fit := k.fitting(l, src.magnet); len(fit) == 1 {
				wanted[fit[0]] = true
			}
			return wanted
		},
	}))
	if err != nil {
		return addFailure(src.hash().Short(), err)
	}
	k.from[t] = src
	k.s.checkAnnounce(1)
	watching, cancel := context.WithCancel(ctx)
	w := startWatch(watching, k.s, []*swarm.Torrent{t})
	defer w.wait.Wait()
	defer cancel()
	k.out = startCat(watching, k.c, t, func(l *metainfo.Layout) (int, error) {
		return k.pick(l, src.magnet)
	})
	var expired <-chan time.Time
	if k.flags.timeout > 0 {
		timer := time.NewTimer(time.Duration(k.flags.timeout))
		defer timer.Stop()
		expired = timer.C
	}
	showing, stop := context.WithCancel(watching)
	defer stop()
	context.AfterFunc(k.out.ctx, stop)
	timedOut := w.run(showing, expired, func(n news) bool { return k.onNews(w, n) })
	switch {
	case timedOut:
		return k.timeoutFailure([]*swarm.Torrent{t})
	case ctx.Err() != nil:
		k.tellStop(t)
		return ended(ctx)
	}
	return k.finish(ctx, t)
}

// tellStop says how much was written when a signal ended the command. The next output begins
// with the first byte again; a file that is kept need not be fetched again.
func (k *catting) tellStop(t *swarm.Torrent) {
	again := "starts over"
	if k.kept {
		again += " with what is there"
	}
	k.c.note("%s stopped, %s written; the same command %s", t.Hash().Short(),
		formatBytes(k.out.written.Load()), again)
}

// onNews tells the user what happened to the torrent, and reports whether there is more to
// wait for.
func (k *catting) onNews(w *watch, n news) bool {
	if !n.done {
		w.metadata(n.t.Info(), k.from[n.t], k.flags.names())
		return true
	}
	return n.t.Err() == nil
}

// finish waits for the end of the output, and for a file that stays to have its name.
func (k *catting) finish(ctx context.Context, t *swarm.Torrent) error {
	select {
	case <-k.out.ctx.Done():
	case <-ctx.Done():
		return ended(ctx)
	}
	err := k.out.err()
	switch failed := t.Err(); {
	case errors.Is(err, syscall.EPIPE):
		return stopped{syscall.SIGPIPE} // whoever read has seen enough
	case err == nil:
	case failed != nil && errors.Is(err, swarm.ErrStopped):
		return torrentFailure(t, failed)
	default:
		return err
	}
	if k.kept {
		select {
		case <-t.Done():
		case <-ctx.Done():
			return ended(ctx)
		}
		if err := t.Err(); err != nil {
			return torrentFailure(t, err)
		}
	}
	k.c.endProgress()
	k.c.note("%s complete: %s in %s", t.Hash().Short(), formatBytes(k.out.written.Load()),
		formatTook(time.Since(k.s.started)))
	return nil
}
