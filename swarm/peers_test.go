package swarm_test

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"swarmnode/swarm"
)

// The letters of a peer are those of qBittorrent.
func TestPeerFlags(t *testing.T) {
	for _, c := range []struct {
		peer swarm.PeerState
		want string
	}{
		{swarm.PeerState{Outgoing: true, Choking: true}, ""},
		{swarm.PeerState{Outgoing: true}, "K"},
		{swarm.PeerState{Choking: true, Interesting: true}, "dI"},
		{swarm.PeerState{Outgoing: true, Interesting: true, Interested: true, Encrypted: true,
			Source: swarm.PeerFromDHT}, "DuHE"},
		{swarm.PeerState{Choking: true, Interested: true, Unchoked: true, Optimistic: true,
			EncryptedHandshake: true, Source: swarm.PeerFromPEX}, "UOIXe"},
		{swarm.PeerState{Outgoing: true, Interesting: true, Unchoked: true, Snubbed: true,
			Source: swarm.PeerFromLSD}, "D?SL"},
		{swarm.PeerState{Outgoing: true, Choking: true, Encrypted: true,
			Transport: swarm.TransportUTP}, "EP"},
	} {
		if got := c.peer.Flags(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.peer, got, c.want)
		}
	}
}

// engineWith returns an engine on loopback.
func engineWith(t *testing.T, cfg swarm.Config) *swarm.Engine {
	t.Helper()
	cfg.Listen = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	e, err := swarm.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// Both ends of a connection show it as it is, while blocks move and afterwards.
func TestPeersOfATorrent(t *testing.T) {
	for name, encryption := range map[string]swarm.Encryption{
		"plain": swarm.EncryptionAllowed, "encrypted": swarm.EncryptionRequired,
	} {
		t.Run(name, func(t *testing.T) {
			const size = 3 << 20
			dir, torrent := makeContent(t, size)
			one := engineWith(t, swarm.Config{Client: "seeder 1", Encryption: encryption})
			two := engineWith(t, swarm.Config{PeerIDPrefix: "-TR3000-", Encryption: encryption})
			seed := add(t, one, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
			leech := add(t, two, swarm.Spec{Torrent: torrent, Dir: t.TempDir(), Down: 100 << 10})
			if p := leech.Peers(); len(p) != 0 {
				t.Errorf("without peers: %+v", p)
			}
			sub := two.Subscribe(0)
			if _, err := sub.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
			leech.AddPeer(one.Addr())
			changes, err := sub.Next(t.Context())
			for err == nil && changes.Torrents[0].Kinds&swarm.ChangedPeers == 0 {
				changes, err = sub.Next(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			await(t, "blocks", func() bool {
				p := leech.Peers()
				return len(p) == 1 && p[0].Down > 0 && p[0].DownRate > 0
			})
			p := leech.Peers()[0]
			if p.Addr != one.Addr() || p.Listen != one.Addr() || p.Client != "seeder 1" ||
				!p.Outgoing || !p.Seed || p.Progress != 1 || p.Source != swarm.PeerFromUser ||
				p.Transport != swarm.TransportTCP || !p.Interesting || p.Choking || p.Unchoked ||
				p.Waiting != swarm.PeerWaitNone && p.Waiting != swarm.PeerWaitVerify ||
				p.LastDown.IsZero() || !p.LastUp.IsZero() ||
				time.Since(p.Connected) > time.Minute || p.URL != "" {
				t.Errorf("the seed: %+v", p)
			}
			if required := encryption == swarm.EncryptionRequired; p.Encrypted != required ||
				p.EncryptedHandshake {
				t.Errorf("encrypted: %v, %v", p.Encrypted, p.EncryptedHandshake)
			}
			await(t, "bytes that have left", func() bool { return seed.Peers()[0].Up > 0 })
			q := seed.Peers()[0]
			if q.Listen != two.Addr() || q.Addr.Addr() != two.Addr().Addr() || q.Outgoing ||
				q.Client != "Transmission 3.00" || q.Source != swarm.PeerFromIncoming ||
				!q.Interested || !q.Unchoked || q.Interesting || q.Up == 0 || q.Progress == 1 ||
				q.Encrypted != p.Encrypted {
				t.Errorf("the leech: %+v", q)
			}
			pieces := leech.Pieces()
			if pieces.Have.Len() != torrent.Info().Layout().Pieces() ||
				pieces.Availability[0] != 1 ||
				len(pieces.Availability) != pieces.Have.Len() {
				t.Errorf("pieces: %+v", pieces)
			}
			mustDo(t, leech.SetLimits(swarm.Limits{}))
			waitDone(t, leech)
			if p := leech.Pieces(); !p.Have.All() || len(p.InFlight) > 0 {
				t.Errorf("pieces in the end: %+v", p)
			}
			mustDo(t, leech.Close())
			if p, pieces := leech.Peers(), leech.Pieces(); p != nil || pieces.Have != nil {
				t.Errorf("after the end: %+v, %+v", p, pieces)
			}
		})
	}
}

// A web seed is shown among the peers.
func TestPeersShowWebSeeds(t *testing.T) {
	dir, torrent := makeContent(t, 3<<20)
	url := webServer(t, dir, nil)
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir(), Down: 64 << 10,
		WebSeeds: []string{url}})
	await(t, "blocks", func() bool {
		p := leech.Peers()
		return len(p) == 1 && p[0].Down > 0
	})
	p := leech.Peers()[0]
	if p.Transport != swarm.TransportWeb || p.URL != url || p.Addr.IsValid() || !p.Seed ||
		p.Client != "web seed" {
		t.Errorf("the web seed: %+v", p)
	}
}

// A peer can be added at any time, and with any address.
func TestAddPeer(t *testing.T) {
	dir, torrent := makeContent(t, 100<<10)
	seeder := newEngine(t)
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir(), Paused: true})
	for _, addr := range []netip.AddrPort{{}, netip.MustParseAddrPort("0.0.0.0:80"),
		netip.MustParseAddrPort("127.0.0.1:0"), netip.MustParseAddrPort("[ff02::1]:80"),
		netip.MustParseAddrPort("255.255.255.255:1"),
		netip.AddrPortFrom(netip.AddrFrom16(netip.MustParseAddr("1.2.3.4").As16()), 0)} {
		leech.AddPeer(addr)
	}
	var adding sync.WaitGroup
	for range 8 {
		adding.Go(func() {
			leech.AddPeer(netip.AddrPortFrom(
				netip.AddrFrom16(seeder.Addr().Addr().As16()), seeder.Addr().Port()))
		})
	}
	adding.Wait()
	if s := leech.State(); s.PeersConnected > 0 {
		t.Errorf("while paused: %+v", s)
	}
	mustDo(t, leech.Resume())
	waitDone(t, leech)
	mustDo(t, leech.Close())
	leech.AddPeer(seeder.Addr())
}
