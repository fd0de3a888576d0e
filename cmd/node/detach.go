package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
)

// handFlags say that a daemon takes over what add and seed would do in the foreground.
type handFlags struct {
	remote    remoteFlags
	fs        *pflag.FlagSet
	detach    bool
	autostart bool
	paused    bool
	labels    listValue
}

func (f *handFlags) register(fs *pflag.FlagSet) {
	f.fs = fs
	fs.BoolVarP(&f.detach, "detach", "D", false, "hand over to the daemon")
	fs.BoolVar(&f.autostart, "autostart", false, "start a daemon if none runs, with --detach")
	fs.BoolVar(&f.paused, "paused", false, "with --detach, do not start it")
	f.labels = listValue{kind: "NAME"}
	fs.Var(&f.labels, "label", "label for the daemon, with --detach; may be repeated")
	fs.StringVar(&f.remote.socket, "socket", "", "`PATH` of the socket of the daemon, with "+
		"--detach")
	f.remote.registerURL(fs)
}

// handed are the flags that count when a daemon takes over.
var handed = []string{"detach", "autostart", "paused", "label", "socket", "daemon", "netrc",
	"config", "quiet", "verbose", "json", "no-color", "log-format", "progress"}

// on reports whether a daemon is to take over. A URL in the environment or in the configuration
// file is no reason: only the command line is.
func (f *handFlags) on() bool {
	flag := f.fs.Lookup("daemon")
	return f.detach || flag != nil && originOf(flag) == originFlag
}

// check returns a failure if flags were given that do not fit. own are those of the command that
// a daemon takes over.
func (f *handFlags) check(c *console, own ...string) error {
	if !f.on() {
		for _, name := range []string{"autostart", "paused", "label", "socket", "netrc"} {
			if flag := f.fs.Lookup(name); flag != nil && originOf(flag) == originFlag {
				return usage(c.command, fmt.Errorf("--%s needs --detach", name))
			}
		}
		return nil
	}
	var wrong error
	f.fs.Visit(func(flag *pflag.Flag) {
		if wrong == nil && originOf(flag) == originFlag && !slices.Contains(handed, flag.Name) &&
			!slices.Contains(own, flag.Name) {
			wrong = usage(c.command, fmt.Errorf("--%s is for the foreground, not for --detach",
				flag.Name))
		}
	})
	if wrong == nil && f.autostart && f.remote.away() {
		wrong = usage(c.command, errors.New("--autostart starts a daemon of this machine, "+
			"not --daemon"))
	}
	return wrong
}

