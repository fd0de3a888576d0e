//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"swarmnode/internal/lab"
	"swarmnode/internal/realclient"
)

const (
	natTitle = "4 MiB between two homes of 20 Mbit/s, round trip 20 ms, that know a third peer " +
		"without data, the DHT, or both: seconds to the first data, and to all"
	natRate  = 20.0
	natDelay = 5 * time.Millisecond // each way on each of the two links
	natSize  = 4 << 20
	natPiece = 64 << 10
	// natMax is how long a downloader may take.
	natMax  = time.Minute
	natLook = 50 * time.Millisecond
)

// natMeans are the ways in which the two find each other.
var natMeans = []means{
	{name: "peer", third: true},
	{name: "DHT", dht: true, relays: true},
	{name: "both", third: true, dht: true, relays: true},
}

// A natFigure is the outcome of one transfer. Zero times: never.
type natFigure struct {
	first, all time.Duration
}

// natSeats returns the pairs of clients: every one in either seat.
func natSeats(contenders []contender) [][2]string {
	clients := clientsOf(contenders)
	var seats [][2]string
	for _, seed := range clients {
		for _, leech := range clients {
			seats = append(seats, [2]string{seed, leech})
		}
	}
	return seats
}

func measureNAT(ctx context.Context, opt options, contenders []contender) error {
	seats := natSeats(contenders)
	fmt.Printf("%-35s %-5s", "NAT of the seed / the downloader", "by")
	for _, s := range seats {
		fmt.Printf(" %22s", strings.Join(s[:], "-"))
	}
	fmt.Println()
	for _, p := range natPairs {
		if !matches(p.name, opt.pair) {
			continue
		}
		if p.offers {
			if _, err := realclient.ServerInstalled(realclient.Miniupnpd); err != nil {
				fmt.Printf("left out: %s: %v\n", p.name, err)
				continue
			}
		}
		for _, by := range natMeans {
			if !matches(by.name, opt.by) {
				continue
			}
			fmt.Printf("%-35s %-5s", p.name, by.name)
			for _, s := range seats {
				m, err := natMedian(ctx, opt, p, by, s)
				if err != nil {
					return fmt.Errorf("%s by %s, %s: %w", p.name, by.name,
						strings.Join(s[:], "-"), err)
				}
				fmt.Printf(" %22v", m)
			}
			fmt.Println()
		}
	}
	return nil
}

// String is a cell of the table.
func (f natFigure) String() string {
	if f.first == 0 {
		return shown(0)
	}
	return shown(f.first) + " / " + shown(f.all)
}

// natMedian measures a pair several times. Once most runs had no data, the rest is not
// run.
func natMedian(ctx context.Context, opt options, p natPair, by means,
	seats [2]string) (natFigure, error) {
	var runs []natFigure
	nevers := 0
	for 2*nevers <= opt.runs && len(runs) < opt.runs {
		f, err := natRun(ctx, opt, p, by, seats)
		if err != nil {
			return natFigure{}, err
		}
		runs = append(runs, f)
		if f.first == 0 {
			nevers++
		}
	}
	if 2*nevers > opt.runs {
		return natFigure{}, nil
	}
	return natMiddle(runs), nil
}

// natMiddle returns the medians of runs. Never is later than any time.
func natMiddle(runs []natFigure) natFigure {
	return natFigure{
		first: middle(runs, func(f natFigure) time.Duration { return f.first }),
		all:   middle(runs, func(f natFigure) time.Duration { return f.all }),
	}
}

// natRun makes one transfer.
func natRun(ctx context.Context, opt options, p natPair, by means, seats [2]string) (f natFigure,
	err error) {
	err = inLab(func(l *lab.Lab, dir string) error {
		seed, leech, err := p.place(l)
		if err != nil {
			return err
		}
		s, err := newUntracked(filepath.Join(dir, "share"), natSize, natPiece)
		if err != nil {
			return err
		}
		meeting, err := s.meet(ctx, opt, l, by)
		defer meeting.stop()
		if err != nil {
			return err
		}
		from, to, err := s.pair(ctx, opt, meeting, seats, [2]*lab.Host{seed, leech}, joining{})
		defer from.stop()
		defer to.stop()
		if err != nil {
			return err
		}
		f, err = natFollow(ctx, to, leech)
		run := strings.Join([]string{p.name, by.name, seats[0], seats[1]}, " ")
		return errors.Join(err, opt.keepLogs(run, from, to))
	})
	return f, err
}

// natFollow watches a download until it is complete, or natMax is over.
func natFollow(ctx context.Context, m *member, at *lab.Host) (f natFigure, err error) {
	tick := time.NewTicker(natLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return f, ctx.Err()
		case <-tick.C:
		}
		took := time.Since(m.started)
		if took > natMax {
			return f, nil
		}
		came, err := at.Came()
		if err != nil {
			return f, err
		}
		if came >= firstBytes && f.first == 0 {
			f.first = took
		}
		_, _, complete, err := m.have(ctx)
		if err != nil {
			return f, err
		}
		if complete {
			f.all = took
			return f, nil
		}
	}
}
