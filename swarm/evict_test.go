package swarm

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/internal/lightpeer"
	"swarmnode/metainfo"
	"swarmnode/swarm/limit"
)

// TestNewcomersBesideACrowd: peers of one network that have taken every place, be it of
// the torrent or of the engine, and have blocks to ask for, make room for each newcomer
// from elsewhere, who stays while they come again, for as long as anybody may idle.
func TestNewcomersBesideACrowd(t *testing.T) {
	const places, newcomers = 12, 6
	// A newcomer wants nothing after its block, and may idle for so long in core.
	const idle = 10 * time.Second
	for name, cfg := range map[string]Config{
		"places of the engine":  {PeersMax: places, TorrentPeersMax: 100},
		"places of the torrent": {PeersMax: 100, TorrentPeersMax: places},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.Listen = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
			e, err := Listen(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			path := filepath.Join(t.TempDir(), "content")
			if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			built, err := metainfo.Build(t.Context(),
				metainfo.BuildOptions{Path: path, PieceLength: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			seed, err := e.Add(Spec{Torrent: built, Dir: filepath.Dir(path), Complete: true})
			if err != nil {
				t.Fatal(err)
			}
			await(t, seed.Done())
			light := lightpeer.New(lightpeer.Crowd{Target: e.Addr(), Layout: built.Info().Layout(),
				Hash: seed.Hash(), Most: 1})
			leech := func(ip [4]byte) (*lightpeer.Peer, error) {
				return light.Leech(context.WithoutCancel(t.Context()), netip.AddrFrom4(ip))
			}
			rush := func(round byte) {
				for i := range byte(2 * places) {
					if p, err := leech([4]byte{127, 0, 9, round*50 + i + 1}); err == nil {
						t.Cleanup(p.Close)
					}
				}
			}
			rush(0)
			awaitTrue(t, "a crowd", func() bool { return e.conns.Used() == places })
			var honest []*lightpeer.Peer
			var met []time.Time
			for i := range byte(newcomers) {
				met = append(met, time.Now())
				p, err := leech([4]byte{127, 0, 20 + i, 1})
				if err != nil {
					t.Fatalf("newcomer %d: %v", i, err)
				}
				t.Cleanup(p.Close)
				honest = append(honest, p)
				awaitTrue(t, "a block", func() bool { return p.Blocks() > 0 })
				rush(i/2 + 1)
				for i, p := range honest {
					select {
					case <-p.Ended():
						if stayed := time.Since(met[i]); stayed < idle {
							t.Errorf("newcomer %d had to go within %v", i, stayed)
						}
					default:
					}
				}
			}
			if n := seed.State().PeersConnected; n > places {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// Bans are by source, our own address is exempt, and one network cannot end the bans of
// others by being banned itself, again and again.
func TestBansBySource(t *testing.T) {
	b := bans{home: limit.NewHome([]netip.Addr{netip.IPv4Unspecified()})}
	now := time.Now()
	ip := netip.MustParseAddr
	first := ip("60.0.0.1")
	for _, s := range []netip.Addr{first, ip("2001:db8:1:2::1"), ip("127.0.0.1"), ip("127.0.0.2")} {
		b.ban(now, s)
	}
	for s, want := range map[string]bool{
		"60.0.0.1": true, "::ffff:60.0.0.1": true, "2002:3c00:1::5": true, "60.0.0.2": false,
		"2001:db8:1:2:3:4:5:6": true, "2001:db8:1:3::1": false, "127.0.0.1": false,
		"127.0.0.2": true,
	} {
		if got := b.banned(now, ip(s)); got != want {
			t.Errorf("%s is banned: %v, want %v", s, got, want)
		}
	}
	if b.banned(now.Add(limit.BanTime), first) {
		t.Error("a ban does not end")
	}
	for i := range 2 * bansMax { // of one /48
		b.ban(now, netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 9, byte(i >> 8), byte(i),
			1}))
	}
	if !b.banned(now, first) || b.list.Len() > bansMax {
		t.Errorf("banned %v, with %d bans", b.banned(now, first), b.list.Len())
	}
}
