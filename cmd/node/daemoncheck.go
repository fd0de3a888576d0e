package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/daemon/transmission"
)

// check returns the settings, if a daemon can work with what the flags say. Nothing is opened.
func (f *daemonFlags) check(getenv func(string) (string, bool), state string) (daemon.Settings,
	error) {
	if err := f.checkFolders(); err != nil {
		return daemon.Settings{}, err
	}
	settings, err := f.settings(getenv, state)
	if err != nil {
		return settings, err
	}
	if err := settings.Check(); err != nil {
		return settings, f.settingFailure(err)
	}
	if err := transmission.CheckBase(f.rpc.base); err != nil {
		return settings, f.wrong("rpc-path", err)
	}
	if err := f.rpc.checkWeb(); err != nil {
		return settings, f.wrong("rpc-web", err)
	}
	return settings, nil
}

// checkFolders refuses relative folders in a file: the folder where a daemon starts, which they
// would begin at, is another one for each service manager.
func (f *daemonFlags) checkFolders() error {
	for _, name := range []string{"dir", "incomplete-dir", "root", "watch"} {
		flag := f.fs.Lookup(name)
		if _, file := placeOf(flag); !file {
			continue
		}
		for _, value := range valuesOf(flag) {
			for path := range strings.SplitSeq(value, "=") {
				if path != "" && !filepath.IsAbs(path) {
					return f.wrong(name, fmt.Errorf("%q is not an absolute path, nor one that "+
						"begins with ~/", path))
				}
			}
		}
	}
	return nil
}

// checkReach refuses addresses beyond this machine unless there is a password. config is the file
// beside which it is looked for.
func (f *daemonFlags) checkReach(config string, log *slog.Logger) (*control.Gate, error) {
	gate, err := f.control.site.gate(config, log)
	if err != nil || gate.NeedsLogin() {
		return gate, err
	}
	for _, l := range slices.Concat(f.control.site.listeners(nil), f.rpc.listeners(nil),
		f.metrics.listeners(nil)) {
		if !l.Addr.Addr().IsLoopback() {
			return nil, f.wrong(l.Name, fmt.Errorf("%v is an address beyond this machine, which "+
				"needs a password (try: %s password)", l.Addr, program))
		}
	}
	return gate, nil
}

// placeOf returns where the value of a flag is from, and whether that is a file.
func placeOf(f *pflag.Flag) (place string, file bool) {
	switch origin := originOf(f); origin {
	case originFlag, originDefault, originRunning:
		return "--" + f.Name, false
	case envOrigin(envName(f.Name)):
		return envName(f.Name), false
	default:
		return origin, true
	}
}

// wrong returns the failure of a wrong value, which names the place of the value.
func (f *daemonFlags) wrong(name string, err error) error {
	flag := flagOf(f.fs, name)
	if flag == nil {
		return fail(exitUsage, name, err)
	}
	place, file := placeOf(flag)
	known, ok := errors.AsType[*failure](err)
	switch {
	case file && ok:
		return failWithHint(exitInput, place, fmt.Errorf("%s: %w", name, known.why), known.hint)
	case file:
		return fail(exitInput, place, fmt.Errorf("%s: %w", name, err))
	case ok:
		return failWithHint(known.code, place, known.why, known.hint)
	}
	return usage(daemonName, fmt.Errorf("%s: %w", place, err))
}

// settingFailure returns the failure of a wrong setting.
func (f *daemonFlags) settingFailure(err error) error {
	if wrong, ok := errors.AsType[*daemon.SettingError](err); ok {
		return f.wrong(wrong.Name, wrong.Err)
	}
	return err
}
