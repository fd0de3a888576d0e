//go:build linux

package swarm_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// A member is one downloader of a mixed swarm: a client, or an engine of ours.
type member struct {
	name     string
	kind     realclient.Kind // empty for one of ours
	settings map[string]any
	cfg      swarm.Config
	over     swarm.Transport // by which the seed has it; empty if either may be
}

var mixed = []member{
	{name: "libtorrent/", kind: realclient.Libtorrent,
		settings: withoutTCP[realclient.Libtorrent], over: swarm.TransportUTP},
	{name: "qBittorrent/", kind: realclient.QBittorrent},
	{name: "Transmission ", kind: realclient.Transmission},
	{name: "aria2/", kind: realclient.Aria2, over: swarm.TransportTCP},
	{name: "ours without TCP", cfg: swarm.Config{NoTCP: true}, over: swarm.TransportUTP},
	{name: "ours without uTP", cfg: swarm.Config{NoUTP: true}, over: swarm.TransportTCP},
	{name: "ours"},
}

// TestMixedTransports: a swarm of all kinds completes in which some have TCP alone, some uTP
// alone, and others both. All hear of the seed alone, and of each other from peers.
func TestMixedTransports(t *testing.T) {
	if !realclient.Inside() {
		realclient.Require(t, realclient.Libtorrent, realclient.QBittorrent,
			realclient.Transmission, realclient.Aria2)
	}
	if !realclient.InNamespace(t) {
		return
	}
	ip := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 6, byte(n), 1}) }
	dir, torrent := madeKind(t, metainfo.V1, 8<<20)
	engine := engineAt(t, ip(1).String())
	tracker, err := realclient.NewTracker(ip(2), engine.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tracker.Close)
	torrent.Trackers = [][]string{{tracker.URL}}
	file := filepath.Join(t.TempDir(), "content.torrent")
	if err := os.WriteFile(file, torrent.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	seed := add(t, engine, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true, Up: 2 << 20,
		NoTrackers: true})
	seen := watchTransports(t, seed)
	var all sync.WaitGroup
	for i := range mixed {
		m, out := &mixed[i], t.TempDir()
		m.cfg.Listen = []netip.AddrPort{netip.AddrPortFrom(ip(10+i), 0)}
		m.cfg.Client = m.name
		finish := m.join(t, torrent, file, out, engine.Addr())
		all.Go(func() {
			if err := finish(); err != nil {
				t.Errorf("%s: %v", m.name, err)
				return
			}
			sameFile(t, filepath.Join(dir, "content.bin"), filepath.Join(out, "content.bin"))
		})
	}
	all.Wait()
	for name, over := range seen() {
		t.Logf("%s was here by %s", name, over)
		for _, m := range mixed {
			if m.over != "" && strings.HasPrefix(name, m.name) && over != string(m.over) {
				t.Errorf("%s was here by %s, want %s", name, over, m.over)
			}
		}
	}
}

// join starts a member that knows a seed, of which clients hear from the tracker. It returns
// what waits for its content.
func (m *member) join(t *testing.T, torrent *metainfo.Torrent, file, out string,
	seed netip.AddrPort) (finish func() error) {
	t.Helper()
	if m.kind == "" {
		leech := add(t, listen(t, m.cfg), swarm.Spec{Torrent: torrent, Dir: out,
			NoTrackers: true, Peers: []string{seed.String()}})
		return func() error {
			<-leech.Done()
			return leech.Err()
		}
	}
	client := realclient.Start(t, m.kind, realclient.Options{IP: m.cfg.Listen[0].Addr(),
		Settings: m.settings})
	if err := client.Seed(t.Context(), file, out); err != nil {
		t.Fatal(err)
	}
	return func() error { return client.Wait(t.Context()) }
}

// watchTransports notes by which transports the peers of a torrent are here, until the
// function that it returns is called. That returns them by the names of the clients.
func watchTransports(t *testing.T, torrent *swarm.Torrent) (end func() map[string]string) {
	t.Helper()
	seen, stop, ended := map[string]string{}, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			for _, p := range torrent.Peers() {
				if p.Client != "" && p.Up > 0 {
					if was := seen[p.Client]; !strings.Contains(was, string(p.Transport)) {
						seen[p.Client] = strings.TrimSpace(fmt.Sprint(was, " ", p.Transport))
					}
				}
			}
			select {
			case <-stop:
				return
			case <-t.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() map[string]string {
		close(stop)
		<-ended
		return seen
	}
}
