package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"swarmnode/conffile"
)

// The configuration file gives flags their values where neither the command line nor the
// environment does. Keys at its top are for every command that has such a flag; a table named
// after a command, [add], is for that command and comes first. One file is read: the one that
// --config names, or else that of the user. The file of the system is for root and for the user
// of the service, and only if they have none of their own; so it can name folders and ports that
// are no concern of other users.

const (
	// noConfig is the word that stands for no file at all.
	noConfig = "none"
	// configName is the name of the file in its folder.
	configName = "config.toml"
	// commandsTable may contain the tables of commands. A key at the top and a table cannot have
	// the same name in TOML: beside bootstrap = [...] the table is [command.bootstrap].
	commandsTable = "command"
	// serviceUser is the user that the service runs as.
	serviceUser = "swarmnode"
)

// systemConfig is the folder of the configuration of the whole system.
var systemConfig = "/etc/swarmnode"

// findConfig returns the configuration file: the one that is named, or the first one that exists,
// or "" if there is none. own is where the user's file is or would be, "" if that is unknown.
func findConfig(named string, getenv func(string) (string, bool)) (path, own string) {
	own = ownConfig(getenv)
	switch {
	case named == noConfig:
		return "", own
	case named != "":
		return named, named
	}
	for _, path := range []string{own, systemFile(getenv)} {
		if path == "" {
			continue
		}
		// A folder that this user must not enter has no file for them. A file that is there and
		// cannot be read is a mistake.
		if _, err := os.Lstat(path); err == nil || !errors.Is(err, fs.ErrPermission) &&
			diskCode(err) != exitInput {
			return path, own
		}
	}
	return "", own
}

// ownConfig follows the XDG base directories. Without them, the folder that systemd gives a
// service counts.
func ownConfig(getenv func(string) (string, bool)) string {
	if base, _ := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "swarmnode", configName)
	}
	if folder := serviceFolder("CONFIGURATION_DIRECTORY", getenv); folder != "" {
		return filepath.Join(folder, configName)
	}
	if home, _ := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".config", "swarmnode", configName)
	}
	return ""
}

// serviceFolder returns the first folder in a variable of systemd, such as STATE_DIRECTORY, or "".
func serviceFolder(variable string, getenv func(string) (string, bool)) string {
	list, _ := getenv(variable)
	if first, _, _ := strings.Cut(list, ":"); filepath.IsAbs(first) {
		return first
	}
	return ""
}

// systemFile returns the file of the system, or "" if it is not for this user.
func systemFile(getenv func(string) (string, bool)) string {
	if os.Geteuid() != 0 {
		me, err := user.Current()
		if err != nil || me.Username != serviceUser {
			return ""
		}
	}
	return filepath.Join(systemConfig, configName)
}

// A configuration is a file with what it means for the flags of commands.
type configuration struct {
	file   *conffile.File
	tables map[string]*pflag.FlagSet // the flags of each command, by the name of its table
}

// readConfig reads and checks the configuration file, which may be "": then the result is nil.
// What is checked is that every key is one of a command.
func readConfig(path string) (*configuration, error) {
	if path == "" {
		return nil, nil
	}
	file, err := conffile.Read(path)
	if err != nil {
		return nil, configFailure(err)
	}
	cfg := &configuration{file: file, tables: flagTables()}
	if mistakes := cfg.unknown(); len(mistakes) > 0 {
		return nil, mistakes[0]
	}
	return cfg, nil
}

// configFailure returns the failure of a configuration file.
func configFailure(err error) error {
	wrong, ok := errors.AsType[*conffile.Error](err)
	if !ok {
		return fail(exitInput, "", err)
	}
	hint := ""
	code := exitInput
	switch {
	case errors.Is(err, fs.ErrPermission):
		code = exitDisk
	case errors.Is(err, fs.ErrNotExist):
		hint = "--config none for no file"
	}
	return &failure{code: code, what: wrong.Where(), why: wrong.Err, hint: hint}
}

// tableOf returns the name of the table of a command: that of dht ping is dht-ping.
func tableOf(cmd *command) string { return strings.ReplaceAll(cmd.path(), " ", "-") }

// flagTables returns the flags of all commands that read the configuration file.
func flagTables() map[string]*pflag.FlagSet {
	tables := make(map[string]*pflag.FlagSet)
	for _, cmd := range commands() {
		for _, leaf := range append(slices.Clip(cmd.children), cmd) {
			if leaf.setup == nil || leaf.fileless() {
				continue
			}
			flags := newFlags(leaf.path())
			new(outputFlags).register(flags)
			leaf.setup(flags)
			tables[tableOf(leaf)] = flags
		}
	}
	return tables
}

// fileless reports whether the command takes nothing from the configuration file, so that it
// works with a wrong one.
func (cmd *command) fileless() bool {
	return cmd.noFile || cmd.parent != nil && cmd.parent.fileless()
}

// commandOf returns the name of the command that a table of the file is for.
func commandOf(table string) string { return strings.TrimPrefix(table, commandsTable+".") }

