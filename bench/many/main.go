//go:build linux

// Command many measures one "node seed" of thousands of torrents in a live DHT:
// how long it takes to start, its memory and processor time, how its announcements
// are spread over time, and whether another node finds what it announced.
//
// The DHT consists of nodes in this process, each in a network of its own, with addresses
// that count as public, so all limits apply as they would on the internet. Everything
// happens in a network namespace of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
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
	most     time.Duration
	watch    time.Duration
	sample   int
}

const (
	// contentSize is that of each torrent, in bytes.
	contentSize = 1 << 10
	// joinTime is how long the nodes of the DHT have to find each other.
	joinTime = 20 * time.Second
	// reportEvery is the time between two lines about the announcements.
	reportEvery = time.Minute
)

// seeder and seeker are the addresses of the node that is measured and of the one
// that looks for its torrents.
var (
	seeder = netip.MustParseAddr("11.200.0.1")
	seeker = netip.MustParseAddr("11.201.0.1")
)

func main() {
	var cfg config
	flag.StringVar(&cfg.node, "node", "bin/node", "the node binary")
	flag.IntVar(&cfg.torrents, "torrents", 10_000, "torrents to seed")
	flag.IntVar(&cfg.nodes, "nodes", 2_000, "nodes of the DHT")
	flag.StringVar(&cfg.memory, "memory", "", "--memory of the seeder; its default if empty")
	flag.IntVar(&cfg.rate, "rate", 0, "--dht-rate of the seeder; its default if 0")
	flag.DurationVar(&cfg.most, "most", 2*time.Hour, "how long is waited until all are announced")
	flag.DurationVar(&cfg.watch, "watch", 0, "how long is watched how they are announced again")
	flag.IntVar(&cfg.sample, "sample", 1_000, "torrents that are looked up by another node")
	flag.Parse()
	realclient.Run("many", func(ctx context.Context) error { return measure(ctx, cfg) })
}

func measure(ctx context.Context, cfg config) error {
	if cfg.torrents <= 0 || cfg.nodes <= 0 || cfg.nodes > 250*250 {
		return errors.New("numbers must be positive, and there are 62,500 addresses for nodes")
	}
	work, err := os.MkdirTemp("", "many")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	node, err := filepath.Abs(cfg.node)
	if err != nil {
		return err
	}
	l := publicdht.NewLedger(seeder)
	net, err := publicdht.Start(ctx, cfg.nodes, l)
	if err != nil {
		return err
	}
	defer net.Close()
	if err := nodeproc.Pause(ctx, joinTime); err != nil {
		return err
	}
	seed, hashes, err := startSeeder(ctx, cfg, node, work, net.Entry())
	if err != nil {
		return err
	}
	defer seed.Stop()
	if err := follow(ctx, cfg, seed, l, len(hashes)); err != nil {
		return err
	}
	if err := rest(ctx, seed); err != nil {
		return err
	}
	found, asked, err := net.Find(ctx, seeker, hashes, cfg.sample)
	if err != nil {
		return err
	}
	fmt.Printf("another node finds the seeder of %d of %d torrents\n", found, asked)
	if cfg.watch > 0 {
		if err := nodeproc.Pause(ctx, cfg.watch); err != nil {
			return err
		}
		fmt.Println(l.Again())
	}
	began := time.Now()
	seed.Stop()
	fmt.Printf("stopped within %.1f s\n", time.Since(began).Seconds())
	return nil
}

// startSeeder seeds n torrents and returns their info-hashes in the order of their start.
func startSeeder(ctx context.Context, cfg config, node, work,
	entry string) (*nodeproc.Node, []string, error) {
	args := []string{"seed", "--listen", seeder.String() + ":6881", "--bootstrap", entry,
		"--no-lsd"}
	if cfg.memory != "" {
		args = append(args, "--memory", cfg.memory)
	}
	if cfg.rate > 0 {
		args = append(args, "--dht-rate", fmt.Sprint(cfg.rate))
	}
	random := rand.NewChaCha8([32]byte{1})
	data := make([]byte, contentSize)
	for i := range cfg.torrents {
		path := filepath.Join(work, "content", fmt.Sprintf("file-%06d", i))
		if i == 0 {
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				return nil, nil, err
			}
		}
		random.Read(data)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return nil, nil, err
		}
		args = append(args, path)
	}
	began := time.Now()
	seed, err := nodeproc.Start(node, filepath.Join(work, "state"), args...)
	if err != nil {
		return nil, nil, err
	}
	var hashes []string
	if _, err := seed.WaitFor(ctx, "all torrents", func(e nodeproc.Event) bool {
		if e.Event == "seeding" {
			hashes = append(hashes, e.Torrent)
		}
		return len(hashes) == cfg.torrents
	}); err != nil {
		seed.Stop()
		return nil, nil, fmt.Errorf("%w\n%s", err, seed.Log())
	}
	u, err := seed.Usage()
	fmt.Printf("%d torrents are seeded after %.1f s and %.1f CPU s, with %d MiB\n",
		cfg.torrents, time.Since(began).Seconds(), u.CPU.Seconds(), u.PeakRSS>>20)
	return seed, hashes, err
}

// follow reports the progress of the announcements until each torrent was announced.
func follow(ctx context.Context, cfg config, seed *nodeproc.Node, l *publicdht.Ledger,
	torrents int) error {
	began := time.Now()
	last, err := seed.Usage()
	if err != nil {
		return err
	}
	for time.Since(began) < cfg.most {
		end := time.Now().Add(reportEvery)
		for l.Distinct() < torrents && time.Now().Before(end) {
			if err := nodeproc.Pause(ctx, time.Second); err != nil {
				return err
			}
		}
		u, err := seed.Usage()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, seed.Log())
		}
		fmt.Printf("%6.0f s: %6d announced; %3d MiB now, %3d at most; %4.1f %% of a core; %s\n",
			time.Since(began).Seconds(),
			l.Distinct(), u.Anon>>20, u.PeakRSS>>20,
			100*(u.CPU-last.CPU).Seconds()/reportEvery.Seconds(), l.Traffic())
		if last = u; l.Distinct() == torrents {
			fmt.Println(l.Spread())
			return nil
		}
	}
	fmt.Printf("%d of %d torrents were announced within %v\n", l.Distinct(), torrents, cfg.most)
	return nil
}

// rest reports the processor time of the seeder while it does nothing but announce.
func rest(ctx context.Context, seed *nodeproc.Node) error {
	before, err := seed.Usage()
	if err != nil {
		return err
	}
	const watched = 30 * time.Second
	if err := nodeproc.Pause(ctx, watched); err != nil {
		return err
	}
	after, err := seed.Usage()
	if err != nil {
		return err
	}
	fmt.Printf("afterwards: %.1f %% of a core, %d MiB now, %d at most\n",
		100*(after.CPU-before.CPU).Seconds()/watched.Seconds(), after.Anon>>20, after.PeakRSS>>20)
	return nil
}
