//go:build linux

package swarm_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// rtorrentPatience is half of the time after which a keep-alive is due: who waits
// for that takes longer.
const rtorrentPatience = 60 * time.Second

// TestRTorrentIsWoken: rtorrent, which may take our first messages together with
// the handshake and look at them when the next one comes, fetches from us without
// waiting for a keep-alive, however often it is tried: encrypted or not, whoever
// dials, with the metadata or without.
func TestRTorrentIsWoken(t *testing.T) {
	if !realclient.Inside() {
		realclient.Require(t, realclient.RTorrent)
	}
	if !realclient.InNamespace(t) {
		return
	}
	dir := t.TempDir()
	content := bytes.Repeat([]byte("rtorrent"), 40_000)
	if err := os.WriteFile(filepath.Join(dir, "content"), content, 0o666); err != nil {
		t.Fatal(err)
	}
	// without one it takes no torrent
	tracker, err := realclient.NewTracker(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tracker.Close() })
	made, err := realclient.MakeTorrent(filepath.Join(dir, "content"), 32<<10, tracker.URL)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(made.File)
	if err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.ParseTorrent(raw)
	if err != nil {
		t.Fatal(err)
	}
	// A comma in the name of a test gets into its folder, which rtorrent cannot read.
	for name, encryption := range map[string]string{
		"plain": "none", "encrypted handshake": "allow_incoming,try_outgoing,prefer_plaintext",
		"encrypted": "allow_incoming,require,require_RC4",
	} {
		for _, weDial := range []bool{false, true} {
			for _, magnet := range []bool{false, true} {
				runs := 1
				if name == "encrypted" && !weDial && magnet {
					runs = 6 // where it happened, in nine of 25 runs
				}
				if os.Getenv("SWARM_SOAK") == "1" {
					runs = 25
				}
				for run := range runs {
					t.Run(fmt.Sprintf("%s we dial %v magnet %v %d", name, weDial, magnet, run),
						func(t *testing.T) {
							t.Parallel()
							leech := realclient.Start(t, realclient.RTorrent, realclient.Options{
								IP:       netip.MustParseAddr("127.0.0.1"),
								Settings: map[string]any{"protocol.encryption.set": encryption},
							})
							out := t.TempDir()
							load := func() error { return leech.Seed(t.Context(), made.File, out) }
							if magnet {
								link := torrent.Magnet()
								load = func() error {
									return leech.Add(t.Context(), link.String(), out)
								}
							}
							if err := load(); err != nil {
								t.Fatal(err)
							}
							cfg := swarm.Config{Listen: []netip.AddrPort{loopback}, Client: "test"}
							spec := swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}
							if weDial {
								spec.Peers = []string{leech.Addr.String()}
								if encryption != "none" {
									cfg.Encryption = swarm.EncryptionPreferred
								}
							}
							e, err := swarm.Listen(cfg)
							if err != nil {
								t.Fatal(err)
							}
							defer e.Close()
							waitDone(t, add(t, e, spec))
							start := time.Now()
							ctx, cancel := context.WithTimeout(t.Context(), rtorrentPatience)
							defer cancel()
							for !weDial && leech.Connect(ctx, e.Addr()) != nil && ctx.Err() == nil {
								// It has not taken in the torrent yet.
							}
							if err := leech.Wait(ctx); err != nil {
								t.Fatal(err)
							}
							t.Logf("complete after %v",
								time.Since(start).Round(10*time.Millisecond))
						})
				}
			}
		}
	}
}
