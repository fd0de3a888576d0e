//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"swarmnode/bench/figures"
	"swarmnode/internal/lab"
)

const mixedTitle = "the same home, whose seed sends to one leech over TCP and to one over uTP"

// A mixedFigure is what becomes of an uplink that both transports share.
type mixedFigure struct {
	pings    lab.Pings
	seeded   float64 // Mbit/s on the uplink, during the pings
	tcp, utp float64 // Mbit/s that came to the two leeches meanwhile
}

// measureMixed measures the node, if it is among the contenders, with both transports. Its
// leeches have one each, so they cannot reach each other.
func measureMixed(ctx context.Context, opt options, contenders []contender) error {
	seed := contender{client: node, both: true}
	fmt.Printf("%-16s %9s %9s %9s %9s %9s %9s\n", "seeding", "ping p50", "p95", "uplink",
		"over TCP", "over uTP", "share")
	for _, c := range contenders {
		if c.client != node {
			continue
		}
		var all []mixedFigure
		for range opt.runs {
			f, err := mixed(ctx, opt, seed)
			if err != nil {
				return fmt.Errorf("%v: %w", seed, err)
			}
			all = append(all, f)
		}
		of := func(value func(mixedFigure) float64) float64 {
			return figures.MedianOf(all, value)
		}
		ms := func(share float64) float64 {
			return of(func(f mixedFigure) float64 { return 1000 * f.pings.At(share).Seconds() })
		}
		fmt.Printf("%-16v %6.0f ms %6.0f ms %9.2f %9.2f %9.2f %9.2f\n", seed, ms(0.5), ms(0.95),
			of(func(f mixedFigure) float64 { return f.seeded }),
			of(func(f mixedFigure) float64 { return f.tcp }),
			of(func(f mixedFigure) float64 { return f.utp }),
			of(func(f mixedFigure) float64 { return f.utp / max(f.tcp, 1e-9) }))
		return nil
	}
	return nil
}

// mixed measures a home on whose first host c seeds to both leeches.
func mixed(ctx context.Context, opt options, c contender) (f mixedFigure, err error) {
	err = inLab(func(l *lab.Lab, dir string) error {
		h, err := newHome(l)
		if err != nil {
			return err
		}
		s, err := newShare(filepath.Join(dir, "share"), homeSize, homePiece)
		if err != nil {
			return err
		}
		defer s.close()
		for i, utp := range []bool{false, true} {
			m, err := s.leech(ctx, opt, contender{client: c.client, utp: utp}, h.leeches[i])
			if err != nil {
				return err
			}
			defer m.stop()
		}
		seed, err := s.seed(ctx, opt, c, h.first)
		if err != nil {
			return err
		}
		defer seed.stop()
		for _, leech := range h.leeches {
			if err := filled(ctx, leech); err != nil {
				return err
			}
		}
		if err := pause(ctx, settleFor); err != nil {
			return err
		}
		f, err = h.shared(ctx)
		return err
	})
	return f, err
}

// filled waits until content has come to a leech.
func filled(ctx context.Context, leech *lab.Host) error {
	for began := time.Now(); leech.Down().Bytes < firstBytes; {
		if time.Since(began) > fullMax {
			return fmt.Errorf("no content came to %s", leech.Name)
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
	return nil
}

// shared measures what the leeches get, and what the other host notices.
func (h *homeLab) shared(ctx context.Context) (f mixedFigure, err error) {
	hosts := []*lab.Host{h.leeches[0], h.leeches[1]}
	before := [3]int64{int64(h.home.Up().Bytes), int64(hosts[0].Down().Bytes),
		int64(hosts[1].Down().Bytes)}
	began := time.Now()
	if f.pings, err = h.other.Ping(ctx, h.server, 2*watchFor); err != nil {
		return f, err
	}
	mbits := func(bytes int64) float64 {
		return float64(bytes) * 8 / time.Since(began).Seconds() / 1e6
	}
	f.seeded = mbits(int64(h.home.Up().Bytes) - before[0])
	f.tcp = mbits(int64(hosts[0].Down().Bytes) - before[1])
	f.utp = mbits(int64(hosts[1].Down().Bytes) - before[2])
	return f, nil
}
