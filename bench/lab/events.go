//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"swarmnode/bench/figures"
	"swarmnode/internal/lab"
	"swarmnode/internal/realclient"
)

const (
	eventsTitle = "something happens in mid-download at 20 Mbit/s, round trip 20 ms; both know " +
		"the DHT and a third peer without data: seconds without data, not counting an outage"
	eventsSize  = 512 << 20 // more than any run takes
	eventsPiece = 256 << 10
	// eventsLook is the resolution, and eventsFlow what comes in one look while data flows.
	eventsLook = 50 * time.Millisecond
	eventsFlow = 4 << 10
	// eventsSteady is how long data has to flow before an event, and after it.
	eventsSteady = 4 * time.Second
	// outage is how long a path is dead.
	outage = 8 * time.Second
	// eventsMax bounds the wait for data, beyond an outage.
	eventsMax = time.Minute
)

// An event is what happens in mid-download.
type event struct {
	name    string
	home    bool // the downloader needs a router
	changes bool // routers choose other ports than those inside
	outage  time.Duration
	happen  func(ctx context.Context, seed, leech *lab.Host) error
}

var events = []event{
	{name: "downloader's address changes", happen: func(_ context.Context, _,
		leech *lab.Host) error {
		return leech.Renumber(far(leech.Addr))
	}},
	{name: "seed's address changes", happen: func(_ context.Context, seed, _ *lab.Host) error {
		return seed.Renumber(far(seed.Addr))
	}},
	{name: "home router's address changes", home: true,
		happen: func(_ context.Context, _, leech *lab.Host) error {
			return leech.Readdress(far(leech.Outside()))
		}},
	{name: "NAT forgets, same ports", home: true,
		happen: func(_ context.Context, _, leech *lab.Host) error {
			return leech.Forget()
		}},
	{name: "NAT forgets, new ports", home: true, changes: true,
		happen: func(_ context.Context, _, leech *lab.Host) error {
			return leech.Forget()
		}},
	{name: "8 s silent outage", outage: outage, happen: func(ctx context.Context, _,
		leech *lab.Host) error {
		return during(ctx, leech.Silence)
	}},
	{name: "8 s without carrier", outage: outage, happen: func(ctx context.Context, _,
		leech *lab.Host) error {
		return during(ctx, func(on bool) error { return leech.Carrier(!on) })
	}},
}

// far returns another address of the same network.
func far(a netip.Addr) netip.Addr {
	b := a.As4()
	b[3] += 40
	return netip.AddrFrom4(b)
}

// during breaks a path and mends it after the outage.
func during(ctx context.Context, broken func(on bool) error) error {
	if err := broken(true); err != nil {
		return err
	}
	return errors.Join(pause(ctx, outage), broken(false))
}

// A path is how the data of a pair flows.
type path struct {
	name  string
	flags []string // of nodes
	utp   bool     // what libtorrent is held to, for TCP and uTP
	place func(l *lab.Lab, e event) (seed, leech *lab.Host, err error)
	relay bool
	shows string // the path in the log of a node
}

var paths = []path{
	{name: "TCP", flags: []string{"--no-utp"}, place: openPlace, shows: "TCP"},
	{name: "uTP", flags: []string{"--no-tcp"}, utp: true, place: openPlace, shows: "uTP"},
	{name: "punched", place: homes(portRestricted), shows: "uTP"},
	{name: "relayed", place: homes(symmetric), relay: true, shows: "relay"},
}

// openPlace gives both public addresses, unless the event needs a router.
func openPlace(l *lab.Lab, e event) (seed, leech *lab.Host, err error) {
	if seed, err = l.Modelled("seed", natWay, natWay); err != nil {
		return nil, nil, err
	}
	if !e.home {
		leech, err = l.Modelled("leech", natWay, natWay)
		return seed, leech, err
	}
	nat := portRestricted
	nat.Preserve = !e.changes
	leech, err = behind(l, "leech", lab.RouterConfig{NAT: nat})
	return seed, leech, err
}

// homes puts both behind routers of a kind.
func homes(nat lab.NAT) func(l *lab.Lab, e event) (seed, leech *lab.Host, err error) {
	return func(l *lab.Lab, e event) (seed, leech *lab.Host, err error) {
		nat.Preserve = !e.changes
		return apart(nat, nat)(l)
	}
}

func measureEvents(ctx context.Context, opt options, contenders []contender) error {
	for _, client := range clientsOf(contenders) {
		fmt.Printf("%-32s", client)
		var all []path
		for _, p := range paths {
			if !matches(p.name, opt.by) {
				continue
			}
			if p.relay && (client != node || !opt.relays && !opt.given) {
				fmt.Printf(" (left out: %s has no relay)", client)
				continue
			}
			all = append(all, p)
			fmt.Printf(" %12s", p.name)
		}
		fmt.Println()
		for _, e := range events {
			if !matches(e.name, opt.pair) {
				continue
			}
			fmt.Printf("%-32s", e.name)
			for _, p := range all {
				gap, err := eventMedian(ctx, opt, client, p, e)
				if err != nil {
					return fmt.Errorf("%s by %s, %s: %w", e.name, p.name, client, err)
				}
				fmt.Printf(" %12s", shown(gap))
			}
			fmt.Println()
		}
	}
	return nil
}

