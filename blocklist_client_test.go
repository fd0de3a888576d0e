//go:build linux

package swarmnode

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/internal/realclient"
	"swarmnode/swarm"
)

// Of two libtorrent seeds, which are in each other's DHT, one is blocked. It is neither dialled
// nor let in, although it is named as a peer and dials us, and its DHT node is neither asked
// nor answered. Everything comes from the other one.
func TestBlocklistWithLibtorrent(t *testing.T) {
	realclient.Require(t, realclient.Libtorrent)
	dir, torrent := makeTorrent(t, 4<<20)
	file := filepath.Join(t.TempDir(), "content.torrent")
	list := filepath.Join(t.TempDir(), "list.p2p")
	if err := os.WriteFile(file, torrent.Marshal(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, []byte("Somebody:127.0.0.2-127.0.0.2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(host string, bootstrap ...netip.AddrPort) *realclient.Client {
		c := realclient.Start(t, realclient.Libtorrent, realclient.Options{
			IP: netip.MustParseAddr(host), DHT: true, Bootstrap: bootstrap,
			Settings: map[string]any{"allow_multiple_connections_per_ip": true}})
		if err := c.Seed(t.Context(), file, dir); err != nil {
			t.Fatal(err)
		}
		return c
	}
	bad := start("127.0.0.2")
	good := start("127.0.0.3", bad.Addr)
	n := startNode(t, Config{NoLSD: true, Blocklists: []string{list}}, bad.Addr.String(),
		good.Addr.String())
	leech, err := n.Add(swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir(),
		Peers: []string{bad.Addr.String(), good.Addr.String()}})
	if err != nil {
		t.Fatal(err)
	}
	refused := n.Blocklist().Refused
	if err := bad.Connect(t.Context(), n.Addrs()[0]); err != nil {
		t.Fatal(err)
	}
	<-leech.Done()
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the blocked seed comes", func() bool { return n.Blocklist().Refused > refused })
	eventually(t, "a node answers", func() bool { return len(n.DHT().Node().Table()) > 0 })
	for _, c := range n.DHT().Node().Table() {
		if c.Addr.Addr() != good.Addr.Addr() {
			t.Errorf("the DHT node knows %v", c.Addr)
		}
	}
	for _, p := range leech.Peers() {
		if p.Addr.Addr() == bad.Addr.Addr() {
			t.Errorf("connected with %v", p.Addr)
		}
	}
}
