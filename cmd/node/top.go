package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
)

const (
	// topTick is the pause between two looks at the size of the terminal and at what has changed.
	topTick = 250 * time.Millisecond
	// topTable is the pause between two tables where nothing can be redrawn.
	topTable = 2 * time.Second
	// topRetry is the pause before the feed is asked for again.
	topRetry = time.Second
	// topDetails is the pause between two looks at the details of a torrent.
	topDetails = 2 * time.Second
	// topPatience bounds the time for a request.
	topPatience = 20 * time.Second
)

func topCommand() *command {
	return &command{
		name:  "top",
		short: "watch the torrents of the daemon, and steer them with keys",
		long: `A live view on a terminal. The keys: the arrows, or j and k, select; Enter shows
details; p pauses and r resumes; v verifies; d removes after a question; s sorts by
the next column and S turns the order round; / searches in names; ? lists all keys; q
quits. A terminal that cannot redraw gets a table every 2 s. Where standard output is
no terminal, one table is printed; with --json the torrents every 2 s.`,
		examples: []example{
			{"node top", "all torrents, the busiest first"},
			{"node top --sort name --state downloading", "downloads by name"},
		},
		setup: func(fs *pflag.FlagSet) action {
			f := new(topFlags)
			f.list.register(fs)
			f.fs = fs
			return f.list.remote.with(f.run)
		},
	}
}

// topFlags are those of list.
type topFlags struct {
	list listFlags
	fs   *pflag.FlagSet
}

func (f *topFlags) run(ctx context.Context, c *console, d *client.Client, _ []string) error {
	if originOf(f.fs.Lookup("sort")) == originDefault {
		f.list.sort = topBusy
	}
	if _, err := d.Session(ctx); err != nil { // before the screen changes
		return err
	}
	in, out := term.IsTerminal(int(os.Stdin.Fd())), term.IsTerminal(int(os.Stdout.Fd()))
	switch {
	case c.json:
		return f.tables(ctx, c, d)
	case !out:
		return f.table(ctx, c, d)
	case c.dumb || !in:
		c.note("this terminal cannot be redrawn: a table every %v", topTable)
		return f.tables(ctx, c, d)
	}
	t := &top{c: c, d: d, model: newTopModel(&f.list), screen: newScreen(os.Stdout, os.Stdin),
		news: make(chan client.Event, 256), faults: make(chan error), keys: make(chan []byte),
		asks: make(chan topAsk, 16), answers: make(chan func(*topModel))}
	t.model.colour = c.colour
	if err := t.screen.open(); err != nil {
		return fail(exitOther, "the terminal", err)
	}
	c.atEnd(t.screen.close)
	defer t.screen.close()
	return t.run(ctx)
}

// table prints one table.
func (f *topFlags) table(ctx context.Context, c *console, d *client.Client) error {
	list, err := f.list.list(ctx, c, d, nil)
	if err != nil {
		return err
	}
	sortTorrents(list, string(f.list.sort))
	f.list.show(c, list)
	return nil
}

// tables prints a table every two seconds.
func (f *topFlags) tables(ctx context.Context, c *console, d *client.Client) error {
	tick := time.NewTicker(topTable)
	defer tick.Stop()
	for {
		if err := f.table(ctx, c, d); err != nil {
			return err
		}
		select {
		case <-tick.C:
			c.result("")
		case <-ctx.Done():
			return ended(ctx)
		}
	}
}

// A top is a live view. Its loop owns the model and the screen.
type top struct {
	c       *console
	d       *client.Client
	model   *topModel
	screen  *topScreen
	news    chan client.Event
	faults  chan error
	keys    chan []byte
	asks    chan topAsk
	answers chan func(*topModel)
	looked  time.Time // at the details
}

// run shows the view until the user quits or ctx ends.
func (t *top) run(ctx context.Context) error {
	life, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() { t.follow(life) })
	wait.Go(func() { t.serve(life) })
	go t.read(life) // ends with the process: a read of a terminal cannot be ended
	tick := time.NewTicker(topTick)
	defer tick.Stop()
	t.draw()
	for {
		select {
		case e := <-t.news:
			t.model.apply(&e)
			continue // the next tick shows it
		case err := <-t.faults:
			if shutOut(err) {
				return err
			}
			t.model.away(err)
		case b := <-t.keys:
			if done, err := t.press(b); done {
				return err
			}
		case answer := <-t.answers:
			answer(t.model)
		case now := <-tick.C:
			t.details(now)
		case <-ctx.Done():
			return ended(ctx)
		}
		t.draw()
	}
}

// shutOut reports whether the daemon does not let us in any more. To try again would lock out
// this address.
func shutOut(err error) bool {
	p, ok := errors.AsType[*api.Problem](err)
	return ok && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden)
}

// press handles keys, and reports whether the view ends.
func (t *top) press(b []byte) (done bool, err error) {
	for _, k := range parseKeys(b) {
		switch ask := t.model.key(k); ask.verb {
		case "":
		case askQuit:
			return true, nil
		case askInterrupt:
			return true, stopped{syscall.SIGINT}
		case askSuspend:
			t.screen.suspend()
		default:
			select {
			case t.asks <- ask:
			default:
				t.model.say("the daemon is busy")
			}
		}
	}
	return false, nil
}

// draw shows the model if it has changed, or the terminal has.
func (t *top) draw() {
	width, height := t.screen.size()
	t.screen.show(t.model.draw(width, height), width, height)
}

// details asks for the details of a torrent again, while they are shown.
func (t *top) details(now time.Time) {
	if id := t.model.detailed(); id != 0 && now.Sub(t.looked) >= topDetails {
		t.looked = now
		select {
		case t.asks <- topAsk{verb: askDetails, id: id}:
		default: // the daemon is busy
		}
	}
}

// follow reads the feed of the daemon.
func (t *top) follow(ctx context.Context) {
	feed := t.d.Feed(0)
	defer feed.Close()
	for {
		e, err := feed.Next(ctx)
		if err == nil {
			select {
			case t.news <- e:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case t.faults <- err:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(topRetry):
		case <-ctx.Done():
			return
		}
	}
}

// read reads keys.
func (t *top) read(ctx context.Context) {
	for {
		b := make([]byte, 256)
		n, err := t.screen.in.Read(b)
		if err != nil {
			return
		}
		select {
		case t.keys <- b[:n]:
		case <-ctx.Done():
			return
		}
	}
}

// serve sends what is asked of the daemon, one request after the other.
func (t *top) serve(ctx context.Context) {
	for {
		select {
		case ask := <-t.asks:
			answer := t.ask(ctx, ask)
			select {
			case t.answers <- answer:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// ask sends one request, and returns what its answer does to the model.
func (t *top) ask(ctx context.Context, ask topAsk) func(*topModel) {
	ctx, cancel := context.WithTimeout(ctx, topPatience)
	defer cancel()
	if ask.verb == askDetails {
		details, err := t.d.Torrent(ctx, ask.id)
		return func(m *topModel) {
			if err != nil {
				m.say(err.Error())
				return
			}
			m.details(&details)
		}
	}
	result, err := t.d.Bulk(ctx, api.Bulk{IDs: idsFor(ask), Action: api.Action(ask.verb)})
	if err == nil && len(result.Failed) > 0 {
		err = errors.New(result.Failed[0].Error)
	}
	return func(m *topModel) {
		if err != nil {
			m.say(err.Error())
		}
	}
}
