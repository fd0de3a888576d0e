package swarmnode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarmnode/swarm"
)

// A driver calls methods of a node and its torrent in a random order. Drivers run at the
// same time.
type driver struct {
	t       *testing.T
	ctx     context.Context
	rng     *rand.Rand
	node    *Node
	torrent *swarm.Torrent
	want    []byte // content of the file that is read
	file    int
	dirs    []string     // folders that the content may lie in
	closing *atomic.Bool // the node may be closed at any moment
}

// names are those that the content may have.
var names = []string{"content", "renamed"}

// steps are what a driver may do. None may fail while the torrent runs.
var steps = []struct {
	name string
	do   func(d *driver) error
}{
	{"Pause", func(d *driver) error { return d.torrent.Pause() }},
	{"Resume", func(d *driver) error { return d.torrent.Resume() }},
	{"SetWebSeeds", func(d *driver) error {
		return d.torrent.SetWebSeeds([]string{"http://127.0.0.1:1/"}[d.rng.IntN(2):])
	}},
	{"Recheck", func(d *driver) error {
		if err := d.torrent.Recheck(); !errors.Is(err, swarm.ErrNoInfo) {
			return err
		}
		return nil
	}},
	{"SetSequential", func(d *driver) error { return d.torrent.SetSequential(d.coin()) }},
	{"SetLimits", func(d *driver) error {
		return d.torrent.SetLimits(swarm.Limits{Down: d.rate(), Up: d.rate(),
			Peers: d.rng.IntN(5), Alone: d.coin(), Rank: d.rng.IntN(3) - 1,
			Group: []string{"", "a", "b"}[d.rng.IntN(3)]})
	}},
	{"AddPeer", func(d *driver) error {
		d.torrent.AddPeer(d.node.Addrs()[0]) // that is ourselves
		return nil
	}},
	{"Reannounce", func(d *driver) error { return d.torrent.Reannounce() }},
	{"SetTrackers", func(d *driver) error {
		return d.torrent.SetTrackers([][]string{{"http://127.0.0.1:1/announce"}}[d.rng.IntN(2):])
	}},
	{"Recheck", func(d *driver) error { return unlessUnknown(d.torrent.Recheck()) }},
	{"Move", func(d *driver) error {
		ctx, cancel := context.WithTimeout(d.ctx, time.Duration(d.rng.IntN(100))*time.Millisecond)
		defer cancel()
		return d.unlessLate(ctx, d.torrent.Move(ctx, d.dirs[d.rng.IntN(len(d.dirs))]))
	}},
	{"Rename", func(d *driver) error {
		if d.torrent.Info() == nil || d.torrent.State().Phase == swarm.Checking {
			return nil // it would wait
		}
		return unlessUnknown(d.torrent.Rename(-1, names[d.rng.IntN(len(names))]))
	}},
	{"views", func(d *driver) error {
		for _, f := range d.torrent.Files() {
			if f.Have > f.Size || f.Complete() && f.Have < f.Size {
				return fmt.Errorf("a file: %+v", f)
			}
		}
		d.torrent.Info()
		return errors.Join(checkState(d.torrent.State()), checkViews(d.torrent))
	}},
	{"Reader", (*driver).read},
	{"Node.SetDHT", func(d *driver) error { return d.node.SetDHT(d.coin()) }},
	{"Node.SetPEX", func(d *driver) error { d.node.SetPEX(d.coin()); return nil }},
	{"Node.SetPort", func(d *driver) error { return d.node.SetPort(0) }},
	{"Node.SetGroups", func(d *driver) error {
		d.node.SetGroups([]swarm.Group{{Name: "a", Down: d.rate(), Up: d.rate(), Alone: d.coin()}})
		return nil
	}},
	{"Node.SetLimits", func(d *driver) error {
		d.node.SetLimits(swarm.EngineLimits{Down: d.rate(), Peers: d.rng.IntN(50)})
		return nil
	}},
}

func (d *driver) coin() bool { return d.rng.IntN(2) == 0 }

