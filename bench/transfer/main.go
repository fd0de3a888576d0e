//go:build linux

// Command transfer measures how fast a file goes from one process to another
// by TCP or uTP over lo: from node to node, between other clients, between node and
// libtorrent, and at the machine's own limit. All take turns in one run, since
// the absolute figures drift with the machine; only the ratios count.
//
// Clients that can be given a peer get it directly; the others learn it from a tracker. A
// transfer is measured from the start of "node add", or from the moment at which the
// other client is given the magnet link, until all pieces are verified. Encryption is off
// everywhere, and uTP as well where a row does not name it. The content is in the page cache.
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
	"slices"
	"strconv"
	"strings"
	"time"

	"swarmnode/internal/realclient"
)

// runTimeout bounds one transfer, including the start of both sides.
const runTimeout = 10 * time.Minute

// contentName is the name of the file that is transferred.
const contentName = "content.bin"

type config struct {
	node     string
	dir      string
	size     int64 // bytes
	slowSize int64 // bytes, for those that would take minutes
	piece    int   // bytes
	runs     int
	only     string
}

// job is one file to transfer.
type job struct {
	realclient.Torrent
	dir   string // with the content
	size  int64  // bytes
	piece int    // bytes
}

func main() {
	if len(os.Args) > 1 {
		if run, ok := children[os.Args[1]]; ok {
			if err := run(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, "transfer:", err)
				os.Exit(1)
			}
			return
		}
	}
	var cfg config
	size := flag.Int64("size", 1024, "content in MiB")
	slowSize := flag.Int64("slow-size", 64,
		"content in MiB for transmission, which needs minutes for a GiB")
	piece := flag.Int("piece", 1024, "piece length in KiB")
	flag.StringVar(&cfg.node, "node", "bin/node", "the node binary")
	flag.StringVar(&cfg.dir, "dir", "", "folder for the content; a temporary one by default")
	flag.IntVar(&cfg.runs, "runs", 3, "runs of each; medians are shown")
	flag.StringVar(&cfg.only, "only", "",
		"only the contenders whose names contain one of these words, comma-separated")
	flag.Parse()
	cfg.size, cfg.slowSize, cfg.piece = *size<<20, *slowSize<<20, *piece<<10
	realclient.Run("transfer", func(ctx context.Context) error { return compare(ctx, cfg) })
}

// children are the two sides of the machine's limit, run as processes of this
// same program.
var children = map[string]func(args []string) error{
	"limit-send": func(args []string) error {
		if len(args) != 3 {
			return errors.New("usage: limit-send FILE PIECE-LENGTH RATE")
		}
		piece, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		rate, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return limitSend(args[0], piece, rate)
	},
	"limit-receive": func(args []string) error {
		if len(args) != 4 {
			return errors.New("usage: limit-receive ADDRESS DIR SIZE PIECE-LENGTH")
		}
		piece, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		return limitReceive(args[0], args[1], args[2], piece)
	},
}

// compare runs all contenders in turn and prints the table.
func compare(ctx context.Context, cfg config) error {
	if cfg.size <= 0 || cfg.slowSize <= 0 || cfg.piece <= 0 || cfg.runs <= 0 {
		return errors.New("sizes and runs must be positive")
	}
	work, err := os.MkdirTemp(cfg.dir, "transfer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	node, err := filepath.Abs(cfg.node)
	if err != nil {
		return err
	}
	list, skipped := contenders(node)
	if cfg.only != "" {
		list = slices.DeleteFunc(list, func(c contender) bool {
			return !slices.ContainsFunc(strings.Split(cfg.only, ","), func(w string) bool {
				return strings.Contains(c.name+"$", w)
			})
		})
	}
	jobs := make(map[int64]job)
	for i := range list {
		size := cfg.size
		if list[i].slow {
			size = min(cfg.size, cfg.slowSize)
		}
		if _, ok := jobs[size]; !ok {
			if jobs[size], err = newJob(filepath.Join(work, fmt.Sprint(size)), size,
				cfg.piece); err != nil {
				return err
			}
		}
		list[i].job = jobs[size]
	}
	fmt.Printf("%d MiB, pieces of %d KiB, over lo, page cache, medians of %d\n", cfg.size>>20,
		cfg.piece>>10, cfg.runs)
	for run := range cfg.runs {
		for i := range list {
			c := &list[i]
			m, err := c.measure(ctx, filepath.Join(work, "run"))
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				// A pair that fails must not cost the figures of the others.
				fmt.Fprintf(os.Stderr, "run %d: %s: %v\n", run+1, c.name, err)
				c.failed++
				continue
			}
			fmt.Fprintf(os.Stderr, "run %d: %-36s %8.1f MB/s\n", run+1, c.name, m.rate(c.job.size))
			c.measures = append(c.measures, m)
		}
	}
	for _, reason := range skipped {
		fmt.Println("left out:", reason)
	}
	printTable(os.Stdout, list)
	for _, c := range list {
		if c.failed > 0 && strings.Contains(c.name, "node") {
			return fmt.Errorf("%s failed %d times", c.name, c.failed)
		}
	}
	return nil
}

// newJob writes a file of random bytes and makes a torrent of it.
func newJob(dir string, size int64, piece int) (job, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return job{}, err
	}
	path := filepath.Join(dir, contentName)
	f, err := os.Create(path)
	if err != nil {
		return job{}, err
	}
	var seed [32]byte
	if _, err := io.CopyN(f, rand.NewChaCha8(seed), size); err != nil {
		f.Close()
		return job{}, fmt.Errorf("writing content: %w", err)
	}
	if err := f.Close(); err != nil {
		return job{}, fmt.Errorf("writing content: %w", err)
	}
	torrent, err := realclient.MakeTorrent(path, piece, "")
	return job{Torrent: torrent, dir: dir, size: size, piece: piece}, err
}
