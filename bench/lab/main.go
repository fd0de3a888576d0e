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
	pair string // only the pairs of NATs whose names contain one of these
	by   string // only the means of meeting whose names contain one of these
	logs string // a folder for the logs of nodes behind NATs; empty: none are kept

	relays bool // its node of the DHT can relay
	given  bool // it can be told of a relay
}

// A scenario measures all contenders and prints a table.
type scenario struct {
	name  string // for -only
	title string
	aims  string // of the node; empty: there are none
	run   func(ctx context.Context, opt options, contenders []contender) error
}

// scenarios are what there is to measure, in the order in which it is measured.
var scenarios = []scenario{
	{name: "long", title: longTitle, run: measureLong,
		aims: "a goodput of 0.93 without losses, 0.7 with 1 % of them"},
	{name: "swarm", title: swarmTitle, run: measureSwarm, aims: "bound/last 0.85"},
	{name: "home", title: homeTitle, run: measureHome,
		aims: "ping p95 80 ms, uplink 4.5, download 18"},
	{name: "mixed", title: mixedTitle, run: measureMixed,
		aims: "ping p95 80 ms, uplink 4.5, share 0.7"},
	{name: "idle", title: idleTitle, run: measureIdle},
	{name: "nat", title: natTitle, run: measureNAT,
		aims: "first data in 5 s; 10 s with a symmetric NAT; 3 s behind one router or carrier"},
	{name: "relay", title: relayTitle, run: measureRelay,
		aims: "first data in 10 s, 0.85 of the rate, 5 s after a relay is killed"},
	{name: "mapped", title: mappedTitle, run: measureMapped,
		aims: "reached in 3 s, unmapped 1 s after the exit"},
	{name: "events", title: eventsTitle, run: measureEvents, aims: "5 s"},
}

func main() {
	var opt options
	flag.StringVar(&opt.node, "node", "bin/node", "the node binary")
	flag.IntVar(&opt.runs, "runs", 1, "runs of each measurement; medians are shown")
	flag.StringVar(&opt.pair, "pair", "", "only the pairs of scenario nat, or the events, whose "+
		"names contain one of these, comma-separated")
	flag.StringVar(&opt.by, "by", "", "only the means of scenario nat, or the paths of events, "+
		"whose names contain one of these: peer, DHT or both, TCP, uTP, punched or relayed")
	flag.StringVar(&opt.logs, "logs", "", "FOLDER for the logs of nodes behind NATs")
	only := flag.String("only", "", "only the scenario of this name: long, swarm, home, mixed, "+
		"idle, nat, relay, mapped or events")
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
		if s.aims != "" {
			fmt.Println("aims:", s.aims)
		}
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

// keepLogs writes what nodes have logged to files whose names begin with run.
func (o options) keepLogs(run string, members ...*member) error {
	if o.logs == "" {
		return nil
	}
	if err := os.MkdirAll(o.logs, 0o755); err != nil {
		return err
	}
	for i, m := range members {
		if m.node == nil {
			continue
		}
		name := filepath.Join(o.logs, logName(run, i))
		if err := os.WriteFile(name, []byte(m.node.Log()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// logName returns the name of the file for the log of a member.
func logName(run string, member int) string {
	run = strings.NewReplacer(" ", "-", "/", "").Replace(run)
	return fmt.Sprintf("%s-%d.log", run, member+1)
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
