package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
)

// steered: what was done to a torrent of the daemon.
type steeredEvent struct {
	Action  string    `json:"action"`
	Torrent string    `json:"torrent"`
	ID      daemon.ID `json:"id"`
	Name    string    `json:"name"`
	Error   string    `json:"error,omitempty"` // why it was not done
}

// A steering does the same to torrents that arguments name.
type steering struct {
	remote remoteFlags
	past   string // what was done, for people: "started"
}

// do sends a Bulk for the torrents that args name, and says what became of it.
func (s *steering) do(ctx context.Context, c *console, d *client.Client, args []string,
	b api.Bulk) error {
	chosen, err := pickTorrents(ctx, c, d, args)
	if err != nil {
		return err
	}
	return s.doTo(ctx, c, d, chosen, b)
}

// bulkMax bounds the torrents of one request, which has a time limit.
const bulkMax = 200

// doTo is do with torrents.
func (s *steering) doTo(ctx context.Context, c *console, d *client.Client, chosen []api.Torrent,
	b api.Bulk) error {
	failed := make(map[daemon.ID]error)
	for rest := chosen; len(rest) > 0; {
		part := rest[:min(len(rest), bulkMax)]
		rest = rest[len(part):]
		b.IDs = idsOf(part)
		result, err := d.Bulk(ctx, b)
		if err != nil {
			return err
		}
		for _, f := range result.Failed {
			failed[f.ID] = remoteFailure("", f.Problem())
		}
	}
	return s.tell(c, chosen, string(b.Action), failed)
}

// tell says what became of each torrent. The error is that of the first that failed.
func (s *steering) tell(c *console, chosen []api.Torrent, what string,
	failed map[daemon.ID]error) error {
	var first error
	c.together(func() {
		for i := range chosen {
			t := &chosen[i]
			e := steeredEvent{Action: what, Torrent: t.Hash, ID: t.ID, Name: t.Name}
			if err := failed[t.ID]; err != nil {
				e.Error = err.Error()
			}
			c.event("steered", e)
		}
	})
	for i := range chosen {
		t := &chosen[i]
		why := failed[t.ID]
		if why == nil {
			continue
		}
		err := fail(exitCode(why), torrentText(t), why)
		if first == nil {
			first = err // finish prints it
		} else {
			c.warn("%v", err)
		}
	}
	if done := len(chosen) - len(failed); done > 0 || first == nil {
		c.note("%s %s", plural(done, "torrent"), s.past)
	}
	return first
}

// torrentText names a torrent in a message.
func torrentText(t *api.Torrent) string { return fmt.Sprintf("%d %s", t.ID, nameOf(t)) }

// steerCommand returns a command that does something to torrents. setup adds flags to it, and
// returns what is asked of the daemon; it may be nil if verb is all.
func steerCommand(cmd command, past string, verb api.Action,
	setup func(fs *pflag.FlagSet) func() api.Bulk) *command {
	cmd.args, cmd.argsMin, cmd.argsMax = "TORRENT...", 1, anyNumber
	cmd.long = strings.TrimSpace(cmd.long + "\n\n" + torrentHelp)
	cmd.setup = func(fs *pflag.FlagSet) action {
		s := &steering{past: past}
		asked := func() api.Bulk { return api.Bulk{Action: verb} }
		if setup != nil {
			typedFlags(fs, func(own *pflag.FlagSet) { asked = setup(own) })
		}
		s.remote.register(fs)
		return s.remote.with(func(ctx context.Context, c *console, d *client.Client,
			args []string) error {
			return s.do(ctx, c, d, args, asked())
		})
	}
	return &cmd
}

func startCommand() *command {
	return steerCommand(command{
		name:  "start",
		short: "start torrents of the daemon",
		long: `A torrent starts when its turn in the queue comes, or at once with --now. An error and
a goal that it has reached are forgotten.`,
		examples: []example{
			{"node start 3 5-7", "four torrents, when their turns come"},
			{"node start --now 3", "outside of the queue"},
		},
	}, "started", api.ActionStart, func(fs *pflag.FlagSet) func() api.Bulk {
		now := fs.Bool("now", false, "do not wait for a turn in the queue")
		return func() api.Bulk {
			if *now {
				return api.Bulk{Action: api.ActionStartNow}
			}
			return api.Bulk{Action: api.ActionStart}
		}
	})
}

func stopCommand() *command {
	return steerCommand(command{
		name:  "stop",
		short: "stop torrents of the daemon",
		long:  `They stay stopped until node start, even if the daemon starts again.`,
		examples: []example{
			{"node stop 3", "one torrent"},
			{"node stop all", "every torrent"},
		},
	}, "stopped", api.ActionStop, nil)
}

