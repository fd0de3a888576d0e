//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"swarmnode/bench/figures"
	"swarmnode/internal/lab"
	"swarmnode/internal/realclient"
)

const (
	relayTitle = "two homes behind symmetric NATs, 20 Mbit/s, round trip 40 ms, and two relays on " +
		"links of 10 Mbit/s, which nodes are told of: seconds to the first data, the rate as a part " +
		"of the link's, and seconds without data after a relay is killed"
	relayRate  = 10.0
	relaySize  = 256 << 20 // more than any run takes
	relayPiece = 256 << 10
	relayCount = 2
	// relayFirst is how long the first data may take.
	relayFirst = time.Minute
	// relayFor is how long the rate is measured, once data flows steadily.
	relayFor = 10 * time.Second
)

// The user of coturn.
const (
	turnUser     = "lab"
	turnPassword = "secret"
)

// coturn starts a relay that nodes are told of, on a public host of its own.
func (m *meeting) coturn(ctx context.Context, l *lab.Lab, way lab.Way) error {
	h, err := l.Modelled(fmt.Sprintf("relay%d", len(m.turns)), way, way)
	if err != nil {
		return err
	}
	s, err := h.TURN(ctx, turnUser, turnPassword)
	if err != nil {
		return err
	}
	m.turns = append(m.turns, turn{h, s})
	at := netip.AddrPortFrom(h.Addr, lab.TURNPort)
	m.flags = append(m.flags, "--relay", fmt.Sprintf("turn:%s:%s@%v", turnUser, turnPassword, at))
	return nil
}

// A turn is a relay of coturn.
type turn struct {
	at *lab.Host
	*lab.Service
}

// busiest returns the relay that has sent most since the last call, whose results it needs.
func (m *meeting) busiest(before []int64) (turn, []int64) {
	var most turn
	var now []int64
	best := int64(-1)
	for i, t := range m.turns {
		now = append(now, t.at.Up().Bytes)
		sent := now[i]
		if before != nil {
			sent -= before[i]
		}
		if sent > best {
			most, best = t, sent
		}
	}
	return most, now
}

// A relayFigure is the outcome of one run. first and gap are 0 for never.
type relayFigure struct {
	first, gap time.Duration
	share      float64 // of the relay's rate
}

func measureRelay(ctx context.Context, opt options, contenders []contender) error {
	if _, err := realclient.ServerInstalled(realclient.Turnserver); err != nil {
		fmt.Println("left out:", err)
		return nil
	}
	if !opt.given {
		fmt.Println("left out: this binary has no --relay")
		return nil
	}
	fmt.Printf("%-24s %9s %9s %9s\n", "seed-downloader", "first", "rate", "killed")
	for _, seats := range natSeats(contenders) {
		if seats[0] != node && seats[1] != node {
			continue
		}
		var all []relayFigure
		for range opt.runs {
			f, err := relayRun(ctx, opt, seats)
			if err != nil {
				return fmt.Errorf("%s-%s: %w", seats[0], seats[1], err)
			}
			all = append(all, f)
		}
		fmt.Printf("%-24s %9s %9.2f %9s\n", seats[0]+"-"+seats[1],
			shown(middle(all, func(f relayFigure) time.Duration { return f.first })),
			figures.MedianOf(all, func(f relayFigure) float64 { return f.share }),
			shown(middle(all, func(f relayFigure) time.Duration { return f.gap })))
	}
	return nil
}

// relayRun makes one transfer, and kills the relay that carries it.
func relayRun(ctx context.Context, opt options, seats [2]string) (f relayFigure, err error) {
	err = inLab(func(l *lab.Lab, dir string) error {
		seed, leech, err := apart(symmetric, symmetric)(l)
		if err != nil {
			return err
		}
		s, err := newUntracked(filepath.Join(dir, "share"), relaySize, relayPiece)
		if err != nil {
			return err
		}
		meeting, err := s.meet(ctx, opt, l, means{third: true, dht: true})
		defer meeting.stop()
		if err != nil {
			return err
		}
		for range relayCount {
			if err := meeting.coturn(ctx, l, lab.Way{Rate: relayRate}); err != nil {
				return err
			}
		}
		from, to, err := s.pair(ctx, opt, meeting, seats, [2]*lab.Host{seed, leech},
			joining{})
		defer from.stop()
		defer to.stop()
		if err != nil {
			return err
		}
		if err := f.follow(ctx, meeting, to, leech); err != nil {
			return err
		}
		return opt.keepLogs("relay "+seats[0]+" "+seats[1], from, to)
	})
	return f, err
}

// follow measures a download.
func (f *relayFigure) follow(ctx context.Context, m *meeting, to *member, leech *lab.Host) error {
	for leech.Down().Bytes < firstBytes {
		if time.Since(to.started) > relayFirst {
			return nil
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
	f.first = time.Since(to.started)
	flow := newFlow(leech)
	if steady, err := flow.over(ctx, relayFirst, eventsSteady); err != nil || steady == 0 {
		return err
	}
	_, before := m.busiest(nil)
	have, _, _, err := to.have(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := pause(ctx, relayFor); err != nil {
		return err
	}
	now, _, _, err := to.have(ctx)
	if err != nil {
		return err
	}
	f.share = float64(now-have) * 8 / time.Since(began).Seconds() / (relayRate * 1e6)
	busy, _ := m.busiest(before)
	flow = newFlow(leech)
	busy.Kill()
	f.gap, err = flow.over(ctx, eventsMax, 2*eventsSteady)
	return err
}
