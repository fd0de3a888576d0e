package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"swarmnode/conffile"
)

// configMode is the mode of a file that config set makes, and configFolderMode that of its
// folder: passwords may be in it.
const (
	configMode       = 0o600
	configFolderMode = 0o700
)

func configSetCommand() *command {
	return &command{
		name:  "set",
		args:  "KEY VALUE...",
		short: "change a key of the configuration file",
		long: `The rest of the file stays as it is, comments included. Several VALUEs are for
keys that are lists. A daemon that runs takes the change at SIGHUP.`,
		examples: []example{
			{"node config set port 6881", "for every command"},
			{"node config set --for seed up 1M", "in the table [seed]"},
			{"node config set blocklist /srv/a.p2p /srv/b.p2p", "a list"},
		},
		argsMin: 2,
		argsMax: anyNumber,
		setup: func(fs *pflag.FlagSet) action {
			table := forFlag(fs)
			return func(ctx context.Context, c *console, args []string) error {
				return changeConfig(ctx, c, fileFlag(fs), *table, args[0],
					func(f *conffile.File, table string) error {
						v, err := valueOf(f, table, args[0], args[1:])
						if err != nil {
							return err
						}
						return f.Set(table, args[0], v)
					})
			}
		},
	}
}

func configUnsetCommand() *command {
	return &command{
		name:  "unset",
		args:  "KEY",
		short: "remove a key from the configuration file",
		examples: []example{
			{"node config unset port", "the port is the default again, or that of the environment"},
		},
		argsMin: 1,
		argsMax: 1,
		setup: func(fs *pflag.FlagSet) action {
			table := forFlag(fs)
			return func(ctx context.Context, c *console, args []string) error {
				return changeConfig(ctx, c, fileFlag(fs), *table, args[0],
					func(f *conffile.File, table string) error {
						had, err := f.Unset(table, args[0])
						if err == nil && !had {
							err = fail(exitInput, f.Path(), fmt.Errorf("has no key %s",
								quoteSource(args[0])))
						}
						return err
					})
			}
		},
	}
}

// forFlag adds the flag that names the command whose table is changed.
func forFlag(fs *pflag.FlagSet) *string {
	return fs.String("for", "", "`COMMAND` that the key is for (default: every command that has it)")
}

// changeConfig changes the configuration file by a function and writes it.
func changeConfig(ctx context.Context, c *console, named, command, key string,
	change func(f *conffile.File, table string) error) error {
	if _, err := withKey(key); err != nil {
		return err
	}
	table := ""
	if command != "" {
		cmd, err := commandNamed(command)
		if err != nil {
			return err
		}
		flags := newFlags("")
		new(outputFlags).register(flags)
		if cmd.setup(flags); flagOf(flags, key) == nil {
			return noSuchKey(cmd, key)
		}
		table = tableOf(cmd)
	}
	path, own := findConfig(named, os.LookupEnv)
	if path == "" && named != noConfig {
		path = own
	}
	if path == "" {
		return failWithHint(exitInput, "", errors.New("there is no configuration file"),
			"--config FILE")
	}
	f, err := conffile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = conffile.Parse(path, nil)
	}
	if err != nil {
		return configFailure(err)
	}
	if full := commandsTable + "." + table; table != "" && !f.HasTable(table) && f.HasTable(full) {
		table = full
	} else if _, taken := f.Find("", table); table != "" && taken {
		table = full // since TOML has one thing of each name
	}
	if err := change(f, table); err != nil {
		if wrong, ok := errors.AsType[*conffile.Error](err); ok {
			return configFailure(wrong)
		}
		return err
	}
	if err := writeConfig(path, f.Bytes()); err != nil {
		return fail(exitDisk, path, err)
	}
	c.event("config", configEvent{path, len(f.Entries())})
	return tellChange(ctx, c)
}

// tellChange says when a change of the file counts.
func tellChange(_ context.Context, c *console) error {
	c.note("commands that start now use it; a daemon that runs does so after SIGHUP")
	return nil
}

// writeConfig replaces the file that path leads to, which may be a symbolic link.
func writeConfig(path string, text []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), configFolderMode); err != nil {
			return err
		}
	}
	return replaceFile(path, text, configMode)
}

// valueOf returns what the file has for a key, if a command takes it.
func valueOf(f *conffile.File, table, key string, texts []string) (conffile.Value, error) {
	tables := flagTables()
	names := []string{commandOf(table)}
	if table == "" {
		names = slices.Sorted(tablesWith(tables, key))
	}
	cfg := &configuration{file: f, tables: tables}
	var first error
	for _, name := range names {
		flag := flagOf(tables[name], key)
		v := valueFor(flag, texts)
		err := cfg.suits(name, conffile.Entry{Key: key, Value: v})
		if len(texts) > 1 && v.Kind != conffile.List {
			err = errors.New("one value is expected")
		}
		if err == nil {
			return v, nil
		}
		if first == nil {
			first = fail(exitUsage, key, err)
		}
	}
	return conffile.Value{}, first
}

// tablesWith yields the tables of the commands that have a key.
func tablesWith(tables map[string]*pflag.FlagSet, key string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name, flags := range tables {
			if flagOf(flags, key) != nil && !yield(name) {
				return
			}
		}
	}
}
