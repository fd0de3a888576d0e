package swarm_test

import (
	"net/netip"
	"testing"

	"swarmnode/swarm"
	"swarmnode/swarm/transport/relay"
)

// A peer of which nobody has told the seed comes in through a relay with its first attempt.
func TestStrangerComesThroughARelay(t *testing.T) {
	t.Parallel()
	servers := serveRelays(t, 1, relay.Limits{})
	dir, torrent := makeContent(t, 300<<10)
	seeder := listen(t, swarm.Config{Client: "test", Relays: servers})
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	eventually(t, "an allocation", func() bool { return len(seeder.Relayed()) > 0 })
	leecher := listen(t, swarm.Config{Client: "test",
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.9.101:0")}})
	out := t.TempDir()
	leech := add(t, leecher, swarm.Spec{Magnet: torrent.Magnet(), Dir: out,
		Peers: []string{seeder.Relayed()[0].String()}})
	waitDone(t, leech)
	sameContent(t, dir, out)
	if servers[0].Stats().Knocks == 0 {
		t.Error("nobody has knocked")
	}
}
