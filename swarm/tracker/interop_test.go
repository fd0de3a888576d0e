//go:build linux

package tracker

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

// eventually repeats a check until it succeeds.
func eventually(t *testing.T, wait time.Duration, what string, ok func() bool) {
	t.Helper()
	timeout := time.After(wait)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("not within %v: %s", wait, what)
		}
	}
}

// Our client talks to opentracker, which most open trackers run.
func TestOpentracker(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	at := realclient.StartServer(t, realclient.Opentracker,
		func(ctx context.Context, state string) (*realclient.Server, error) {
			return realclient.LaunchOpentracker(ctx, netip.AddrFrom4([4]byte{127, 0, 0, 1}), state,
				hashA.String(), hashB.String())
		}).Addr
	c := newClient(t)
	for i, scheme := range []string{"http", "udp"} {
		tr := parse(t, fmt.Sprintf("%s://%v/announce", scheme, at), true)
		hash := []metainfo.Hash{hashA, hashB}[i]
		seed := Request{InfoHash: hash, PeerID: [20]byte([]byte("-SN0100-aaaaaaaaaaaa")),
			Port: 1001, Event: Started, Want: 50, Key: 1}
		leech := Request{InfoHash: hash, PeerID: [20]byte([]byte("-SN0100-bbbbbbbbbbbb")),
			Port: 1002, Left: 5, Event: Started, Want: 50, Key: 2}
		if _, err := c.Announce(t.Context(), tr, seed, guard.Any); err != nil {
			t.Errorf("%s: the seed is not taken: %v", scheme, err)
		}
		r, err := c.Announce(t.Context(), tr, leech, guard.Any)
		if err != nil || r.Seeds != 1 || r.Leeches != 1 || r.Interval == 0 ||
			!slices.Contains(r.Peers, netip.MustParseAddrPort("127.0.0.1:1001")) {
			t.Errorf("%s: got %+v, %v", scheme, r, err)
		}
		counts, err := c.Scrape(t.Context(), tr, hash)
		if err != nil || counts[0].Seeds != 1 || counts[0].Leeches != 1 {
			t.Errorf("%s: scrape %+v, %v", scheme, counts, err)
		}
		seed.Event = Stopped
		if _, err := c.Announce(t.Context(), tr, seed, guard.Any); err != nil {
			t.Errorf("%s: stopped: %v", scheme, err)
		}
		if counts, err := c.Scrape(t.Context(), tr, hash); err != nil || counts[0].Seeds != 0 {
			t.Errorf("%s: scrape after stopped %+v, %v", scheme, counts, err)
		}
	}
}

// The clients that people use find a seed through our tracker when they have nothing but a
// magnet link, and do not know yet how much they lack.
func TestRealClientsByMagnet(t *testing.T) {
	realclient.Require(t, realclient.Libtorrent)
	kinds := installed()
	if !realclient.InNamespace(t) {
		return
	}
	s, at := startServer(t, ServerConfig{}, "10.1.0.1")
	const announce = "http://10.1.0.1:%d/announce"
	for i, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			dir := t.TempDir()
			file, content := filepath.Join(dir, "content"), fmt.Appendf(nil, "content %d", i)
			if err := os.WriteFile(file, content, 0o644); err != nil {
				t.Fatal(err)
			}
			url := fmt.Sprintf(announce, at.Port())
			torrent, err := realclient.MakeTorrent(file, 16<<10, url)
			if err != nil {
				t.Fatal(err)
			}
			seed := realclient.Start(t, realclient.Libtorrent,
				realclient.Options{IP: netip.AddrFrom4([4]byte{10, 1, byte(i + 1), 1})})
			if err := seed.Seed(ctx, torrent.File, dir); err != nil {
				t.Fatal(err)
			}
			hash, err := metainfo.ParseHash(torrent.Hash)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, time.Minute, "the tracker knows the seed", func() bool {
				counts, _ := s.store.scrape(hash)
				return counts.Seeds == 1
			})
			client := realclient.Start(t, kind,
				realclient.Options{IP: netip.AddrFrom4([4]byte{10, 1, byte(i + 1), 2})})
			out := t.TempDir()
			if err := client.Add(ctx, torrent.Magnet+"&tr="+url, out); err != nil {
				t.Fatal(err)
			}
			if kind == realclient.Transmission {
				// It meets the seed at once, and takes minutes to ask libtorrent for metadata.
				eventually(t, 3*time.Minute, "it meets the seed", func() bool {
					p, err := client.Progress(ctx)
					return err == nil && p.Peers > 0
				})
				return
			}
			if err := client.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(out, "content"))
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("fetched %q, %v; want %q", got, err, content)
			}
		})
	}
}

// installed returns the clients that the tests can run: all of them where they are required.
func installed() (kinds []realclient.Kind) {
	for _, kind := range realclient.Kinds() {
		if realclient.Installed(kind) == nil || os.Getenv("SWARM_REQUIRE_CLIENTS") == "1" {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// The clients that people use announce themselves to our tracker over both protocols, and
// it names them to other peers.
func TestRealClients(t *testing.T) {
	kinds := installed()
	if len(kinds) == 0 {
		t.Skip("no client is installed")
	}
	if !realclient.InNamespace(t) {
		return
	}
	s, at := startServer(t, ServerConfig{}, "10.0.0.1")
	for i, kind := range kinds {
		for j, scheme := range []string{"http", "udp"} {
			t.Run(fmt.Sprintf("%s over %s", kind, scheme), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				file := filepath.Join(dir, "content")
				if err := os.WriteFile(file, fmt.Appendf(nil, "content %d %d", i, j),
					0o644); err != nil {
					t.Fatal(err)
				}
				torrent, err := realclient.MakeTorrent(file, 16<<10,
					fmt.Sprintf("%s://%v/announce", scheme, at))
				if err != nil {
					t.Fatal(err)
				}
				hash, err := metainfo.ParseHash(torrent.Hash)
				if err != nil {
					t.Fatal(err)
				}
				ip := netip.AddrFrom4([4]byte{10, 0, byte(i + 1), byte(j + 1)})
				options := realclient.Options{IP: ip}
				if kind == realclient.Aria2 && scheme == "udp" {
					// Without a DHT it has no UDP socket, and no UDP trackers.
					options.Bootstrap = []netip.AddrPort{at}
				}
				client := realclient.Start(t, kind, options)
				if err := client.Seed(t.Context(), torrent.File, dir); err != nil {
					t.Fatal(err)
				}
				eventually(t, 3*time.Minute, "it is a seed to us", func() bool {
					counts, ok := s.store.scrape(hash)
					return ok && counts.Seeds == 1
				})
				r, err := newClient(t).Announce(t.Context(),
					parse(t, fmt.Sprintf("udp://%v", at), true),
					Request{InfoHash: hash, Port: 1, Left: 1, Event: Started, Want: 10}, guard.Any)
				if err != nil || len(r.Peers) != 1 || r.Peers[0].Port() != client.Addr.Port() {
					t.Errorf("we are told of %v, %v; it is %v", r.Peers, err, client.Addr)
				}
				if kind != realclient.Transmission || scheme != "udp" {
					return // the others end without a word when they are told to
				}
				client.Close()
				eventually(t, time.Minute, "it has taken its leave", func() bool {
					counts, _ := s.store.scrape(hash)
					return counts.Seeds == 0
				})
			})
		}
	}
}