// unknown returns a failure for each table and key that no command has, in the order of the file.
func (cfg *configuration) unknown() (mistakes []error) {
	lines := make(map[error]int)
	add := func(line int, err error) {
		if err != nil {
			mistakes, lines[err] = append(mistakes, err), line
		}
	}
	for table, line := range cfg.file.Tables() {
		if cfg.tables[commandOf(table)] == nil && table != commandsTable {
			add(line, cfg.noTable(table, line))
		}
	}
	for _, e := range cfg.file.Entries() {
		add(e.Line, cfg.known(e))
	}
	slices.SortStableFunc(mistakes, func(a, b error) int { return lines[a] - lines[b] })
	return mistakes
}

func (cfg *configuration) noTable(table string, line int) error {
	return &failure{code: exitInput, what: fmt.Sprintf("%s:%d", cfg.file.Path(), line),
		why:  fmt.Errorf("unknown table %s", quoteSource(table)),
		hint: closest(commandOf(table), maps.Keys(cfg.tables))}
}

// known returns a failure if no command has the key of e.
func (cfg *configuration) known(e conffile.Entry) error {
	if e.Table == "" {
		for _, flags := range cfg.tables {
			if flagOf(flags, e.Key) != nil {
				return nil
			}
		}
		return cfg.noKey(e, cfg.allKeys())
	}
	flags := cfg.tables[commandOf(e.Table)]
	if flags == nil {
		if _, header := cfg.file.Tables()[e.Table]; header {
			return nil // which was reported with its own line
		}
		return cfg.noTable(e.Table, e.Line)
	}
	if flagOf(flags, e.Key) != nil {
		return nil
	}
	return cfg.noKey(e, keysOf(flags))
}

func (cfg *configuration) noKey(e conffile.Entry, keys []string) error {
	why := fmt.Errorf("unknown key %s", quoteSource(e.Key))
	if flags := cfg.tables[commandOf(e.Table)]; flags != nil {
		why = fmt.Errorf("%s has no key %s", flags.Name(), quoteSource(e.Key))
	}
	return &failure{code: exitInput, what: cfg.file.Mistake(e, why).Where(), why: why,
		hint: closest(e.Key, slices.Values(keys))}
}

// allKeys returns the keys of all commands.
func (cfg *configuration) allKeys() []string {
	var keys []string
	for _, flags := range cfg.tables {
		keys = append(keys, keysOf(flags)...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// keysOf returns the keys that stand for flags.
func keysOf(flags *pflag.FlagSet) (keys []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if !unfiled(f) {
			keys = append(keys, f.Name)
		}
	})
	return keys
}

// unfiled reports whether a flag cannot be in a file: it says which file, or what to do.
func unfiled(f *pflag.Flag) bool {
	return isTyped(f) || f.Name == "config" || f.Name == "help" || f.Name == "version"
}

// noPrefix begins the name of a flag that switches something off. In a file, dht = false is
// no-dht = true.
const noPrefix = "no-"

// flagOf returns the flag that a key is for, or nil.
func flagOf(flags *pflag.FlagSet, key string) *pflag.Flag {
	f := flags.Lookup(key)
	if f == nil {
		if f = flags.Lookup(noPrefix + key); f == nil || !isSwitch(f) {
			return nil
		}
	}
	if unfiled(f) {
		return nil
	}
	return f
}

// isSwitch reports whether a flag takes true or false.
func isSwitch(f *pflag.Flag) bool { return f.Value.Type() == "bool" }

// entryFor returns the entry for a flag of a command, and whether it is one of the command's own
// table.
func (cfg *configuration) entryFor(table string, f *pflag.Flag) (e conffile.Entry, own, ok bool,
	err error) {
	keys := []string{f.Name}
	if positive, off := strings.CutPrefix(f.Name, noPrefix); off && isSwitch(f) {
		keys = append(keys, positive)
	}
	for _, tables := range [][]string{{table, commandsTable + "." + table}, {""}} {
		var found []conffile.Entry
		for _, t := range tables {
			for _, key := range keys {
				if flagOf(cfg.tables[table], key) != f && key != f.Name {
					continue // the key of another flag
				}
				if e, ok := cfg.file.Find(t, key); ok {
					found = append(found, e)
				}
			}
		}
		switch {
		case len(found) > 1:
			why := fmt.Errorf("says again what line %d does", found[0].Line)
			return e, false, false, cfg.mistake(found[1], why)
		case len(found) == 1:
			return found[0], tables[0] != "", true, nil
		}
	}
	return e, false, false, nil
}

// mistake returns the failure of a key with a wrong value.
func (cfg *configuration) mistake(e conffile.Entry, err error) error {
	return fail(exitInput, cfg.file.Mistake(e, err).Where(), fmt.Errorf("%s: %w", e.Key, err))
}

// apply sets the flags of a command that were not given from the file.
func (cfg *configuration) apply(cmd *command, flags *pflag.FlagSet,
	getenv func(string) (string, bool)) error {
	if cfg == nil {
		return nil
	}
	table := tableOf(cmd)
	cfg.tables[table] = flags
	home, _ := getenv("HOME")
	var first error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || unfiled(f) || first != nil {
			return
		}
		e, own, ok, err := cfg.entryFor(table, f)
		if err == nil && ok {
			err = setFlag(flags, f, e, home)
			if err != nil && !own && cfg.suitsAnother(table, e) {
				f.Changed = false
				if list, ok := f.Value.(*listValue); ok {
					list.items = nil
				}
				return
			}
			if err != nil {
				err = cfg.mistake(e, err)
			}
		}
		if err != nil {
			first = err
		} else if ok {
			setOrigin(f, cfg.file.Mistake(e, nil).Where())
		}
	})
	return first
}

