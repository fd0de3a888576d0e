package swarm_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"swarmnode/internal/lightpeer"
	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/block"
)

const (
	// crowdPeers is how many peers one torrent has here, each with a connection.
	crowdPeers = 500
	// crowdMemory bounds what each of them takes on both sides, in bytes: a window
	// while data moves, and the share of the race detector.
	crowdMemory = 256 << 10
	// crowdBlocks is what each of them takes or gives.
	crowdBlocks = 8
)

// newCrowd returns an engine that takes a crowd of peers for one torrent, a torrent whose
// pieces are all the same, and the peers, which have not connected yet.
func newCrowd(t *testing.T) (e *swarm.Engine, dir string, torrent *metainfo.Torrent,
	c *lightpeer.Crowd) {
	t.Helper()
	const size, pieces = 32 << 10, 320
	piece := make([]byte, size)
	for i := range piece {
		piece[i] = byte(i * i >> 8)
	}
	dir = t.TempDir()
	path := filepath.Join(dir, "content")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for range pieces {
		if _, err := f.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if torrent, err = metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path,
		PieceLength: size}); err != nil {
		t.Fatal(err)
	}
	e = listen(t, swarm.Config{PeersMax: crowdPeers + 20, TorrentPeersMax: crowdPeers + 20})
	return e, dir, torrent, lightpeer.New(lightpeer.Crowd{
		Target: e.Addr(), Layout: torrent.Info().Layout(), Hash: torrent.Info().Hash(),
		Most: crowdBlocks,
		Data: func(r block.Ref) []byte { return piece[r.Begin:][:r.Length] },
	})
}

// gather connects all peers, each from an address of its own.
func gather(t *testing.T, connect func(context.Context,
	netip.Addr) (*lightpeer.Peer, error)) []*lightpeer.Peer {
	t.Helper()
	all := make([]*lightpeer.Peer, crowdPeers)
	var wait sync.WaitGroup
	limit := make(chan struct{}, 16)
	for i := range all {
		limit <- struct{}{}
		wait.Go(func() {
			defer func() { <-limit }()
			p, err := connect(context.WithoutCancel(t.Context()),
				netip.AddrFrom4([4]byte{127, 2, byte(i >> 8), byte(i)}))
			if err != nil {
				t.Errorf("peer %d: %v", i, err)
				return
			}
			t.Cleanup(p.Close)
			all[i] = p
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return all
}

// TestFiveHundredPeersTake: a seed gives each of 500 peers its share, and all of them
// take little memory.
func TestFiveHundredPeersTake(t *testing.T) {
	e, dir, torrent, crowd := newCrowd(t)
	seed := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	before := heap()
	peers := gather(t, crowd.Leech)
	start := time.Now()
	for i, p := range peers {
		for tick := time.Tick(5 * time.Millisecond); p.Blocks() < crowdBlocks; <-tick {
			if time.Since(start) > patience {
				t.Fatalf("peer %d has %d blocks: %+v", i, p.Blocks(), seed.State())
			}
			select {
			case <-p.Ended():
				t.Fatalf("peer %d was closed after %v: %v", i, time.Since(start), p.Err())
			default:
			}
		}
	}
	t.Logf("each has its share after %v", time.Since(start))
	if each := (heap() - before) / crowdPeers; each > crowdMemory {
		t.Errorf("%d bytes for each peer", each)
	}
	if n := seed.State().PeersConnected; n != crowdPeers {
		t.Errorf("%d peers are connected", n)
	}
}

// TestFiveHundredPeersGive: a torrent is fetched from 500 peers at once, each of which
// chokes after a few blocks. Few blocks are fetched more than once.
func TestFiveHundredPeersGive(t *testing.T) {
	e, _, torrent, crowd := newCrowd(t)
	leech := add(t, e, swarm.Spec{Torrent: torrent, Dir: t.TempDir()})
	select {
	case <-leech.HaveInfo():
	case <-time.After(patience):
		t.Fatal("the torrent is not read")
	}
	before := heap()
	peers := gather(t, crowd.Miser)
	for _, p := range peers {
		p.Unchoke()
	}
	waitDone(t, leech) // no earlier than after the last block of many peers
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	if each := (heap() - before) / crowdPeers; each > crowdMemory {
		t.Errorf("%d bytes for each peer", each)
	}
	asked := 0
	for _, p := range peers {
		if p.Blocks() > 0 {
			asked++
		}
	}
	s := leech.State()
	t.Logf("%d of %d peers gave something; %d bytes wasted", asked, crowdPeers, s.Wasted())
	// It is the end from the start, with more peers than pieces: on a loaded machine
	// many blocks are asked of a second peer, which would be 500 copies without bounds.
	if s.Wasted() > 4*s.Length {
		t.Errorf("%d bytes wasted, of a torrent of %d", s.Wasted(), s.Length)
	}
}
