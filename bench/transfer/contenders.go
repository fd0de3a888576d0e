//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/proc"
	"swarmnode/internal/realclient"
)

const (
	sampleInterval = 20 * time.Millisecond // between two looks at a process' memory
	pollInterval   = 10 * time.Millisecond // between two looks at a client's progress
	slowInterval   = 10 * pollInterval     // the same for one whose slow loop must answer, too
)

// The addresses of both sides: clients want one each, and Transmission takes no peer with
// a loopback address.
var (
	seedIP  = netip.AddrFrom4([4]byte{10, 0, 51, 1})
	leechIP = netip.AddrFrom4([4]byte{10, 0, 51, 2})
)

// source is a side that has the content.
type source interface {
	addr() netip.AddrPort
	usage() (proc.Usage, error)
	close()
}

// seeder starts a source and returns when it is ready to serve. dir is for its state.
type seeder func(ctx context.Context, j job, dir string) (source, error)

// leecher fetches the job from a peer into dir. It returns how long that took and what
// the fetching process used.
type leecher func(ctx context.Context, j job, peer netip.AddrPort,
	dir string) (time.Duration, sample, error)

// contender is one pair to measure.
type contender struct {
	name  string
	slow  bool // takes the smaller file
	seed  seeder
	leech leecher

	job      job
	measures []measure
	failed   int
}

// measure is one transfer.
type measure struct {
	took        time.Duration
	seed, leech sample
}

// rate is in MB/s, of 10^6 bytes.
func (m measure) rate(size int64) float64 { return float64(size) / 1e6 / m.took.Seconds() }

// sample is what a process used during a transfer.
type sample struct {
	cpu  time.Duration
	peak int64 // bytes resident at most, with mapped files
	anon int64 // bytes of it that are not pages of files, at most
}

// sampler samples a process until it is stopped.
type sampler struct {
	usage  func() (proc.Usage, error)
	before time.Duration
	quit   chan struct{}
	wait   sync.WaitGroup
	seen   sample
}

// startSampler counts CPU time from now on, or from the start of the process.
func startSampler(usage func() (proc.Usage, error), fromStart bool) (*sampler, error) {
	s := &sampler{usage: usage, quit: make(chan struct{})}
	if !fromStart {
		u, err := usage()
		if err != nil {
			return nil, err
		}
		s.before = u.CPU
	}
	s.wait.Go(func() {
		tick := time.NewTicker(sampleInterval)
		defer tick.Stop()
		for {
			s.look()
			select {
			case <-s.quit:
				return
			case <-tick.C:
			}
		}
	})
	return s, nil
}

func (s *sampler) look() {
	u, err := s.usage()
	if err != nil {
		return // it ends just now
	}
	s.seen.cpu = u.CPU - s.before
	s.seen.peak = max(s.seen.peak, u.PeakRSS)
	s.seen.anon = max(s.seen.anon, u.Anon)
}

func (s *sampler) stop() sample {
	close(s.quit)
	s.wait.Wait()
	s.look()
	return s.seen
}

// measure runs one transfer. dir is empty before and after.
func (c *contender) measure(ctx context.Context, dir string) (measure, error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	seedDir, leechDir, out := filepath.Join(dir, "seed"), filepath.Join(dir, "leech"),
		filepath.Join(dir, "out")
	for _, d := range []string{seedDir, leechDir, out} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return measure{}, err
		}
	}
	defer os.RemoveAll(dir)
	seed, err := c.seed(ctx, c.job, seedDir)
	if err != nil {
		return measure{}, fmt.Errorf("seeding: %w", err)
	}
	defer seed.close()
	watch, err := startSampler(seed.usage, false)
	if err != nil {
		return measure{}, err
	}
	var m measure
	j := c.job
	if named, ok := seed.(interface{ magnet() string }); ok {
		j.Magnet = named.magnet()
	}
	m.took, m.leech, err = c.leech(ctx, j, seed.addr(), leechDir)
	m.seed = watch.stop()
	if err != nil {
		return measure{}, fmt.Errorf("fetching: %w", err)
	}
	return m, sameFile(filepath.Join(c.job.dir, contentName), filepath.Join(leechDir, contentName))
}

// sameFile compares two files.
func sameFile(a, b string) error {
	fa, err := os.Open(a)
	if err != nil {
		return err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return err
	}
	defer fb.Close()
	bufA, bufB := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		na, errA := io.ReadFull(fa, bufA)
		nb, errB := io.ReadFull(fb, bufB)
		if !bytes.Equal(bufA[:na], bufB[:nb]) {
			return errors.New("the fetched file differs")
		}
		if errA != nil || errB != nil {
			return nil // both ended: they were of one length so far
		}
	}
}