// suitsAnother reports whether a command other than that of a table takes the value of e, a key
// at the top. A flag of one name is of several types: seed is a switch of add, and a number of
// sim.
func (cfg *configuration) suitsAnother(table string, e conffile.Entry) bool {
	for name := range flagTables() {
		if name != table && cfg.suits(name, e) == nil {
			return true
		}
	}
	return false
}

// errNoFlag says that a command has no such flag.
var errNoFlag = errors.New("no such flag")

// suits checks the value of e for the command of a table.
func (cfg *configuration) suits(table string, e conffile.Entry) error {
	fresh := flagTables()[table] // since a list grows with each value
	if fresh == nil || flagOf(fresh, e.Key) == nil {
		return errNoFlag
	}
	return setFlag(fresh, flagOf(fresh, e.Key), e, "")
}

// setFlag sets a flag to the value of an entry.
func setFlag(flags *pflag.FlagSet, f *pflag.Flag, e conffile.Entry, home string) error {
	texts, err := textsFor(f, e)
	if err != nil {
		return err
	}
	if isPath(f) {
		for i := range texts {
			texts[i] = atHome(texts[i], home)
		}
	}
	if all, ok := f.Value.(vector); ok && e.Value.Kind == conffile.List {
		text, err := all.joinItems(texts)
		if err != nil {
			return err
		}
		texts = []string{text}
	}
	for _, text := range texts {
		if err := flags.Set(f.Name, text); err != nil {
			if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
				err = wrongValue(invalid)
			}
			return fmt.Errorf("%s: %w", quoteSource(text), err)
		}
	}
	return nil
}

// atHome puts the home in the place of a ~ at the beginning of a path, and behind an equals sign,
// as shells do.
func atHome(path, home string) string {
	if home == "" {
		return path
	}
	parts := strings.Split(path, "=")
	for i, part := range parts {
		if part == "~" || strings.HasPrefix(part, "~/") {
			parts[i] = home + strings.TrimPrefix(part, "~")
		}
	}
	return strings.Join(parts, "=")
}

// A vector is a flag that takes all items of a list at once, in one text.
type vector interface {
	joinItems(items []string) (text string, err error)
	vectorItems() []string
}

// textsFor returns what a flag is set to, one value after the other.
func textsFor(f *pflag.Flag, e conffile.Entry) ([]string, error) {
	v := e.Value
	if isSwitch(f) {
		if v.Kind == conffile.Bool && e.Key != f.Name {
			return []string{fmt.Sprint(v.Text != "true")}, nil
		}
		if _, number := f.Value.(*switchValue); v.Kind != conffile.Bool && !number {
			return nil, fmt.Errorf("%s, where true or false is expected", v.Kind)
		}
	}
	if v.Kind == conffile.Bool && !isSwitch(f) {
		return nil, fmt.Errorf("%s, where %s is expected", v.Kind, kindOf(f))
	}
	if v.Kind == conffile.Number && takesText(f) {
		return nil, fmt.Errorf("%s, where %s is expected", v.Kind, conffile.String)
	}
	if v.Kind != conffile.List {
		return []string{v.Text}, nil
	}
	_, list := f.Value.(*listValue)
	if _, all := f.Value.(vector); !list && !all {
		return nil, fmt.Errorf("%s, where one value is expected", v.Kind)
	}
	return v.Texts(), nil
}

// takesText reports whether any text is a value of the flag, so that a number in its place is
// a mistake.
func takesText(f *pflag.Flag) bool {
	kind := f.Value.Type()
	return kind == "string" || kind == "TEXT" || kind == "NAME"
}

// kindOf names what a flag takes.
func kindOf(f *pflag.Flag) string {
	name, _ := pflag.UnquoteUsage(f)
	if name == "string" || name == "" {
		return "text"
	}
	return name
}

// isPath reports whether the value of a flag names a file or folder.
func isPath(f *pflag.Flag) bool {
	name, _ := pflag.UnquoteUsage(f)
	return slices.ContainsFunc(strings.FieldsFunc(name, func(r rune) bool {
		return strings.ContainsRune("|=[]", r)
	}), func(word string) bool {
		return word == "FILE" || word == "FOLDER" || word == "PATH" || word == "COMMAND"
	})
}
