//go:build linux

// Command daemon measures one "node daemon" that holds thousands of torrents: how long adding
// them and starting again take, memory, processor time at rest, and how soon it answers the
// front ends of Transmission and its own API; transmission-daemon does the same beside it.
//
// The DHT is that of bench/publicdht, and everything happens in a network namespace.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"swarmnode/bench/publicdht"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

type config struct {
	node     string
	torrents int
	nodes    int
	memory   string
	rate     int
	announce bool
	watch    bool
	rest     time.Duration
	with     string
}

// joinTime is how long the nodes of the DHT have to find each other.
const joinTime = 10 * time.Second

// host is the address of the daemon that is measured.
var host = netip.MustParseAddr("11.200.0.1")

// A scene is what all measurements share.
type scene struct {
	cfg     config
	work    string
	content string // the folder of all content
	docs    []string
	ledger  *publicdht.Ledger
	entry   string // of the DHT
}

func main() {
	var cfg config
	flag.StringVar(&cfg.node, "node", "bin/node", "the node binary")
	flag.IntVar(&cfg.torrents, "torrents", 10_000, "torrents to hold")
	flag.IntVar(&cfg.nodes, "nodes", 500, "nodes of the DHT")
	flag.StringVar(&cfg.memory, "memory", "384M", "--memory of the daemon")
	flag.IntVar(&cfg.rate, "rate", 534, "--dht-rate of the daemon")
	flag.BoolVar(&cfg.announce, "announce", true, "wait until all torrents are announced")
	flag.BoolVar(&cfg.watch, "watch", false, "add by a watched folder rather than by the API")
	flag.DurationVar(&cfg.rest, "rest", time.Minute, "how long the processor is watched at rest")
	flag.StringVar(&cfg.with, "with", "all", "what is measured: node, transmission or all")
	flag.Parse()
	realclient.Run("daemon", func(ctx context.Context) error { return measure(ctx, cfg) })
}

func measure(ctx context.Context, cfg config) error {
	if cfg.torrents <= 0 || cfg.nodes <= 0 || cfg.nodes > 250*250 {
		return errors.New("numbers must be positive, and there are 62,500 addresses for nodes")
	}
	work, err := os.MkdirTemp("", "daemon")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if cfg.node, err = filepath.Abs(cfg.node); err != nil {
		return err
	}
	s := &scene{cfg: cfg, work: work, ledger: publicdht.NewLedger(host)}
	if err := s.makeTorrents(); err != nil {
		return err
	}
	if cfg.with != "transmission" {
		if err := s.measureNode(ctx); err != nil {
			return err
		}
	}
	if cfg.with != "node" {
		return s.measureTransmission(ctx)
	}
	return nil
}

// measureNode measures the node: adding, and starting again with a DHT and without one.
func (s *scene) measureNode(ctx context.Context) error {
	net, err := publicdht.Start(ctx, s.cfg.nodes, s.ledger)
	if err != nil {
		return err
	}
	defer net.Close()
	s.entry = net.Entry()
	if err := nodeproc.Pause(ctx, joinTime); err != nil {
		return err
	}
	for _, run := range []func(context.Context) error{s.addToNode, s.restartNode,
		s.restartAlone} {
		if err := run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// addToNode adds all torrents to a daemon that has none and no DHT.
func (s *scene) addToNode(ctx context.Context) error {
	d, err := s.startNode(ctx, false)
	if err != nil {
		return err
	}
	defer d.stop()
	began := time.Now()
	how := "API, 8 clients"
	if s.cfg.watch {
		how = "a watched folder"
		err = s.addByFolder(ctx, d)
	} else {
		err = s.addByAPI(ctx, d)
	}
	if err != nil {
		return d.explain(err)
	}
	added := time.Since(began)
	seeds, err := d.awaitSeeds(ctx, s.cfg.torrents)
	if err != nil {
		return d.explain(err)
	}
	fmt.Printf("node: %d torrents added by %s: %.1f s (%.0f a second); %d seed after %.1f s%s\n",
		s.cfg.torrents, how, added.Seconds(), float64(s.cfg.torrents)/added.Seconds(), seeds,
		time.Since(began).Seconds(), d.used())
	if n := d.busy.Load(); n > 0 {
		fmt.Printf("node: %d requests were refused for a while by the memory limit\n", n)
	}
	began = time.Now()
	d.stop()
	fmt.Printf("node: stopped within %.1f s\n", time.Since(began).Seconds())
	return nil
}

// restartNode starts the daemon with its torrents, in the DHT.
func (s *scene) restartNode(ctx context.Context) error {
	s.ledger.Reset()
	d, err := s.startAgain(ctx, "node in a DHT", true)
	if err != nil {
		return err
	}
	defer d.stop()
	if s.cfg.announce {
		if err := s.awaitAnnounced(ctx, d, d.seeds); err != nil {
			return d.explain(err)
		}
	}
	s.ledger.Traffic() // counts from now on
	if err := d.rest(ctx, s.cfg.rest); err != nil {
		return err
	}
	fmt.Printf("%s: %s at rest\n", d.name, s.ledger.Traffic())
	return d.explain(d.askAll(ctx))
}

// restartAlone is restartNode without a DHT.
func (s *scene) restartAlone(ctx context.Context) error {
	d, err := s.startAgain(ctx, "node", false)
	if err != nil {
		return err
	}
	defer d.stop()
	if err := d.rest(ctx, s.cfg.rest); err != nil {
		return err
	}
	return d.explain(d.askAll(ctx))
}

// startAgain starts the daemon, and says how long that takes.
func (s *scene) startAgain(ctx context.Context, name string, dht bool) (*daemon, error) {
	began := time.Now()
	d, err := s.startNode(ctx, dht)
	if err != nil {
		return nil, err
	}
	d.name = name
	n, err := d.count(ctx, "")
	if err == nil && n != s.cfg.torrents {
		err = fmt.Errorf("%d torrents are listed after a new start, not %d", n, s.cfg.torrents)
	}
	listed := time.Since(began)
	seeds := 0
	if err == nil {
		seeds, err = d.awaitSeeds(ctx, s.cfg.torrents)
	}
	if err != nil {
		defer d.stop()
		return nil, d.explain(err)
	}
	d.seeds = seeds
	fmt.Printf("%s: all listed %.2f s after the start; %d seed after %.1f s%s\n", name,
		listed.Seconds(), seeds, time.Since(began).Seconds(), d.used())
	return d, nil
}

const (
	// announceTime bounds how long is waited until all torrents are announced.
	announceTime = time.Hour
	// reportEvery is the time between two lines about the announcements.
	reportEvery = time.Minute
)

// awaitAnnounced waits until so many torrents were announced in the DHT.
func (s *scene) awaitAnnounced(ctx context.Context, d *daemon, torrents int) error {
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	for s.ledger.Distinct() < torrents {
		end := time.Now().Add(reportEvery)
		for s.ledger.Distinct() < torrents && time.Now().Before(end) {
			if err := nodeproc.Pause(ctx, time.Second); err != nil {
				return err
			}
		}
		fmt.Printf("%s: %d announced; %s%s\n", d.name, s.ledger.Distinct(), s.ledger.Traffic(),
			d.used())
	}
	fmt.Printf("%s: %s\n", d.name, s.ledger.Spread())
	return nil
}
