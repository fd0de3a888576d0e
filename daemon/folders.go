package daemon

import (
	"context"
	"time"

	"swarmnode/swarm"
)

// foldersEvery is how often moves that failed are looked at.
const foldersEvery = 10 * time.Second

// folders are what the daemon does with folders and commands: it moves complete content, takes
// files from watched folders, and runs the commands of events.
type folders struct {
	d        *Daemon
	placer   *placer
	lookout  *lookout
	commands *commands
}

func newFolders(d *Daemon) *folders {
	f := &folders{d: d, placer: newPlacer(d), lookout: &lookout{d: d}, commands: newCommands(d)}
	d.hear(f.hear)
	return f
}

// run starts the goroutines, and goes on with what the last process has left.
func (f *folders) run(ctx context.Context) {
	d := f.d
	settings := d.Settings()
	f.commands.check(&settings)
	for _, t := range d.Torrents() {
		f.resume(t)
	}
	for range placersCount {
		d.wait.Go(func() { f.placer.run(ctx) })
	}
	d.wait.Go(func() { f.lookout.run(ctx) })
	d.wait.Go(func() { f.tick(ctx) })
}

// resume goes on with what the last process has begun for a torrent.
func (f *folders) resume(t *Torrent) {
	t.mu.Lock()
	place, due, done := t.rec.Place, t.rec.Due, t.drive.done
	cut := t.rec.Moving != "" || t.rec.Naming != ""
	t.mu.Unlock()
	for _, event := range due {
		if event != dueComplete || done && place == "" {
			f.commands.pay(t, event)
		}
	}
	if done && place != "" || cut {
		f.placer.push(t)
	}
}

// tick looks at moves that failed, until ctx ends.
func (f *folders) tick(ctx context.Context) {
	every := time.NewTicker(foldersEvery)
	defer every.Stop()
	for {
		select {
		case now := <-every.C:
			f.placer.retry(now)
		case <-ctx.Done():
			return
		}
	}
}

// close ends the commands. The goroutines have ended.
func (f *folders) close() { f.commands.runner.Close() }

// hear is told of each event. It never waits.
func (f *folders) hear(t *Torrent, e Event) {
	switch e {
	case EventAdded:
		if f.commands.owe(t, dueAdded) {
			f.commands.pay(t, dueAdded)
		}
	case EventComplete:
		f.commands.owe(t, dueComplete)
		f.arrived(t)
	case EventError:
		f.commands.failed(t, t.State().Error)
	case EventRemoved:
		f.placer.forget(t)
		f.commands.forget(t)
	}
}

// arrived is told that content is complete, or that it was moved: its command runs once both are
// so.
func (f *folders) arrived(t *Torrent) {
	t.mu.Lock()
	place, done := t.rec.Place, t.drive.known && t.drive.done
	t.mu.Unlock()
	switch {
	case !done:
	case place != "":
		f.placer.push(t)
	default:
		f.commands.pay(t, dueComplete)
	}
}

// observed is told of what the engine shows of a torrent: whether its content was found at its
// final place, and why its storage does not work, or nil.
func (f *folders) observed(t *Torrent, arrived bool, fault error) {
	if arrived {
		f.moved(t)
	}
	if fault != nil {
		f.commands.failed(t, swarm.CauseOf(fault).String())
	}
}

// moved is told that a move has ended.
func (f *folders) moved(t *Torrent) {
	t.mu.Lock()
	there := t.rec.Place == "" && t.drive.known && t.drive.done
	t.mu.Unlock()
	if there {
		f.commands.pay(t, dueComplete)
	}
}
