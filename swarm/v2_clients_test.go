//go:build linux

package swarm_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/core"
)

// TestV2MagnetFromOneSeed: a real client that alone has a v2 torrent is banned for
// nothing. So many files make metadata of such a size that the seed has unchoked us
// when it arrives, and no file can be verified before its piece layer is known.
func TestV2MagnetFromOneSeed(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	for _, kind := range []realclient.Kind{realclient.Libtorrent, realclient.QBittorrent} {
		t.Run(string(kind), func(t *testing.T) {
			realclient.Require(t, kind)
			dir := t.TempDir()
			rng := rand.NewChaCha8([32]byte{39})
			data := make([]byte, 3*16<<10)
			for i := range 800 {
				rng.Read(data)
				path := filepath.Join(dir, "content",
					fmt.Sprintf("one of many files whose names are rather long %04d", i))
				if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, data, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
				Path: filepath.Join(dir, "content"), Kind: metainfo.V2, PieceLength: 16 << 10,
			})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "content.torrent")
			if err := os.WriteFile(file, torrent.Marshal(), 0o666); err != nil {
				t.Fatal(err)
			}
			seed := realclient.Start(t, kind,
				realclient.Options{IP: netip.MustParseAddr("127.0.0.1")})
			if err := seed.Seed(t.Context(), file, dir); err != nil {
				t.Fatal(err)
			}
			if err := seed.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				leech := add(t, newEngine(t), swarm.Spec{
					Magnet: torrent.Magnet(), Dir: t.TempDir(), Peers: []string{seed.Addr.String()},
				})
				waitDone(t, leech)
				s := leech.State()
				if err := leech.Err(); err != nil || s.Drops[core.ReasonBadPiece] > 0 ||
					s.Waste[core.ReasonBadPiece] > 0 {
					t.Fatalf("error %v, %d peers banned for bad pieces, %d bytes of such",
						err, s.Drops[core.ReasonBadPiece], s.Waste[core.ReasonBadPiece])
				}
			}
		})
	}
}
