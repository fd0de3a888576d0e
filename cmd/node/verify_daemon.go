package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
)

// verifyPoll is the pause between two looks at how far the daemon is.
const verifyPoll = 500 * time.Millisecond

// verifyFlags are those of verify by a daemon.
type verifyFlags struct {
	steering
	wait bool
}

func (f *verifyFlags) register(fs *pflag.FlagSet) {
	typedFlags(fs, func(own *pflag.FlagSet) {
		own.BoolVar(&f.wait, "wait", false, "wait until the daemon has hashed the content")
	})
	f.remote.register(fs)
}

// run compares files with a .torrent file, or has a daemon verify torrents. An argument that is a
// path wins over one that names a torrent.
func (f *verifyFlags) run(ctx context.Context, c *console, args []string) error {
	if !f.meansDaemon(c, args) {
		if f.wait {
			return usage(c.command, errors.New("--wait is for torrents of a daemon"))
		}
		if len(args) > 2 {
			return usage(c.command, fmt.Errorf("does not expect %s", quoteSource(args[2])))
		}
		return verify(ctx, c, args)
	}
	f.past = "being verified"
	return f.remote.with(f.ask)(ctx, c, args)
}

// meansDaemon reports whether all arguments name torrents of a daemon, and the first is no path.
func (f *verifyFlags) meansDaemon(c *console, args []string) bool {
	if args[0] == dash {
		return false
	}
	if _, err := os.Lstat(args[0]); err == nil {
		return false
	}
	_, err := parsePicks(c, args)
	return err == nil
}

// ask makes the daemon verify torrents.
func (f *verifyFlags) ask(ctx context.Context, c *console, d *client.Client, args []string) error {
	chosen, err := pickTorrents(ctx, c, d, args, "got")
	if err != nil {
		return err
	}
	err = f.doTo(ctx, c, d, chosen, api.Bulk{Action: api.ActionVerify})
	if err != nil || !f.wait {
		return err
	}
	tick := time.NewTicker(verifyPoll)
	defer tick.Stop()
	for {
		list, err := d.ListAll(ctx, client.Query{IDs: idsOf(chosen),
			Fields: []string{"name", "hash", "status", "got", "wanted"}})
		if err != nil {
			return err
		}
		if !checking(list.Torrents) {
			return judge(c, chosen, list.Torrents)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ended(ctx)
		}
	}
}

// checking reports whether one of some torrents is not verified yet.
func checking(list []api.Torrent) bool {
	for i := range list {
		if s := list[i].Status; s == api.Checking || s == api.CheckQueued {
			return true
		}
	}
	return false
}

// judge prints what was found. It is a failure if a torrent has less than before.
func judge(c *console, before, after []api.Torrent) error {
	had := make(map[daemon.ID]int64)
	for i := range before {
		had[before[i].ID] = before[i].Got
	}
	var failed error
	for i := range after {
		t := &after[i]
		done := formatPercent(t.Got, t.Wanted)
		c.result(fmt.Sprintf("%-4d %6s  %s", t.ID, done, escape(nameOf(t))))
		if lost := had[t.ID] - t.Got; lost > 0 && failed == nil {
			failed = fail(exitMismatch, torrentText(t), fmt.Errorf("%s are wrong or missing",
				formatBytes(lost)))
		}
	}
	return failed
}
