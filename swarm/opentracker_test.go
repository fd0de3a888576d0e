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
	"swarmnode/swarm/guard"
	"swarmnode/swarm/tracker"
)

// knowsSeed waits until a tracker knows a seed of a torrent: whoever comes then
// is told of it.
func knowsSeed(t *testing.T, announce string, torrent *metainfo.Torrent) {
	t.Helper()
	at, err := tracker.ParseTracker(announce, false)
	if err != nil {
		t.Fatal(err)
	}
	web := guard.New(guard.Config{})
	defer web.Close()
	c := tracker.NewClient(tracker.ClientConfig{HTTP: web})
	defer c.Close()
	timeout := time.After(meetTimeout)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		counts, err := c.Scrape(t.Context(), at, torrent.Info().Hash())
		if err == nil && counts[0].Seeds > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("the tracker knows no seed: %v, %v", counts, err)
		}
	}
}

// meetTimeout bounds one meeting: clients ask again after some seconds.
const meetTimeout = 4 * time.Minute

// Other clients and we meet through the tracker that most open ones are, and
// through nothing else: they seed and we fetch, and the other way round, over
// HTTP and UDP. Transmission, which unchokes after ten seconds, takes part when
// SWARM_SOAK=1.
func TestOpentrackerBesideOthers(t *testing.T) {
	t.Parallel() // it waits most of the time
	var kinds []realclient.Kind
	for _, kind := range realclient.Kinds() {
		if kind == realclient.Transmission && os.Getenv("SWARM_SOAK") != "1" {
			continue
		}
		if realclient.Installed(kind) == nil || os.Getenv("SWARM_REQUIRE_CLIENTS") == "1" {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		t.Skip("no client is installed")
	}
	if !realclient.InNamespace(t) {
		return
	}
	type meeting struct {
		kind realclient.Kind
		dir  string // with the content
		file string
	}
	var meetings []meeting
	var hashes []string
	for i, kind := range kinds {
		for j := range 2 {
			m := meeting{kind: kind, dir: t.TempDir()}
			m.file = filepath.Join(m.dir, "content.bin")
			if err := os.WriteFile(m.file, bytes.Repeat([]byte{byte(i), byte(j), 7}, 100_000),
				0o644); err != nil {
				t.Fatal(err)
			}
			torrent, err := realclient.MakeTorrent(m.file, 64<<10, "")
			if err != nil {
				t.Fatal(err)
			}
			meetings = append(meetings, m)
			hashes = append(hashes, torrent.Hash)
		}
	}
	at := realclient.StartServer(t, realclient.Opentracker,
		func(ctx context.Context, state string) (*realclient.Server, error) {
			return realclient.LaunchOpentracker(ctx, netip.MustParseAddr("10.0.0.1"), state,
				hashes...)
		}).Addr
	for i, m := range meetings {
		weFetch := i%2 == 0
		scheme := []string{"http", "udp"}[(i+i/2)%2]
		announce := fmt.Sprintf("%s://%v/announce", scheme, at)
		t.Run(fmt.Sprintf("%s over %s, we fetch %v", m.kind, scheme, weFetch), func(t *testing.T) {
			t.Parallel()
			torrent, err := realclient.MakeTorrent(m.file, 64<<10, announce)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(torrent.File)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := metainfo.ParseTorrent(raw)
			if err != nil {
				t.Fatal(err)
			}
			e, err := swarm.Listen(
				swarm.Config{Listen: []netip.AddrPort{netip.AddrPortFrom(
					netip.AddrFrom4([4]byte{10, 1, byte(i), 1}), 0)}})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			options := realclient.Options{IP: netip.AddrFrom4([4]byte{10, 1, byte(i), 2})}
			if m.kind == realclient.Transmission {
				// It announces from the host's first address, wherever it
				// listens; we are told of it there.
				options.IP = at.Addr()
				// It tries uTP first; refused, it opens a TCP connection, says
				// nothing, closes it, and waits for minutes.
				options.Settings = map[string]any{"utp-enabled": false}
			}
			if m.kind == realclient.Aria2 && scheme == "udp" {
				options.Bootstrap = []netip.AddrPort{at} // without a DHT it has no UDP
			}
			client := realclient.Start(t, m.kind, options)
			out := t.TempDir()
			ours, theirs := swarm.Spec{Torrent: parsed, Dir: m.dir, Complete: true}, out
			if weFetch {
				ours, theirs = swarm.Spec{Torrent: parsed, Dir: out}, m.dir
			}
			// Whoever comes second is told of the first.
			if weFetch {
				if err := client.Seed(t.Context(), torrent.File, theirs); err != nil {
					t.Fatal(err)
				}
				knowsSeed(t, announce, parsed)
			}
			start := time.Now()
			mine := add(t, e, ours)
			if !weFetch {
				knowsSeed(t, announce, parsed)
				if err := client.Seed(t.Context(), torrent.File, theirs); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), meetTimeout)
				defer cancel()
				if err := client.Wait(ctx); err != nil {
					t.Fatal(err)
				}
			} else {
				select {
				case <-mine.Done():
				case <-time.After(5 * time.Minute):
					t.Fatalf("not done: %+v", mine.State())
				}
			}
			t.Logf("complete after %v", time.Since(start).Round(10*time.Millisecond))
			want, err := os.ReadFile(m.file)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(out, "content.bin")); err != nil ||
				!bytes.Equal(got, want) {
				t.Errorf("the content differs: %v", err)
			}
		})
	}
}
