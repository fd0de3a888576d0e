package main

import (
	"os"

	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// outputFlags are the flags that every command has.
type outputFlags struct {
	config    string // the configuration file; empty: that of the user
	quiet     bool
	verbose   int
	json      bool
	noColour  bool
	logFormat choiceValue
	progress  choiceValue
}

func (o *outputFlags) register(fs *pflag.FlagSet) {
	o.logFormat = choiceValue{"text", []string{"text", "json"}}
	o.progress = choiceValue{"auto", []string{"auto", "bar", "line", "none"}}
	fs.StringVarP(&o.config, "config", "c", "", "`FILE` that gives flags their values, or none "+
		"(default: $XDG_CONFIG_HOME/swarmnode/config.toml)")
	fs.BoolVar(&o.json, "json", false, "print one JSON event a line on standard output")
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "print errors only")
	fs.CountVarP(&o.verbose, "verbose", "v", "``log what happens; a count: -vv adds what peers do")
	fs.Var(&o.logFormat, "log-format", "format of the log on standard error")
	fs.Var(&o.progress, "progress", "how to show progress")
	fs.BoolVar(&o.noColour, "no-color", false, "no colours on a terminal, as with NO_COLOR set")
}

// screenOf returns what standard error is. NO_COLOR counts unless it is empty
// (no-color.org).
func screenOf(stderr *os.File, plain bool, getenv func(string) (string, bool)) screen {
	name, _ := getenv("TERM")
	noColour, _ := getenv("NO_COLOR")
	return screen{
		terminal: term.IsTerminal(int(stderr.Fd())), dumb: name == "dumb",
		plain: plain || noColour != "" || name == "",
	}
}

// apply sets up the console. stderr is the real file, so that apply can ask whether it is
// a terminal.
func (o *outputFlags) apply(c *console, stderr *os.File, getenv func(string) (string, bool)) {
	c.quiet, c.json = o.quiet, o.json
	c.setProgress(o.progress.word, screenOf(stderr, o.noColour, getenv))
	c.log = newLogger(c, o.verbose, o.logFormat.word)
}
