// Command node is a trackerless BitTorrent node: it seeds, fetches, keeps a
// DHT running and looks into torrents. `node help` lists its commands.
//
// The command owns flags, output and exit codes, and wires the DHT into the swarm. It
// implements no protocol of its own: those are in the packages metainfo, dht and swarm.
//
// Its nouns: a command is one row of the table in commands.go and has a file of its own.
// A console prints everything that a command says. A failure is why a command does not
// succeed. A session is a running node.
package main

import (
	"context"
	"os"
)

func main() {
	program = programName(os.Args[0])
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run runs one command line and returns the exit code.
func run(args []string, stdout, stderr *os.File) int {
	c := newConsole(stdout, stderr)
	call, err := parse(args, os.LookupEnv)
	if call.command != nil {
		c.command = call.command.path()
	}
	// --json applies whatever else the command line holds.
	c.json = wants("json", args, os.LookupEnv)
	c.setProgress("none", screenOf(stderr, wants("no-color", args, os.LookupEnv), os.LookupEnv))
	if err != nil {
		return c.finish(err)
	}
	if call.help {
		tellHelp(c, call.command)
		return c.finish(nil)
	}
	call.output.apply(c, stderr, os.LookupEnv)
	c.words = call.line
	if err := checkLimits(); err != nil {
		return c.finish(err)
	}
	ctx, stop := watchSignals(context.Background(), c)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.broken = cancel
	return c.finish(call.run(ctx, c, call.args))
}