func reannounceCommand() *command {
	return steerCommand(command{
		name:  "reannounce",
		short: "ask the trackers of torrents for peers now",
		long: `Each tracker is asked as soon as it allows that. Torrents that are stopped or wait in
the queue ask nobody.`,
		examples: []example{{"node reannounce 3", "the trackers of one torrent"}},
	}, "asked to announce", api.ActionReannounce, nil)
}

func rmCommand() *command {
	return steerCommand(command{
		name:  "rm",
		short: "remove torrents from the daemon",
		long: `The content stays, unless --data is given. Other files in the folder of a torrent stay
in any case.`,
		examples: []example{
			{"node rm 3", "forget a torrent, and keep its content"},
			{"node rm --data label:tmp", "remove the content of some torrents as well"},
		},
	}, "removed", api.ActionRemove, func(fs *pflag.FlagSet) func() api.Bulk {
		data := fs.Bool("data", false, "remove the files of the content as well")
		return func() api.Bulk {
			if *data {
				return api.Bulk{Action: api.ActionRemoveData}
			}
			return api.Bulk{Action: api.ActionRemove}
		}
	})
}

// mvFlags say how content is moved.
type mvFlags struct {
	steering
	located bool
	rename  nameValue
	path    string
}

func mvCommand() *command {
	return &command{
		name:  "mv",
		args:  "TORRENT... FOLDER",
		short: "move the content of torrents of the daemon, or rename it",
		long: `The daemon begins to move, and the command does not wait: node list shows how far it
is. With --daemon the FOLDER is one of the machine of the daemon.

With --rename, one TORRENT and no FOLDER is given.

` + torrentHelp,
		argsMin: 1,
		argsMax: anyNumber,
		examples: []example{
			{"node mv 3 ~/Films", "move the content into a folder"},
			{"node mv --located 3 /mnt/old", "the content lies there already: check it"},
			{"node mv --rename Holidays 3", "give the file or folder at the top another name"},
			{"node mv --rename 01.mkv --path 'Series/a.mkv' 3", "rename one file"},
			{"node mv --rename Extras --path Series/Bonus 3", "rename a folder of the content"},
		},
		setup: func(fs *pflag.FlagSet) action {
			f := new(mvFlags)
			typedFlags(fs, f.register)
			f.remote.register(fs)
			return f.remote.with(f.run)
		},
	}
}

func (f *mvFlags) register(fs *pflag.FlagSet) {
	fs.BoolVar(&f.located, "located", false, "move nothing: the content lies in FOLDER")
	fs.Var(&f.rename, "rename", "rename the file or folder at the top of the content")
	fs.StringVar(&f.path, "path", "", "rename this `FILE` or folder of the content instead, as "+
		"node files shows it")
}

func (f *mvFlags) run(ctx context.Context, c *console, d *client.Client, args []string) error {
	switch {
	case f.rename != "":
		return f.renameTo(ctx, c, d, args)
	case f.path != "":
		return usage(c.command, errors.New("--path needs --rename"))
	case len(args) < 2:
		return usage(c.command, errors.New("expects TORRENT... FOLDER"))
	}
	dir, err := f.remote.folder(c, args[len(args)-1])
	if err != nil {
		return err
	}
	b := api.Bulk{Action: api.ActionMove, Dir: dir}
	f.past = "being moved to " + dir
	if f.located {
		b.Action, f.past = api.ActionLocate, "being checked in "+dir
	}
	return f.do(ctx, c, d, args[:len(args)-1], b)
}

func (f *mvFlags) renameTo(ctx context.Context, c *console, d *client.Client, args []string) error {
	if f.located {
		return usage(c.command, errors.New("only one of --rename and --located can be given"))
	}
	chosen, err := pickTorrents(ctx, c, d, args)
	if err != nil {
		return err
	}
	if len(chosen) != 1 {
		return usage(c.command, errors.New("--rename needs a single TORRENT and no FOLDER"))
	}
	if err := d.Rename(ctx, chosen[0].ID, f.path, string(f.rename)); err != nil {
		return err
	}
	f.past = "renamed"
	return f.tell(c, chosen, "rename", nil)
}

// folder returns a folder for the daemon. On this machine a relative one begins at the current
// folder.
func (f *remoteFlags) folder(c *console, dir string) (string, error) {
	switch {
	case dir == "":
		return "", usage(c.command, errors.New("the name of a folder is empty"))
	case f.away() && !strings.HasPrefix(dir, "/") && !filepath.IsAbs(dir):
		return "", usage(c.command, fmt.Errorf("with --daemon, the folder %s has to be absolute",
			quoteSource(dir)))
	case f.away():
		return dir, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fail(exitDisk, dir, err)
	}
	return abs, nil
}
