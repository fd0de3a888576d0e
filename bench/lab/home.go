//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"swarmnode/bench/figures"
	"swarmnode/internal/lab"
)

const (
	homeTitle = "a home of 20/5 Mbit/s, 500 ms of queue up, that seeds; idle round trip 21 ms"
	homeDown  = 20.0
	homeUp    = 5.0
	homeDelay = 10500 * time.Microsecond // each way
	homeQueue = 500 * time.Millisecond   // up
	homeSize  = 512 << 20                // more than any measurement takes
	homePiece = 256 << 10
	// settleFor is how long a transfer runs before it is measured, and watchFor how long
	// each measurement takes.
	settleFor = 10 * time.Second
	watchFor  = 10 * time.Second
	// warmFor is how long a flow of another host runs before it is measured.
	warmFor = 4 * time.Second
	// fullMax bounds the wait for the first content.
	fullMax = time.Minute
)

// A homeFigure is what others at home notice, with one contender seeding.
type homeFigure struct {
	pings    lab.Pings
	seeded   float64 // Mbit/s on the uplink, during the pings
	download float64 // Mbit/s of a CUBIC download by the other host
	upload   float64 // Mbit/s of a CUBIC upload by the other host
	beside   float64 // Mbit/s of the rest of the uplink, during that upload
	share    float64 // of two seeds at home, the slower over the faster
}

func measureHome(ctx context.Context, opt options, contenders []contender) error {
	fmt.Printf("%-16s %9s %9s %9s %9s %9s %9s %9s\n", "seeding", "ping p50", "p95", "uplink",
		"download", "upload", "beside", "two seeds")
	show := func(name string, all []homeFigure) {
		ms := func(share float64) float64 {
			return 1000 * seconds(all, func(f homeFigure) time.Duration {
				return f.pings.At(share)
			})
		}
		of := func(value func(homeFigure) float64) float64 { return figures.MedianOf(all, value) }
		fmt.Printf("%-16s %6.0f ms %6.0f ms %9.2f %9.2f %9.2f %9.2f %9.2f\n", name, ms(0.5),
			ms(0.95), of(func(f homeFigure) float64 { return f.seeded }),
			of(func(f homeFigure) float64 { return f.download }),
			of(func(f homeFigure) float64 { return f.upload }),
			of(func(f homeFigure) float64 { return f.beside }),
			of(func(f homeFigure) float64 { return f.share }))
	}
	nobody, err := home(ctx, opt, nil)
	if err != nil {
		return err
	}
	show("nobody", []homeFigure{nobody})
	for _, c := range contenders {
		var all []homeFigure
		for range opt.runs {
			f, err := home(ctx, opt, &c)
			if err != nil {
				return fmt.Errorf("%v: %w", c, err)
			}
			all = append(all, f)
		}
		show(c.String(), all)
	}
	return nil
}

// A homeLab is the network of one measurement.
type homeLab struct {
	home, first, second, other *lab.Host // the line, two seeds, and a host that has other work
	server                     *lab.Host // of that work
	leeches                    []*lab.Host
	shares                     []*share
}

// home measures a home on whose first host c seeds, or nobody.
func home(ctx context.Context, opt options, c *contender) (f homeFigure, err error) {
	err = inLab(func(l *lab.Lab, dir string) error {
		h, err := newHome(l)
		if err != nil {
			return err
		}
		defer h.close()
		if c != nil {
			stop, err := h.seed(ctx, opt, *c, dir, h.first)
			defer stop()
			if err != nil {
				return err
			}
		}
		if err := h.others(ctx, &f); err != nil || c == nil {
			return err
		}
		stop, err := h.seed(ctx, opt, *c, dir, h.second)
		defer stop()
		if err != nil {
			return err
		}
		// The leeches have links of their own, so what came to each is known.
		slow, fast, err := both(ctx, h.leeches[0], h.leeches[1], 2*watchFor)
		f.share = slow / max(fast, 1e-9)
		return err
	})
	return f, err
}

