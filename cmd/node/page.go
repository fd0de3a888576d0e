package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/control"
	"swarmnode/daemon/stream"
	"swarmnode/metainfo/weburl"
	"swarmnode/swarm"
)

// viewerPatience is how long a command that is done otherwise waits for the next request of
// somebody who watches: a player that was paused asks again.
const viewerPatience = 5 * time.Minute

// pageFlags say where a command in the foreground serves the page of its torrents.
type pageFlags struct {
	fs    *pflag.FlagSet
	site  siteFlags
	lines *api.Log // of the log, for the page
	gate  *control.Gate
}

func (f *pageFlags) register(fs *pflag.FlagSet) {
	f.fs = fs
	f.site.register(fs, "serve a web page for these torrents, their files as streams, and the API")
}

// on reports whether a page is wanted.
func (f *pageFlags) on() bool { return len(f.site.http.items) > 0 }

// prepare checks who may see the page, and makes it have the lines of the log from now on.
func (f *pageFlags) prepare(c *console) (err error) {
	if !f.on() {
		return nil
	}
	f.lines = new(api.Log)
	c.log = slog.New(f.lines.Handler(c.log.Handler(), slog.LevelInfo))
	if f.gate, err = f.site.gate(fileFlag(f.fs), c.log); err != nil || f.gate.NeedsLogin() {
		return err
	}
	for _, l := range f.site.listeners(nil) {
		if !l.Addr.Addr().IsLoopback() {
			return usage(c.command, &control.NoPasswordError{Listener: l})
		}
	}
	return nil
}

// A page shows the torrents of a single run in browsers, and lets them steer these. A nil page
// does nothing. It belongs to the goroutine of the command.
type page struct {
	s       *session
	d       *daemon.Daemon
	gate    *control.Gate
	site    *site
	server  *control.Server
	own     map[*swarm.Torrent]*owned
	ids     map[daemon.ID]bool // of own
	guests  torrentLog         // of torrents that browsers have added
	waiting string             // what the user was told last that the command waits for
}

// An owned is a torrent of the command.
type owned struct {
	known *daemon.Torrent
	told  bool // that it was removed
}

// open serves the page of a session. dir is the folder for torrents that browsers add, and
// shutdown ends the command. Without --http the page is nil.
func (f *pageFlags) open(ctx context.Context, s *session, dir string, shutdown func()) error {
	if !f.on() {
		return nil
	}
	settings, err := f.settings(s.flags, dir)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	p := &page{s: s, gate: f.gate, own: make(map[*swarm.Torrent]*owned),
		ids:    make(map[daemon.ID]bool),
		guests: torrentLog{c: s.c, seen: make(map[daemon.ID]seenTorrent)}}
	at := daemon.Attachment{Parent: s.folder, Settings: settings, Logger: s.c.log}
	p.d, err = daemon.Attach(ctx, s.node, at)
	if _, ok := errors.AsType[*swarmnode.StateError](err); ok && at.Parent != "" {
		at.Parent = "" // a state folder that cannot be written to may serve all the same
		p.d, err = daemon.Attach(ctx, s.node, at)
	}
	if err != nil {
		return fail(exitOther, "the page", err)
	}
	p.site = newSite(api.Config{Daemon: p.d, Gate: f.gate, Network: s.network, Log: f.lines,
		Reload: noReload, Shutdown: shutdown, Logger: s.c.log}, false)
	p.server, err = control.Serve(ctx, control.Config{Gate: f.gate, Network: s.network,
		TCP: f.site.listeners(p.site), Logger: s.c.log})
	if err != nil {
		p.site.close()
		p.d.Close()
		return f.refused(s.c, err)
	}
	s.page = p
	return nil
}

// noReload refuses to read the configuration again, as browsers may ask.
func noReload(context.Context) (api.Reloaded, error) {
	return api.Reloaded{}, fmt.Errorf("reading the configuration again: %w", daemon.ErrSingle)
}

