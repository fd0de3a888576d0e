package swarmnode

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"swarmnode/swarm/egress"
)

// deviceEvery is how often we look whether the interface of a Network is there.
const deviceEvery = time.Second

// A deviceWatch notices when the interface of a Network goes and comes back. One that was
// made again has another number: then all sockets are made again. It belongs to one
// goroutine once it runs.
type deviceWatch struct {
	present func() (index int, err error) // egress.Net.Present
	name    string
	renew   func() error // makes all sockets again
	log     *slog.Logger

	bound  int   // the number that the sockets are bound to
	gone   error // why the interface cannot be used, as it was told; nil while it can
	failed bool  // it was told that renew failed

	cancel context.CancelFunc
	wait   sync.WaitGroup
}

// watchDevice returns a watch of the interface of w, or nil if it has none. It is called
// before any socket is made.
func watchDevice(w *Network, log *slog.Logger) *deviceWatch {
	out := w.Egress()
	if out.Device() == "" {
		return nil
	}
	d := &deviceWatch{present: out.Present, name: out.Device(), log: log}
	d.bound, _ = d.present()
	return d
}

// WatchDevice returns a function for programs that listen through Egress themselves; a Node
// does all that. The function blocks until its context ends. Meanwhile it looks every second
// for the interface of w, says by log when that goes and comes back, and calls renew when the
// sockets made before are dead, because the interface was made again. A renew that fails is
// called again after a second. WatchDevice itself must be called before the sockets are made.
// Without an interface the function returns at once.
func (w *Network) WatchDevice(log *slog.Logger) func(ctx context.Context, renew func() error) {
	d := watchDevice(w, log)
	return func(ctx context.Context, renew func() error) {
		if d != nil {
			d.renew = renew
			d.run(ctx)
		}
	}
}

// start looks every second until stop, and calls renew when the sockets are dead.
func (d *deviceWatch) start(renew func() error) {
	if d == nil {
		return
	}
	d.renew = renew
	var ctx context.Context
	ctx, d.cancel = context.WithCancel(context.Background())
	d.wait.Go(func() { d.run(ctx) })
}

// run looks every second until ctx ends.
func (d *deviceWatch) run(ctx context.Context) {
	tick := time.NewTicker(deviceEvery)
	defer tick.Stop()
	for {
		d.look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// stop ends the watch and waits for that.
func (d *deviceWatch) stop() {
	if d == nil || d.cancel == nil {
		return
	}
	d.cancel()
	d.wait.Wait()
}

// look acts on the present state of the interface, and says what has changed.
func (d *deviceWatch) look() {
	index, err := d.present()
	switch {
	case err != nil:
		if d.gone == nil || d.gone.Error() != err.Error() {
			d.log.Warn("interface " + d.name + " is " + lost(err) + ": waiting for it")
		}
		d.gone = err
		return
	case index != d.bound:
		if err := d.renew(); err != nil {
			if !d.failed && !errors.Is(err, ErrClosed) {
				d.log.Warn("interface "+d.name+" is there, and cannot be used yet", "err", err)
			}
			d.failed = true
			return
		}
	case d.gone == nil:
		return
	}
	d.bound, d.gone, d.failed = index, nil, false
	d.log.Warn("interface " + d.name + " is back")
}

// lost returns the word for an interface that cannot be used.
func lost(err error) string {
	if errors.Is(err, egress.ErrDown) {
		return "down"
	}
	return "gone"
}
