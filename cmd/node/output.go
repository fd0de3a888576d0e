package main

import (
	"os"

	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// outputFlags are the flags that every command has.
type outputFlags struct {
	quiet     bool
	verbose   int
	json      bool
	logFormat choiceValue
	progress  choiceValue
}

func (o *outputFlags) register(fs *pflag.FlagSet) {
	o.logFormat = choiceValue{"text", []string{"text", "json"}}
	o.progress = choiceValue{"auto", []string{"auto", "bar", "line", "none"}}
	fs.BoolVar(&o.json, "json", false, "print one JSON event a line on standard output")
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "print errors only")
	fs.CountVarP(&o.verbose, "verbose", "v", "``log what happens; a count: -vv adds what peers do")
	fs.Var(&o.logFormat, "log-format", "format of the log on standard error")
	fs.Var(&o.progress, "progress", "how to show progress")
}

// apply sets up the console. stderr is the real one, to ask whether it is a
// terminal.
func (o *outputFlags) apply(c *console, stderr *os.File, getenv func(string) (string, bool)) {
	c.quiet, c.json = o.quiet, o.json
	name, _ := getenv("TERM")
	c.setProgress(o.progress.word, term.IsTerminal(int(stderr.Fd())), name == "dumb")
	c.log = newLogger(c, o.verbose, o.logFormat.word)
}
