//go:build linux

// Command moves measures how long a download stalls when an address changes, a NAT
// forgets, or a path is dead for a while. A seed and a downloader run in a lab of network
// namespaces, on links of 20 Mbit/s, with a tracker that both ask every 15 s. Each event
// happens in mid-download, to the node and to libtorrent.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"swarmnode/internal/lab"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

const (
	linkRate = 20        // Mbit/s each way
	size     = 640 << 20 // more than any event lasts
	pieces   = 512 << 10 // length of each
	port     = 6881
	// lookInterval is the resolution of the measurement, and flowBytes what arrives in
	// one interval while data flows.
	lookInterval = 20 * time.Millisecond
	flowBytes    = 8 << 10
	// flowFor is how long data has to flow before an event, and after it.
	flowFor = 3 * time.Second
	// outage is how long a path is dead.
	outage = 8 * time.Second
	// waitMax bounds the wait for data.
	waitMax = 240 * time.Second
)

// event is what happens in mid-download.
type event struct {
	name   string
	behind bool // the downloader is behind NAT
	random bool // which chooses new ports
	happen func(ctx context.Context, seed, leech *lab.Host) error
}

func next(h netip.Addr) netip.Addr { return h.Next() }

// during breaks the path and mends it after the outage.
func during(ctx context.Context, do func(on bool) error) error {
	if err := do(true); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(outage):
	}
	return do(false)
}

var events = []event{
	{name: "downloader's address changes", happen: func(_ context.Context, _,
		leech *lab.Host) error {
		return leech.Readdress(next(leech.Addr))
	}},
	{name: "seed's address changes", happen: func(_ context.Context, seed, _ *lab.Host) error {
		return seed.Readdress(next(seed.Addr))
	}},
	{name: "home router's address changes", behind: true,
		happen: func(_ context.Context, _, leech *lab.Host) error {
			return leech.Readdress(netip.MustParseAddr("198.18.2.77"))
		}},
	{name: "NAT forgets, same ports", behind: true,
		happen: func(_ context.Context, _, leech *lab.Host) error {
			return leech.Forget()
		}},
	{name: "NAT forgets, new ports", behind: true, random: true,
		happen: func(_ context.Context, _, leech *lab.Host) error {
			return leech.Forget()
		}},
	{name: "8 s silent outage", happen: func(ctx context.Context, _, leech *lab.Host) error {
		return during(ctx, leech.Silence)
	}},
	{name: "8 s without carrier", happen: func(ctx context.Context, _, leech *lab.Host) error {
		return during(ctx, func(on bool) error { return leech.Carrier(!on) })
	}},
}

func main() {
	node := flag.String("node", "bin/node", "the node binary")
	only := flag.String("only", "", "only the events whose names contain this")
	with := flag.String("with", "node,libtorrent", "clients to measure, comma-separated")
	flag.Parse()
	realclient.Run("moves", func(ctx context.Context) error {
		return measureAll(ctx, *node, *only, strings.Split(*with, ","))
	})
}

func measureAll(ctx context.Context, node, only string, clients []string) error {
	node, err := filepath.Abs(node)
	if err != nil {
		return err
	}
	fmt.Printf("seconds without data, links of %d Mbit/s, a tracker asked each 15 s\n%-32s",
		linkRate, "event")
	for _, c := range clients {
		fmt.Printf(" %12s", c)
	}
	fmt.Println()
	for _, e := range events {
		if !strings.Contains(e.name, only) {
			continue
		}
		fmt.Printf("%-32s", e.name)
		for _, c := range clients {
			gap, err := measure(ctx, node, c, e)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, errNoData):
				fmt.Printf(" %12s", fmt.Sprintf("> %.0f", waitMax.Seconds()))
			case err != nil:
				return fmt.Errorf("%s: %s: %w", e.name, c, err)
			default:
				fmt.Printf(" %12.1f", gap.Seconds())
			}
		}
		fmt.Println()
	}
	return nil
}

