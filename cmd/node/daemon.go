package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/metrics"
)

const (
	// daemonStop is how long a clean stop of a daemon may take: thousands of torrents tell their
	// trackers that they leave, and are written down.
	daemonStop = 20 * time.Second
	// daemonLineInterval is the pause between lines of a daemon without a terminal.
	daemonLineInterval = time.Hour
	// statusInterval is the pause between two looks for the status that the service manager
	// shows.
	statusInterval = 10 * time.Second
)

func daemonCommand() *command { return daemonCommandWith(new(daemonFlags)) }

// daemonCommandWith returns the command with its flags in f.
func daemonCommandWith(f *daemonFlags) *command {
	return &command{
		name:  daemonName,
		short: "run in the background for months, with all torrents of a user",
		long: `The daemon keeps torrents and their settings in its state folder, and decides which
of them run. It stays in the foreground of whoever starts it, such as systemd. SIGHUP
makes it read its configuration again, and SIGUSR1 print what it does. Another daemon
with the same state folder does not start.

Every flag is also a key of the configuration file; see node config.`,
		examples: []example{
			{"node daemon", "with the configuration file of the user"},
			{"node daemon --dir /srv/torrents --queue-downloads 3 --seed-ratio 2",
				"content in /srv/torrents, three downloads at one time"},
			{"node config set --for daemon seed-ratio 2", "the same for good"},
		},
		setup: func(fs *pflag.FlagSet) action {
			f.register(fs)
			return f.run
		},
	}
}

// A service is a running daemon of the command.
type service struct {
	c        *console
	flags    *daemonFlags // of the last reading of the configuration
	d        *daemon.Daemon
	state    string // the state folder
	manager  *supervisor
	started  time.Time
	controls *controls
	blocked  blockWatch
	summary  summary

	reloading sync.Mutex // held while the configuration is read again
}

// errShutDown is the cause of the end that a control asked for.
var errShutDown = errors.New("a control has ended the daemon")

func (f *daemonFlags) run(ctx context.Context, c *console, _ []string) error {
	c.stopWithin(daemonStop)
	manager := newSupervisor(c)
	if err := f.engine.prepare(c); err != nil {
		return err
	}
	s := &service{c: c, flags: f, manager: manager, started: time.Now()}
	lines := new(api.Log)
	c.log = slog.New(lines.Handler(c.log.Handler(), slog.LevelInfo))
	cfg, err := f.config(ctx, c)
	if err != nil {
		return err
	}
	gate, err := f.checkReach(fileFlag(f.fs), c.log)
	if err != nil {
		return err
	}
	s.state = cfg.Node.StateDir
	asked, release := c.hangups.take()
	defer release()
	// The daemon ends with Close, after what follows the end of ctx.
	if s.d, err = daemon.Start(context.WithoutCancel(ctx), cfg); err != nil {
		return daemonFailure(err, f.engine.join.stateDir)
	}
	s.blocked = blockWatch{c: c, node: s.d.Node(), cancel: func() {}}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.controls, err = s.openControls(context.WithoutCancel(ctx), cfg.Node, gate, lines,
		func() { cancel(errShutDown) })
	if err != nil {
		s.close()
		return err
	}
	err = s.serve(ctx, asked)
	manager.stopping()
	s.controls.close()
	if errors.Is(err, errShutDown) {
		err = nil
	}
	return cmp.Or(err, s.close())
}

// config returns what the flags say about a daemon.
func (f *daemonFlags) config(ctx context.Context, c *console) (daemon.Config, error) {
	p, err := f.engine.plan(ctx, c, nil)
	if err != nil {
		return daemon.Config{}, err
	}
	state, err := f.stateDir()
	if err != nil {
		return daemon.Config{}, err
	}
	settings, err := f.check(os.LookupEnv, state)
	if err != nil {
		return daemon.Config{}, err
	}
	p.cfg.StateDir = state
	f.engine.listen.applyUnnumbered(&p.cfg)
	return daemon.Config{Node: p.cfg, Settings: settings, Pinned: f.pinned(), Logger: c.log}, nil
}

