//go:build linux

package swarm_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/guard"
	"swarmnode/swarm/tracker"
)

// madeTorrent is a torrent of random content for other clients, below a new folder.
func madeTorrent(t *testing.T, size int, announce string) (file, dir string,
	torrent *metainfo.Torrent) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "content.bin")
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * i >> 5)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	made, err := realclient.MakeTorrent(path, 64<<10, announce)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(made.File)
	if err != nil {
		t.Fatal(err)
	}
	if torrent, err = metainfo.ParseTorrent(raw); err != nil {
		t.Fatal(err)
	}
	return made.File, dir, torrent
}

// engineAt returns an engine on an address of its own.
func engineAt(t *testing.T, ip string) *swarm.Engine {
	t.Helper()
	e, err := swarm.Listen(swarm.Config{
		Listen: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(ip), 0)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// Other clients are shown by the names that they give themselves, and as the seeds that
// they are.
func TestPeersOfOtherClients(t *testing.T) {
	names := map[realclient.Kind]string{realclient.Libtorrent: "libtorrent/",
		realclient.Transmission: "Transmission ", realclient.Aria2: "aria2/",
		realclient.RTorrent: "libTorrent 0."}
	if !realclient.Inside() {
		realclient.Require(t, realclient.Libtorrent, realclient.Transmission, realclient.Aria2)
	}
	if !realclient.InNamespace(t) {
		return
	}
	for i, kind := range []realclient.Kind{realclient.Libtorrent, realclient.Transmission,
		realclient.Aria2} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			file, dir, torrent := madeTorrent(t, 1<<20, "http://127.0.0.1:1/announce")
			options := realclient.Options{IP: netip.AddrFrom4([4]byte{10, 2, byte(i), 2})}
			if kind == realclient.Transmission {
				options.Settings = map[string]any{"utp-enabled": false}
			}
			client := realclient.Start(t, kind, options)
			if err := client.Seed(t.Context(), file, dir); err != nil {
				t.Fatal(err)
			}
			leech := add(t, engineAt(t, fmt.Sprintf("10.2.%d.1", i)), swarm.Spec{Torrent: torrent,
				Dir: t.TempDir(), Down: 256 << 10, NoTrackers: true})
			leech.AddPeer(client.Addr)
			named := func() bool {
				p := leech.Peers()
				return len(p) == 1 && strings.HasPrefix(p[0].Client, names[kind]) && p[0].Seed
			}
			await(t, "the name of a seed", named)
			p := leech.Peers()[0]
			if p.Addr != client.Addr || !p.Outgoing || !p.Interesting || p.Encrypted ||
				p.Source != swarm.PeerFromUser || p.Progress != 1 ||
				strings.ContainsAny(p.Flags(), "ISU") {
				t.Errorf("shown: %+v, flags %s", p, p.Flags())
			}
			if id := string(p.ID[:3]); kind == realclient.Transmission && id != "-TR" ||
				kind == realclient.Aria2 && id != "A2-" {
				t.Errorf("id %q", p.ID)
			}
			t.Logf("%s (%q), %s, %v", p.Client, p.ID[:8], p.Flags(), p.Waiting)
			await(t, "blocks", func() bool {
				p := leech.Peers()
				return len(p) == 1 && p[0].Down > 0 && strings.Contains(p[0].Flags(), "D")
			})
		})
	}
}

// The tracker that most open ones are tells its figures over HTTP and UDP, and hears of a
// torrent that leaves it.
func TestTrackersOfOpentracker(t *testing.T) {
	if !realclient.Inside() {
		if _, err := realclient.ServerInstalled(realclient.Opentracker); err != nil &&
			os.Getenv("SWARM_REQUIRE_CLIENTS") != "1" {
			t.Skip(err)
		}
	}
	if !realclient.InNamespace(t) {
		return
	}
	_, dirHTTP, http := madeTorrent(t, 200_000, "")
	_, dirUDP, udp := madeTorrent(t, 300_000, "")
	at := realclient.StartServer(t, realclient.Opentracker,
		func(ctx context.Context, state string) (*realclient.Server, error) {
			return realclient.LaunchOpentracker(ctx, netip.MustParseAddr("10.3.0.1"), state,
				http.Info().Hash().String(), udp.Info().Hash().String())
		}).Addr
	for i, c := range []struct {
		scheme, dir string
		torrent     *metainfo.Torrent
	}{{"http", dirHTTP, http}, {"udp", dirUDP, udp}} {
		t.Run(c.scheme, func(t *testing.T) {
			url := fmt.Sprintf("%s://%v/announce", c.scheme, at)
			seed := add(t, engineAt(t, fmt.Sprintf("10.3.%d.2", i)), swarm.Spec{Torrent: c.torrent,
				Dir: c.dir, Complete: true, Trackers: [][]string{{url}}})
			await(t, "the seed to be counted", func() bool { return seed.Trackers()[0].Seeds == 1 })
			leech := add(t, engineAt(t, fmt.Sprintf("10.3.%d.3", i)), swarm.Spec{Torrent: c.torrent,
				Dir: t.TempDir(), Trackers: [][]string{{url}}})
			waitDone(t, leech)
			await(t, "the download to be counted", func() bool {
				s := leech.Trackers()[0]
				return s.Downloaded == 1 && s.Seeds == 2
			})
			s := leech.Trackers()[0]
			if s.Status != swarm.TrackerWorking || s.Leeches != 0 || s.Peers == 0 || s.Err != nil ||
				s.NextAnnounce.Before(time.Now()) {
				t.Errorf("shown: %+v", s)
			}
			mustDo(t, leech.SetTrackers(nil))
			await(t, "the leech to be gone", func() bool { return seedsAt(t, url, c.torrent) == 1 })
			mustDo(t, leech.SetTrackers([][]string{{url}}))
			await(t, "the leech to be back", func() bool { return seedsAt(t, url, c.torrent) == 2 })
			mustDo(t, leech.Pause())
			await(t, "the pause", func() bool { return seedsAt(t, url, c.torrent) == 1 })
		})
	}
}

// seedsAt returns how many seeds a tracker counts.
func seedsAt(t *testing.T, url string, torrent *metainfo.Torrent) int {
	t.Helper()
	at, err := tracker.ParseTracker(url, false)
	if err != nil {
		t.Fatal(err)
	}
	web := guard.New(guard.Config{})
	defer web.Close()
	c := tracker.NewClient(tracker.ClientConfig{HTTP: web})
	defer c.Close()
	counts, err := c.Scrape(t.Context(), at, torrent.Info().Hash())
	if err != nil {
		t.Fatal(err)
	}
	return counts[0].Seeds
}
