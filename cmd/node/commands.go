package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// A command is one row of the table. Its flags are made for each use, so nothing is
// global.
type command struct {
	name     string
	args     string // what follows the flags, as in "PATH..."
	short    string // one line for the table
	long     string // paragraphs for its own help
	examples []example
	argsMin  int
	argsMax  int // -1: any number
	setup    func(*pflag.FlagSet) action
	children []*command // of a command that only groups others
	parent   *command
	noFile   bool // it, or the group, works without the configuration file
}

// An example is one command line with what it does.
type example struct{ line, what string }

// An action is a command with its flags set: it runs until it is done or ctx
// ends.
type action func(ctx context.Context, c *console, args []string) error

// commands is the table. The order is that of the help.
func commands() []*command {
	return []*command{
		seedCommand(),
		addCommand(),
		catCommand(),
		daemonCommand(),
		listCommand(),
		showCommand(),
		startCommand(),
		stopCommand(),
		rmCommand(),
		mvCommand(),
		setCommand(),
		limitCommand(),
		peersCommand(),
		filesCommand(),
		trackersCommand(),
		reannounceCommand(),
		topCommand(),
		reloadCommand(),
		shutdownCommand(),
		bootstrapCommand(),
		relayCommand(),
		trackerCommand(),
		createCommand(),
		infoCommand(),
		lsCommand(),
		magnetCommand(),
		metainfoCommand(),
		verifyCommand(),
		editCommand(),
		dhtCommand(),
		simCommand(),
		configCommand(),
		passwordCommand(),
		tokenCommand(),
		completionCommand(),
		manCommand(),
		versionCommand(),
		helpCommand(),
	}
}

// anyNumber of arguments.
const anyNumber = -1

// path returns the command's name, preceded by the groups that it is in.
func (cmd *command) path() string {
	if cmd.parent != nil {
		return cmd.parent.path() + " " + cmd.name
	}
	return cmd.name
}

// find returns the row with that name.
func find(rows []*command, name string) *command {
	for _, cmd := range rows {
		if cmd.name == name {
			return cmd
		}
	}
	return nil
}

// A call is a parsed command line.
type call struct {
	command *command // nil if none was named
	output  outputFlags
	help    bool
	line    []string // the flags and arguments of the command
	args    []string
	run     action
}

// parse finds the command in args and sets its flags from args, or else from the
// environment, or else from the configuration file, or else to their defaults. With an
// error, it returns what was understood up to that point.
func parse(args []string, getenv func(string) (string, bool)) (call, error) {
	table := commands()
	ahead, rest, err := leadingFlags(table, args)
	if err != nil {
		return call{}, usage("", err)
	}
	if len(rest) == 0 {
		return parseBare(ahead, getenv)
	}
	cmd := find(table, rest[0])
	if cmd == nil {
		return call{}, failWithHint(exitUsage, "",
			fmt.Errorf("unknown command %s", quoteSource(rest[0])), nearest(table, rest[0]))
	}
	rest = rest[1:]
	if cmd.children != nil {
		group := cmd
		more, after, err := leadingFlags(group.children, rest)
		if err != nil {
			return call{command: group}, usage(group.path(), err)
		}
		ahead = append(ahead, more...)
		if len(after) == 0 {
			return parseGroup(group, ahead)
		}
		if cmd = find(group.children, after[0]); cmd == nil {
			return call{command: group}, failWithHint(exitUsage, "",
				fmt.Errorf("unknown command %s", quoteSource(after[0])),
				program+" help "+group.path())
		}
		rest = after[1:]
	}
	return parseFlags(cmd, append(ahead, rest...), getenv)
}

// parseFlags sets the flags of cmd.
func parseFlags(cmd *command, args []string, getenv func(string) (string, bool)) (call, error) {
	this := call{command: cmd, line: args}
	fs := newFlags(cmd.path())
	this.output.register(fs)
	fs.BoolVarP(&this.help, "help", "h", false, "show this help")
	this.run = cmd.setup(fs)
	if err := fs.Parse(args); err != nil {
		return this, usage(cmd.path(), flagError(err))
	}
	if this.help {
		return this, nil
	}
	if err := setFromEnvironment(fs, getenv); err != nil {
		return this, usage(cmd.path(), err)
	}
	if !cmd.fileless() {
		path, _ := findConfig(this.output.config, getenv)
		file, err := readConfig(path)
		if err == nil {
			err = file.apply(cmd, fs, getenv)
		}
		if err != nil {
			return this, err
		}
	}
	this.args = fs.Args()
	if n := len(this.args); n < cmd.argsMin {
		return this, usage(cmd.path(), fmt.Errorf("expects %s", cmd.args))
	} else if cmd.argsMax != anyNumber && n > cmd.argsMax {
		return this, usage(cmd.path(), fmt.Errorf("does not expect %s",
			quoteSource(this.args[cmd.argsMax])))
	}
	return this, nil
}

