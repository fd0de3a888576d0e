package swarmnode

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"swarmnode/swarm"
)

// After another port was set, peers find the node there through the DHT, whose node has
// moved as well, and nobody listens at the old port.
func TestListenElsewhere(t *testing.T) {
	dir, torrent := makeTorrent(t, 100<<10)
	router := startNode(t, Config{})
	seeder := startNode(t, Config{StateDir: t.TempDir()}, hostOf(router))
	if _, err := seeder.Add(swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a contact", func() bool { return seeder.DHT().Stats().Contacts[0] > 0 })
	old, began := seeder.Addrs()[0], seeder.DHT().Since()
	if err := seeder.SetPort(0); err != nil {
		t.Fatal(err)
	}
	now := seeder.Addrs()[0]
	if now == old || seeder.DHT().Since() == began {
		t.Fatalf("the node is still at %v", now)
	}
	if c, err := net.Dial("tcp", old.String()); err == nil {
		c.Close()
		t.Error("somebody listens at the old port")
	}
	if !seeder.DHT().Remembers() || seeder.DHT().Stats().Saved == 0 {
		t.Error("the new DHT node knows nobody")
	}
	leecher := startNode(t, Config{}, hostOf(router))
	leech, err := leecher.Add(swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	waitDone(t, leech)
}

// A change that fails leaves everything as it was.
func TestListenFails(t *testing.T) {
	n := startNode(t, Config{})
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken := busy.Addr().(*net.TCPAddr).AddrPort()
	where, began := n.Addrs()[0], n.DHT().Since()
	for _, err := range []error{n.SetPort(taken.Port()), n.Listen(taken),
		n.Listen(netip.MustParseAddrPort("192.0.2.1:0"))} {
		if _, ok := errors.AsType[*ListenError](err); !ok {
			t.Errorf("listening there: %v", err)
		}
	}
	if n.Addrs()[0] != where || n.DHT().Since() != began || !n.DHT().On() {
		t.Errorf("the node is at %v, was at %v", n.Addrs(), where)
	}
	// The same place again is no change of the sockets.
	if err := n.Listen(where); err != nil || n.Addrs()[0] != where {
		t.Errorf("the same place: %v, %v", n.Addrs(), err)
	}
	n.Close()
	if err := errors.Join(n.SetPort(0), n.Listen()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// The state of the DHT node follows the network: another address has another state.
func TestListenInAnotherNetwork(t *testing.T) {
	n := startNode(t, Config{StateDir: t.TempDir(), NoDHT: true})
	if n.dht.saved.name != "dht-127.0.0.1" {
		t.Fatalf("state %q", n.dht.saved.name)
	}
	if n.LocalPeers() || n.lsd != nil {
		t.Error("a node on loopback alone searches the local network")
	}
	six := netip.MustParseAddrPort("[::1]:0")
	if err := n.Listen(six); err != nil {
		t.Skip("no IPv6 loopback: ", err)
	}
	if n.dht.saved.name != "dht-__1" || n.DHT().On() || n.dht.saved.lock == nil {
		t.Errorf("state %q, on %v", n.dht.saved.name, n.DHT().On())
	}
	if err := n.SetDHT(true); err != nil {
		t.Error(err)
	}
}

// The limits of a node change while it runs.
func TestNodeLimits(t *testing.T) {
	n := startNode(t, Config{Down: 1 << 20, Peers: 50, TorrentPeers: 20, NoPEX: true})
	want := swarm.EngineLimits{Down: 1 << 20, Peers: 50, TorrentPeers: 20}
	if got := n.Limits(); got != want {
		t.Errorf("limits %+v, want %+v", got, want)
	}
	want = swarm.EngineLimits{Up: 1 << 19, Peers: 30, TorrentPeers: 10}
	n.SetLimits(want)
	if got := n.Limits(); got != want {
		t.Errorf("limits %+v, want %+v", got, want)
	}
	n.SetPEX(true)
	n.SetPEX(false)
}
