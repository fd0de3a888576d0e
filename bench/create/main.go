//go:build linux

// Command create measures how fast torrents are made of one large file and of many small
// ones: by node, mktorrent, transmission-create and libtorrent, beside the machine's
// limit. The limit is a program that only hashes as many bytes, from memory, with the
// standard library on all cores: SHA-1 for v1, SHA-256 for v2, both for a hybrid. All
// take turns in one run, since the absolute figures drift with the machine; only the
// ratios count. The content is in the page cache.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// runTimeout bounds the making of one torrent.
const runTimeout = 10 * time.Minute

type config struct {
	node       string
	dir        string
	size       int64 // bytes of the large file
	files      int   // number of small files
	fileSize   int   // bytes of each
	piece      int   // bytes, for the large file
	smallPiece int   // bytes, for the small ones
	runs       int
	only       string
}

// A job is content to make torrents of.
type job struct {
	title string
	path  string
	size  int64 // bytes
	files int
	piece int // bytes
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == limitChild {
		if err := runLimit(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "create:", err)
			os.Exit(1)
		}
		return
	}
	var cfg config
	size := flag.Int64("size", 2048, "the large file in MiB")
	fileSize := flag.Int("file-size", 10, "each small file in KiB")
	piece := flag.Int("piece", 1024, "piece length for the large file in KiB")
	smallPiece := flag.Int("small-piece", 32, "piece length for the small files in KiB")
	flag.StringVar(&cfg.node, "node", "bin/node", "the node binary")
	flag.StringVar(&cfg.dir, "dir", "", "folder for the content; a temporary one by default")
	flag.IntVar(&cfg.files, "files", 20_000, "number of small files")
	flag.IntVar(&cfg.runs, "runs", 3, "runs of each; medians are shown")
	flag.StringVar(&cfg.only, "only", "",
		"only the contenders whose names contain one of these words, comma-separated")
	flag.Parse()
	cfg.size, cfg.fileSize, cfg.piece, cfg.smallPiece = *size<<20, *fileSize<<10, *piece<<10,
		*smallPiece<<10
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, cfg, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "create:", err)
		stop()
		os.Exit(1)
	}
}

// compare writes the content, lets all contenders make torrents of it in turn, and prints
// a table for each job.
func compare(ctx context.Context, cfg config, out io.Writer) error {
	if cfg.size <= 0 || cfg.files <= 0 || cfg.fileSize <= 0 || cfg.runs <= 0 {
		return errors.New("sizes and runs must be positive")
	}
	work, err := os.MkdirTemp(cfg.dir, "create")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	node, err := filepath.Abs(cfg.node)
	if err != nil {
		return err
	}
	jobs, err := makeJobs(cfg, work)
	if err != nil {
		return err
	}
	_, skipped := contenders(node)
	for _, reason := range skipped {
		fmt.Fprintln(out, "left out:", reason)
	}
	var failed error
	for _, j := range jobs {
		list, _ := contenders(node)
		if cfg.only != "" {
			list = slices.DeleteFunc(list, func(c contender) bool {
				return !slices.ContainsFunc(strings.Split(cfg.only, ","), func(w string) bool {
					return strings.Contains(c.name, w)
				})
			})
		}
		if err := runAll(ctx, list, j, cfg.runs, work); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s, pieces of %d KiB, page cache, medians of %d\n", j.title, j.piece>>10,
			cfg.runs)
		printTable(out, list, j)
		for _, c := range list {
			if c.failed > 0 && strings.HasPrefix(c.name, "node") {
				failed = fmt.Errorf("%s failed %d times", c.name, c.failed)
			}
		}
	}
	return failed
}

// runAll measures all contenders in turn.
func runAll(ctx context.Context, list []contender, j job, runs int, work string) error {
	for run := range runs {
		for i := range list {
			c := &list[i]
			m, err := c.measure(ctx, j, work)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				// A contender that fails must not cost the figures of the others.
				fmt.Fprintf(os.Stderr, "run %d: %s: %v\n", run+1, c.name, err)
				c.failed++
				continue
			}
			fmt.Fprintf(os.Stderr, "run %d: %-24s %7.2f s\n", run+1, c.name, m.took.Seconds())
			c.measures = append(c.measures, m)
		}
	}
	return nil
}

// filesPerFolder is how many small files lie in one folder.
const filesPerFolder = 200

// makeJobs writes the content.
func makeJobs(cfg config, work string) ([]job, error) {
	large := filepath.Join(work, "large.bin")
	var seed [32]byte
	noise := rand.NewChaCha8(seed)
	if err := writeFile(large, noise, cfg.size); err != nil {
		return nil, err
	}
	small := filepath.Join(work, "small")
	for i := range cfg.files {
		folder := filepath.Join(small, fmt.Sprintf("folder%04d", i/filesPerFolder))
		if i%filesPerFolder == 0 {
			if err := os.MkdirAll(folder, 0o700); err != nil {
				return nil, err
			}
		}
		if err := writeFile(filepath.Join(folder, fmt.Sprintf("file%06d.bin", i)), noise,
			int64(cfg.fileSize)); err != nil {
			return nil, err
		}
	}
	return []job{
		{title: fmt.Sprintf("one file of %d MiB", cfg.size>>20), path: large, size: cfg.size,
			files: 1, piece: cfg.piece},
		{
			title: fmt.Sprintf("%d files of %d KiB", cfg.files, cfg.fileSize>>10), path: small,
			size: int64(cfg.files) * int64(cfg.fileSize), files: cfg.files, piece: cfg.smallPiece,
		},
	}, nil
}

func writeFile(path string, from io.Reader, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, from, size)
	return errors.Join(err, f.Close())
}
