//go:build linux

package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"swarmnode/internal/nodeproc"
	"swarmnode/swarm/wire"
)

// connectedTorrents is over how many torrents the connections are spread: one
// torrent alone takes 80.
const connectedTorrents = 100

// connections opens many connections to one seeder, has them stay silent after
// the handshake, and then has one more peer fetch something.
func connections(ctx context.Context, node, work, dir string, count int) error {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	entries = entries[:min(len(entries), connectedTorrents)]
	args := []string{"seed", "--ephemeral", "--listen", "127.0.0.1:0", "--no-dht", "--no-lsd", "--max-peers", strconv.Itoa(count)}
	for _, entry := range entries {
		args = append(args, filepath.Join(dir, entry.Name()))
	}
	seed, err := nodeproc.Start(node, work, args...)
	if err != nil {
		return err
	}
	defer seed.Stop()
	var hashes []string
	if _, err := seed.WaitFor(ctx, "all torrents", func(e nodeproc.Event) bool {
		if e.Event == "seeding" {
			hashes = append(hashes, e.Torrent)
		}
		return len(hashes) == len(entries)
	}); err != nil {
		return err
	}
	addr, err := seed.Addr(ctx)
	if err != nil {
		return err
	}
	before, err := seed.Usage()
	if err != nil {
		return err
	}
	for i := range count {
		conn, err := shake(ctx, addr.String(), hashes[i%len(hashes)], i)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		defer conn.Close()
	}
	if err := pause(ctx, restTime/2); err != nil {
		return err
	}
	with, err := seed.Usage()
	if err != nil {
		return err
	}
	if err := pause(ctx, restTime); err != nil {
		return err
	}
	after, err := seed.Usage()
	if err != nil {
		return err
	}
	_, took, err := fetch(ctx, node, work, "magnet:?xt=urn:btih:"+hashes[0], addr.String())
	if err != nil {
		return err
	}
	fmt.Printf("%d connections: %.1f KiB each, %.1f %% of a core at rest; one more peer is served within %d ms\n",
		count, float64(with.Anon-before.Anon)/1024/float64(count),
		100*(after.CPU-with.CPU).Seconds()/restTime.Seconds(), took.Milliseconds())
	return nil
}

// shake opens the n-th connection and has the handshake (BEP 3) on it. Each comes
// from an address of its own, as far as there are enough.
func shake(ctx context.Context, addr, hash string, n int) (net.Conn, error) {
	hello := wire.Hello{Reserved: wire.Reserved{}.With(wire.FeatureFast).With(wire.FeatureExtension)}
	if _, err := hex.Decode(hello.InfoHash[:], []byte(hash)); err != nil {
		return nil, err
	}
	copy(hello.PeerID[:], fmt.Sprintf("-XX0000-%d", n))
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(n>>8), byte(n))}}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	b := wire.AppendHello(nil, hello)
	if _, err = conn.Write(b); err == nil {
		_, err = io.ReadFull(conn, b)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
