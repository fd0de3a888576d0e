//go:build linux

// Command stream measures how well a file can be read while it is being fetched: a player
// reads at a given rate from three unequal seeds, which together send half as much again.
// It plays from the start, and then goes on far ahead. The same is done by a Torrent.Reader
// and by libtorrent with its deadlines, in turn, from the same seeds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"swarmnode/bench/figures"
	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
)

// shares are the rates of the seeds as parts of the rate of the player.
var shares = []float64{0.9, 0.4, 0.2}

const (
	// buffer is how much the player reads before it plays.
	buffer = time.Second
	// seek is where the player goes on, as a part of the file.
	seek = 0.8
	// port is where every program listens, on an address of its own.
	port = 6881
)

// A config is what the flags say.
type config struct {
	rate    int64 // bytes per second
	piece   int   // bytes
	seconds time.Duration
	runs    int
	work    string
}

// A phase is what a player saw from one place of the file on, in seconds.
type phase struct {
	Byte    float64 `json:"byte"`    // until the first byte could be read
	Start   float64 `json:"start"`   // until it played
	Stalled float64 `json:"stalled"` // how long it stalled after that
	Stalls  int     `json:"stalls"`
}

// A measure is one run of a player.
type measure struct {
	Start phase `json:"start"`
	Seek  phase `json:"seek"`
	Down  int64 `json:"down"`  // payload bytes
	Waste int64 `json:"waste"` // of them
}

// A job is what a player does.
type job struct {
	config
	torrent *metainfo.Torrent
	file    string // of the torrent
	ip      netip.Addr
	dir     string
	peers   []netip.AddrPort
}

func main() {
	rates := flag.String("rates", "4,16,40", "rates of the player in Mbit/s")
	seconds := flag.Int("seconds", 20, "how long the player plays from the start, in seconds")
	runs := flag.Int("runs", 3, "runs with each program; medians are shown")
	flag.Parse()
	realclient.Run("stream", func(ctx context.Context) error {
		if err := realclient.Installed(realclient.Libtorrent); err != nil {
			fmt.Println("left out:", err)
			return nil
		}
		work, err := os.MkdirTemp("", "stream")
		if err != nil {
			return err
		}
		defer os.RemoveAll(work)
		for i, rate := range strings.Split(*rates, ",") {
			mbits, err := strconv.Atoi(rate)
			if err != nil || mbits <= 0 || *seconds <= 0 || *runs <= 0 {
				return errors.New("rates, seconds and runs must be positive")
			}
			cfg := config{rate: int64(mbits) * 1_000_000 / 8, piece: pieceFor(mbits), runs: *runs,
				seconds: time.Duration(*seconds) * time.Second,
				work:    filepath.Join(work, rate)}
			if err := compare(ctx, cfg, byte(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// pieceFor returns the piece length that is usual for a film of that rate.
func pieceFor(mbits int) int {
	switch {
	case mbits <= 8:
		return 256 << 10
	case mbits <= 24:
		return 1 << 20
	}
	return 2 << 20
}

// compare runs both players in turn, at one rate.
func compare(ctx context.Context, cfg config, group byte) error {
	j, closeSeeds, err := prepare(ctx, cfg, group)
	defer closeSeeds()
	if err != nil {
		return err
	}
	players := []struct {
		name string
		play func(context.Context, job) (measure, error)
	}{{"node", playNode}, {"libtorrent", playLibtorrent}}
	all := make([][]measure, len(players))
	for run := range cfg.runs {
		for turn := range players {
			i := (turn + run) % len(players) // each is first in turn
			p := players[i]
			j.dir = filepath.Join(cfg.work, fmt.Sprint(p.name, run))
			if err := os.Mkdir(j.dir, 0o755); err != nil {
				return err
			}
			j.ip = netip.AddrFrom4([4]byte{11, group, byte(10 + 2*run + i), 1})
			m, err := p.play(ctx, j)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			fmt.Fprintf(os.Stderr, "%s, run %d: %+v\n", p.name, run+1, m)
			all[i] = append(all[i], m)
			os.RemoveAll(j.dir)
		}
	}
	fmt.Printf("a player at %d Mbit/s, seeds of 1.5 times that, pieces of %d KiB; medians of %d, "+
		"and the longest stalls\n", cfg.rate*8/1_000_000, cfg.piece>>10, cfg.runs)
	fmt.Printf("%-12s %10s %10s %10s %10s %10s %8s\n", "", "first byte", "plays", "stalls",
		"after seek", "stalls", "waste")
	for i, p := range players {
		show(p.name, all[i])
	}
	return nil
}

// show prints the medians of one player, and the longest stalls.
func show(name string, all []measure) {
	median := func(f func(measure) float64) float64 { return figures.MedianOf(all, f) }
	var stalled, stalledFar float64
	for _, m := range all {
		stalled, stalledFar = max(stalled, m.Start.Stalled), max(stalledFar, m.Seek.Stalled)
	}
	fmt.Printf("%-12s %8.2f s %8.2f s %8.2f s %8.2f s %8.2f s %6.2f %%\n", name,
		median(func(m measure) float64 { return m.Start.Byte }),
		median(func(m measure) float64 { return m.Start.Start }), stalled,
		median(func(m measure) float64 { return m.Seek.Byte }), stalledFar,
		100*median(func(m measure) float64 { return float64(m.Waste) / float64(m.Down) }))
}

// prepare writes the content and starts the seeds.
func prepare(ctx context.Context, cfg config, group byte) (j job, closeSeeds func(), err error) {
	var seeds []*realclient.Client
	closeSeeds = func() {
		for _, s := range seeds {
			s.Close()
		}
	}
	from := filepath.Join(cfg.work, "from")
	if err := os.MkdirAll(from, 0o755); err != nil {
		return j, closeSeeds, err
	}
	path := filepath.Join(from, "film.bin")
	f, err := os.Create(path)
	if err != nil {
		return j, closeSeeds, err
	}
	// Twice as long as is fetched before the seek, so that the place beyond is not there.
	size := int64(4 * cfg.seconds.Seconds() * float64(cfg.rate))
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{group}), size)
	if err = errors.Join(err, f.Close()); err != nil {
		return j, closeSeeds, err
	}
	j = job{config: cfg, file: filepath.Join(cfg.work, "film.torrent")}
	j.torrent, err = metainfo.Build(ctx, metainfo.BuildOptions{Path: path,
		PieceLength: cfg.piece})
	if err != nil {
		return j, closeSeeds, err
	}
	if err := os.WriteFile(j.file, j.torrent.Marshal(), 0o644); err != nil {
		return j, closeSeeds, err
	}
	for i, share := range shares {
		dir := filepath.Join(cfg.work, fmt.Sprint("seed", i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return j, closeSeeds, err
		}
		c, err := realclient.Launch(ctx, realclient.Libtorrent, realclient.Options{
			IP:   netip.AddrFrom4([4]byte{11, group, byte(1 + i), 1}),
			Port: port, Dir: dir, Up: int64(share * float64(cfg.rate)),
		})
		if err != nil {
			return j, closeSeeds, err
		}
		seeds = append(seeds, c)
		if err := c.Seed(ctx, j.file, from); err != nil {
			return j, closeSeeds, err
		}
		if err := c.Wait(ctx); err != nil {
			return j, closeSeeds, err
		}
		j.peers = append(j.peers, c.Addr)
	}
	return j, closeSeeds, nil
}
