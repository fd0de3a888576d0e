//go:build linux

// Command watch measures how soon a film is seen that is watched while it is fetched: ffmpeg
// decodes one frame of a stream of `node daemon`, which fetches from a `node seed` that sends ten
// times as fast as the film plays. It does so from a magnet link that nobody has added, and then
// at places that were not fetched yet. For comparison it decodes the same frames of the file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"swarmnode/bench/figures"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

const (
	httpAddr = "127.0.0.1:9080"
	// startTime bounds how long a program takes to start, frameTime how long a frame takes.
	startTime = time.Minute
	frameTime = time.Minute
	// faster is how many times as fast as the film plays the seed sends.
	faster = 10
)

// seeks are the places of later frames, as parts of the film.
var seeks = []float64{0.3, 0.6, 0.9}

// A config is what the flags say.
type config struct {
	node    string
	rate    int // Mbit/s of the film
	seconds int
	runs    int
	work    string
}

// film returns the path of the film.
func (c *config) film() string { return filepath.Join(c.work, "film.mkv") }

func main() {
	var cfg config
	flag.StringVar(&cfg.node, "node", "bin/node", "the command that is measured")
	flag.IntVar(&cfg.rate, "rate", 4, "rate of the film in Mbit/s")
	flag.IntVar(&cfg.seconds, "seconds", 60, "length of the film in seconds")
	flag.IntVar(&cfg.runs, "runs", 3, "runs; medians are shown")
	flag.Parse()
	realclient.Run("watch", func(ctx context.Context) error { return measure(ctx, cfg) })
}

func measure(ctx context.Context, cfg config) (err error) {
	if cfg.rate <= 0 || cfg.seconds <= 0 || cfg.runs <= 0 {
		return errors.New("numbers must be positive")
	}
	if cfg.node, err = filepath.Abs(cfg.node); err != nil {
		return err
	}
	if cfg.work, err = os.MkdirTemp("", "watch"); err != nil {
		return err
	}
	defer os.RemoveAll(cfg.work)
	if err := cfg.make(ctx); err != nil {
		return err
	}
	all := make([][]time.Duration, len(seeks)+1)
	for range cfg.runs {
		frames, err := cfg.run(ctx)
		if err != nil {
			return err
		}
		for i, d := range frames {
			all[i] = append(all[i], d)
		}
	}
	fmt.Printf("| frame | of the stream | of the file |\n| --- | ---: | ---: |\n")
	for i := range all {
		what, at := "the first, of a magnet link", 0.0
		if i > 0 {
			at = seeks[i-1]
			what = fmt.Sprintf("at %.0f %%", 100*at)
		}
		local, err := cfg.frame(ctx, cfg.film(), at)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.2f s | %.2f s |\n", what, figures.Median(all[i]).Seconds(),
			local.Seconds())
	}
	return nil
}

// make makes the film.
func (c *config) make(ctx context.Context) error {
	rate := fmt.Sprintf("%dM", c.rate)
	cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-f", "lavfi", "-i",
		fmt.Sprintf("testsrc2=s=1280x720:r=25:d=%d", c.seconds), "-vf", "noise=alls=20:allf=t",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-b:v", rate, "-minrate", rate,
		"-maxrate", rate, "-bufsize", rate, c.film())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ffmpeg: %w: %s", err, out)
	}
	return nil
}

// run measures the frames with a new daemon.
func (c *config) run(ctx context.Context) (frames []time.Duration, err error) {
	seed, err := nodeproc.Start(c.node, filepath.Join(c.work, "seed"), "seed", c.film(),
		"--listen", "127.0.0.2:6881", "--no-dht", "--no-lsd", "--no-portmap", "--up",
		fmt.Sprint(faster*c.rate*1_000_000/8))
	if err != nil {
		return nil, err
	}
	defer seed.Stop()
	ctx, cancel := context.WithTimeout(ctx, startTime+time.Duration(len(seeks)+1)*frameTime)
	defer cancel()
	link, err := seed.WaitFor(ctx, "magnet link", func(e nodeproc.Event) bool {
		return e.Magnet != ""
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, seed.Log())
	}
	state, err := os.MkdirTemp(c.work, "state")
	if err != nil {
		return nil, err
	}
	daemon, err := nodeproc.Start(c.node, state, "daemon", "--listen", "127.0.0.3:6881",
		"--no-dht", "--no-lsd", "--no-portmap", "--socket", "none", "--http", httpAddr)
	if err != nil {
		return nil, err
	}
	defer daemon.Stop()
	if _, err := daemon.WaitEvent(ctx, "start"); err != nil {
		return nil, fmt.Errorf("%w: %s", err, daemon.Log())
	}
	magnet := link.Magnet
	if !strings.Contains(magnet, "x.pe=") {
		magnet += "&x.pe=127.0.0.2:6881"
	}
	stream := "http://" + httpAddr + "/stream?magnet=" + url.QueryEscape(magnet)
	for _, at := range append([]float64{0}, seeks...) {
		took, err := c.frame(ctx, stream, at)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, daemon.Log())
		}
		frames = append(frames, took)
	}
	return frames, nil
}

// frame returns how long it takes until ffmpeg has decoded the frame at a part of a film.
func (c *config) frame(ctx context.Context, film string, at float64) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, frameTime)
	defer cancel()
	began := time.Now()
	out, err := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-ss",
		fmt.Sprint(at*float64(c.seconds)), "-i", film, "-frames:v", "1", "-f", "null",
		"-").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("ffmpeg: %w: %s", err, out)
	}
	return time.Since(began), nil
}
