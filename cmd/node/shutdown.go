package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/daemon/client"
)

// shutdownPoll is the pause between two looks whether a daemon has gone.
const shutdownPoll = 50 * time.Millisecond

// shutdownFlags say which daemon ends, and how long that may take.
type shutdownFlags struct {
	remote  remoteFlags
	timeout timeValue
}

func shutdownCommand() *command {
	return &command{
		name:  "shutdown",
		short: "end the daemon, and wait until it has gone",
		long: `The daemon tells trackers that it leaves and saves what its next start needs. Its
torrents stay as they are: those that run now run again then.`,
		examples: []example{{"node shutdown", "end the daemon"}},
		setup: func(fs *pflag.FlagSet) action {
			f := &shutdownFlags{timeout: timeValue(time.Minute)}
			fs.Var(&f.timeout, "timeout", "wait no longer than this; 0 for ever")
			f.remote.register(fs)
			return f.remote.with(f.run)
		},
	}
}

func (f *shutdownFlags) run(ctx context.Context, c *console, d *client.Client, _ []string) error {
	pid := d.Process(ctx)
	if err := d.Shutdown(ctx); err != nil {
		return err
	}
	var late <-chan time.Time
	if f.timeout > 0 {
		timer := time.NewTimer(time.Duration(f.timeout))
		defer timer.Stop()
		late = timer.C
	}
	tick := time.NewTicker(shutdownPoll)
	defer tick.Stop()
	for {
		gone, err := isGone(ctx, d, pid)
		if gone || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-late:
			return fail(exitDaemon, d.Where(), fmt.Errorf("the daemon still runs after %s",
				formatDuration(time.Duration(f.timeout))))
		case <-ctx.Done():
			return ended(ctx)
		}
	}
}

// isGone reports whether a daemon has gone: its process, if that is known, or else its socket.
func isGone(ctx context.Context, d *client.Client, pid int) (bool, error) {
	if pid > 0 {
		return !isRunning(pid), nil
	}
	_, err := d.Session(ctx)
	if _, away := errors.AsType[*client.UnreachableError](err); away {
		return true, nil
	}
	if ctx.Err() != nil {
		return false, ended(ctx)
	}
	return false, nil
}
