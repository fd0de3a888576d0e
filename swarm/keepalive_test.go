package swarm

import (
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/core"
	"swarmnode/swarm/wire"
)

// TestKeepAlives: a peer that sends nothing but keep-alives (BEP 3) stays connected and
// gets keep-alives in turn. A silent peer is dropped as idle.
func TestKeepAlives(t *testing.T) {
	dir := t.TempDir()
	info := makeTorrent(t, dir)
	for name, c := range map[string]struct {
		every      time.Duration
		stays      bool
		keepAlives int // of ours, at least
	}{
		"keep-alives every 100 s": {100 * time.Second, true, 5},
		"keep-alives every 120 s": {120 * time.Second, true, 6},
		"silence":                 {time.Hour, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := start(Config{PeerIDPrefix: defaultPeerIDPrefix, MemoryMax: 6 << 20,
					Logger: slog.New(slog.DiscardHandler)}, nil)
				defer e.Close()
				seed, err := e.Add(Spec{Torrent: info, Dir: dir, Complete: true})
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				s := &liveSwarm{t: t, info: info}
				far := s.meet(seed, [20]byte{'q'})
				closed := make(chan struct{})
				keepAlives := 0
				go func() {
					defer close(closed)
					keepAlives = countKeepAlives(far)
				}()
				far.Write(wire.Append(nil, &wire.Message{ID: wire.Interested}))
				for range 6 {
					time.Sleep(c.every)
					if _, err := far.Write(make([]byte, wire.PrefixSize)); err != nil {
						break
					}
				}
				synctest.Wait()
				stats := seed.State()
				if stays := stats.PeersConnected == 1; stays != c.stays {
					t.Errorf("connected %v, want %v; drops %v idle", stays, c.stays,
						stats.Drops[core.ReasonIdle])
				}
				far.Close()
				<-closed
				if keepAlives < c.keepAlives {
					t.Errorf("got %d keep-alives, want at least %d", keepAlives, c.keepAlives)
				}
			})
		})
	}
}

// TestSlowIsNotSilent: a peer that sends what we requested stays connected under a limit at
// which a block takes minutes.
func TestSlowIsNotSilent(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	info := makeTorrent(t, dir)
	synctest.Test(t, func(t *testing.T) {
		s := &liveSwarm{t: t, info: info}
		engine := func() *Engine {
			return start(Config{PeerIDPrefix: defaultPeerIDPrefix, MemoryMax: 6 << 20,
				Logger: slog.New(slog.DiscardHandler)}, nil)
		}
		seeder, leecher := engine(), engine()
		defer seeder.Close()
		defer leecher.Close()
		seed, err := seeder.Add(Spec{Torrent: info, Dir: dir, Complete: true})
		if err != nil {
			t.Fatal(err)
		}
		leech, err := leecher.Add(Spec{Torrent: info, Dir: out, Down: 64})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.introduce(seed, leech)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if s := leech.State(); s.PeersConnected != 1 || s.Down == 0 {
			t.Errorf("%d peers, %d bytes, %d dropped as idle; want 1 and some", s.PeersConnected,
				s.Down, s.Drops[core.ReasonIdle])
		}
	})
}

// countKeepAlives reads messages until the connection ends, and returns how many of them
// are keep-alives.
func countKeepAlives(conn net.Conn) (n int) {
	for {
		var prefix [wire.PrefixSize]byte
		if _, err := io.ReadFull(conn, prefix[:]); err != nil {
			return n
		}
		length := binary.BigEndian.Uint32(prefix[:])
		if length == 0 {
			n++
		}
		if _, err := io.CopyN(io.Discard, conn, int64(length)); err != nil {
			return n
		}
	}
}