// refused returns the failure of a page that cannot be served. An address that the configuration
// file names may be in use by a daemon, for which it is meant; then the command goes on without a
// page.
func (f *pageFlags) refused(c *console, err error) error {
	bind, ok := errors.AsType[*control.BindError](err)
	if !ok {
		return fail(exitOther, "the page", err)
	}
	place, file := placeOf(f.fs.Lookup("http"))
	if listen := (&swarmnode.ListenError{Err: bind.Err}); file && listen.InUse() {
		c.warn("no page is served: %s of %s is in use", bind.Listener.Addr, place)
		return nil
	}
	return &failure{code: exitNetwork, why: bind, hint: "another --http"}
}

// settings returns what the flags of a node say as settings.
func (f *pageFlags) settings(node *nodeFlags, dir string) (daemon.Settings, error) {
	s := daemon.Settings{
		Down: int64(node.down), Up: int64(node.up), Peers: int(node.peersMax),
		TorrentPeers: int(node.torrentPeers), Port: int(node.listen.port.port),
		DHT: !node.noDHT, PEX: !node.peersOnly, LSD: !node.noLSD,
	}
	var err error
	if s.Dir, err = filepath.Abs(dir); err != nil {
		return s, fail(exitDisk, "folder "+dir, err)
	}
	for _, list := range node.block.lists.items {
		if weburl.Scheme(list) == "" {
			if list, err = filepath.Abs(list); err != nil {
				return s, fail(exitDisk, "blocklist", err)
			}
		}
		s.Blocklists = append(s.Blocklists, list)
	}
	return s, nil
}

// add adds a torrent to the node, and to the page if there is one.
func (s *session) add(ctx context.Context, spec swarm.Spec) (*swarm.Torrent, error) {
	spec = s.spec(spec)
	if s.page == nil {
		return s.node.Add(spec)
	}
	return s.page.add(ctx, spec)
}

// add adds a torrent to the node, with the page knowing it.
func (p *page) add(ctx context.Context, spec swarm.Spec) (run *swarm.Torrent, err error) {
	given := daemon.AddSpec{Torrent: spec.Torrent, Magnet: spec.Magnet, Peers: spec.Peers,
		Source: "the command", Options: daemon.Options{Dir: spec.Dir,
			Sequential: spec.Sequential}}
	var trackers [][]string
	if spec.Torrent != nil {
		trackers = spec.Torrent.Trackers
		if spec.Wanted != nil {
			given.Options.Files = prioritiesFor(spec.Wanted(spec.Torrent.Info().Layout()))
		}
	} else {
		for _, url := range spec.Magnet.Trackers {
			trackers = append(trackers, []string{url})
		}
	}
	if len(spec.Trackers) > 0 || spec.NoTrackers {
		given.Options.Trackers = slices.Concat([][]string{}, spec.Trackers)
		if !spec.NoTrackers {
			given.Options.Trackers = slices.Concat(trackers, spec.Trackers)
		}
	}
	known, err := p.d.Adopt(ctx, given, spec.Name, func() (*swarm.Torrent, error) {
		run, err = p.s.node.Add(spec)
		return run, err
	})
	if _, exists := errors.AsType[*daemon.ExistsError](err); exists {
		return nil, swarm.ErrExists
	}
	if err != nil {
		return nil, err
	}
	p.own[run], p.ids[known.ID()] = &owned{known: known}, true
	return run, nil
}

// prioritiesFor returns the priorities of files that are wanted, or not.
func prioritiesFor(wanted []bool) []swarm.Priority {
	list := make([]swarm.Priority, len(wanted))
	for i, is := range wanted {
		if is {
			list[i] = swarm.Normal
		}
	}
	return list
}

// errDropped is why a torrent has ended that somebody has removed.
var errDropped = errors.New("removed by its page before it was complete")

// dropped reports whether somebody has removed a torrent of the command by the page.
func (p *page) dropped(t *swarm.Torrent) bool {
	if p == nil {
		return false
	}
	o := p.own[t]
	return o != nil && o.known.Dropped()
}

// look tells the user what has happened by the page since the last look: which torrents somebody
// has removed, and what became of those that somebody has added.
func (p *page) look() {
	if p == nil {
		return
	}
	for _, o := range p.own {
		if !o.told && o.known.Dropped() {
			o.told = true
			name := o.known.State().Name
			hash := o.known.Hash()
			p.s.c.event("removed", removedEvent{hash.String(), int(o.known.ID()), name})
			p.s.c.note("%s %q was removed by its page", hash.Short(), name)
		}
	}
	for _, t := range p.d.Torrents() {
		if !p.ids[t.ID()] && !t.State().Temporary {
			p.guests.changed(t, false)
		}
	}
	p.guests.forget(p.d)
}

