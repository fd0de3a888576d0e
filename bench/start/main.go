//go:build linux

// Command start measures what does not depend on bandwidth: how soon "node add" has the
// metadata and the content of a magnet link whose peer is given, for a small torrent and
// for one with many files. Everything is on loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"swarmnode/bench/figures"
	"swarmnode/internal/nodeproc"
)

const (
	// runTimeout bounds one measurement.
	runTimeout = 2 * time.Minute
	// smallSize is the content of a small torrent, in bytes.
	smallSize = 16 << 10
)

func main() {
	node := flag.String("node", "bin/node", "the node binary")
	runs := flag.Int("runs", 7, "runs of each magnet link; medians are shown")
	files := flag.Int("files", 20_000, "files of the large torrent")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, *node, *runs, *files); err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		stop()
		os.Exit(1)
	}
}

func measure(ctx context.Context, node string, runs, files int) error {
	if runs <= 0 || files <= 0 {
		return errors.New("numbers must be positive")
	}
	work, err := os.MkdirTemp("", "start")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if node, err = filepath.Abs(node); err != nil {
		return err
	}
	small, large := filepath.Join(work, "small"), filepath.Join(work, "large")
	for dir, n := range map[string]int{small: 1, large: files} {
		if err := writeFiles(dir, n); err != nil {
			return err
		}
	}
	if err := magnets(ctx, node, work, small, "one piece", runs); err != nil {
		return err
	}
	return magnets(ctx, node, work, large, fmt.Sprintf("%d files", files), runs)
}

// writeFiles fills a folder with n different small files.
func writeFiles(dir string, n int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	random := rand.NewChaCha8([32]byte{byte(n)})
	data := make([]byte, smallSize/max(1, min(n/100, 64)))
	for i := range n {
		if _, err := random.Read(data); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%06d", i)), data,
			0o600); err != nil {
			return err
		}
	}
	return nil
}

// magnets fetches what is in a folder several times and prints how soon the metadata, and
// then everything, was there.
func magnets(ctx context.Context, node, work, path, what string, runs int) error {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	seed, err := nodeproc.Start(node, work, "seed", "--ephemeral", "--listen", "127.0.0.1:0",
		"--no-dht", "--no-lsd", path)
	if err != nil {
		return err
	}
	defer seed.Stop()
	e, err := seed.WaitEvent(ctx, "seeding")
	if err != nil {
		return err
	}
	addr, err := seed.Addr(ctx)
	if err != nil {
		return err
	}
	var metadata, complete []time.Duration
	for range runs {
		m, c, err := fetch(ctx, node, work, "magnet:?xt=urn:btih:"+e.Torrent, addr.String())
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		metadata, complete = append(metadata, m), append(complete, c)
	}
	fmt.Printf("magnet of %s: metadata after %.1f ms, complete after %.1f ms (start of the "+
		"process, its peer given, medians of %d)\n",
		what, milliseconds(metadata), milliseconds(complete), runs)
	return nil
}

// fetch runs one "node add" that takes part in an empty DHT.
func fetch(ctx context.Context, node, work, magnet,
	peer string) (metadata, complete time.Duration, err error) {
	dir, err := os.MkdirTemp(work, "fetched")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	began := time.Now()
	add, err := nodeproc.Start(node, dir, "add", "--listen", "127.0.0.1:0", "--bootstrap", "none",
		"--no-lsd",
		"--peer", peer, "--dir", dir, magnet)
	if err != nil {
		return 0, 0, err
	}
	defer add.Stop()
	if _, err := add.WaitEvent(ctx, "metadata"); err != nil {
		return 0, 0, fmt.Errorf("%w\n%s", err, add.Log())
	}
	metadata = time.Since(began)
	if _, err := add.WaitEvent(ctx, "complete"); err != nil {
		return 0, 0, fmt.Errorf("%w\n%s", err, add.Log())
	}
	return metadata, time.Since(began), nil
}

func milliseconds(all []time.Duration) float64 {
	return float64(figures.Median(all).Microseconds()) / 1000
}
