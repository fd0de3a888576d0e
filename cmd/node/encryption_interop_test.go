//go:build linux

package main_test

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"

	"swarmnode/internal/realclient"
)

// forced are the settings with which each client refuses plain connections.
var forced = map[realclient.Kind]map[string]any{
	realclient.Libtorrent: {
		"in_enc_policy": 0, "out_enc_policy": 0, "allowed_enc_level": 2,
		"enable_incoming_utp": false, "enable_outgoing_utp": false,
	},
	realclient.Transmission: {"encryption": 2, "utp-enabled": false},
	realclient.Aria2:        {"bt-require-crypto": true, "bt-min-crypto-level": "arc4"},
	realclient.QBittorrent:  {"Encryption": 1, "BTProtocol": "TCP"},
}

// encrypted exchanges a file between the command and clients. Some clients insist on
// encryption while the command allows it; others allow it while the command insists.
func (n *interop) encrypted(t *testing.T, ctx context.Context) {
	group := byte(60)
	run := func(kind realclient.Kind, settings map[string]any, policy string) {
		group += 2
		first := group
		t.Run(fmt.Sprintf("%s fetches from node, policy %s", kind, policy), func(t *testing.T) {
			t.Parallel()
			n.encryptedFetch(t, ctx, kind, settings, policy, first)
		})
		t.Run(fmt.Sprintf("node, policy %s, fetches from %s", policy, kind), func(t *testing.T) {
			t.Parallel()
			n.fetchEncrypted(t, ctx, kind, settings, policy, first+1)
		})
	}
	for kind, settings := range forced {
		run(kind, settings, "allow")
	}
	run(realclient.Libtorrent, nil, "require")
	run(realclient.Libtorrent, map[string]any{"in_enc_policy": 2, "out_enc_policy": 2}, "prefer")
	run(realclient.Aria2, nil, "require")
}

// encryptedFetch makes a client fetch from "node seed".
func (n *interop) encryptedFetch(t *testing.T, ctx context.Context, kind realclient.Kind,
	settings map[string]any, policy string, group byte) {
	client := realclient.Start(t, kind, realclient.Options{IP: host(group, 1), Settings: settings})
	content := filepath.Join(t.TempDir(), "content.bin")
	writeContent(t, content, 2<<20+77)
	seed := n.startNode(t, host(group, 2), 0, "seed", "--no-dht", "--no-lsd", "--encryption",
		policy, content)
	e, err := seed.WaitEvent(ctx, "seeding")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := seed.Addr(ctx)
	if err != nil {
		t.Fatal(err)
	}
	magnet, out := "magnet:?xt=urn:btih:"+e.Torrent, t.TempDir()
	if !kind.TakesPeers() {
		tracker, err := realclient.NewTracker(host(group, 3), addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tracker.Close() })
		magnet += "&tr=" + tracker.URL
	}
	if err := client.Add(ctx, magnet, out); err != nil {
		t.Fatal(err)
	}
	if kind.TakesPeers() {
		if err := client.Connect(ctx, addr); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	sameContent(t, content, filepath.Join(out, "content.bin"))
}

// fetchEncrypted makes "node add" fetch from a client.
func (n *interop) fetchEncrypted(t *testing.T, ctx context.Context, kind realclient.Kind,
	settings map[string]any, policy string, group byte) {
	client := realclient.Start(t, kind, realclient.Options{IP: host(group, 1), Settings: settings})
	content, magnet := clientSeeds(t, ctx, client, 2<<20+77)
	out := t.TempDir()
	waitNode(t, ctx, n.startNode(t, host(group, 2), 0, "add", "--no-dht", "--no-lsd",
		"--encryption", policy,
		"--peer", netip.AddrPortFrom(host(group, 1), client.Addr.Port()).String(), "--dir", out,
		magnet))
	sameContent(t, content, filepath.Join(out, "content.bin"))
}
