package main

import (
	"context"
	"path/filepath"

	"swarmnode/daemon"
)

// added: a torrent was added to the daemon.
type addedEvent struct {
	Torrent string `json:"torrent"`
	ID      int    `json:"id"`
	Name    string `json:"name"`
}

// removed: a torrent was removed from the daemon, or by the page of a command.
type removedEvent addedEvent

// fault: a torrent of the daemon has an error that its user has to do something about.
type faultEvent struct {
	Torrent string `json:"torrent"`
	ID      int    `json:"id"`
	Name    string `json:"name"`
	Error   string `json:"error"`
}

// A seenTorrent is what was last known of a torrent.
type seenTorrent struct {
	hash, name string
	complete   bool
	fault      string
}

// A torrentLog says what happens to the torrents of a daemon. It is for one goroutine.
type torrentLog struct {
	c    *console
	seen map[daemon.ID]seenTorrent
}

// followTorrents says what happens until ctx ends or the daemon is closed. The torrents of the
// start are no news.
func followTorrents(ctx context.Context, c *console, d *daemon.Daemon) {
	log := torrentLog{c: c, seen: make(map[daemon.ID]seenTorrent)}
	changes := d.Subscribe(0)
	for first := true; ; first = false {
		all, err := changes.Next(ctx)
		if err != nil {
			return
		}
		if all.Reset && !first {
			log.forget(d)
		}
		for _, id := range all.Removed {
			log.removed(id)
		}
		for _, change := range all.Torrents {
			log.changed(change.Torrent, first)
		}
	}
}

// forget notes what was removed while more happened than the feed remembers.
func (l *torrentLog) forget(d *daemon.Daemon) {
	for id := range l.seen {
		if d.ByID(id) == nil {
			l.removed(id)
		}
	}
}

func (l *torrentLog) removed(id daemon.ID) {
	was, ok := l.seen[id]
	if !ok {
		return
	}
	delete(l.seen, id)
	l.c.event("removed", removedEvent{was.hash, int(id), was.name})
	l.c.note("removed %s", was.name)
}

// changed says what is new about a torrent. What is known at the start is old.
func (l *torrentLog) changed(t *daemon.Torrent, old bool) {
	st := t.State()
	was, known := l.seen[t.ID()]
	now := seenTorrent{hash: t.Hash().String(), name: st.Name, fault: st.Error,
		complete: st.HaveInfo && st.Left == 0 && st.Wanted > 0}
	if now.name == "" {
		now.name = t.Hash().Short()
	}
	l.seen[t.ID()] = now
	if old {
		return
	}
	if !known {
		l.c.event("added", addedEvent{now.hash, int(t.ID()), now.name})
		l.c.note("added %s", now.name)
	}
	if now.complete && !was.complete {
		var wasted int64
		for _, n := range st.Totals.Waste {
			wasted += n
		}
		dir := t.Options().Dir // content in the incomplete folder moves there next
		l.c.event("complete", completeEvent{Torrent: now.hash, Name: now.name,
			Paths: []string{filepath.Join(dir, now.name)}, Bytes: st.Wanted,
			Downloaded: st.Totals.Down, Uploaded: st.Totals.Up, Wasted: wasted})
		l.c.note("complete: %s, %s in %s", now.name, formatBytes(st.Wanted), dir)
	}
	if now.fault != "" && now.fault != was.fault {
		l.c.event("fault", faultEvent{now.hash, int(t.ID()), now.name, now.fault})
		if !l.c.json {
			l.c.warn("%s: %s", now.name, now.fault)
		}
	}
}
