//go:build linux

package swarm_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// libtorrent, which knows nothing of relays, downloads from a seed that only a relay lets in. It
// tries uTP with an address once, and the seed has never heard of it before.
func TestLibtorrentComesThroughARelay(t *testing.T) {
	realclient.Require(t, realclient.Libtorrent)
	t.Parallel()
	servers := fastRelay(t)
	seeder := listen(t, swarm.Config{Relays: servers})
	dir, torrent := madeKind(t, metainfo.V1, 1<<20)
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	eventually(t, "an allocation", func() bool { return len(seeder.Relayed()) > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := realclient.Start(t, realclient.Libtorrent, realclient.Options{
		IP: netip.MustParseAddr("127.0.9.140")})
	out := t.TempDir()
	if err := client.Add(ctx, torrent.Magnet().String(), out); err != nil {
		t.Fatal(err)
	}
	if err := client.Connect(ctx, seeder.Relayed()[0]); err != nil {
		t.Fatal(err)
	}
	if err := client.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	sameFile(t, filepath.Join(dir, "content.bin"), filepath.Join(out, "content.bin"))
	if n := servers[0].Stats().Knocks; n == 0 {
		t.Error("it has not come as a stranger")
	}
}
