//go:build linux

// Command ceiling measures the memory of the node command against --memory where
// it has most to remember: many torrents, peers, connections, files or pieces, large
// pieces, a vast file. For each it prints the ceiling, the greatest resident set,
// and what the process did for it. Everything is on loopback. With -subscribe it measures
// what a reader of the feed of changes costs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/proc"
)

// runTimeout bounds one scenario.
const runTimeout = 3 * time.Minute

// A bench is where a scenario happens.
type bench struct {
	node    string
	dir     string // of its own, removed afterwards
	ceiling string
}

// A scenario is a load that takes memory.
type scenario struct {
	name     string
	ceilings []string
	run      func(ctx context.Context, b *bench) (result, error)
}

// A result is the outcome of a scenario.
type result struct {
	used proc.Usage
	what string // the node did
}

func main() {
	node := flag.String("node", "bin/node", "the node binary")
	only := flag.String("only", "", "only the scenarios whose names contain this")
	ceiling := flag.String("ceiling", "",
		"the one ceiling to try, rather than those of each scenario")
	subscribe := flag.Bool("subscribe", false, "measure instead what a reader of the feed of "+
		"changes costs beside 10,000 torrents")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	run := func() error { return measure(ctx, *node, *only, *ceiling) }
	if *subscribe {
		run = func() error { return subscribed(ctx) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ceiling:", err)
		stop()
		os.Exit(1)
	}
}

func measure(ctx context.Context, node, only, ceiling string) error {
	node, err := filepath.Abs(node)
	if err != nil {
		return err
	}
	fmt.Printf("%-44s %8s %9s %10s  %s\n", "", "ceiling", "peak MiB", "anonymous", "")
	for _, s := range scenarios {
		if !strings.Contains(s.name, only) {
			continue
		}
		ceilings := s.ceilings
		if ceiling != "" {
			ceilings = []string{ceiling}
		}
		for _, c := range ceilings {
			r, err := runOne(ctx, node, c, s)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			fmt.Printf("%-44s %8s %9d %10d  %s\n", s.name, c, r.used.PeakRSS>>20, r.used.Anon>>20,
				r.what)
		}
	}
	return nil
}

func runOne(ctx context.Context, node, ceiling string, s scenario) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "ceiling")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	return s.run(ctx, &bench{node: node, dir: dir, ceiling: ceiling})
}

// start runs a command of the node in the folder of the bench.
func (b *bench) start(command string, args ...string) (*nodeproc.Node, error) {
	args = append([]string{command, "--listen", "127.0.0.1:0", "--no-lsd", "--memory", b.ceiling},
		args...)
	return nodeproc.Start(b.node, filepath.Join(b.dir, "state"), args...)
}

// explain adds the node's log to an error.
func explain(err error, n *nodeproc.Node) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w\n%s", err, n.Log())
}

// warnings returns the node's warnings in one line.
func warnings(n *nodeproc.Node) string {
	if e, ok := n.Last("warning"); ok {
		return "; " + e.Message
	}
	return ""
}
