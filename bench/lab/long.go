//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"swarmnode/bench/figures"
	"swarmnode/internal/lab"
)

// internet is an address of the internet, for trackers.
var internet = netip.MustParseAddr("11.0.0.1")

const (
	longTitle = "one seed, one downloader, 100 Mbit/s, round trip 50 ms, queue 100 ms"
	longRate  = 100.0
	longDelay = 25 * time.Millisecond // each way
	longSize  = 128 << 20
	longPiece = 256 << 10
	// longMax is how long a transfer is watched from its first byte on.
	longMax = 30 * time.Second
	// firstMax bounds the wait for the first byte.
	firstMax = time.Minute
	// firstBytes are more than handshakes and metadata.
	firstBytes = 64 << 10
	lookEvery  = 10 * time.Millisecond
)

// longLosses are the shares of packets that are lost, in each direction.
var longLosses = []float64{0, 0.01}

// A longFigure is the outcome of one transfer.
type longFigure struct {
	goodput  float64       // of verified content, over the rate of the link
	metadata time.Duration // from the start
	first    time.Duration // from the start to the first bytes of content
	waited   time.Duration // the longest wait in the queue
	cpu      time.Duration // of both clients, for a GiB
}

func measureLong(ctx context.Context, opt options, contenders []contender) error {
	fmt.Printf("%-16s %6s %9s %9s %9s %9s %9s\n", "contender", "loss", "goodput", "metadata",
		"first", "queue", "CPU/GiB")
	for _, loss := range longLosses {
		for _, c := range contenders {
			var all []longFigure
			for run := range opt.runs {
				f, err := long(ctx, opt, c, loss, uint64(run))
				if err != nil {
					return fmt.Errorf("%v: %w", c, err)
				}
				all = append(all, f)
			}
			fmt.Printf("%-16v %4.0f %% %9.3f %7.2f s %7.2f s %6.0f ms %7.1f s\n", c, 100*loss,
				figures.MedianOf(all, func(f longFigure) float64 { return f.goodput }),
				seconds(all, func(f longFigure) time.Duration { return f.metadata }),
				seconds(all, func(f longFigure) time.Duration { return f.first }),
				1000*seconds(all, func(f longFigure) time.Duration { return f.waited }),
				seconds(all, func(f longFigure) time.Duration { return f.cpu }))
		}
	}
	return nil
}

// long makes one transfer.
func long(ctx context.Context, opt options, c contender, loss float64, seed uint64) (f longFigure,
	err error) {
	err = inLab(func(l *lab.Lab, dir string) error {
		way := lab.Way{Rate: longRate, Delay: longDelay, Loss: loss, Seed: seed}
		from, err := l.Modelled("seed", way, way)
		if err != nil {
			return err
		}
		to, err := l.Modelled("leech", lab.Way{}, lab.Way{})
		if err != nil {
			return err
		}
		s, err := newShare(filepath.Join(dir, "share"), longSize, longPiece)
		if err != nil {
			return err
		}
		defer s.close()
		seeding, err := s.seed(ctx, opt, c, from)
		if err != nil {
			return err
		}
		defer seeding.stop()
		leeching, err := s.leech(ctx, opt, c, to)
		if err != nil {
			return err
		}
		defer leeching.stop()
		if f, err = follow(ctx, leeching, from); err != nil {
			return err
		}
		have, _, _, err := leeching.have(ctx)
		if err != nil {
			return err
		}
		for _, m := range []*member{seeding, leeching} {
			used, err := m.cpu()
			if err != nil {
				return err
			}
			f.cpu += time.Duration(float64(used) * (1 << 30) / float64(max(have, 1)))
		}
		f.waited = from.Up().Waited
		return nil
	})
	return f, err
}

// follow watches a download by m from a seed until it is complete, or longMax is over.
func follow(ctx context.Context, m *member, seed *lab.Host) (f longFigure, err error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var began time.Time // when the content began to flow
	for {
		select {
		case <-ctx.Done():
			return f, ctx.Err()
		case <-tick.C:
		}
		now := time.Now()
		have, total, complete, err := m.have(ctx)
		if err != nil {
			return f, err
		}
		if total > 0 && f.metadata == 0 {
			f.metadata = now.Sub(m.started)
		}
		if began.IsZero() {
			if seed.Up().Bytes < firstBytes {
				if now.Sub(m.started) > firstMax {
					return f, errors.New("no content came")
				}
				continue
			}
			began, f.first = now, now.Sub(m.started)
		}
		if took := now.Sub(began); complete || took > longMax {
			f.goodput = float64(have) * 8 / took.Seconds() / (longRate * 1e6)
			return f, nil
		}
	}
}

// seconds returns the median of what value takes from measures, in seconds.
func seconds[M any](all []M, value func(M) time.Duration) float64 {
	return figures.MedianOf(all, value).Seconds()
}
