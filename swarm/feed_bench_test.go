package swarm

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/core"
)

// benchTorrents is how many torrents the benchmarks of the feed have.
const benchTorrents = 10_000

// newCrowdedFeed returns an Engine with nothing but a feed of torrents.
func newCrowdedFeed() (*Engine, []*Torrent) {
	e := newFeedEngine()
	torrents := make([]*Torrent, benchTorrents)
	for i := range torrents {
		torrents[i] = fedTorrent(e, i)
		e.feed.Add(torrents[i])
	}
	return e, torrents
}

// BenchmarkChange is one change of one of 10,000 torrents, with readers that read all the
// time.
func BenchmarkChange(b *testing.B) {
	for _, readers := range []int{0, 1, 4} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			e, torrents := newCrowdedFeed()
			ctx, cancel := context.WithCancel(b.Context())
			var wg sync.WaitGroup
			for range readers {
				wg.Go(func() {
					for s := e.Subscribe(e.feed.Seq()); ; {
						if _, err := s.Next(ctx); err != nil {
							return
						}
					}
				})
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				torrents[i*7919%benchTorrents].changed(ChangedState)
				i++
			}
			cancel()
			wg.Wait()
		})
	}
}

// BenchmarkNext is reading what changed of 10,000 torrents.
func BenchmarkNext(b *testing.B) {
	for _, changed := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("changed=%d", changed), func(b *testing.B) {
			e, torrents := newCrowdedFeed()
			s := e.Subscribe(e.feed.Seq())
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				for range changed {
					torrents[i*7919%benchTorrents].changed(ChangedState)
					i++
				}
				if c, err := s.Next(b.Context()); err != nil || len(c.Torrents) != changed {
					b.Fatal(len(c.Torrents), err)
				}
			}
		})
	}
	b.Run("reset", func(b *testing.B) {
		e, _ := newCrowdedFeed()
		b.ReportAllocs()
		for b.Loop() {
			if c, err := e.Subscribe(0).Next(b.Context()); err != nil ||
				len(c.Torrents) != benchTorrents {
				b.Fatal(len(c.Torrents), err)
			}
		}
	})
}

// BenchmarkStates is a look at the states of 10,000 torrents.
func BenchmarkStates(b *testing.B) {
	e := start(Config{PeerIDPrefix: defaultPeerIDPrefix, MemoryMax: 6 << 20,
		Logger: slog.New(slog.DiscardHandler)}, nil)
	defer e.Close()
	torrents := make([]*Torrent, benchTorrents)
	for i := range torrents {
		var hash metainfo.Hash
		binary.BigEndian.PutUint32(hash[:], uint32(i))
		torrents[i] = newTorrent(e, Spec{}, hash)
		defer torrents[i].cancel()
		if err := e.registry.add(torrents[i]); err != nil {
			b.Fatal(err)
		}
		s := State{Snapshot: core.Snapshot{Down: int64(i),
			Waste: map[core.Reason]int64{core.ReasonBadPiece: 1}}}
		torrents[i].handle.publish(time.Now(), &s, torrents[i].firstStatus())
	}
	b.ReportAllocs()
	var sum int64
	began := time.Now()
	for b.Loop() {
		for _, t := range e.Torrents() {
			s := t.State()
			sum += s.Down
		}
	}
	b.ReportMetric(float64(time.Since(began).Milliseconds())/float64(b.N), "ms/snapshot")
	for _, t := range torrents {
		e.registry.remove(t)
	}
}

// BenchmarkPublish is one state that the loop of a torrent publishes, and that is the same
// as the last one.
func BenchmarkPublish(b *testing.B) {
	e := start(Config{PeerIDPrefix: defaultPeerIDPrefix, MemoryMax: 6 << 20,
		Logger: slog.New(slog.DiscardHandler)}, nil)
	defer e.Close()
	t, err := e.Add(Spec{Magnet: metainfo.Magnet{V1: metainfo.Hash{1}, HasV1: true}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	if err := t.command(func(now time.Time) error {
		for b.Loop() {
			t.loop.publish(now)
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
}
