package main

import (
	"context"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"swarmnode/daemon"
)

// reload: the configuration of the daemon was read again.
type reloadEvent struct {
	Restart []string `json:"restart"` // keys that count from the next start on
}

// reload reads the configuration again, and takes what can change while the daemon runs. It
// returns the keys that count from the next start on.
func (s *service) reload(ctx context.Context) ([]string, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.manager.reloading()
	defer func() { s.manager.ready(s.status()) }()
	restart, err := s.reread()
	if err != nil {
		s.c.warn("the configuration stays as it was: %v", err)
		return nil, err
	}
	s.c.event("reload", reloadEvent{append([]string{}, restart...)})
	s.c.note("the configuration was read again")
	for _, key := range restart {
		s.c.warn("%s is new in the configuration, and counts from the next start on", key)
	}
	if len(s.d.Settings().Blocklists) > 0 {
		s.blocked.reload(ctx)
	}
	return restart, nil
}

// reread reads the configuration again. It returns the keys that count from the next start on.
func (s *service) reread() (restart []string, err error) {
	next := new(daemonFlags)
	if _, err := parseFlags(daemonCommandWith(next), s.c.words, os.LookupEnv); err != nil {
		return nil, err
	}
	settings, err := next.settings(os.LookupEnv, s.state)
	if err != nil {
		return nil, err
	}
	if err := settings.Check(); err != nil {
		return nil, next.settingFailure(err)
	}
	if restart, err = s.d.Reload(settings, next.pinned()); err != nil {
		return nil, next.settingFailure(err)
	}
	restart = append(restart, s.fixed(next)...)
	slices.Sort(restart)
	return slices.Compact(restart), nil
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