// connect returns a client of the daemon, which is started if that is wanted.
func (f *handFlags) connect(ctx context.Context, c *console) (*client.Client, error) {
	d, err := f.remote.connect(ctx, c)
	if err != nil {
		return nil, err
	}
	_, err = d.Session(ctx)
	if err != nil && client.NoDaemon(err) && f.autostart {
		err = f.start(ctx, c, d)
	} else if err != nil {
		err = remoteFailure("", err)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// add hands one torrent over.
func (f *handFlags) add(ctx context.Context, c *console, d *client.Client, what string,
	a api.Add) (api.Added, error) {
	if f.fs.Changed("paused") {
		a.Stopped = &f.paused
	}
	if len(f.labels.items) > 0 {
		a.Options.Labels = &f.labels.items
	}
	added, err := d.Add(ctx, a)
	if err != nil {
		return added, remoteFailure(what, err)
	}
	c.event("added", addedEvent{added.Hash, int(added.ID), added.Name})
	return added, nil
}

// ownDetached are the flags of add that a daemon takes over.
var ownDetached = []string{"dir", "files", "tracker", "webseed", "sequential", "peer"}

// runDetached hands the sources over to a daemon. The rest is tried after a failure.
func (f *addFlags) runDetached(ctx context.Context, c *console, args []string) error {
	d, err := f.hand.connect(ctx, c)
	if err != nil {
		return err
	}
	defer d.Close()
	var first error
	for _, arg := range args {
		err := f.handOver(ctx, c, d, arg)
		if stop := ended(ctx); stop != nil {
			return stop
		}
		if err != nil && first == nil {
			first = err
		} else if err != nil {
			c.warn("%v", err)
		}
	}
	return first
}

// handOver hands one source over. A URL is fetched by the daemon, in its own way.
func (f *addFlags) handOver(ctx context.Context, c *console, d *client.Client, arg string) error {
	a := api.Add{Trackers: slices.Concat(tiers(f.trackers.items)...), Peers: f.node.peers.items}
	webSeeds := cleanURLs(f.webSeeds.items)
	if flag := f.hand.fs.Lookup("dir"); originOf(flag) == originFlag {
		dir, err := f.hand.remote.folder(c, f.dir)
		if err != nil {
			return err
		}
		a.Dir = dir
	}
	if f.sequential {
		a.Options.Sequential = &f.sequential
	}
	what := quoteSource(arg)
	scheme, _, _ := strings.Cut(strings.ToLower(arg[:min(len(arg), 8)]), ":")
	if scheme == "http" || scheme == "https" {
		if len(webSeeds) > 0 {
			return fail(exitUsage, what, errors.New("--webseed is for files and links, not "+
				"for URLs"))
		}
		a.Source = arg
		return f.send(ctx, c, d, what, a)
	}
	src, err := parseSource(ctx, c, &f.node.listen, 0, arg)
	if err != nil {
		return err
	}
	if src.torrent == nil {
		src.magnet.WebSeeds = append(src.magnet.WebSeeds, webSeeds...)
		a.Source = src.magnet.String()
		return f.send(ctx, c, d, what, a)
	}
	src.torrent.WebSeeds = append(src.torrent.WebSeeds, webSeeds...)
	a.Metainfo = src.torrent.Marshal()
	if len(f.files.items) > 0 {
		chosen := f.choose(src.torrent.Info(), &src)
		if chosen.files == 0 {
			return noneChosen(src.name())
		}
		a.Files = []int{}
		for i, wanted := range chosen.wanted {
			if wanted {
				a.Files = append(a.Files, i)
			}
		}
	}
	return f.send(ctx, c, d, what, a)
}

// send hands a torrent over and prints what was added.
func (f *addFlags) send(ctx context.Context, c *console, d *client.Client, what string,
	a api.Add) error {
	if a.Files == nil {
		a.Choose = f.files.items
	}
	added, err := f.hand.add(ctx, c, d, what, a)
	if err != nil {
		return err
	}
	c.result(addedLine(added))
	return nil
}

// addedLine describes a torrent that was added.
func addedLine(a api.Added) string {
	return escape(strings.TrimRight(fmt.Sprintf("%d %s %s", a.ID, a.Hash, a.Name), " "))
}

// runDetached makes torrents and hands them over to a daemon, with the content where it is.
func (f *seedFlags) runDetached(ctx context.Context, c *console, args []string) error {
	if f.hand.remote.away() {
		return usage(c.command, errors.New("--daemon: the content has to be on the machine of the "+
			"daemon (try: --socket)"))
	}
	d, err := f.hand.connect(ctx, c)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, path := range args {
		if err := f.handOver(ctx, c, d, path); err != nil {
			return err
		}
	}
	return nil
}

// handOver makes a torrent of a file or folder, and hands it over.
func (f *seedFlags) handOver(ctx context.Context, c *console, d *client.Client, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fail(exitOther, path, err)
	}
	opt := f.build.options(c, path)
	opt.Output = f.torrent
	built, err := buildWith(ctx, c, opt)
	if err != nil {
		return err
	}
	f.outside.apply(built)
	if f.torrent != "" {
		if err := writeTorrent(f.torrent, built, f.force); err != nil {
			return err
		}
	}
	dir, name := contentAt(path)
	if name != built.Info().Name() {
		// The daemon finds content by the name that the torrent gives it.
		dir = filepath.Dir(path)
		if _, err := os.Lstat(filepath.Join(dir, built.Info().Name())); err != nil {
			return failWithHint(exitInput, path, fmt.Errorf("the torrent calls it %q",
				built.Info().Name()), "another name for it")
		}
	}
	if len(f.node.peers.items) == 0 {
		warnPrivate(c, built)
	}
	stopped := false
	a := api.Add{Metainfo: built.Marshal(), Dir: dir, Complete: true, Stopped: &stopped,
		Peers: f.node.peers.items}
	added, err := f.hand.add(ctx, c, d, path, a)
	if err != nil {
		return err
	}
	c.note("%s", addedLine(added))
	link := built.Magnet()
	c.result(link.String())
	c.event("seeding", seedingEvent{added.Hash, built.Info().Name(), link.String(),
		built.Info().Layout().Size()})
	return nil
}

// seedDetached are the flags of seed that a daemon takes over.
var seedDetached = []string{"torrent", "force", "piece-length", "v1", "v2", "hybrid", "private",
	"source", "hidden", "include", "exclude", "tracker", "webseed", "comment", "no-date", "node",
	"peer"}
