//go:build linux

package swarm_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// TestSetFilesFromRealClients: files are chosen at the start, in the middle and after
// everything was there, while a real client alone has them. It drops us as a seed drops a
// seed, and has to be met again.
func TestSetFilesFromRealClients(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	for _, kind := range []realclient.Kind{realclient.Libtorrent, realclient.Aria2} {
		t.Run(string(kind), func(t *testing.T) {
			realclient.Require(t, kind)
			dir, torrent := webFolder(t, metainfo.V1)
			file := filepath.Join(dir, "content.torrent")
			mustDo(t, os.WriteFile(file, torrent.Marshal(), 0o666))
			seed := realclient.Start(t, kind,
				realclient.Options{IP: netip.MustParseAddr("127.0.0.1")})
			mustDo(t, seed.Seed(t.Context(), file, dir), seed.Wait(t.Context()))

			spec := chosen("04000040")
			spec.Torrent, spec.Dir, spec.Down = torrent, t.TempDir(), 2<<20
			spec.Peers = []string{seed.Addr.String()}
			leech := add(t, newEngine(t), spec)
			until(t, leech, "the first bytes", func(s swarm.State) bool { return s.Got > 0 })
			mustDo(t, leech.SetFiles(ranks("07001000")))
			waitDone(t, leech)
			mustDo(t, leech.Err())
			list := leech.Files()
			if !list[1].Complete() || !list[4].Complete() || list[7].Have > 0 ||
				list[2].Have > 200_000 {
				t.Errorf("after the first choices: %+v", list)
			}
			for _, picture := range []string{"00000001", "44444444"} {
				mustDo(t, leech.SetFiles(ranks(picture)))
				waitDone(t, leech)
				mustDo(t, leech.Err())
				for i, is := range leech.Files() {
					if is.Priority != swarm.Unwanted && !is.Complete() {
						t.Errorf("%s: file %d: %+v", picture, i, is)
					}
				}
			}
			same(t, dir, spec.Dir)
			if s := leech.State(); s.Wasted() > s.Length/4 {
				t.Errorf("%d of %d bytes were wasted: %v", s.Wasted(), s.Length, s.Waste)
			}
		})
	}
}