func newHome(l *lab.Lab) (*homeLab, error) {
	h := &homeLab{}
	var err error
	h.home, err = l.Home("home", lab.Way{Rate: homeUp, Delay: homeDelay, Queue: homeQueue},
		lab.Way{Rate: homeDown, Delay: homeDelay})
	if err != nil {
		return nil, err
	}
	for _, in := range []struct {
		name string
		host **lab.Host
	}{{"first", &h.first}, {"second", &h.second}, {"other", &h.other}} {
		if *in.host, err = h.home.Inside(in.name); err != nil {
			return nil, err
		}
	}
	if h.server, err = l.Modelled("server", lab.Way{}, lab.Way{}); err != nil {
		return nil, err
	}
	for _, name := range []string{"leech1", "leech2"} {
		// Ten times the rate of any line: it is there to count.
		leech, err := l.Modelled(name, lab.Way{Rate: 10 * homeDown}, lab.Way{Rate: 10 * homeDown})
		if err != nil {
			return nil, err
		}
		h.leeches = append(h.leeches, leech)
	}
	return h, nil
}

func (h *homeLab) close() {
	for _, s := range h.shares {
		s.close()
	}
}

// seed starts a seed on a host at home, and a downloader outside of its own torrent. It
// returns when content has flowed for a while, with the function that ends both.
func (h *homeLab) seed(ctx context.Context, opt options, c contender, dir string,
	at *lab.Host) (stop func(), err error) {
	var members []*member
	stop = func() {
		for _, m := range members {
			m.stop()
		}
	}
	s, err := newShare(filepath.Join(dir, at.Name), homeSize, homePiece)
	if err != nil {
		return stop, err
	}
	leech := h.leeches[len(h.shares)]
	h.shares = append(h.shares, s)
	begin := []func() (*member, error){
		func() (*member, error) { return s.seed(ctx, opt, c, at) },
		func() (*member, error) { return s.leech(ctx, opt, c, leech) },
	}
	if c.both { // the seed dials, and so it chooses the transport
		slices.Reverse(begin)
	}
	for _, start := range begin {
		m, err := start()
		if err != nil {
			return stop, err
		}
		members = append(members, m)
	}
	if err := filled(ctx, leech); err != nil {
		return stop, err
	}
	return stop, pause(ctx, settleFor)
}

// others measures what the other host notices.
func (h *homeLab) others(ctx context.Context, f *homeFigure) error {
	before, began := h.home.Up().Bytes, time.Now()
	var err error
	if f.pings, err = h.other.Ping(ctx, h.server, watchFor); err != nil {
		return err
	}
	f.seeded = float64(h.home.Up().Bytes-before) * 8 / time.Since(began).Seconds() / 1e6
	if f.download, _, err = h.flow(ctx, h.server, h.other); err != nil {
		return err
	}
	if f.upload, f.beside, err = h.flow(ctx, h.other, h.server); err != nil {
		return err
	}
	return pause(ctx, settleFor/2)
}

// flow returns the rate of a CUBIC flow, after its slow start, and that of all else on the
// uplink, in Mbit/s.
func (h *homeLab) flow(ctx context.Context, from, to *lab.Host) (rate, beside float64, err error) {
	flow, err := from.Flow(to)
	if err != nil {
		return 0, 0, err
	}
	defer flow.Close()
	if err := pause(ctx, warmFor); err != nil {
		return 0, 0, err
	}
	before, began := h.home.Up().Bytes, time.Now()
	if rate, err = lab.Rate(ctx, flow.Came, watchFor); err != nil {
		return 0, 0, err
	}
	all := float64(h.home.Up().Bytes-before) * 8 / time.Since(began).Seconds() / 1e6
	return rate, max(all-rate*ipPerTCP, 0), nil
}

// ipPerTCP is how many bytes on the link a byte of a TCP flow takes: headers of IP and TCP
// with time stamps.
const ipPerTCP = 1500.0 / 1448

// both returns how many bytes came to the two hosts, the smaller number first.
func both(ctx context.Context, a, b *lab.Host, d time.Duration) (slow, fast float64, err error) {
	first, second := a.Down().Bytes, b.Down().Bytes
	if err := pause(ctx, d); err != nil {
		return 0, 0, err
	}
	x, y := float64(a.Down().Bytes-first), float64(b.Down().Bytes-second)
	return min(x, y), max(x, y), nil
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