// parseBare handles a command line that names no command.
func parseBare(args []string, getenv func(string) (string, bool)) (call, error) {
	none := func(string) (string, bool) { return "", false }
	for _, a := range args {
		switch a {
		case "-h", "--help":
			return call{help: true}, nil
		case "--version":
			version, err := parseFlags(versionCommand(), nil, none)
			version.output.json = wants("json", args, getenv)
			return version, err
		}
	}
	return call{}, failWithHint(exitUsage, "", errors.New("no command given"), program+" help")
}

// parseGroup handles a group of commands of which none was named.
func parseGroup(group *command, args []string) (call, error) {
	for _, a := range args {
		if a == "-h" || a == "--help" {
			return call{command: group, help: true}, nil
		}
	}
	return call{command: group}, usage(group.path(), errors.New("expects a command"))
}

// wants reports whether args, or else the environment, set a flag that takes no value,
// such as json. It also works on command lines that cannot be parsed to the end.
func wants(flag string, args []string, getenv func(string) (string, bool)) bool {
	value, _ := getenv(envName(flag))
	for _, a := range args {
		if a == "--" {
			break
		}
		if a == "--"+flag {
			value = "true"
		} else if v, ok := strings.CutPrefix(a, "--"+flag+"="); ok {
			value = v
		}
	}
	wanted, err := strconv.ParseBool(value)
	return err == nil && wanted
}

// usage returns the failure of a command line that is not understood.
func usage(path string, err error) error {
	hint := program + " help"
	if path != "" {
		hint += " " + path
	}
	return failWithHint(exitUsage, "", err, hint)
}

// nearest suggests the command that name may stand for.
func nearest(table []*command, name string) string {
	for _, cmd := range table {
		if strings.HasPrefix(cmd.name, name) || strings.HasPrefix(name, cmd.name) {
			return program + " help " + cmd.name
		}
	}
	return program + " help"
}

func newFlags(name string) *pflag.FlagSet {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.SortFlags = false
	return fs
}

// leadingFlags splits args before the first word that is neither a flag nor the value of
// one. Flags of any command may precede it, so "node -q add X" is "node add -q X".
func leadingFlags(table []*command, args []string) (ahead, rest []string, err error) {
	fs := newFlags("")
	fs.SetInterspersed(false)
	new(outputFlags).register(fs)
	fs.BoolP("help", "h", false, "")
	fs.Bool("version", false, "")
	for _, cmd := range table {
		for _, leaf := range append(cmd.children, cmd) {
			if leaf.setup != nil {
				each := newFlags("")
				leaf.setup(each)
				fs.AddFlagSet(each)
			}
		}
	}
	if err := fs.Parse(args); err != nil {
		return nil, nil, flagError(err)
	}
	rest = fs.Args()
	return args[:len(args)-len(rest)], rest, nil
}

// flagError says in this command's words what is wrong with a flag.
func flagError(err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Errorf("--%s %s: %w", e.GetFlag().Name, quoteSource(e.GetValue()), wrongValue(e))
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fmt.Errorf("--%s needs a value", e.GetFlag().Name)
	}
	return err
}

// wrongValue says what is wrong with the value of a flag, in our words rather than in
// those of the function that reads it.
func wrongValue(e *pflag.InvalidValueError) error {
	switch e.GetFlag().Value.Type() {
	case "bool":
		return errors.New("neither true nor false")
	case "count":
		return errors.New("not a number")
	}
	return e.Unwrap()
}

// envPrefix begins the environment variable of every flag.
const envPrefix = "SWARM_"

// envName is the environment variable of a flag: SWARM_PIECE_LENGTH for
// --piece-length.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// setFromEnvironment sets the flags that were not given from the environment. An empty
// variable counts as missing.
func setFromEnvironment(fs *pflag.FlagSet, getenv func(string) (string, bool)) error {
	var first error
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || isTyped(f) || first != nil {
			return
		}
		name := envName(f.Name)
		value, ok := getenv(name)
		if !ok || value == "" {
			return
		}
		values := []string{value}
		if _, list := f.Value.(*listValue); list {
			values = strings.Split(value, ",")
		}
		for _, v := range values {
			if err := fs.Set(f.Name, v); err != nil {
				if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
					err = wrongValue(invalid)
				}
				first = fmt.Errorf("%s=%s: %w", name, quoteSource(v), err)
				return
			}
		}
		setOrigin(f, envOrigin(name))
	})
	return first
}
