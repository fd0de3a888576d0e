//go:build linux

package swarm_test

import (
	"net/netip"
	"path/filepath"
	"testing"

	"swarmnode/internal/realclient"
	"swarmnode/swarm"
)

// A seed is moved from device to device while real clients fetch from it, and a leech while
// it fetches from them: everything arrives. At the rate slow they fetch for a minute, which
// no move takes, and after the move without a limit.
func TestMoveUnderRealClients(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	const slow = 512 << 10
	for _, kind := range []realclient.Kind{realclient.Aria2, realclient.Libtorrent} {
		t.Run(string(kind), func(t *testing.T) {
			realclient.Require(t, kind)
			dir, torrent := makeContent(t, 32<<20)
			shm := otherDevice(t)
			out := t.TempDir()
			client := realclient.Start(t, kind,
				realclient.Options{IP: netip.MustParseAddr("127.0.0.1")})
			mustDo(t, client.Add(t.Context(), torrent.Magnet().String(), out))
			seed := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, Complete: true,
				Up: slow, Peers: []string{client.Addr.String()}})
			waitDone(t, seed)
			until(t, seed, "the first bytes", func(s swarm.State) bool { return s.Up > 0 })
			mustDo(t, seed.Move(t.Context(), filepath.Join(shm, "seed")))
			before := seed.State().Up
			mustDo(t, seed.SetLimits(swarm.Limits{}))
			mustDo(t, client.Wait(t.Context()))
			sameContent(t, filepath.Join(shm, "seed"), out)
			if after := seed.State().Up; before > 31<<20 || after <= before {
				t.Errorf("%d bytes were uploaded before the move, and %d in all", before, after)
			}
			empty(t, dir)
			mustDo(t, seed.Close())

			leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir(),
				Peers: []string{client.Addr.String()}, Down: slow})
			until(t, leech, "the first bytes", func(s swarm.State) bool { return s.Have > 0 })
			mustDo(t, leech.Move(t.Context(), filepath.Join(shm, "leech")))
			if s := leech.State(); s.Left == 0 {
				t.Error("it was complete before the move had ended")
			}
			mustDo(t, leech.SetLimits(swarm.Limits{}))
			waitDone(t, leech)
			mustDo(t, leech.Err())
			sameContent(t, out, filepath.Join(shm, "leech"))
		})
	}
}
