//go:build linux

// Command discovery measures how soon a client connects to a peer that it can find
// through one source only: a hint in the link, a peer of an earlier run, peer exchange, a
// search on the local network, a tracker over HTTP or UDP, the DHT, or a web server. The
// peer is a post of this program that records when somebody connects, so every client is
// measured alike.
//
// The clock starts when the node command is started as a process, or when another client,
// which runs already, is given the torrent. Everything happens in a network namespace of
// its own, on loopback: the figures show what clients wait for, not networks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"swarmnode/bench/figures"
	"swarmnode/internal/realclient"
)

// nodeKind is the command that is measured, among the kinds of clients.
const nodeKind realclient.Kind = "node"

// kinds are the clients that can be measured, in the order of the table.
var kinds = []realclient.Kind{nodeKind, realclient.Libtorrent, realclient.Transmission,
	realclient.Aria2}

type config struct {
	node    string
	runs    int
	patient time.Duration
	clients []realclient.Kind
	only    string
}

func main() {
	var cfg config
	flag.StringVar(&cfg.node, "node", "bin/node", "the node binary")
	flag.IntVar(&cfg.runs, "runs", 3, "runs of each; medians are shown")
	flag.DurationVar(&cfg.patient, "patience", 20*time.Second,
		"how long is waited for a connection")
	flag.StringVar(&cfg.only, "only", "", "the one source to measure; all if empty")
	clients := flag.String("clients", "node,libtorrent,transmission,aria2", "whom to measure")
	flag.Parse()
	for _, kind := range kinds {
		if slices.Contains(strings.Split(*clients, ","), string(kind)) {
			cfg.clients = append(cfg.clients, kind)
		}
	}
	realclient.Run("discovery", func(ctx context.Context) error { return measureAll(ctx, cfg) })
}

// measureAll measures each source with each client in turn, and prints the table.
func measureAll(ctx context.Context, cfg config) error {
	if cfg.runs <= 0 || len(cfg.clients) == 0 {
		return errors.New("there must be runs, and clients")
	}
	node, err := filepath.Abs(cfg.node)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "discovery")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	var measured []realclient.Kind
	for _, kind := range cfg.clients {
		if kind != nodeKind {
			if err := realclient.Installed(kind); err != nil {
				fmt.Println("left out:", err)
				continue
			}
		}
		measured = append(measured, kind)
	}
	fmt.Printf("seconds from add to the first connection, medians of %d\n%-18s", cfg.runs, "by")
	for _, kind := range measured {
		fmt.Printf("%14s", kind)
	}
	fmt.Println()
	// Searches on the local network go out on loopback.
	if out, err := exec.CommandContext(ctx, "ip", "route", "add", "224.0.0.0/4", "dev",
		"lo").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	group := byte(10)
	for _, s := range sources {
		if cfg.only != "" && cfg.only != s.name {
			continue
		}
		fmt.Printf("%-18s", s.name)
		for _, kind := range measured {
			cell := "-"
			if s.takes(kind) {
				var took []time.Duration
				for range cfg.runs {
					group++
					b := &bench{ctx: ctx, node: node, dir: filepath.Join(work, fmt.Sprint(group)),
						group: group, kind: kind}
					d, err := b.measure(s, cfg.patient)
					if err != nil {
						return fmt.Errorf("%s, %s: %w", s.name, kind, err)
					}
					took = append(took, d)
				}
				cell = show(took, cfg.patient)
			}
			fmt.Printf("%14s", cell)
		}
		fmt.Println()
	}
	return nil
}

// show returns the median of times, in which attempts that took too long count as
// endless.
func show(took []time.Duration, patience time.Duration) string {
	d := figures.Median(took)
	if d >= patience {
		return fmt.Sprintf("> %.0f", patience.Seconds())
	}
	return fmt.Sprintf("%.3f", d.Seconds())
}