// contenders returns all pairs whose programs are installed, and why the others are left
// out.
func contenders(node string) (list []contender, skipped []string) {
	list = []contender{
		{name: "the machine's limit", seed: limitSeed(0), leech: limitLeech},
		{name: "the machine's limit, up 100 MiB/s", seed: limitSeed(100 << 20), leech: limitLeech},
		{name: "node -> node", seed: nodeSeed(node), leech: nodeLeech(node)},
		{name: "node -> node, v2", seed: nodeSeed(node, "--v2"), leech: nodeLeech(node)},
		{name: "node -> node, hybrid", seed: nodeSeed(node, "--hybrid"), leech: nodeLeech(node)},
		{name: "node -> node, down 100 MiB/s", seed: nodeSeed(node),
			leech: nodeLeech(node, "--down", "100M")},
		{name: "node -> node, up 100 MiB/s", seed: nodeSeed(node, "--up", "100M"),
			leech: nodeLeech(node)},
		{name: "node -> node, encrypted", seed: nodeSeed(node),
			leech: nodeLeech(node, "--encryption", "require")},
		{name: "node -> node, uTP", seed: nodeSeed(node, "--no-tcp"),
			leech: nodeLeech(node, "--no-tcp")},
	}
	fast := clientSide{kind: realclient.Libtorrent, fast: true}
	plain := clientSide{kind: realclient.Libtorrent}
	utp := clientSide{kind: realclient.Libtorrent, utp: true}
	aria2 := clientSide{kind: realclient.Aria2}
	transmission := clientSide{kind: realclient.Transmission}
	add := func(kind realclient.Kind, more ...contender) {
		if err := realclient.Installed(kind); err != nil {
			skipped = append(skipped, err.Error())
			return
		}
		list = append(list, more...)
	}
	add(realclient.Libtorrent,
		contender{name: "libtorrent -> libtorrent", seed: plain.seed, leech: plain.leech},
		contender{name: "libtorrent -> libtorrent, fast preset", seed: fast.seed,
			leech: fast.leech},
		contender{name: "node -> libtorrent", seed: nodeSeed(node), leech: plain.leech},
		contender{name: "libtorrent -> node", seed: plain.seed, leech: nodeLeech(node)},
		contender{name: "libtorrent -> libtorrent, uTP", seed: utp.seed, leech: utp.leech},
		contender{name: "node -> libtorrent, uTP", seed: nodeSeed(node), leech: utp.leech},
		contender{name: "libtorrent -> node, uTP", seed: utp.seed,
			leech: nodeLeech(node, "--no-tcp")})
	add(realclient.Aria2, contender{name: "aria2 -> aria2", seed: aria2.seed, leech: aria2.leech})
	if _, err := realclient.ServerInstalled(realclient.Nginx); err != nil {
		skipped = append(skipped, err.Error())
	} else {
		list = append(list, contender{name: "nginx -> node", seed: nginxSeed,
			leech: nodeWebLeech(node)})
		add(realclient.Libtorrent, contender{name: "nginx -> libtorrent", seed: nginxSeed,
			leech: plain.webLeech})
		add(realclient.Aria2, contender{name: "nginx -> aria2", seed: nginxSeed,
			leech: aria2.webLeech})
	}
	add(realclient.Transmission, contender{name: "transmission -> transmission", slow: true,
		seed: transmission.seed, leech: transmission.leech})
	return list, skipped
}

// clientSide is one of the other clients.
type clientSide struct {
	kind realclient.Kind
	fast bool
	utp  bool // alone, of libtorrent
}

func (s clientSide) options(ip netip.Addr, dir string) realclient.Options {
	o := realclient.Options{IP: ip, Dir: dir, HighPerformance: s.fast}
	switch s.kind {
	case realclient.Libtorrent:
		o.Settings = map[string]any{
			"enable_outgoing_utp": s.utp, "enable_incoming_utp": s.utp,
			"enable_outgoing_tcp": !s.utp, "enable_incoming_tcp": !s.utp,
			"in_enc_policy": 2, "out_enc_policy": 2, // off
		}
	case realclient.Transmission:
		o.Settings = map[string]any{"utp-enabled": false, "encryption": 0, "message-level": 1}
	case realclient.Aria2:
		o.Settings = map[string]any{"console-log-level": "warn"}
	}
	return o
}

type clientSource struct{ *realclient.Client }

