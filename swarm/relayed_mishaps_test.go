package swarm

import (
	"net/netip"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/endpoint"
)

// A DHT that is switched off between two steps announces nothing.
func TestAnnounceAfterSwitchOff(t *testing.T) {
	k := heldRelay(t)
	m := metainfo.Magnet{V1: metainfo.Hash{1}, HasV1: true}
	torrent, err := k.engine.Add(Spec{Magnet: m, Dir: t.TempDir(), DHT: new(Switch)})
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[*Torrent]announcing)
	if k.announceOne(t.Context(), k.held[0], torrent, m.V1, known) || len(known) > 0 {
		t.Error("announced without a DHT")
	}
}

// An allocation that is not needed and still carries a connection stays, and nobody is told so
// each second.
func TestGiveBackOfWhatIsInUse(t *testing.T) {
	k := heldRelay(t)
	conn, err := overRelay{k}.dial(t.Context(), peersOverUTP(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := k.leads.Load()
	k.giveBack(&relayPlan{wants: 1}, time.Now(), 1)
	if n := len(k.addrs()); n != 1 || k.leads.Load() != before {
		t.Errorf("%d allocations, told %v after %v", n, k.leads.Load(), before)
	}
}

// Wrong data that came through a relay bans its host from relays alone.
func TestBanThroughRelay(t *testing.T) {
	k := heldRelay(t)
	way, to := overRelay{k}, peersOverUTP(t, 1)[0]
	if !way.reaches(to) {
		t.Fatal("the peer is not reached")
	}
	k.ban(time.Now(), to.Host())
	if way.reaches(to) || !k.refuses(to.Host()) {
		t.Error("the host is reached through the relay")
	}
	if k.knock(to.Host()); len(k.hosts.hosts) != 0 {
		t.Error("the host gets a permit when it knocks")
	}
	if k.engine.bans.refuses(to.Host()) {
		t.Error("the host is banned directly as well")
	}
	k.engine.bans.ban(time.Now(), netip.MustParseAddr("127.0.10.9"))
	if way.reaches(endpoint.IP(netip.MustParseAddrPort("127.0.10.9:7"))) {
		t.Error("a host that is banned everywhere is reached through the relay")
	}
}
