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
	"swarmnode/daemon/client"
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
keys that are lists. If the daemon runs, it takes the change, or the command says that
it counts from the next start on.`,
		examples: []example{
			{"node config set port 6881", "for every command"},
			{"node config set --for seed up 1M", "in the table [seed]"},
			{"node config set blocklist /srv/a.p2p /srv/b.p2p", "a list"},
		},
		argsMin: 2,
		argsMax: anyNumber,
		setup: func(fs *pflag.FlagSet) action {
			e := editOf(fs)
			return func(ctx context.Context, c *console, args []string) error {
				return e.change(ctx, c, args[0],
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
			e := editOf(fs)
			return func(ctx context.Context, c *console, args []string) error {
				return e.change(ctx, c, args[0],
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

// A configEdit is a change of the configuration file.
type configEdit struct {
	fs     *pflag.FlagSet
	table  string // the command whose table is changed; empty for the top
	remote remoteFlags
}

// editOf adds the flags of commands that change the file.
func editOf(fs *pflag.FlagSet) *configEdit {
	e := &configEdit{fs: fs}
	fs.StringVar(&e.table, "for", "",
		"`COMMAND` that the key is for (default: every command that has it)")
	fs.StringVar(&e.remote.socket, "socket", "", "`PATH` of the socket of the daemon that takes "+
		"the change, or none (default: that of the daemon in the file, or of the user)")
	return e
}

// change changes the configuration file by a function and writes it.
func (e *configEdit) change(ctx context.Context, c *console, key string,
	change func(f *conffile.File, table string) error) error {
	if _, err := withKey(key); err != nil {
		return err
	}
	table := ""
	if e.table != "" {
		cmd, err := commandNamed(e.table)
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
	named := fileFlag(e.fs)
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
	e.findSocket(f)
	good := daemonMistake(path, f.Bytes()) == nil
	if err := change(f, table); err != nil {
		if wrong, ok := errors.AsType[*conffile.Error](err); ok {
			return configFailure(wrong)
		}
		return err
	}
	if err := daemonMistake(path, f.Bytes()); err != nil && good {
		if wrong, ok := errors.AsType[*failure](err); ok {
			err = failWithHint(exitUsage, "", wrong.why, wrong.hint)
		}
		return err
	}
	if err := writeConfig(path, f.Bytes()); err != nil {
		return fail(exitDisk, path, err)
	}
	c.event("config", configEvent{path, len(f.Entries())})
	e.tell(ctx, c, commandOf(table), key)
	return nil
}

// daemonMistake returns what is wrong with a configuration file for the daemon.
func daemonMistake(path string, text []byte) error {
	file, err := conffile.Parse(path, text)
	if err != nil {
		return configFailure(err)
	}
	return (&configuration{file: file, tables: flagTables()}).check(daemonName)
}

// findSocket finds out where the daemon of a file listens, unless the user has said so.
func (e *configEdit) findSocket(f *conffile.File) {
	if e.remote.socket != "" {
		return
	}
	d, flags := new(daemonFlags), newFlags(daemonName)
	d.register(flags)
	cfg := &configuration{file: f, tables: flagTables()}
	// A file with a mistake, which may be what is changed, can still have a socket.
	_ = cfg.apply(daemonCommandWith(d), flags, os.LookupEnv)
	e.remote.socket = d.control.socket
}

// tell says when a change of a key counts, and makes the daemon take the change.
func (e *configEdit) tell(ctx context.Context, c *console, table, key string) {
	flags := newFlags(daemonName)
	new(daemonFlags).register(flags)
	concerned := flagOf(flags, key) != nil && (table == "" || table == daemonName)
	if !concerned || e.remote.socket == noConfig {
		c.note("commands that start now use it")
		return
	}
	d, err := e.remote.connect(ctx, c)
	if err != nil {
		c.warn("%v", err)
		return
	}
	defer d.Close()
	done, err := d.Reload(ctx)
	switch {
	case err == nil:
		c.event("reload", reloadOf(done))
		c.note("the daemon has read it: %s", reloadText(done))
	case client.NoDaemon(err), errors.Is(err, fs.ErrPermission):
		c.note("commands that start now use it") // if a daemon runs, it is somebody else's
	default:
		c.warn("the daemon stays as it was: %v", remoteFailure("", err))
	}
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