// isEmpty looks, and reports whether somebody has removed all torrents by the page.
func (p *page) isEmpty() bool {
	p.look()
	return p != nil && len(p.own) > 0 && len(p.lasting()) == 0
}

// lasting returns the states of all torrents but those that are only watched.
func (p *page) lasting() (list []daemon.State) {
	for _, t := range p.d.Torrents() {
		if st := t.State(); !st.Temporary {
			list = append(list, st)
		}
	}
	return list
}

// tellStream says where the file of a torrent can be watched, if it has just one for players.
func (p *page) tellStream(t *swarm.Torrent) {
	if p == nil {
		return
	}
	l := t.Info().Layout()
	index, ok := stream.Only(l)
	if !ok {
		return
	}
	// Whoever reads what the command prints may watch.
	reader := control.Identity{Name: p.s.c.command, Scope: control.Read}
	here, _ := pageURLs(p.s.network, p.server.Addrs()[0])
	url := strings.TrimSuffix(here, "/") + stream.Link(p.gate, reader, l, t.Hash(), index)
	p.s.c.event("stream", streamEvent{t.Hash().String(), index, url})
	p.s.c.note("%s watch %s", t.Hash().Short(), url)
}

// others returns the torrents of the node that are not the command's own.
func (p *page) others() []*swarm.Torrent {
	if p == nil {
		return nil
	}
	return slices.DeleteFunc(p.s.node.Torrents(), func(t *swarm.Torrent) bool {
		return p.own[t] != nil
	})
}

// waits looks, and reports whether a command whose own torrents are complete has to wait for
// others: for torrents that browsers have added, or for somebody who watches. It tells the user
// so.
func (p *page) waits() bool {
	p.look()
	if p == nil {
		return false
	}
	busy := 0
	for _, st := range p.lasting() {
		switch st.Status {
		case daemon.CheckQueued, daemon.Checking, daemon.DownloadQueued, daemon.Downloading:
			busy++
		}
	}
	what := ""
	if busy > 0 {
		what = plural(busy, "torrent") + " of the page"
	} else if p.site.viewers.watch(time.Now(), viewerPatience) {
		what = "whoever watches"
	}
	if what != "" && what != p.waiting {
		p.s.c.note("waiting for %s", what)
	}
	p.waiting = what
	return what != ""
}

// chosen returns which files of a torrent are wanted now that somebody may have chosen others by
// the page.
func (p *page) chosen(t *swarm.Torrent, before choice) choice {
	if p == nil {
		return before
	}
	l := t.Info().Layout()
	now := choice{all: before.all, wanted: make([]bool, len(l.Files))}
	for i, f := range t.Files() {
		if now.wanted[i] = f.Priority != swarm.Unwanted; now.wanted[i] && !l.Files[i].Pad {
			now.files++
			now.bytes += l.Files[i].Length
		}
	}
	return now
}

// addrs returns the addresses at which the page is served.
func (p *page) addrs() (list []string) {
	if p == nil {
		return nil
	}
	for _, at := range p.server.Addrs() {
		list = append(list, at.String())
	}
	return list
}

// tell says where the page is.
func (p *page) tell() {
	if p == nil {
		return
	}
	for _, at := range p.server.Addrs() {
		tellPage(p.s.c, p.s.network, at)
	}
}

// close ends the page. The torrents of the command go on.
func (p *page) close() {
	if p == nil {
		return
	}
	p.server.Close()
	p.site.close()
	if err := p.d.Close(); err != nil {
		p.s.c.log.Info("closing the page", "err", err)
	}
}

// errEndedByPage is why a command has ended that was not done.
var errEndedByPage = errors.New("ended by its page before everything was complete")

// endedWith returns the error to end a command with, of which left torrents are not complete, once
// ctx has ended: by a signal, or by the page.
func endedWith(ctx context.Context, left int) error {
	err := ended(ctx)
	switch {
	case !errors.Is(err, errShutDown):
		return err
	case left > 0:
		return fail(exitIncomplete, "", errEndedByPage)
	}
	return nil
}
