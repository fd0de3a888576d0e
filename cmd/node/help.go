package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

func helpCommand() *command {
	return &command{
		name:    "help",
		noFile:  true,
		args:    "[COMMAND]",
		short:   "show what a command does, its flags and examples",
		argsMax: 2,
		examples: []example{
			{"node help add", "the flags and examples of add"},
		},
		setup: func(*pflag.FlagSet) action {
			return func(_ context.Context, c *console, args []string) error {
				cmd, err := lookUp(args)
				if err != nil {
					return err
				}
				tellHelp(c, cmd)
				return nil
			}
		},
	}
}

// lookUp finds the command that the words name; nil for no words.
func lookUp(words []string) (*command, error) {
	var cmd *command
	rows := commands()
	for _, w := range words {
		if cmd = find(rows, w); cmd == nil {
			return nil, failWithHint(exitUsage, "",
				fmt.Errorf("unknown command %s", quoteSource(w)), program+" help")
		}
		rows = cmd.children
	}
	return cmd, nil
}

const intro = ` is a BitTorrent node that needs no tracker: it finds peers through the
Mainline DHT.

Usage: node [FLAGS] COMMAND [FLAGS] [ARGUMENTS]
`

const outro = `
Every long flag can be set in the environment: SWARM_PORT is --port, and so on;
commas separate the values of a flag that may be repeated.

Exit codes: 0 done, 1 failed, 2 usage, 3 bad input, 4 no peers or no metadata
before --timeout, 5 incomplete, 6 data does not match, 7 disk, 8 exists already,
9 network, 10 no daemon, 129 hung up, 130 interrupted, 143 terminated.

node help COMMAND shows flags and examples.
`

// tellHelp prints the help of cmd, or the general help if cmd is nil.
func tellHelp(c *console, cmd *command) {
	e := helpEvent{Text: helpFor(cmd)}
	if cmd != nil {
		e.Command = cmd.path()
	}
	c.event("help", e)
	c.text(e.Text)
}

// helpFor returns the help of cmd, or the general help if cmd is nil.
func helpFor(cmd *command) string {
	var b strings.Builder
	switch {
	case cmd == nil:
		b.WriteString(program + intro + "\nCommands:\n")
		listCommands(&b, commands())
		b.WriteString(outro)
	case cmd.children != nil:
		fmt.Fprintf(&b, "%s %s: %s\n\n%s\n", program, cmd.path(), cmd.short, cmd.long)
		fmt.Fprintf(&b, "\nUsage: %s %s COMMAND [FLAGS] [ARGUMENTS]\n\nCommands:\n", program,
			cmd.path())
		listCommands(&b, cmd.children)
		writeExamples(&b, cmd.examples)
	default:
		fmt.Fprintf(&b, "%s %s: %s\n", program, cmd.path(), cmd.short)
		if cmd.long != "" {
			b.WriteString("\n" + cmd.long + "\n")
		}
		fmt.Fprintf(&b, "\nUsage: %s %s\n", program,
			strings.TrimSpace(cmd.path()+" [FLAGS] "+cmd.args))
		own := newFlags("")
		cmd.setup(own)
		if own.HasFlags() {
			b.WriteString("\nFlags:\n" + own.FlagUsages())
		}
		common := newFlags("")
		new(outputFlags).register(common)
		common.BoolP("help", "h", false, "show this help")
		b.WriteString("\nFlags of every command:\n" + common.FlagUsages())
		writeExamples(&b, cmd.examples)
	}
	return underOwnName(b.String())
}

func listCommands(b *strings.Builder, rows []*command) {
	for _, cmd := range rows {
		fmt.Fprintf(b, "  %-11s %s\n", cmd.name, cmd.short)
	}
}

func writeExamples(b *strings.Builder, examples []example) {
	if len(examples) > 0 {
		b.WriteString("\nExamples:\n")
	}
	for _, e := range examples {
		fmt.Fprintf(b, "  %s\n      %s\n", e.line, e.what)
	}
}
