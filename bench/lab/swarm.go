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

const (
	swarmTitle = "one seed, nine downloaders, 20 Mbit/s each way, round trip 30 ms, queue 100 ms, " +
		"64 MiB"
	swarmLeechs = 9
	swarmRate   = 20.0
	swarmDelay  = 15 * time.Millisecond / 2 // each way, and twice on a path
	swarmSize   = 64 << 20
	swarmPiece  = 256 << 10
	// swarmMax bounds a run.
	swarmMax = 3 * time.Minute
	// headerBytes are the headers of IP and TCP in a full packet; those of UDP and uTP are
	// about as long.
	headerBytes = 52
)

// A swarmFigure is the outcome of one swarm.
type swarmFigure struct {
	last   time.Duration // from the moment at which the first is told of the torrent
	copies float64       // that left the seed, with what was sent again by TCP or uTP
}

// swarmBound is the fluid bound, below which no protocol can go: the seed has to send
// everything once. Headers and acknowledgements are not in it. They cost 6 % to 7 % of the
// downlinks over TCP, so that 0.93 is all that there is.
func swarmBound() time.Duration {
	return time.Duration(swarmSize * 8 / (swarmRate * 1e6) * float64(time.Second))
}

func measureSwarm(ctx context.Context, opt options, contenders []contender) error {
	fmt.Printf("%-16s %9s %11s %7s   the bound is %.1f s\n", "contender", "last", "bound/last",
		"copies", swarmBound().Seconds())
	for _, c := range contenders {
		var all []swarmFigure
		for range opt.runs {
			f, err := swarm(ctx, opt, c)
			if err != nil {
				return fmt.Errorf("%v: %w", c, err)
			}
			all = append(all, f)
		}
		last := seconds(all, func(f swarmFigure) time.Duration { return f.last })
		fmt.Printf("%-16v %7.1f s %11.2f %7.2f\n", c, last, swarmBound().Seconds()/last,
			figures.MedianOf(all, func(f swarmFigure) float64 { return f.copies }))
	}
	return nil
}

// swarm runs one swarm of a client.
func swarm(ctx context.Context, opt options, c contender) (f swarmFigure, err error) {
	ctx, cancel := context.WithTimeout(ctx, swarmMax)
	defer cancel()
	err = inLab(func(l *lab.Lab, dir string) error {
		var hosts []*lab.Host
		for i := range 1 + swarmLeechs {
			way := lab.Way{Rate: swarmRate, Delay: swarmDelay}
			h, err := l.Modelled(fmt.Sprintf("host%d", i), way, way)
			if err != nil {
				return err
			}
			hosts = append(hosts, h)
		}
		s, err := newShare(filepath.Join(dir, "share"), swarmSize, swarmPiece)
		if err != nil {
			return err
		}
		defer s.close()
		seed, err := s.seed(ctx, opt, c, hosts[0])
		if err != nil {
			return err
		}
		defer seed.stop()
		before := hosts[0].Up()
		leechs, err := s.leechs(ctx, opt, c, hosts[1:])
		defer func() {
			for _, m := range leechs {
				m.stop()
			}
		}()
		if err != nil {
			return err
		}
		began := leechs[0].started
		if err := complete(ctx, leechs); err != nil {
			return err
		}
		f.last = time.Since(began)
		after := hosts[0].Up()
		f.copies = float64(after.Bytes-before.Bytes-headerBytes*(after.Packets-before.Packets)) /
			swarmSize
		return nil
	})
	return f, err
}

// leechs starts downloaders, all of them at once: what a client does before it knows of a
// torrent is not measured, except for the node, which starts with it. It returns those
// that were started, also with an error.
func (s *share) leechs(ctx context.Context, opt options, c contender,
	hosts []*lab.Host) (all []*member, err error) {
	data := func(h *lab.Host) string { return filepath.Join(s.dir, h.Name, "data") }
	if c.client == node {
		for _, h := range hosts {
			m, err := s.start(ctx, opt, c, h, data(h), s.torrent.File)
			if err != nil {
				return all, err
			}
			all = append(all, m)
		}
		return all, nil
	}
	for _, h := range hosts {
		state, _, err := s.folders(h)
		if err != nil {
			return all, err
		}
		m, err := launch(ctx, c, h, state)
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
	for i, m := range all {
		if err := m.give(ctx, s.torrent.File, data(hosts[i])); err != nil {
			return all, err
		}
	}
	return all, nil
}

// complete waits until all are.
func complete(ctx context.Context, all []*member) error {
	for i, m := range all {
		var err error
		if m.node != nil {
			_, err = m.node.WaitEvent(ctx, "complete")
		} else {
			err = m.client.Wait(ctx)
		}
		if err != nil {
			return fmt.Errorf("downloader %d: %w", i+1, err)
		}
	}
	return nil
}
