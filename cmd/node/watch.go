package main

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// A news is something that happened to a torrent.
type news struct {
	t    *swarm.Torrent
	done bool // complete or failed; else its metadata is known
}

// A watch follows the torrents of a session: it shows their progress and reports what
// happens to them.
type watch struct {
	memory   memoryWatch
	s        *session
	torrents []*swarm.Torrent
	meter    *meter
	dht      dhtEvent
	reach    reachView
	links    *linkView // nil if no better links are to come
	news     chan news
	ends     func() bool // looks each second whether the command is done; may be nil
	wait     sync.WaitGroup
}

// showInterval is the time between two updates of the progress.
const showInterval = time.Second

// showShare bounds the time that updates take to 1/showShare of all time: the state of
// thousands of torrents is shown less often.
const showShare = 200

// startWatch begins to follow torrents, until ctx ends.
func startWatch(ctx context.Context, s *session, torrents []*swarm.Torrent) *watch {
	w := &watch{s: s, meter: newMeter(s.c, s.started), news: make(chan news)}
	w.reach.noRelay = s.flags.noRelay
	for _, t := range torrents {
		w.add(ctx, t)
	}
	return w
}

// add begins to follow one more torrent. It must not be called while run runs.
func (w *watch) add(ctx context.Context, t *swarm.Torrent) {
	w.torrents = append(w.torrents, t)
	w.wait.Go(func() { w.follow(ctx, t) })
}

// drain passes pending news to on; it reports whether on wants more.
func (w *watch) drain(on func(news) bool) bool {
	for {
		select {
		case n := <-w.news:
			if !on(n) {
				return false
			}
		default:
			return true
		}
	}
}

// follow reports when the metadata of t is known and when t is done.
func (w *watch) follow(ctx context.Context, t *swarm.Torrent) {
	info := t.HaveInfo()
	for {
		var n news
		select {
		case <-info:
			n, info = news{t: t}, nil
		case <-t.Done():
			n = news{t: t, done: true}
			select {
			case <-info: // both have happened: one after the other
				n, info = news{t: t}, nil
			default:
			}
		case <-ctx.Done():
			return
		}
		select {
		case w.news <- n:
		case <-ctx.Done():
			return
		}
		if n.done {
			return
		}
	}
}

// run shows the state of all torrents until ctx ends, on returns false or ends returns true. It
// passes all news to on. expired, which may be nil, ends it as well.
func (w *watch) run(ctx context.Context, expired <-chan time.Time,
	on func(news) bool) (timedOut bool) {
	usr1, stop := statusSignals()
	defer stop()
	tick := time.NewTicker(showInterval)
	defer tick.Stop()
	if w.s.c.redraw {
		w.show(time.Now()) // show something at once
	}
	var rest time.Time // until when nothing is shown
	for {
		select {
		case n := <-w.news:
			if !on(n) {
				return false
			}
		case now := <-tick.C:
			if w.ends != nil && w.ends() {
				return false
			}
			if now.Before(rest) {
				continue
			}
			began := time.Now()
			w.show(now)
			rest = now.Add(restAfter(time.Since(began)))
		case <-usr1:
			if is := w.s.node.Reach(); is.Known() {
				w.s.c.say(reachLine(is, w.reach.noRelay))
			}
			view := w.s.viewDHT(time.Now())
			for _, st := range w.statuses() {
				w.s.c.say(st.line(view, time.Since(w.s.started)).String())
			}
		case <-expired:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// restAfter returns how long to rest after an update that took so long. The rest is
// bounded by what people wait for, because an update that a busy machine interrupted did
// not cost what it took.
func restAfter(took time.Duration) time.Duration { return min(showShare*took, lineInterval) }

// show shows the progress of all torrents.
func (w *watch) show(now time.Time) {
	w.memory.look(w.s.c, w.s.flags.memory)
	w.dht = dhtNews(w.s.c, w.s.node.DHT(), w.dht)
	w.reach.look(now, w.s.c, w.s.node.Reach())
	w.links.look(now, w.s.c, w.s.node.Endpoints(), func() []netip.AddrPort {
		return localEndpoints(w.s.network, w.s.node.Addrs())
	})
	w.meter.update(now, w.statuses(), w.s.viewDHT(now))
}

// statuses returns the state of all torrents that have not failed.
func (w *watch) statuses() []status {
	var all []status
	for _, t := range slices.Concat(w.torrents, w.s.page.others()) {
		if t.Err() == nil && !w.s.page.dropped(t) {
			all = append(all, statusOf(t))
		}
	}
	return all
}

// renamedMax is how many changed names are listed: a hostile torrent has a million.
const renamedMax = 5

// warnRenamed lists the names of info that rule changes, and what becomes of them.
func warnRenamed(c *console, info *metainfo.Info, rule metainfo.NameRule, becomes string) {
	all := info.Renamed(rule)
	for _, r := range all[:min(len(all), renamedMax)] {
		c.warn("%s: %q %s %q", info.Hash().Short(), r.From, becomes, r.To)
	}
	if n := len(all) - renamedMax; n > 0 {
		c.warn("%s: %s changed", info.Hash().Short(), plural(n, "more name"))
	}
}

// countLinks returns how many files of l are symbolic links (BEP 47).
func countLinks(l *metainfo.Layout) int {
	n := 0
	for i := range l.Files {
		if l.Files[i].Link != nil {
			n++
		}
	}
	return n
}

// metadata reports that the info dictionary of a torrent of src is known, and what rule
// makes of its names.
func (w *watch) metadata(info *metainfo.Info, src *source, rule metainfo.NameRule) {
	e := metadataOf(info, w.s.started)
	w.s.c.event("metadata", e)
	w.s.c.note("%s %q: %s in %s", info.Hash().Short(), info.Name(), formatBytes(e.Bytes),
		plural(e.Files, "file"))
	warnRenamed(w.s.c, info, rule, "is saved as")
	if n := countLinks(info.Layout()); n > 0 {
		w.s.c.warn("%s: %s left out, for safety", info.Hash().Short(),
			plural(n, "symbolic link"))
	}
	asked := src.asks(w.s.flags.noTrackers)
	if info.Private() && !asked && !src.webSeeds() && len(w.s.flags.peers.items) == 0 {
		why := "it names none"
		if src.trackers() {
			why = "they are not asked"
		}
		w.s.c.warn("%q is private: only its trackers may name peers, and %s "+
			"(try: --peer HOST:PORT)", info.Name(), why)
	}
}
