//go:build linux

// Command seats measures how soon a downloader is complete in a mixed swarm: one
// seed and six downloaders of different clients, each with its own limit of what
// it sends. The same swarm runs with the node command and with libtorrent in the
// seat that is measured, in turn; only the ratio within one run counts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"swarmnode/bench/figures"
	"swarmnode/internal/capped"
	"swarmnode/internal/realclient"
)

// runTimeout bounds one swarm.
const runTimeout = 5 * time.Minute

// contentName is the name of the file that is shared.
const contentName = "content.bin"

type config struct {
	node  string
	size  int64 // bytes
	up    int64 // bytes per second
	runs  int
	piece int // bytes
}

func main() {
	var cfg config
	size := flag.Int64("size", 32, "content in MiB")
	up := flag.Int64("up", 1024, "limit of what each sends in KiB/s; the seed has twice that")
	piece := flag.Int("piece", 256, "piece length in KiB")
	flag.StringVar(&cfg.node, "node", "bin/node", "the node binary")
	flag.IntVar(&cfg.runs, "runs", 3, "runs with each client in the seat; medians are shown")
	flag.Parse()
	cfg.size, cfg.up, cfg.piece = *size<<20, *up<<10, *piece<<10
	realclient.Run("seats", func(ctx context.Context) error { return compare(ctx, cfg) })
}

// swarm lists the seats beside the measured one, which is the last.
func swarm(cfg config, seat realclient.Kind) (seed capped.Seat, leechs []capped.Seat) {
	for _, kind := range []realclient.Kind{
		realclient.Libtorrent, realclient.Libtorrent, realclient.Transmission, realclient.Aria2,
		capped.Node, seat,
	} {
		leechs = append(leechs, capped.Seat{Kind: kind, Up: cfg.up})
	}
	return capped.Seat{Kind: realclient.Libtorrent, Up: 2 * cfg.up}, leechs
}

// compare runs the swarm with each client in the seat, in turn.
func compare(ctx context.Context, cfg config) error {
	if cfg.size <= 0 || cfg.up <= 0 || cfg.piece <= 0 || cfg.runs <= 0 {
		return errors.New("sizes, limits and runs must be positive")
	}
	for _, kind := range []realclient.Kind{realclient.Libtorrent, realclient.Transmission,
		realclient.Aria2} {
		if err := realclient.Installed(kind); err != nil {
			fmt.Println("left out:", err)
			return nil
		}
	}
	node, err := filepath.Abs(cfg.node)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "seats")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	seats := []realclient.Kind{capped.Node, realclient.Libtorrent}
	took := map[realclient.Kind][]time.Duration{}
	last := map[realclient.Kind][]time.Duration{}
	for run := range cfg.runs {
		for i, kind := range seats {
			ctx, cancel := context.WithTimeout(ctx, runTimeout)
			results, err := measure(ctx, cfg, node, filepath.Join(work, "run"), kind,
				byte(1+run*len(seats)+i))
			cancel()
			if err != nil {
				return err
			}
			var line string
			var slowest time.Duration
			for _, r := range results {
				line += fmt.Sprintf("  %s %.1f", r.Kind, r.Took.Seconds())
				slowest = max(slowest, r.Took)
			}
			fmt.Fprintf(os.Stderr, "run %d, %s in the seat:%s s\n", run+1, kind, line)
			took[kind] = append(took[kind], results[len(results)-1].Took)
			last[kind] = append(last[kind], slowest)
		}
	}
	show(cfg, took, last)
	return nil
}

// measure runs one swarm.
func measure(ctx context.Context, cfg config, node, dir string, kind realclient.Kind,
	group byte) ([]capped.Result, error) {
	defer os.RemoveAll(dir)
	from := filepath.Join(dir, "from")
	if err := os.MkdirAll(from, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(from, contentName))
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{group}), cfg.size); err != nil {
		f.Close()
		return nil, fmt.Errorf("writing content: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("writing content: %w", err)
	}
	seed, leechs := swarm(cfg, kind)
	results, err := capped.Run(ctx, capped.Config{
		Binary: node, Group: group, Dir: dir, Name: contentName, From: from, Piece: cfg.piece,
		Seeds: []capped.Seat{seed}, Leechs: leechs,
	})
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		if r.Err != nil {
			return nil, fmt.Errorf("%s in the seat: %s did not complete: %w", kind, r.Kind, r.Err)
		}
	}
	return results, nil
}

// show prints both seats side by side.
func show(cfg config, took, last map[realclient.Kind][]time.Duration) {
	seed, leechs := swarm(cfg, capped.Node)
	n := float64(len(leechs))
	sum := float64(seed.Up)
	for _, l := range leechs {
		sum += float64(l.Up)
	}
	bound := max(float64(cfg.size)/float64(seed.Up), n*float64(cfg.size)/sum)
	fmt.Printf("1 seed of %d KiB/s, 6 downloaders of %d KiB/s, %d MiB, medians of %d; no swarm "+
		"can be quicker than %.1f s\n",
		seed.Up>>10, cfg.up>>10, cfg.size>>20, cfg.runs, bound)
	fmt.Printf("%-12s %16s %16s\n", "in the seat", "complete after", "all complete")
	for _, kind := range []realclient.Kind{capped.Node, realclient.Libtorrent} {
		fmt.Printf("%-12s %14.1f s %14.1f s\n", kind, figures.Median(took[kind]).Seconds(),
			figures.Median(last[kind]).Seconds())
	}
	ratio := figures.Median(took[capped.Node]).Seconds() / figures.Median(
		took[realclient.Libtorrent]).Seconds()
	fmt.Printf("node/libtorrent: %.2f\n", ratio)
}
