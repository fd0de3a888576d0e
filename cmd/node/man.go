package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// manFlags are the flags of man.
type manFlags struct{ dir filledValue }

func manCommand() *command {
	return &command{
		name:   "man",
		noFile: true,
		args:   "[COMMAND]",
		short:  "print a manual page, or write all of them",
		long: `The page is that of COMMAND, of the configuration file (config.toml), or of the
program. It is in mdoc(7), for man(1) to show. A page has the date of
SOURCE_DATE_EPOCH, or else of the commit that the program was built from.`,
		argsMax: 2,
		examples: []example{
			{"node man add | man -l -", "read the page of add"},
			{"node man --dir ~/.local/share/man", "write all pages, for man node-add"},
		},
		setup: func(fs *pflag.FlagSet) action {
			f := new(manFlags)
			fs.Var(&f.dir, "dir", "write every page below `FOLDER`, as man1/PAGE.1")
			return f.run
		},
	}
}

// man: a manual page that was printed or written.
type manEvent struct {
	Name string `json:"name"` // of the page, with its section: node-add.1
	Text string `json:"text"`
}

func (f *manFlags) run(_ context.Context, c *console, args []string) error {
	pages := manPages(manDate(os.LookupEnv, time.Now()))
	if f.dir != "" {
		if len(args) > 0 {
			return usage(c.command, errors.New("--dir writes all pages, so no COMMAND is expected"))
		}
		return writePages(c, string(f.dir), pages)
	}
	name := strings.Join(append([]string{program}, args...), "-")
	for _, p := range pages {
		if p.name == name || len(args) == 1 && args[0] == configName && p.section == configSection {
			c.event("man", manEvent{p.file(), p.text})
			c.text(p.text)
			return nil
		}
	}
	_, err := lookUp(args)
	return err
}

// writePages writes pages below a folder, in one folder for each section.
func writePages(c *console, dir string, pages []manPage) error {
	for _, p := range pages {
		path := filepath.Join(dir, fmt.Sprint("man", p.section), p.file())
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return fail(exitDisk, filepath.Dir(path), err)
		}
		if err := replaceFile(path, []byte(p.text), 0o666); err != nil {
			return fail(exitDisk, path, err)
		}
		c.event("man", manEvent{p.file(), p.text})
		c.result(path)
	}
	return nil
}

// manDate is the date of the pages.
func manDate(getenv func(string) (string, bool), now time.Time) time.Time {
	epoch, _ := getenv("SOURCE_DATE_EPOCH")
	if n, err := strconv.ParseInt(epoch, 10, 64); err == nil {
		return time.Unix(n, 0).UTC()
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if t, err := time.Parse(time.RFC3339, s.Value); err == nil && s.Key == "vcs.time" {
				return t.UTC()
			}
		}
	}
	return now.UTC()
}

// The sections of the manual.
const (
	commandSection = 1
	configSection  = 5
)

// A manPage is one page of the manual.
type manPage struct {
	name    string
	section int
	text    string
}

// file is the name of the page's file.
func (p manPage) file() string { return fmt.Sprintf("%s.%d", p.name, p.section) }

// manPages returns the page of the program, one for each command and each group, and the one of
// the configuration file.
func manPages(date time.Time) []manPage {
	pages := []manPage{programPage(date)}
	for _, cmd := range commands() {
		pages = append(pages, commandPage(cmd, date))
		for _, child := range cmd.children {
			pages = append(pages, commandPage(child, date))
		}
	}
	return append(pages, configPage(date))
}

// manName returns the name of a command's page.
func manName(cmd *command) string { return program + "-" + tableOf(cmd) }

// manHead writes the head of a page; short is its line in whatis(1).
func manHead(name string, section int, date time.Time, short string) *mdoc {
	m := new(mdoc)
	m.macro("Dd", date.Format("January 2, 2006"))
	m.macro("Dt", mdocWord(strings.ToUpper(name)), fmt.Sprint(section))
	m.macro("Os")
	m.macro("Sh", "NAME")
	m.macro("Nm", mdocWord(name))
	m.macro("Nd", mdocEscape(underOwnName(short)))
	return m
}

// seeAlso writes the last section; names are those of commands' pages.
func (m *mdoc) seeAlso(names ...string) {
	slices.Sort(names)
	m.macro("Sh", "SEE", "ALSO")
	for _, name := range names {
		m.macro("Xr", mdocWord(name), fmt.Sprint(commandSection), ",")
	}
	m.macro("Xr", mdocWord(program+".toml"), fmt.Sprint(configSection))
}

// commandPage is the page of a command or of a group.
func commandPage(cmd *command, date time.Time) manPage {
	name := manName(cmd)
	m := manHead(name, commandSection, date, cmd.short)
	m.macro("Sh", "SYNOPSIS")
	m.macro("Nm", mdocWord(program+" "+cmd.path()))
	if cmd.children != nil {
		m.macro("Ar", "COMMAND")
	}
	m.macro("Op", "Ar", "FLAGS")
	if cmd.children != nil {
		m.macro("Op", "Ar", "ARGUMENTS")
	} else if cmd.args != "" {
		m.macro("Ar", mdocWord(cmd.args))
	}
	m.macro("Sh", "DESCRIPTION")
	long := cmd.long
	if long == "" {
		long = strings.ToUpper(cmd.short[:1]) + cmd.short[1:] + "."
	}
	m.text(underOwnName(long))
	others := []string{program}
	if cmd.children != nil {
		m.macro("Sh", "COMMANDS")
		m.commandList(cmd.children)
		for _, child := range cmd.children {
			others = append(others, manName(child))
		}
	} else {
		m.macro("Sh", "OPTIONS")
		own := newFlags("")
		cmd.setup(own)
		if own.HasFlags() {
			m.flags(own)
		}
		m.macro("Ss", "Options of every command")
		m.flags(commonFlags())
	}
	if cmd.parent != nil {
		others = append(others, manName(cmd.parent))
	}
	m.macro("Sh", "EXIT", "STATUS")
	m.text("See\n" + program + "(1).")
	if len(cmd.examples) > 0 {
		m.macro("Sh", "EXAMPLES")
	}
	for _, e := range cmd.examples {
		m.text(strings.ToUpper(e.what[:1]) + e.what[1:] + ":")
		m.literal(underOwnName(e.line))
	}
	m.seeAlso(others...)
	return manPage{name, commandSection, m.b.String()}
}

// commonFlags are the flags of every command.
func commonFlags() *pflag.FlagSet {
	common := newFlags("")
	new(outputFlags).register(common)
	common.BoolP("help", "h", false, "show this help")
	return common
}

// commandList writes commands with their lines.
func (m *mdoc) commandList(rows []*command) {
	var items []tagged
	for _, cmd := range rows {
		items = append(items, tagged{
			fmt.Sprintf("Xr %s %d", mdocWord(manName(cmd)), commandSection),
			underOwnName(strings.ToUpper(cmd.short[:1]) + cmd.short[1:] + ".")})
	}
	m.list(items)
}
