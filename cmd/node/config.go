package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"swarmnode/conffile"
)

func configCommand() *command {
	group := &command{
		name:   "config",
		noFile: true,
		short:  "look at the configuration file, and change it",
		long: `The file gives flags the values that neither the command line nor the environment
gives. It is TOML: KEY = VALUE, with the names of long flags. Keys at the top are
for every command that has such a flag; those in a table, such as [seed], are for
that command and come first. A flag --no-dht can also be written dht = false.

The file is $XDG_CONFIG_HOME/swarmnode/config.toml or what --config names. For root
and the user of the service it is /etc/swarmnode/config.toml if there is no such
file.`,
		children: []*command{
			configCheckCommand(),
			configGetCommand(),
			configSetCommand(),
			configUnsetCommand(),
			configDumpCommand(),
		},
	}
	for _, child := range group.children {
		child.parent = group
	}
	return group
}

// fileFlag returns the value of --config of a command in the group config.
func fileFlag(fs *pflag.FlagSet) string { return fs.Lookup("config").Value.String() }

func configCheckCommand() *command {
	return &command{
		name:  "check",
		args:  "[FILE]",
		short: "look for mistakes in the configuration file",
		long:  `The exit code is 0 if every command can use the file, and 3 if not.`,
		examples: []example{
			{"node config check", "the file that commands read"},
			{"node config check new.toml", "another one"},
		},
		argsMax: 1,
		setup: func(fs *pflag.FlagSet) action {
			return func(_ context.Context, c *console, args []string) error {
				path, own := findConfig(fileFlag(fs), os.LookupEnv)
				if len(args) == 1 {
					path = args[0]
				}
				if path == "" {
					c.event("config", configEvent{})
					c.note("there is no configuration file; it would be %s", own)
					return nil
				}
				return checkConfig(c, path)
			}
		},
	}
}

// config: the configuration file that was checked or changed.
type configEvent struct {
	Path string `json:"path"` // empty if there is none
	Keys int    `json:"keys"`
}

// checkConfig says what is wrong with the file at path. Of several mistakes, the first ones are
// warnings.
func checkConfig(c *console, path string) error {
	mistakes, keys := mistakesIn(path)
	if n := len(mistakes); n > 1 {
		for _, m := range mistakes {
			c.warn("%s", m)
		}
		return fail(exitInput, path, errors.New(plural(n, "mistake")))
	} else if n == 1 {
		return mistakes[0]
	}
	c.event("config", configEvent{path, keys})
	c.result(path + ": " + plural(keys, "key"))
	return nil
}

// mistakesIn returns all mistakes of the file at path, and how many keys the file has.
func mistakesIn(path string) (mistakes []error, keys int) {
	file, err := conffile.Read(path)
	if err != nil {
		return []error{configFailure(err)}, 0
	}
	cfg := &configuration{file: file, tables: flagTables()}
	mistakes = cfg.unknown()
	seen := make(map[string]bool)
	for _, table := range slices.Sorted(maps.Keys(cfg.tables)) {
		err := cfg.check(table)
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			mistakes = append(mistakes, err)
		}
	}
	return mistakes, len(file.Entries())
}

// check sets the flags of the command of a table, and fails if the command would not take them.
func (cfg *configuration) check(table string) error {
	if table != daemonName {
		return cfg.apply(commandAt(table), cfg.tables[table], os.LookupEnv)
	}
	f := new(daemonFlags)
	cmd, fs := daemonCommandWith(f), newFlags(table)
	new(outputFlags).register(fs)
	cmd.setup(fs)
	if err := cfg.apply(cmd, fs, os.LookupEnv); err != nil {
		return err
	}
	if _, err := f.check(os.LookupEnv, string(filepath.Separator)); err != nil {
		return err
	}
	if err := f.engine.exclusive(); err != nil {
		return fail(exitInput, cfg.file.Path(), err)
	}
	_, err := f.checkReach(cfg.file.Path(), nil)
	return err
}

// commandAt returns the command of a table, or nil.
func commandAt(table string) *command {
	for _, cmd := range commands() {
		for _, leaf := range append(slices.Clip(cmd.children), cmd) {
			if leaf.setup != nil && tableOf(leaf) == table {
				return leaf
			}
		}
	}
	return nil
}

