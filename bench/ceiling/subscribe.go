//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// subscribedTorrents is how many torrents are watched by a reader of the feed.
const subscribedTorrents = 10_000

// subscribed measures an engine of many torrents in this process: what each costs at rest,
// without and with a reader of the feed of changes, and what a look at all of them costs.
func subscribed(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "ceiling")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	paths, err := (&bench{dir: dir}).files(subscribedTorrents)
	if err != nil {
		return err
	}
	e, err := swarm.Listen(swarm.Config{
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		return err
	}
	defer e.Close()
	parsed, err := build(ctx, paths)
	if err != nil {
		return err
	}
	before := heap()
	began := time.Now()
	for _, t := range parsed {
		if _, err := e.Add(swarm.Spec{Torrent: t, Dir: dir, Complete: true}); err != nil {
			return err
		}
	}
	for _, t := range e.Torrents() {
		<-t.Done()
	}
	fmt.Printf("%d torrents are seeded after %.1f s\n", len(parsed), time.Since(began).Seconds())
	if err := atRest(ctx, e, "without a reader", before); err != nil {
		return err
	}
	changes, stop := read(e)
	defer stop()
	if err := atRest(ctx, e, "with a reader", before); err != nil {
		return err
	}
	fmt.Printf("%d changes were read\n", changes.Load())
	began = time.Now()
	var peers int
	for _, t := range e.Torrents() {
		s := t.State()
		peers += s.PeersConnected
	}
	fmt.Printf("all states, of %d peers, within %.1f ms\n", peers,
		time.Since(began).Seconds()*1000)
	return nil
}

// build returns a torrent of each file.
func build(ctx context.Context, paths []string) ([]*metainfo.Torrent, error) {
	list := make([]*metainfo.Torrent, len(paths))
	for i, path := range paths {
		t, err := metainfo.Build(ctx, metainfo.BuildOptions{Path: path})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		list[i] = t
	}
	return list, nil
}

// read reads the feed of changes until stop is called, and counts them.
func read(e *swarm.Engine) (changes *atomic.Int64, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	changes = new(atomic.Int64)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s := e.Subscribe(0); ; {
			c, err := s.Next(ctx)
			if err != nil {
				return
			}
			changes.Add(int64(len(c.Torrents)))
		}
	}()
	return changes, func() {
		cancel()
		<-ended
	}
}

// heap returns the bytes that are in use after a collection: objects, and stacks.
func heap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// atRest reports the memory and the processor time of torrents without peers.
func atRest(ctx context.Context, e *swarm.Engine, what string, before int64) error {
	used := heap() - before
	from := processorTime()
	if err := nodeproc.Pause(ctx, watched); err != nil {
		return err
	}
	cpu := processorTime() - from
	fmt.Printf("%s: %.2f KB a torrent, %.2f %% of a core\n", what,
		float64(used)/1000/float64(len(e.Torrents())), 100*cpu.Seconds()/watched.Seconds())
	return nil
}

// processorTime returns how long this process has been running on a processor.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
