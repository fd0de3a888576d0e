package daemon

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// steps are what users do to a torrent. None may fail, except because it was removed, its
// metadata is not known, or it is being moved.
var steps = []func(ctx context.Context, rng *rand.Rand, t *Torrent, dirs []string) error{
	func(ctx context.Context, rng *rand.Rand, t *Torrent, _ []string) error {
		return t.Start(ctx, Turn(rng.IntN(2) == 0))
	},
	func(ctx context.Context, rng *rand.Rand, t *Torrent, _ []string) error { return t.Stop(ctx) },
	func(ctx context.Context, rng *rand.Rand, t *Torrent, _ []string) error {
		return t.Verify(ctx)
	},
	func(ctx context.Context, rng *rand.Rand, t *Torrent, dirs []string) error {
		return t.Move(ctx, dirs[rng.IntN(len(dirs))])
	},
	func(ctx context.Context, rng *rand.Rand, t *Torrent, _ []string) error {
		return t.Set(ctx, func(o *Options) {
			o.Labels = []string{strconv.Itoa(rng.IntN(5))}
			o.Up = rng.Int64N(2) * 1e6
			o.Sequential = rng.IntN(2) == 0
			o.Trackers = [][]string{{"http://127.0.0.1:1/announce"}}[rng.IntN(2):]
		})
	},
	func(ctx context.Context, rng *rand.Rand, t *Torrent, _ []string) error {
		return t.Set(ctx, func(o *Options) {
			o.Files = []swarm.Priority{swarm.Priority(rng.IntN(8))}
		})
	},
	func(ctx context.Context, rng *rand.Rand, t *Torrent, _ []string) error {
		return t.Enqueue(rng.IntN(6) - 1)
	},
	func(ctx context.Context, rng *rand.Rand, t *Torrent, _ []string) error {
		return errors.Join(t.Reannounce(ctx), t.AddPeer(ctx, "127.0.0.1:1"))
	},
	func(ctx context.Context, rng *rand.Rand, t *Torrent, _ []string) error {
		_, err := t.Files(ctx)
		_, err2 := t.Metainfo(ctx)
		t.Peers()
		t.Pieces()
		t.Trackers()
		t.WebSeeds()
		t.Magnet()
		return errors.Join(err, err2)
	},
	func(ctx context.Context, rng *rand.Rand, t *Torrent, _ []string) error {
		s := t.State()
		if s.Got > s.Wanted || s.Have > s.Size || s.Status > Seeding || s.Left > s.Wanted {
			return fmt.Errorf("a state that makes no sense: %+v", s)
		}
		return nil
	},
	func(ctx context.Context, rng *rand.Rand, t *Torrent, _ []string) error {
		if rng.IntN(3) > 0 {
			return t.closeIdle()
		}
		return t.Remove(ctx, rng.IntN(2) == 0)
	},
}

// mayFail reports whether a step may fail with an error.
func mayFail(err error) bool {
	for _, target := range []error{ErrRemoved, ErrNoInfo, ErrMoving, swarm.ErrStopped} {
		if errors.Is(err, target) {
			return true
		}
	}
	_, exists := errors.AsType[*ExistsError](err)
	_, option := errors.AsType[*OptionError](err) // the priorities of a link's files
	return exists || option
}

// TestManyUsersAtOnce: several users do everything to a few torrents in a random order, and in the
// end the next daemon lists what the first one listed.
func TestManyUsersAtOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var torrents []*metainfo.Torrent
	seeds := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	for i, kind := range []metainfo.Kind{metainfo.V1, metainfo.V2, metainfo.Hybrid, metainfo.V1} {
		from, torrent := makeTorrent(t, fmt.Sprint("content", i), 300_000, kind)
		add(t, seeds, AddSpec{Torrent: torrent, Complete: true, Options: Options{Dir: from}})
		torrents = append(torrents, torrent)
	}
	state, dirs := t.TempDir(), []string{t.TempDir(), t.TempDir()}
	d := startDaemon(t, testConfig(state, dirs[0], nil))
	var users sync.WaitGroup
	until := time.Now().Add(2 * time.Second)
	for user := range 4 {
		users.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(user)))
			for time.Now().Before(until) {
				torrent := torrents[rng.IntN(len(torrents))]
				there := d.Torrent(torrent.Info().Hash())
				var err error
				if there == nil {
					spec := AddSpec{Torrent: torrent, Peers: []string{hostOf(seeds)}}
					if rng.IntN(2) == 0 {
						spec.Torrent, spec.Magnet = nil, torrent.Magnet()
					}
					_, err = d.Add(t.Context(), spec)
				} else {
					err = steps[rng.IntN(len(steps))](t.Context(), rng, there, dirs)
				}
				if err != nil && !mayFail(err) {
					t.Error(err)
				}
			}
		})
	}
	users.Wait()
	eventually(t, "moves end", func() bool {
		for _, torrent := range d.Torrents() {
			if err := torrent.beginMove(); err != nil {
				return false
			}
			torrent.endMove()
		}
		return true
	})
	before := summaryOf(d)
	closeDaemon(t, d)
	d = startDaemon(t, testConfig(state, dirs[0], nil))
	if after := summaryOf(d); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	for _, torrent := range d.Torrents() {
		err := torrent.Set(t.Context(), func(o *Options) { o.Files = nil })
		if err != nil {
			t.Error(err)
		}
		if err := torrent.AddPeer(t.Context(), hostOf(seeds)); err != nil {
			t.Error(err)
		}
		if err := torrent.Start(t.Context(), AtOnce); err != nil {
			t.Error(err)
		}
	}
	for _, torrent := range d.Torrents() {
		awaitStatus(t, torrent, Seeding)
		if s := torrent.State(); s.Error != "" || s.Got != 300_000 {
			t.Errorf("%s: %+v", filepath.Join(s.Dir, s.Name), s)
		}
	}
}

// summaryOf returns what the user has set of each torrent. The size of a link's content is not
// among that: it may become known while the daemon stops.
func summaryOf(d *Daemon) (text string) {
	for _, t := range d.Torrents() {
		o, s := t.Options(), t.State()
		text += fmt.Sprintf("%d %v %+v %s %v %v\n", t.ID(), t.Hash(), o, s.Name, s.Queue,
			t.Magnet())
	}
	return text
}