// commandNamed returns the command that words name, as in "dht ping" or dht-ping.
func commandNamed(words string) (*command, error) {
	table := strings.ReplaceAll(strings.TrimSpace(words), " ", "-")
	if cmd := commandAt(table); cmd != nil && !cmd.fileless() {
		return cmd, nil
	}
	return nil, failWithHint(exitUsage, "",
		fmt.Errorf("no command %s reads the configuration file", quoteSource(words)),
		closest(table, maps.Keys(flagTables())))
}

// withKey returns the first command that has a key, in the order of the help but the daemon
// first.
func withKey(key string) (*command, error) {
	tables := flagTables()
	order := []string{daemonName}
	for _, cmd := range commands() {
		for _, leaf := range append(slices.Clip(cmd.children), cmd) {
			order = append(order, tableOf(leaf))
		}
	}
	for _, table := range order {
		if flags := tables[table]; flags != nil && flagOf(flags, key) != nil {
			return commandAt(table), nil
		}
	}
	all := (&configuration{tables: tables}).allKeys()
	return nil, failWithHint(exitUsage, "", fmt.Errorf("no command has a key %s", quoteSource(key)),
		closest(key, slices.Values(all)))
}

// daemonName is the command that config is about unless another one is named.
const daemonName = "daemon"

// resolve sets the flags of a command from args, the environment and the file, as the command
// itself would, and those of the daemon from what controls have changed.
func resolve(cmd *command, args []string, named string) (*pflag.FlagSet, error) {
	fs := newFlags(cmd.path())
	f := new(daemonFlags)
	if cmd.name == daemonName {
		cmd = daemonCommandWith(f)
	}
	new(outputFlags).register(fs)
	cmd.setup(fs)
	if err := fs.Parse(args); err != nil {
		return nil, usage(cmd.path(), flagError(err))
	}
	if err := setFromEnvironment(fs, os.LookupEnv); err != nil {
		return nil, usage(cmd.path(), err)
	}
	if f := fs.Lookup("config"); f.Changed {
		named = f.Value.String()
	}
	path, _ := findConfig(named, os.LookupEnv)
	file, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	if err := file.apply(cmd, fs, os.LookupEnv); err != nil || cmd.name != daemonName {
		return fs, err
	}
	return fs, f.applyKept()
}

func configGetCommand() *command {
	return &command{
		name:  "get",
		args:  "KEY [COMMAND]",
		short: "print the value of a key that is in force",
		long: `It is what COMMAND would use: that of the environment, of the file, or the
default. Without COMMAND it is that of daemon, or of the first command that has such
a key. The values of a list are printed one a line.`,
		examples: []example{
			{"node config get port", "the port that the daemon would listen on"},
			{"node config get --for seed up", "the upload limit of node seed"},
			{"node config get up seed", "the same"},
		},
		argsMin: 1,
		argsMax: 2,
		setup: func(fs *pflag.FlagSet) action {
			command := fs.String("for", "", "`COMMAND` whose value is printed")
			return func(_ context.Context, c *console, args []string) error {
				if len(args) == 2 && *command != "" {
					return usage(c.command, errors.New("--for and COMMAND are the same: give one"))
				} else if len(args) == 2 {
					*command = args[1]
				}
				cmd, err := withKey(args[0])
				if err == nil && *command != "" {
					cmd, err = commandNamed(*command)
				}
				if err != nil {
					return err
				}
				values, err := resolve(cmd, nil, fileFlag(fs))
				if err != nil {
					return err
				}
				f := flagOf(values, args[0])
				if f == nil {
					return noSuchKey(cmd, args[0])
				}
				e := settingOf(cmd, f)
				if f.Name != args[0] { // the opposite of a flag that switches off
					e.Key, e.Values = args[0], []string{fmt.Sprint(f.Value.String() != "true")}
				}
				c.event("setting", e)
				for _, v := range e.Values {
					c.result(v)
				}
				return nil
			}
		},
	}
}

func noSuchKey(cmd *command, key string) error {
	fs := newFlags("")
	cmd.setup(fs)
	return failWithHint(exitUsage, "", fmt.Errorf("%s has no key %s", cmd.path(), quoteSource(key)),
		closest(key, slices.Values(keysOf(fs))))
}

// setting: the value of a key for a command.
type settingEvent struct {
	Command string   `json:"command"`
	Key     string   `json:"key"`
	Values  []string `json:"values"` // several or none for a list, one for any other key
	Origin  string   `json:"origin"` // see docs/json.md
}