// stateDir returns the state folder. A daemon without one would be of no use.
func (f *daemonFlags) stateDir() (string, error) {
	path := f.engine.join.stateDir
	if path == "" {
		var err error
		if path, err = defaultStateDir(); err != nil {
			return "", failWithHint(exitDisk, "state folder", err, "--state-dir FOLDER")
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fail(exitDisk, "state folder", err)
	}
	return path, nil
}

// daemonFailure returns the failure of a daemon that cannot start. named is the state folder that
// the user named, if any.
func daemonFailure(err error, named string) error {
	if lock, ok := errors.AsType[*daemon.LockError](err); ok {
		hint := "another --state-dir"
		if lock.PID > 0 {
			hint += fmt.Sprintf(", or end process %d first", lock.PID)
		}
		return failWithHint(exitExists, "", lock, hint)
	}
	if state, ok := errors.AsType[*swarmnode.StateError](err); ok {
		return failWithHint(exitDisk, "state folder "+state.Dir, state.Err, "another --state-dir")
	}
	return startFailure(err, named)
}

// serve runs the daemon until ctx ends.
func (s *service) serve(ctx context.Context, asked <-chan struct{}) error {
	debug := watchDebug(s.c, s.d.Node(), s.flags.engine.debugDump, s.state)
	defer debug.close()
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stop()
	wait.Go(func() { followTorrents(following, s.c, s.d) })
	wait.Go(func() { s.reloadWhenAsked(following, asked) })
	s.announce()
	s.manager.ready(s.status())
	unwatch := s.manager.watch(func(context.Context) error {
		s.d.Torrents()
		return nil
	})
	defer unwatch()
	usr1, ignore := statusSignals()
	defer ignore()
	tick := time.NewTicker(showInterval)
	defer tick.Stop()
	shown, told := time.Now(), time.Now()
	var memory memoryWatch
	for {
		select {
		case <-ctx.Done():
			return ended(ctx)
		case <-s.d.Done():
			return fail(exitOther, "", errors.New("the daemon has ended by itself"))
		case <-usr1:
			s.c.say(s.status())
		case now := <-tick.C:
			memory.look(s.c, s.flags.engine.memory)
			due := now.Sub(shown) >= daemonLineInterval
			if s.c.redraw || due {
				shown = now
				s.c.progress(textLine(s.status()))
			}
			if now.Sub(told) >= statusInterval {
				told = now
				s.manager.status(s.status())
			}
		}
	}
}

// announce says that the daemon is ready.
func (s *service) announce() {
	node, server := s.d.Node(), s.controls.server
	start := startEvent{Command: s.c.command, Version: swarmnode.Version, Socket: server.Socket()}
	for _, a := range node.Addrs() {
		start.Listen = append(start.Listen, a.String())
	}
	for i, a := range server.Addrs() {
		switch rpc := i - s.controls.apis; {
		case rpc < 0:
			start.HTTP = append(start.HTTP, a.String())
			tellPage(s.c, s.controls.network, a)
		case rpc < s.controls.rpcs:
			start.RPC = append(start.RPC, a.String())
			s.c.note("front ends of Transmission connect to %s", rpcURL(a, s.controls.base))
		default:
			start.Metrics = append(start.Metrics, a.String())
			s.c.note("metrics at http://%s%s", a, metrics.Path)
		}
	}
	s.c.event("start", start)
	if start.Socket != "" {
		s.c.log.Info("control socket", "path", start.Socket)
	}
	if taken := node.TakenPort(); taken != 0 {
		s.c.note("port %d is taken, listening on %d", taken, node.Addrs()[0].Port())
	}
	if len(s.d.Settings().Blocklists) > 0 {
		s.blocked.tell()
	}
	line := "ready: " + plural(len(s.d.Torrents()), "torrent")
	if len(start.Listen) > 0 {
		line += ", listening on " + strings.Join(start.Listen, " ")
	}
	s.c.note("%s, content in %s", line, s.d.Settings().Dir)
}

// close stops the daemon, which saves what the next run needs.
func (s *service) close() error {
	n := len(s.d.Torrents())
	if err := s.d.Close(); err != nil {
		return fail(exitDisk, "state folder "+s.state, err)
	}
	s.c.note("%s stopped", plural(n, "torrent"))
	return nil
}