// rate returns no limit, or one that is not too slow for the test.
func (d *driver) rate() int64 { return d.rng.Int64N(2) * (1<<20 + d.rng.Int64N(8<<20)) }

// unlessUnknown returns err, unless that says that the metadata is not known yet.
func unlessUnknown(err error) error {
	if errors.Is(err, swarm.ErrNoInfo) {
		return nil
	}
	return err
}

// unlessLate returns err, unless that comes from the end of ctx or of what is unknown.
func (d *driver) unlessLate(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return unlessUnknown(err)
}

// twoDevices returns two new folders, on two devices if the system has a second one.
func twoDevices(t *testing.T) []string {
	t.Helper()
	second, err := os.MkdirTemp("/dev/shm", "swarmnode")
	if err != nil {
		second = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(second) })
	return []string{t.TempDir(), second}
}

// read reads a part of the file, if it comes soon.
func (d *driver) read() error {
	ctx, cancel := context.WithTimeout(d.ctx, 50*time.Millisecond)
	defer cancel()
	r, err := d.torrent.Reader(ctx, d.file)
	if ctx.Err() != nil || errors.Is(err, swarm.ErrReaders) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	at, part := d.rng.IntN(len(d.want)-1000), make([]byte, 1000)
	if _, err := r.ReadAt(part, int64(at)); err != nil {
		if ctx.Err() != nil || errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	if !bytes.Equal(part, d.want[at:at+len(part)]) {
		return fmt.Errorf("wrong bytes at %d", at)
	}
	return nil
}

// checkViews returns an error if what a torrent shows of its peers and pieces cannot be.
func checkViews(t *swarm.Torrent) error {
	for _, p := range t.Peers() {
		if p.Progress < 0 || p.Progress > 1 || p.Seed != (p.Progress == 1) || p.Asked < 0 ||
			p.Queued < 0 || p.Addr.IsValid() == (p.Transport == swarm.TransportWeb) {
			return fmt.Errorf("an impossible peer: %+v", p)
		}
	}
	if p := t.Pieces(); p.Have != nil && (p.Have.Len() != len(p.Availability) ||
		p.Have.Count()+len(p.InFlight) > p.Have.Len()) {
		return fmt.Errorf("impossible pieces: %+v", p)
	}
	if len(t.Trackers()) > 1 || len(t.WebSeeds()) > 1 {
		return fmt.Errorf("impossible trackers or web seeds: %+v, %+v", t.Trackers(), t.WebSeeds())
	}
	return nil
}

// checkState returns what is wrong with a state that no order of calls may lead to.
func checkState(s swarm.State) error {
	switch {
	case s.Phase == swarm.Failed, s.Phase == swarm.Closed, s.Phase == swarm.Faulty:
		return fmt.Errorf("the torrent is %v: %v", s.Phase, s.Fault)
	case s.Got > s.Wanted, s.Have > s.Length, s.Checked > s.CheckTotal:
		return fmt.Errorf("more than everything: %+v", s)
	}
	return nil
}

// run takes a number of random steps.
func (d *driver) run(number int) {
	for range number {
		step := steps[d.rng.IntN(len(steps))]
		err := step.do(d)
		if d.closing.Load() && (errors.Is(err, swarm.ErrStopped) || errors.Is(err, ErrClosed)) {
			return
		}
		if err != nil && !d.closing.Load() {
			d.t.Errorf("%s: %v", step.name, err)
		}
	}
}

// follow reads the feed of the node until ctx ends, and checks what it says.
func follow(ctx context.Context, t *testing.T, n *Node) {
	feed, last := n.Subscribe(0), uint64(0)
	for {
		c, err := feed.Next(ctx)
		if err != nil {
			return
		}
		if c.Seq <= last || len(c.Torrents) > 1 || len(c.Removed) > 0 {
			t.Errorf("after %d come %+v", last, c)
		}
		last = c.Seq
		for _, change := range c.Torrents {
			if err := checkState(change.Torrent.State()); err != nil {
				t.Error(err)
			}
		}
	}
}

// Methods may be called in every order and at the same time: the torrent is complete and
// right in the end, and nothing stands still.
func TestCallsInEveryOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dir, torrent := makeTorrent(t, 3<<20)
	seeder := startNode(t, Config{})
	if _, err := seeder.Add(swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, "content"))
	if err != nil {
		t.Fatal(err)
	}
	node := startNode(t, Config{StateDir: t.TempDir()}, hostOf(seeder))
	dirs := twoDevices(t)
	leech, err := node.Add(swarm.Spec{Magnet: torrent.Magnet(), Dir: dirs[0],
		Peers: []string{hostOf(seeder)}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var following, driving sync.WaitGroup
	following.Go(func() { follow(ctx, t, node) })
	for i := range 4 {
		d := &driver{t: t, ctx: ctx, rng: rand.New(rand.NewPCG(seed, uint64(i))), node: node,
			torrent: leech, want: want, dirs: dirs, closing: new(atomic.Bool)}
		driving.Go(func() { d.run(100) })
	}
	driving.Wait()
	settle(t, node, leech)
	waitDone(t, leech)
	cancel()
	following.Wait()
	got, err := os.ReadFile(leech.Paths()[0])
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the content of %v is wrong, %v", leech.Paths(), err)
	}
	for range 2 {
		if err := leech.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, err := range []error{leech.Pause(), leech.Resume(), leech.SetSequential(true),
		leech.SetLimits(swarm.Limits{}), leech.Reannounce()} {
		if !errors.Is(err, swarm.ErrStopped) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// settle makes the torrent fetch everything without a limit.
func settle(t *testing.T, node *Node, torrent *swarm.Torrent) {
	t.Helper()
	node.SetLimits(swarm.EngineLimits{})
	node.SetGroups(nil)
	node.SetPEX(true)
	if err := torrent.Resume(); err != nil {
		t.Error(err)
	}
	select {
	case <-torrent.HaveInfo():
	case <-time.After(patience):
		t.Fatal("no metadata")
	}
	for _, err := range []error{node.SetDHT(true),
		torrent.SetFiles([]swarm.Priority{swarm.Normal}),
		torrent.SetLimits(swarm.Limits{}), torrent.SetSequential(false)} {
		if err != nil {
			t.Error(err)
		}
	}
}

// A node that is closed in the middle of calls ends, and the next one goes on with
// everything that it had.
func TestCloseInTheMiddleOfCalls(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dir, torrent := makeTorrent(t, 3<<20)
	want, err := os.ReadFile(filepath.Join(dir, "content"))
	if err != nil {
		t.Fatal(err)
	}
	seeder := startNode(t, Config{Up: 2 << 20})
	if _, err := seeder.Add(swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}); err != nil {
		t.Fatal(err)
	}
	dirs, state := twoDevices(t), t.TempDir()
	had, last := int64(0), dirs[0]
	for round := range 6 {
		node := startNode(t, Config{StateDir: state}, hostOf(seeder))
		leech, err := node.Add(swarm.Spec{Torrent: torrent, Dir: []string{dirs[0], last}[round%2],
			Peers: []string{hostOf(seeder)}})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the check", func() bool { return leech.State().Phase > swarm.Checking })
		if got := leech.State().Have; got < had {
			t.Errorf("round %d begins with %d bytes, the last one ended with %d", round, got, had)
		}
		var closing atomic.Bool
		var driving sync.WaitGroup
		for i := range 4 {
			d := &driver{t: t, ctx: t.Context(),
				rng:  rand.New(rand.NewPCG(seed, uint64(i+10*round))),
				node: node, torrent: leech, want: want, dirs: dirs, closing: &closing}
			driving.Go(func() {
				d.run(10 + d.rng.IntN(30))
				if i == 0 {
					closing.Store(true)
					node.Close()
					return
				}
				d.run(1000)
			})
		}
		driving.Wait()
		if err := node.Close(); err != nil {
			t.Error(err)
		}
		had, last = leech.State().Have, leech.Dir()
	}
	if had == 0 {
		t.Error("nothing was fetched in all rounds")
	}
}
