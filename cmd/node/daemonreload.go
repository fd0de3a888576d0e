package main

import (
	"context"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"swarmnode/daemon"
	"swarmnode/daemon/api"
)

// reload: the configuration of the daemon was read again.
type reloadEvent struct {
	Changed []string `json:"changed"` // keys with new values
	Restart []string `json:"restart"` // keys that count from the next start on
}

// reloadOf returns the event of a reload.
func reloadOf(done api.Reloaded) reloadEvent {
	return reloadEvent{append([]string{}, done.Changed...), append([]string{}, done.Restart...)}
}

// reload reads the configuration again, and takes what can change while the daemon runs.
func (s *service) reload(ctx context.Context) (api.Reloaded, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.manager.reloading()
	defer func() { s.manager.ready(s.status()) }()
	done, err := s.reread(ctx)
	if ctx.Err() != nil {
		return done, context.Cause(ctx)
	}
	if err != nil {
		s.c.warn("the configuration stays as it was: %v", err)
		return done, err
	}
	s.c.event("reload", reloadOf(done))
	s.c.note("the configuration was read again: %s", reloadText(done))
	if len(s.d.Settings().Blocklists) > 0 {
		s.blocked.reload(ctx)
	}
	return done, nil
}

// reloadWhenAsked reads the configuration again when the user asks for it, until ctx ends. It
// has a goroutine of its own, since the servers of blocklists may be slow.
func (s *service) reloadWhenAsked(ctx context.Context, asked <-chan struct{}) {
	for {
		select {
		case <-asked:
			_, _ = s.reload(ctx) // which has said what is wrong
		case <-ctx.Done():
			return
		}
	}
}

// reread reads the configuration again.
func (s *service) reread(ctx context.Context) (done api.Reloaded, err error) {
	next := new(daemonFlags)
	if _, err := parseFlags(daemonCommandWith(next), s.c.words, os.LookupEnv); err != nil {
		return done, err
	}
	settings, err := next.check(os.LookupEnv, s.state)
	if err == nil {
		_, err = next.checkReach(fileFlag(next.fs), s.c.log)
	}
	if err != nil {
		return done, err
	}
	done.Changed, done.Restart, err = s.d.Reload(ctx, settings, next.pinned())
	if err != nil {
		return done, next.settingFailure(err)
	}
	done.Restart = append(done.Restart, s.fixed(next)...)
	slices.Sort(done.Restart)
	done.Restart = slices.Compact(done.Restart)
	return done, nil
}

// fixed returns the flags that differ from those that the daemon was started with, and that are
// no settings.
func (s *service) fixed(next *daemonFlags) (names []string) {
	settings := daemon.SettingNames()
	next.fs.VisitAll(func(f *pflag.Flag) {
		was := s.flags.fs.Lookup(f.Name)
		setting := slices.ContainsFunc(settings, func(name string) bool {
			return flagOf(next.fs, name) == f
		})
		if was == nil || setting || unfiled(f) || was.Value.String() == f.Value.String() {
			return
		}
		names = append(names, f.Name)
	})
	return names
}
