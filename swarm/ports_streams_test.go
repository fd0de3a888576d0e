package swarm

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/egress"
	"swarmnode/swarm/transport"
)

// withoutUDP returns an engine on a system that makes no UDP sockets.
func withoutUDP(t *testing.T) *Engine {
	t.Helper()
	listen := func(ctx context.Context, n *egress.Net, at netip.AddrPort) (*transport.Pair, error) {
		l, err := transport.ListenTCP(ctx, n, at)
		return &transport.Pair{TCP: l}, err
	}
	pairs, err := bind(listen, nil, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := start(Config{NoUTP: true, PeerIDPrefix: defaultPeerIDPrefix, MemoryMax: defaultMemoryMax,
		Logger: slog.New(slog.DiscardHandler)}, pairs)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// An engine that uses TCP alone needs no UDP socket, to serve and to fetch.
func TestExchangeWithoutUDP(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	want := bytes.Repeat([]byte("streams alone "), 10_000)
	if err := os.WriteFile(filepath.Join(dir, "x"), want, 0o600); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(t.Context(),
		metainfo.BuildOptions{Path: filepath.Join(dir, "x"), PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	seeder, leecher := withoutUDP(t), withoutUDP(t)
	if conns := seeder.PacketConns(); len(conns) != 0 {
		t.Errorf("%d sockets for the DHT", len(conns))
	}
	if _, err := seeder.Add(Spec{Torrent: torrent, Dir: dir, Complete: true}); err != nil {
		t.Fatal(err)
	}
	leech, err := leecher.Add(Spec{Magnet: torrent.Magnet(), Dir: out,
		Peers: []string{seeder.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-leech.Done():
	case <-time.After(time.Minute):
		t.Fatalf("not done: %+v", leech.State())
	}
	if got, err := os.ReadFile(filepath.Join(out, "x")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("fetched %d bytes of %d, %v", len(got), len(want), err)
	}
}

// Datagrams of a port without a UDP socket never come, and cannot leave.
func TestNoDatagrams(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:7")
	n := newNoDatagrams(at)
	if n.LocalAddr().String() != at.String() {
		t.Errorf("it is at %v", n.LocalAddr())
	}
	if _, err := n.WriteTo([]byte("x"), n.LocalAddr()); !errors.Is(err, errNoDatagrams) {
		t.Errorf("sending: %v", err)
	}
	ended := make(chan error)
	go func() {
		_, _, err := n.ReadFrom(make([]byte, 1))
		ended <- err
	}()
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading: %v", err)
	}
}

// Only an engine without uTP starts without UDP sockets.
func TestListenBy(t *testing.T) {
	at := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	for _, cfg := range []Config{{}, {NoUTP: true}} {
		pairs, err := bind(listenBy(&cfg), nil, at, nil)
		if err != nil || pairs[0].UDP == nil {
			t.Fatalf("%+v where there is UDP: %v", cfg, err)
		}
		if err := pairs[0].Close(); err != nil {
			t.Error(err)
		}
	}
}
