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
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

const (
	relayTitle = "two homes behind symmetric NATs, 20 Mbit/s, round trip 20 ms, and two relays of " +
		"10 Mbit/s, which nodes are told of: seconds to the first data, the rate as a part of the " +
		"relay's, and seconds without data after a relay is killed"
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

// A turn is a relay on a host of its own.
type turn struct {
	at   *lab.Host
	kill func()
}

// The servers of relays.
var turnServers = []string{node, string(realclient.Turnserver)}

// turnServer starts a relay that nodes are told of. The node limits the allocation, coturn
// has a link with the same rate.
func (m *meeting) turnServer(ctx context.Context, opt options, l *lab.Lab, server,
	dir string) error {
	way := lab.Way{}
	if server != node {
		way.Rate = relayRate
	}
	h, err := l.Modelled(fmt.Sprintf("relay%d", len(m.turns)), way, way)
	if err != nil {
		return err
	}
	t := turn{at: h}
	if server == node {
		t.kill, err = m.turnNode(ctx, opt, h, filepath.Join(dir, h.Name))
	} else {
		var s *lab.Service
		if s, err = h.TURN(ctx, turnUser, turnPassword); err == nil {
			t.kill = s.Kill
		}
	}
	if err != nil {
		return err
	}
	m.turns = append(m.turns, t)
	at := netip.AddrPortFrom(h.Addr, lab.TURNPort)
	m.flags = append(m.flags, "--relay", fmt.Sprintf("turn:%s:%s@%v", turnUser, turnPassword, at))
	return nil
}

// turnNode starts node relay, for one user.
func (m *meeting) turnNode(ctx context.Context, opt options, h *lab.Host,
	state string) (kill func(), err error) {
	rate := fmt.Sprint(int(relayRate * 1e6 / 8))
	words := append(h.Enter(), opt.node, "relay", "--port", fmt.Sprint(port), "--bootstrap", "none",
		"--user", turnUser+":"+turnPassword, "--allocation-rate", rate, "--relay-rate", "10M",
		"--relay-port", fmt.Sprint(lab.TURNPort))
	n, err := nodeproc.Start(words[0], state, words[1:]...)
	if err != nil {
		return nil, err
	}
	m.nodes = append(m.nodes, n)
	_, err = n.WaitEvent(ctx, "start")
	return n.Kill, err
}

// carried returns how many bytes have come to each relay.
func (m *meeting) carried() (all []int64, err error) {
	for _, t := range m.turns {
		came, err := t.at.Came()
		if err != nil {
			return nil, err
		}
		all = append(all, came)
	}
	return all, nil
}

// busiest returns the relay to which most has come since carried returned before.
func (m *meeting) busiest(before []int64) (turn, error) {
	now, err := m.carried()
	if err != nil {
		return turn{}, err
	}
	best := 0
	for i := range now {
		if now[i]-before[i] > now[best]-before[best] {
			best = i
		}
	}
	return m.turns[best], nil
}

// A relayFigure is the outcome of one run. first and gap are 0 for never.
type relayFigure struct {
	first, gap time.Duration
	share      float64 // of the relay's rate
}

func measureRelay(ctx context.Context, opt options, contenders []contender) error {
	if !opt.given {
		fmt.Println("left out: this binary has no --relay")
		return nil
	}
	fmt.Printf("%-12s %-24s %9s %9s %9s\n", "relay", "seed-downloader", "first", "rate", "killed")
	for _, server := range turnServers {
		if !matches(server, opt.by) {
			continue
		}
		if server != node {
			if _, err := realclient.ServerInstalled(realclient.Kind(server)); err != nil {
				fmt.Printf("left out: %s: %v\n", server, err)
				continue
			}
		}
		for _, seats := range natSeats(contenders) {
			if seats[0] != node && seats[1] != node {
				continue
			}
			if err := relayRow(ctx, opt, server, seats); err != nil {
				return fmt.Errorf("%s, %s-%s: %w", server, seats[0], seats[1], err)
			}
		}
	}
	return nil
}

// relayRow prints the medians of a pair by a kind of relay.
func relayRow(ctx context.Context, opt options, server string, seats [2]string) error {
	var all []relayFigure
	for range opt.runs {
		f, err := relayRun(ctx, opt, server, seats)
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	fmt.Printf("%-12s %-24s %9s %9.2f %9s\n", server, seats[0]+"-"+seats[1],
		shown(middle(all, func(f relayFigure) time.Duration { return f.first })),
		figures.MedianOf(all, func(f relayFigure) float64 { return f.share }),
		shown(middle(all, func(f relayFigure) time.Duration { return f.gap })))
	return nil
}

// relayRun makes one transfer, and kills the relay that carries it.
func relayRun(ctx context.Context, opt options, server string, seats [2]string) (f relayFigure,
	err error) {
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
			if err := meeting.turnServer(ctx, opt, l, server, dir); err != nil {
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
		return opt.keepLogs("relay "+server+" "+seats[0]+" "+seats[1], from, to)
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
	before, err := m.carried()
	if err != nil {
		return err
	}
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
	busy, err := m.busiest(before)
	if err != nil {
		return err
	}
	flow = newFlow(leech)
	busy.kill()
	f.gap, err = flow.over(ctx, eventsMax, 2*eventsSteady)
	return err
}
