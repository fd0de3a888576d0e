package dht

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/simnet"
)

// world runs whole nodes with their goroutines, on simulated sockets in virtual time.
type world struct {
	t   *testing.T
	net *simnet.Network
}

func (w world) node(host string, cfg Config) (*Node, *simnet.Host) {
	w.t.Helper()
	h := w.net.Host(netip.MustParseAddr(host), simnet.Link{Latency: 25 * time.Millisecond})
	pc, err := h.ListenPacket(6881)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg.Conns = []net.PacketConn{pc}
	n, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { n.Close() })
	return n, h
}

// TestSchedule follows an announce for three hours. A node that looked before the
// announce finds it within seconds. So does one that comes hours later, although nodes
// forget an announce that is not repeated.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world{t, simnet.New(1)}
		const boot = "30.0.0.1:6881"
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		find := func(n *Node) time.Duration {
			began := time.Now()
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			for p := range n.Peers(ctx, metainfo.Hash{1}, 2, false) {
				if p.Port() == 4000 {
					return time.Since(began)
				}
			}
			t.Error("not found")
			return 0
		}
		// The downloader is there before the bootstrap node and the seed are.
		early, _ := w.node("31.0.0.1", Config{Bootstrap: []string{boot}})
		found := make(chan time.Duration, 1)
		wg.Go(func() { found <- find(early) })
		time.Sleep(3 * time.Second)
		w.node("30.0.0.1", Config{Router: true})
		for _, host := range []string{"32.0.0.1", "33.0.0.1", "34.0.0.1"} {
			w.node(host, Config{Bootstrap: []string{boot}})
		}
		time.Sleep(3 * time.Second)
		seed, _ := w.node("35.0.0.1", Config{Bootstrap: []string{boot}})
		wg.Go(func() {
			for range seed.Peers(ctx, metainfo.Hash{1}, 4000, true) {
			}
		})
		if d := <-found; d > 12*time.Second {
			t.Errorf("found after %v, %v after the seed came", d, d-6*time.Second)
		}
		time.Sleep(3 * time.Hour)
		late, _ := w.node("36.0.0.1", Config{Bootstrap: []string{boot}})
		if d := find(late); d > 3*time.Second {
			t.Errorf("a late one found it after %v", d)
		}
		cancel()
		time.Sleep(peerLife + 2*sweepPeriod)
		if s := late.Stats(); s.Hashes != 0 {
			t.Errorf("%d info-hashes stored long after the seed stopped", s.Hashes)
		}
		if s := early.Stats(); !s.Joined || s.Good[v4] < 6 {
			t.Errorf("after hours %+v", s)
		}
	})
}

// TestOutage takes a node's network away for an hour.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world{t, simnet.New(1)}
		const boot = "30.0.0.1:6881"
		w.node("30.0.0.1", Config{Router: true})
		for _, host := range []string{"32.0.0.1", "33.0.0.1", "34.0.0.1"} {
			w.node(host, Config{Bootstrap: []string{boot}})
		}
		n, host := w.node("35.0.0.1", Config{Bootstrap: []string{boot}})
		time.Sleep(time.Minute)
		if !n.Stats().Joined {
			t.Fatal("not joined")
		}
		host.SetLink(simnet.Link{Latency: 25 * time.Millisecond, Loss: 1})
		time.Sleep(time.Hour)
		s := n.Stats()
		if s.Joined || s.Contacts[v4] == 0 {
			t.Errorf("without a network: joined %v, %d contacts", s.Joined, s.Contacts[v4])
		}
		before := s.QueriesOut
		time.Sleep(time.Hour)
		if per := n.Stats().QueriesOut - before; per > 2000 {
			t.Errorf("%d queries an hour into the void", per)
		}
		host.SetLink(simnet.Link{Latency: 25 * time.Millisecond})
		n.NetworkChanged()
		time.Sleep(2 * time.Second)
		if !n.Stats().Joined {
			t.Error("not joined two seconds after the network came back")
		}
	})
}