// settingOf describes the value of a flag.
func settingOf(cmd *command, f *pflag.Flag) settingEvent {
	return settingEvent{cmd.path(), f.Name, valuesOf(f), originOf(f)}
}

// valuesOf returns the values of a flag: those of a list, or the only one.
func valuesOf(f *pflag.Flag) []string {
	switch v := f.Value.(type) {
	case *listValue:
		return append([]string{}, v.items...)
	case vector:
		return append([]string{}, v.vectorItems()...)
	}
	return []string{f.Value.String()}
}

func configDumpCommand() *command {
	return &command{
		name:  "dump",
		args:  "[COMMAND [FLAGS]]",
		short: "print the value of every key, with its origin",
		long: `Without COMMAND it is what node daemon would use. The output is a
configuration file; keys that have their defaults are comments in it. Passwords in
values are masked.`,
		examples: []example{
			{"node config dump", "what the daemon would use"},
			{"node config dump seed --up 1M", "what node seed --up 1M would use"},
		},
		argsMax: anyNumber,
		setup: func(fs *pflag.FlagSet) action {
			fs.SetInterspersed(false) // what follows COMMAND is for it
			return func(_ context.Context, c *console, args []string) error {
				return dumpConfig(c, fileFlag(fs), args)
			}
		},
	}
}

func dumpConfig(c *console, named string, args []string) error {
	name, flags := daemonName, args
	for i, a := range args {
		if strings.HasPrefix(a, "-") {
			break
		}
		name, flags = strings.Join(args[:i+1], " "), args[i+1:]
	}
	cmd, err := commandNamed(name)
	if err != nil {
		return err
	}
	values, err := resolve(cmd, flags, named)
	if err != nil {
		return err
	}
	c.together(func() {
		values.VisitAll(func(f *pflag.Flag) {
			if unfiled(f) {
				return
			}
			e := settingOf(cmd, f)
			for i, v := range e.Values {
				e.Values[i] = masked(f, v)
			}
			c.event("setting", e)
			c.result(dumpLine(f, e))
		})
	})
	return nil
}

// dumpColumn is where the origins begin in the lines of a dump, unless a value is long.
const dumpColumn = 40

// dumpLine writes a setting as a line of a configuration file.
func dumpLine(f *pflag.Flag, e settingEvent) string {
	line := e.Key + " = " + valueFor(f, e.Values).String()
	if e.Origin == originDefault {
		line = "#" + line
	}
	return fmt.Sprintf("%-*s # %s", dumpColumn, line, e.Origin)
}

// number is how numbers are written in a file without quotes.
var number = regexp.MustCompile(`^-?[0-9]{1,15}(\.[0-9]{1,9})?$`)

// valueFor returns what the file has for values of a flag.
func valueFor(f *pflag.Flag, values []string) conffile.Value {
	one := func(text string) conffile.Value {
		v := conffile.Text(text)
		if number.MatchString(text) && !takesText(f) {
			v.Kind = conffile.Number
		}
		return v
	}
	_, list := f.Value.(*listValue)
	if _, all := f.Value.(vector); all {
		list = true
	}
	switch {
	case list:
		v := conffile.Value{Kind: conffile.List, Items: []conffile.Value{}}
		for _, text := range values {
			v.Items = append(v.Items, conffile.Text(text))
		}
		return v
	case len(values) == 1 && isSwitch(f) && (values[0] == "true" || values[0] == "false"):
		return conffile.Value{Kind: conffile.Bool, Text: values[0]}
	case len(values) == 1:
		return one(values[0])
	}
	return conffile.Text(strings.Join(values, " "))
}

// userinfo is the password in a URL or in the URI of a relay.
var userinfo = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*:(?://)?[^/?#@:]*):[^/?#]*@`)

// mask stands for a password.
const mask = "***"

// masked returns a value of a flag without its password.
func masked(f *pflag.Flag, value string) string {
	if f.Name == "user" {
		if name, _, ok := strings.Cut(value, ":"); ok {
			return name + ":" + mask
		}
	}
	value = userinfo.ReplaceAllString(value, "$1:"+mask+"@")
	if u, err := url.Parse(value); err == nil && u.Scheme != "" && u.RawQuery != "" &&
		u.Scheme != "turn" {
		value, _, _ = strings.Cut(value, "?")
		value += "?" + mask
	}
	return value
}
