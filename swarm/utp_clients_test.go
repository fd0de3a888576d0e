//go:build linux

package swarm_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// withoutTCP are the settings with which clients have uTP alone. Transmission 3.00 has no
// such setting; it dials by uTP first.
var withoutTCP = map[realclient.Kind]map[string]any{
	realclient.Libtorrent:   {"enable_incoming_tcp": false, "enable_outgoing_tcp": false},
	realclient.QBittorrent:  {"BTProtocol": "UTP"},
	realclient.Transmission: {"utp-enabled": true},
}

// A utpCase is an exchange with a client over uTP.
type utpCase struct {
	name     string
	client   realclient.Kind
	settings map[string]any // besides withoutTCP
	torrent  metainfo.Kind
	cfg      swarm.Config
	fetches  bool // the client fetches, rather than we
	dials    bool // the client dials, rather than we
}

var utpCases = []utpCase{
	{name: "seeds v1", client: realclient.Libtorrent},
	{name: "seeds v2 and dials", client: realclient.Libtorrent, torrent: metainfo.V2, dials: true},
	{name: "seeds a hybrid, and we have no TCP", client: realclient.Libtorrent,
		torrent: metainfo.Hybrid, cfg: swarm.Config{NoTCP: true}},
	{name: "fetches v1 and dials", client: realclient.Libtorrent, fetches: true, dials: true},
	{name: "fetches v2", client: realclient.Libtorrent, torrent: metainfo.V2, fetches: true},
	{name: "fetches a hybrid and dials", client: realclient.Libtorrent, torrent: metainfo.Hybrid,
		fetches: true, dials: true},
	{name: "seeds and is encrypted", client: realclient.Libtorrent, settings: rc4Alone},
	{name: "fetches and is encrypted", client: realclient.Libtorrent, settings: rc4Alone,
		fetches: true, dials: true},
	{name: "seeds and meets encryption alone", client: realclient.Libtorrent,
		cfg: swarm.Config{Encryption: swarm.EncryptionRequired}},
	{name: "seeds", client: realclient.QBittorrent, torrent: metainfo.Hybrid},
	{name: "fetches and dials", client: realclient.QBittorrent, fetches: true, dials: true},
	{name: "fetches and dials", client: realclient.Transmission, fetches: true, dials: true},
	{name: "seeds, and we have no TCP", client: realclient.Transmission,
		cfg: swarm.Config{NoTCP: true}},
}

// rc4Alone makes libtorrent refuse what is not encrypted.
var rc4Alone = map[string]any{"in_enc_policy": 0, "out_enc_policy": 0, "allowed_enc_level": 2}

// TestUTPWithClients: other clients exchange torrents with us over uTP, whoever dials.
func TestUTPWithClients(t *testing.T) {
	if !realclient.Inside() {
		realclient.Require(t, realclient.Libtorrent, realclient.QBittorrent,
			realclient.Transmission)
	}
	if !realclient.InNamespace(t) {
		return
	}
	for i, c := range utpCases {
		t.Run(fmt.Sprintf("%s %s", c.client, c.name), func(t *testing.T) {
			t.Parallel()
			c.run(t, byte(i+1))
		})
	}
}