// noData is the time of an event before which no data came: it was not measured.
const noData = math.MaxInt64 - 1

// shown is a cell of a table: seconds, or never.
func shown(d time.Duration) string {
	switch d {
	case 0:
		return "never"
	case noData:
		return "no data"
	}
	return fmt.Sprintf("%.1f", d.Seconds())
}

// eventMedian measures an event several times. 0 is never.
func eventMedian(ctx context.Context, opt options, client string, p path,
	e event) (time.Duration, error) {
	var all []time.Duration
	for range opt.runs {
		gap, err := eventRun(ctx, opt, client, p, e)
		if err != nil {
			return 0, err
		}
		all = append(all, gap)
	}
	return middle(all, func(d time.Duration) time.Duration { return d }), nil
}

// middle returns the median of times, of which 0, never, is later than any other.
func middle[M any](all []M, of func(M) time.Duration) time.Duration {
	m := figures.MedianOf(all, func(one M) time.Duration {
		return cmp.Or(of(one), math.MaxInt64)
	})
	return m % math.MaxInt64
}

// eventRun makes one transfer in which one event happens.
func eventRun(ctx context.Context, opt options, client string, p path, e event) (gap time.Duration,
	err error) {
	err = inLab(func(l *lab.Lab, dir string) error {
		seed, leech, err := p.place(l, e)
		if err != nil {
			return err
		}
		s, err := newUntracked(filepath.Join(dir, "share"), eventsSize, eventsPiece)
		if err != nil {
			return err
		}
		by := means{third: true, dht: true, relays: p.relay}
		meeting, err := s.meet(ctx, opt, l, by)
		defer meeting.stop()
		if err != nil {
			return err
		}
		if p.relay && !opt.relays {
			if err := meeting.turnServer(ctx, opt, l, node, dir); err != nil {
				return err
			}
		}
		with := joining{flags: p.flags}
		if p.flags != nil {
			with.settings = contender{client: client, utp: p.utp}.settings()
		}
		from, to, err := s.pair(ctx, opt, meeting, [2]string{client, client},
			[2]*lab.Host{seed, leech}, with)
		defer from.stop()
		defer to.stop()
		if err != nil {
			return err
		}
		gap, err = stall(ctx, e, seed, leech)
		return errors.Join(err, opt.keepLogs(e.name+" "+p.name, from, to))
	})
	return gap, err
}

// stall returns the longest time without data while the event happens and afterwards,
// without the outage, and 0 if no data comes.
func stall(ctx context.Context, e event, seed, leech *lab.Host) (time.Duration, error) {
	f := newFlow(leech)
	before, err := f.steady(ctx)
	if err != nil {
		return 0, err
	}
	if before == 0 {
		return noData, nil
	}
	f.gap, f.last = 0, time.Now()
	happened := make(chan error, 1)
	go func() { happened <- e.happen(ctx, seed, leech) }()
	gap, err := f.over(ctx, eventsMax+e.outage, max(e.outage, eventsSteady)+eventsSteady)
	if err := errors.Join(err, <-happened); err != nil || gap == 0 {
		return 0, err
	}
	return max(gap-e.outage, time.Millisecond), nil
}

// A flow watches what comes to a host.
type flow struct {
	at          *lab.Host
	bytes       int64
	last, since time.Time // when data came last, and since when it flows
	gap         time.Duration
}

func newFlow(at *lab.Host) *flow {
	now := time.Now()
	return &flow{at: at, bytes: at.Down().Bytes, last: now, since: now}
}

// steady waits for a steady flow.
func (f *flow) steady(ctx context.Context) (time.Duration, error) {
	return f.over(ctx, eventsMax, eventsSteady)
}

// over waits until data has flowed steadily, and at least for a while. It returns the
// longest time without data, or 0 after patience without any.
func (f *flow) over(ctx context.Context, patience, least time.Duration) (time.Duration, error) {
	tick := time.NewTicker(eventsLook)
	defer tick.Stop()
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
		now, bytes := time.Now(), f.at.Down().Bytes
		if bytes-f.bytes >= eventsFlow {
			f.gap = max(f.gap, now.Sub(f.last))
			if now.Sub(f.last) > 10*eventsLook {
				f.since = now
			}
			f.last = now
		}
		f.bytes = bytes
		quiet := now.Sub(f.last)
		if quiet > patience {
			return 0, nil
		}
		if quiet < 10*eventsLook && now.Sub(f.since) >= eventsSteady && now.Sub(began) >= least {
			return max(f.gap, eventsLook), nil
		}
	}
}

// clientsOf returns the clients among contenders that can be told of a peer, each once.
// Transmission and aria2 cannot.
func clientsOf(contenders []contender) []string {
	var clients []string
	for _, c := range contenders {
		takes := c.client == node || realclient.Kind(c.client).TakesPeers()
		if takes && !slices.Contains(clients, c.client) {
			clients = append(clients, c.client)
		}
	}
	return clients
}
