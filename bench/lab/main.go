//go:build linux

// Command lab measures clients on modelled links: rate, delay, queue and random loss
// between network namespaces. Each contender has the same seat in each scenario. It needs
// root and TUN devices, and says so where it cannot run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"swarmnode/internal/lab"
	"swarmnode/internal/realclient"
)

// options are what the flags say.
type options struct {
	node string // path of the binary
	utp  bool   // it has uTP
	runs int
	pair string // only the pairs of NATs whose names contain this
}

// A scenario measures all contenders and prints a table.
type scenario struct {
	name  string // for -only
	title string
	run   func(ctx context.Context, opt options, contenders []contender) error
}

// scenarios are what there is to measure, in the order in which it is measured.
var scenarios = []scenario{
	{"long", longTitle, measureLong},
	{"swarm", swarmTitle, measureSwarm},
	{"home", homeTitle, measureHome},
	{"idle", idleTitle, measureIdle},
	{"nat", natTitle, measureNAT},
}

func main() {
	var opt options
	flag.StringVar(&opt.node, "node", "bin/node", "the node binary")
	flag.IntVar(&opt.runs, "runs", 1, "runs of each measurement; medians are shown")
	flag.StringVar(&opt.pair, "pair", "", "only the pairs of scenario nat whose names contain this")
	only := flag.String("only", "", "only the scenario of this name: long, swarm, home, idle "+
		"or nat")
	with := flag.String("with", "", "only the contenders whose names contain one of these, "+
		"comma-separated; transmission and aria2 are measured only if named")
	flag.Parse()
	realclient.Run("lab", func(ctx context.Context) error {
		return measureAll(ctx, opt, *only, *with)
	})
}

func measureAll(ctx context.Context, opt options, only, with string) error {
	if opt.runs <= 0 {
		return errors.New("-runs must be positive")
	}
	var err error
	if opt.node, err = filepath.Abs(opt.node); err != nil {
		return err
	}
	if device, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err != nil {
		fmt.Println("left out: modelled links need TUN devices:", err)
		return nil
	} else {
		device.Close()
	}
	contenders, err := present(ctx, &opt, with)
	if err != nil {
		return err
	}
	for _, s := range scenarios {
		if only != "" && s.name != only {
			continue
		}
		fmt.Printf("\n%s: %s\n", s.name, s.title)
		if err := s.run(ctx, opt, contenders); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// inLab calls f with a new lab, and a folder that is removed afterwards.
func inLab(f func(l *lab.Lab, dir string) error) (err error) {
	// Memory, if there is a folder of it: a slow disk is not what is measured.
	dir, err := os.MkdirTemp("/dev/shm", "lab")
	if err != nil {
		dir, err = os.MkdirTemp("", "lab")
	}
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := lab.New()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return f(l, dir)
}

// matches reports whether a name contains one of the comma-separated parts. No parts match
// every name.
func matches(name, parts string) bool {
	for part := range strings.SplitSeq(parts, ",") {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