// measure runs one transfer and one event.
func measure(ctx context.Context, node, client string, e event) (gap time.Duration, err error) {
	dir, err := os.MkdirTemp("", "moves")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	l, err := lab.New()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	seed, err := l.Host("seed", linkRate)
	if err != nil {
		return 0, err
	}
	var leech *lab.Host
	if e.behind {
		leech, err = l.Behind("leech", linkRate, e.random)
	} else {
		leech, err = l.Host("leech", linkRate)
	}
	if err != nil {
		return 0, err
	}
	tracker, err := lab.NewTracker(netip.MustParseAddr("11.0.0.1"))
	if err != nil {
		return 0, err
	}
	defer tracker.Close()
	end, err := transfer(ctx, node, client, dir, tracker.URL, seed, leech)
	defer end()
	if err != nil {
		return 0, err
	}
	if _, err := flowing(ctx, leech, nil); err != nil {
		return 0, fmt.Errorf("before the event: %w", err)
	}
	happened := make(chan error, 1)
	start := func() { go func() { happened <- e.happen(ctx, seed, leech) }() }
	gap, err = flowing(ctx, leech, start)
	return gap, errors.Join(err, <-happened)
}

// transfer starts both sides and returns the function that ends them.
func transfer(ctx context.Context, node, client, dir, tracker string, seed,
	leech *lab.Host) (end func(), err error) {
	var ends []func()
	end = func() {
		for _, f := range ends {
			f()
		}
	}
	content := filepath.Join(dir, "from", "content.bin")
	if err := os.MkdirAll(filepath.Dir(content), 0o755); err != nil {
		return end, err
	}
	if err := os.WriteFile(content, nil, 0o644); err != nil {
		return end, err
	}
	if err := os.Truncate(content, size); err != nil {
		return end, err
	}
	torrent, err := realclient.MakeTorrent(content, pieces, tracker)
	if err != nil {
		return end, err
	}
	for i, h := range []*lab.Host{seed, leech} {
		state := filepath.Join(dir, h.Name)
		data := filepath.Join(dir, []string{"from", "to"}[i])
		for _, d := range []string{state, data} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return end, err
			}
		}
		if client == "node" {
			words := append(h.Enter(), node, "add", "--seed", "--no-dht", "--no-lsd", "--port",
				fmt.Sprint(port), "--dir", data, "-v", "-v", torrent.File)
			p, err := nodeproc.Start(words[0], state, words[1:]...)
			if err != nil {
				return end, err
			}
			ends = append(ends, p.Stop)
			if i == 0 {
				if _, err := p.WaitEvent(ctx, "complete"); err != nil {
					return end, fmt.Errorf("%w\n%s", err, p.Log())
				}
			}
			continue
		}
		c, err := realclient.Launch(ctx, realclient.Kind(client), realclient.Options{
			IP: h.Addr, Port: port, Dir: state, Enter: h.Enter(),
			Settings: map[string]any{
				"listen_interfaces": fmt.Sprintf("0.0.0.0:%d", port), "outgoing_interfaces": "",
				"enable_outgoing_utp": false, "enable_incoming_utp": false,
				"allow_multiple_connections_per_ip": false,
			},
		})
		if err != nil {
			return end, err
		}
		ends = append(ends, c.Close)
		if err := c.Seed(ctx, torrent.File, data); err != nil {
			return end, err
		}
		if i == 0 {
			if err := c.Wait(ctx); err != nil {
				return end, err
			}
		}
	}
	return end, nil
}

var errNoData = errors.New("no data comes")

// flowing waits until data has flowed for a while. It returns the longest time without
// data, counted from the call of start if there is one.
func flowing(ctx context.Context, h *lab.Host, start func()) (gap time.Duration, err error) {
	began := time.Now()
	before, err := h.Received()
	if err != nil {
		return 0, err
	}
	if start != nil {
		start()
	}
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	last, since := began, began // when data came last, and since when it flows
	for {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
		now := time.Now()
		bytes, err := h.Received()
		if err != nil {
			return 0, err
		}
		if bytes-before >= flowBytes {
			gap = max(gap, now.Sub(last))
			if now.Sub(last) > 10*lookInterval {
				since = now
			}
			last = now
		}
		before = bytes
		settled := now.Sub(last) < flowFor/4 && now.Sub(since) >= flowFor &&
			now.Sub(began) >= 2*flowFor
		if settled && (start == nil || now.Sub(began) >= outage+flowFor) {
			return gap, nil
		}
		if now.Sub(began) > waitMax+outage {
			return 0, errNoData
		}
	}
}