func (c clientSource) addr() netip.AddrPort       { return c.Addr }
func (c clientSource) usage() (proc.Usage, error) { return c.Usage() }
func (c clientSource) close()                     { c.Close() }

func (s clientSide) seed(ctx context.Context, j job, dir string) (source, error) {
	c, err := realclient.Launch(ctx, s.kind, s.options(seedIP, dir))
	if err != nil {
		return nil, err
	}
	err = c.Seed(ctx, j.File, j.dir)
	if err == nil {
		err = c.WaitPolling(ctx, pollInterval)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return clientSource{c}, nil
}

func (s clientSide) leech(ctx context.Context, j job, peer netip.AddrPort,
	dir string) (time.Duration, sample, error) {
	state, err := os.MkdirTemp(filepath.Dir(dir), "state")
	if err != nil {
		return 0, sample{}, err
	}
	c, err := realclient.Launch(ctx, s.kind, s.options(leechIP, state))
	if err != nil {
		return 0, sample{}, err
	}
	defer c.Close()
	magnet := j.Magnet
	if !s.kind.TakesPeers() {
		tracker, err := realclient.NewTracker(leechIP, peer)
		if err != nil {
			return 0, sample{}, err
		}
		defer tracker.Close()
		magnet += "&tr=" + tracker.URL
	}
	watch, err := startSampler(c.Usage, false)
	if err != nil {
		return 0, sample{}, err
	}
	start := time.Now()
	err = c.Add(ctx, magnet, dir)
	if err == nil && s.kind.TakesPeers() {
		err = c.Connect(ctx, peer)
	}
	interval := pollInterval
	if s.kind == realclient.Transmission {
		interval = slowInterval
	}
	if err == nil {
		err = c.WaitPolling(ctx, interval)
	}
	took := time.Since(start)
	return took, watch.stop(), err
}

// nodeSource is a running "node seed".
type nodeSource struct {
	*nodeproc.Node
	at   netip.AddrPort
	link string
}

func (n nodeSource) magnet() string { return n.link }

func (n nodeSource) addr() netip.AddrPort       { return n.at }
func (n nodeSource) usage() (proc.Usage, error) { return n.Usage() }
func (n nodeSource) close()                     { n.Stop() }

// nodeSeed is "node seed" with further flags.
func nodeSeed(binary string, flags ...string) seeder {
	return func(ctx context.Context, j job, dir string) (source, error) {
		args := append([]string{"seed", "--listen", seedIP.String() + ":0", "--no-dht", "--no-lsd",
			"--piece-length", fmt.Sprint(j.piece), filepath.Join(j.dir, contentName)}, flags...)
		n, err := nodeproc.Start(binary, dir, args...)
		if err != nil {
			return nil, err
		}
		s := nodeSource{Node: n}
		if s.at, err = n.Addr(ctx); err == nil {
			var e nodeproc.Event
			e, err = n.WaitEvent(ctx, "seeding")
			s.link = e.Magnet
		}
		if err != nil {
			n.Stop()
			return nil, fmt.Errorf("%w\n%s", err, n.Log())
		}
		return s, nil
	}
}

// nodeLeech is "node add" with further flags.
func nodeLeech(binary string, flags ...string) leecher {
	return func(ctx context.Context, j job, peer netip.AddrPort,
		dir string) (time.Duration, sample, error) {
		return runNode(ctx, dir, func(state string) (*nodeproc.Node, error) {
			return nodeproc.Start(binary, state,
				append([]string{"add", "--listen", leechIP.String() + ":0", "--no-dht", "--no-lsd",
					"--peer", peer.String(), "--dir", dir, j.Magnet}, flags...)...)
		})
	}
}

// runNode measures a "node add" that start starts, with a folder for its state beside
// dir.
func runNode(ctx context.Context, dir string, start func(state string) (*nodeproc.Node,
	error)) (time.Duration, sample, error) {
	state, err := os.MkdirTemp(filepath.Dir(dir), "state")
	if err != nil {
		return 0, sample{}, err
	}
	began := time.Now()
	n, err := start(state)
	if err != nil {
		return 0, sample{}, err
	}
	defer n.Stop()
	watch, err := startSampler(n.Usage, true)
	if err != nil {
		return 0, sample{}, err
	}
	err = waitProcess(ctx, n.Process)
	took := time.Since(began)
	used := watch.stop()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, n.Log())
	}
	return took, used, err
}

// waitProcess waits until a process has ended well, or ctx ends.
func waitProcess(ctx context.Context, p *proc.Process) error {
	select {
	case <-p.Done():
		return p.Wait()
	case <-ctx.Done():
		return ctx.Err()
	}
}