// run exchanges the torrent. Nobody else uses the addresses of the group.
func (c *utpCase) run(t *testing.T, group byte) {
	ip := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 4, group, n}) }
	c.cfg.Listen = []netip.AddrPort{netip.AddrPortFrom(ip(1), 0)}
	e := listen(t, c.cfg)
	dir, torrent := madeKind(t, c.torrent, 5<<20+77)
	settings := maps.Clone(withoutTCP[c.client])
	maps.Copy(settings, c.settings)
	maps.Copy(settings, c.client.WritesFirst())
	client := realclient.Start(t, c.client, realclient.Options{IP: ip(2), Settings: settings})
	if c.dials && !c.client.TakesPeers() {
		tracker, err := realclient.NewTracker(ip(3), e.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(tracker.Close)
		torrent.Trackers = [][]string{{tracker.URL}}
	}
	file := filepath.Join(t.TempDir(), "content.torrent")
	if err := os.WriteFile(file, torrent.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	from, to := dir, t.TempDir()
	spec := swarm.Spec{Torrent: torrent, Dir: to, NoTrackers: true}
	if c.fetches {
		spec.Dir, spec.Complete = from, true
	} else {
		to, spec.Down = from, 4<<20
	}
	if err := client.Seed(t.Context(), file, to); err != nil {
		t.Fatal(err)
	}
	if !c.fetches {
		if err := client.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ours := add(t, e, spec)
	switch {
	case !c.dials:
		ours.AddPeer(client.Addr)
	case c.client.TakesPeers():
		if err := client.Connect(t.Context(), e.Addr()); err != nil {
			t.Fatal(err)
		}
	}
	c.overUTP(t, client, ours)
	if c.fetches {
		if err := client.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	} else {
		waitDone(t, ours)
	}
	sameFile(t, filepath.Join(from, "content.bin"),
		filepath.Join(c.into(spec.Dir, to), "content.bin"))
}

// into returns the folder that was fetched into.
func (c *utpCase) into(ours, theirs string) string {
	if c.fetches {
		return theirs
	}
	return ours
}

// overUTP waits for blocks, and checks that they travel by uTP.
func (c *utpCase) overUTP(t *testing.T, client *realclient.Client, ours *swarm.Torrent) {
	t.Helper()
	var p swarm.PeerState
	await(t, "blocks", func() bool {
		for _, p = range ours.Peers() {
			if p.Down+p.Up > 0 {
				return true
			}
		}
		return false
	})
	if p.Transport != swarm.TransportUTP || p.Outgoing == c.dials || p.Listen != client.Addr {
		t.Errorf("it is here by %v, outgoing %v, and listens at %v; want %v, %v, %v", p.Transport,
			p.Outgoing, p.Listen, swarm.TransportUTP, !c.dials, client.Addr)
	}
	if c.settings != nil || c.cfg.Encryption == swarm.EncryptionRequired {
		if !p.Encrypted {
			t.Error("it is not encrypted")
		}
	}
}

// madeKind makes a torrent of one file, content.bin, below a new folder.
func madeKind(t *testing.T, kind metainfo.Kind, size int) (dir string, torrent *metainfo.Torrent) {
	t.Helper()
	dir = t.TempDir()
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{4}).Read(data)
	path := filepath.Join(dir, "content.bin")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path, Kind: kind,
		PieceLength: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return dir, torrent
}

// sameFile fails the test unless two files have the same bytes.
func sameFile(t *testing.T, want, got string) {
	t.Helper()
	a, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(got); err != nil || string(a) != string(b) {
		t.Errorf("%s has other bytes than %s: %v", got, want, err)
	}
}

// TestUTPGigabyte: a gigabyte goes to and from libtorrent without TCP, and never stands
// still.
func TestUTPGigabyte(t *testing.T) {
	if os.Getenv("SWARM_SOAK") != "1" {
		t.Skip("takes minutes: SWARM_SOAK=1 runs it")
	}
	if !realclient.Inside() {
		realclient.Require(t, realclient.Libtorrent)
	}
	if !realclient.InNamespace(t) {
		return
	}
	const standstill = 5 * time.Second
	dir, torrent := madeKind(t, metainfo.V1, 1<<30)
	file := filepath.Join(t.TempDir(), "content.torrent")
	if err := os.WriteFile(file, torrent.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, fetches := range []bool{false, true} {
		t.Run(fmt.Sprintf("libtorrent fetches %v", fetches), func(t *testing.T) {
			client := realclient.Start(t, realclient.Libtorrent, realclient.Options{
				IP: netip.MustParseAddr("10.5.0.2"), Settings: withoutTCP[realclient.Libtorrent]})
			out := t.TempDir()
			spec, theirs := swarm.Spec{Torrent: torrent, Dir: out}, dir
			if fetches {
				spec, theirs = swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}, out
			}
			if err := client.Seed(t.Context(), file, theirs); err != nil {
				t.Fatal(err)
			}
			await(t, "the end of its check", func() bool {
				p, err := client.Progress(t.Context())
				return err == nil && p.Complete != fetches
			})
			ours := add(t, engineAt(t, "10.5.0.1"), spec)
			ours.AddPeer(client.Addr)
			var p []swarm.PeerState
			await(t, "a connection", func() bool {
				p = ours.Peers()
				return len(p) == 1
			})
			if p[0].Transport != swarm.TransportUTP {
				t.Errorf("it is here by %v", p[0].Transport)
			}
			start, moved, last, longest := time.Now(), time.Now(), int64(0), time.Duration(0)
			for done := int64(0); done < torrent.Info().Layout().Length; {
				if done = ours.State().Have; fetches {
					p, err := client.Progress(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					done = p.Done
				}
				if done > last {
					last, moved = done, time.Now()
				}
				longest = max(longest, time.Since(moved))
				if longest > standstill {
					t.Fatalf("nothing came for %v after %d bytes: %+v", longest, last, ours.Peers())
				}
				<-time.After(20 * time.Millisecond)
			}
			t.Logf("%.1f MB/s, stood still for %v at most", float64(last)/1e6/
				time.Since(start).Seconds(), longest)
		})
	}
}
