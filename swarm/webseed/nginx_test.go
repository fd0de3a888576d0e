//go:build linux

package webseed

import (
	"context"
	"net/netip"
	"testing"

	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
)

// The server that most web seeds run.
func TestNginx(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	td := makeTorrent(t, metainfo.Hybrid, "the näme", map[string]int{
		"a.txt": 3 << 20, "b/c d%20&+#?.bin": 70_000, "b/empty": 0, "e": 1_000_001,
	})
	server := realclient.StartServer(t, realclient.Nginx,
		func(ctx context.Context, state string) (*realclient.Server, error) {
			return realclient.LaunchNginx(ctx, netip.AddrFrom4([4]byte{127, 0, 0, 1}), td.dir,
				state)
		})
	for _, path := range []string{"", "/moved/"} {
		c, h, _ := open(t, &td, server.URL(path))
		refs := td.blocks()
		ask(t, c, refs)
		h.gets(refs)
	}
}
