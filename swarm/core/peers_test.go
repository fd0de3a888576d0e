package core

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/choke"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// gathering is the peers of a torrent at the time nowHere, as words describe them:
//
//	1.2     the source: host 2 of network 1; hosts of one network share a /24
//	mute    said nothing
//	fresh   connected a second ago, all others an hour ago
//	offers  it has something for us
//	moves   a block came or went of late
//	gives   right blocks come from it
//	sent=N  bytes that it has sent in all
//	rank=N  its canonical priority, 0 if not given
type gathering struct {
	table peerTable
	rank  map[endpoint.Endpoint]uint32
}

const nowHere = time.Hour

func gather(lines ...string) *gathering {
	g := &gathering{table: newPeerTable(), rank: map[endpoint.Endpoint]uint32{}}
	choker := choke.New(choke.Config{SlotsMax: 4, Rand: rand.New(rand.NewPCG(1, 1))})
	for i, line := range lines {
		words := strings.Fields(line)
		var network, host byte
		fmt.Sscanf(words[0], "%d.%d", &network, &host)
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{90, 0, network, host}), uint16(7000+i))
		p := newPeer(&Event{Peer: PeerRef(i + 1), Endpoint: endpoint.IP(at)}, limit.Home{}, 0)
		p.slot = choker.Join(0, choke.Ref(p.ref), true, (*uploadLink)(p))
		p.silence.said = true
		for _, word := range words[1:] {
			name, value, _ := strings.Cut(word, "=")
			switch name {
			case "mute":
				p.silence.said = false
			case "fresh":
				p.since = nowHere - time.Second
			case "offers":
				p.has.interesting = true
			case "moves":
				p.down.add(nowHere, 1)
			case "gives":
				p.trust.proven = true
				p.down.add(nowHere, 1)
				p.has.interesting = true
			case "sent":
				p.down.add(0, number(value, 0))
			case "rank":
				g.rank[p.endpoint] = uint32(number(value, 0))
			default:
				panic(word)
			}
		}
		g.table.add(p)
	}
	return g
}

func (g *gathering) eviction() *eviction {
	return g.table.eviction(nowHere, func(e endpoint.Endpoint) uint32 { return g.rank[e] })
}

func refOfPeer(p *peer) int {
	if p == nil {
		return 0
	}
	return int(p.ref)
}

func TestUselessness(t *testing.T) {
	for _, c := range []struct {
		line string
		want uselessness
	}{
		{"1.1", uselessEmpty}, {"1.1 mute", uselessMute}, {"1.1 fresh", useful},
		{"1.1 fresh mute", uselessMute}, {"1.1 offers", uselessIdle},
		{"1.1 offers moves", useful}, {"1.1 moves", uselessEmpty}, {"1.1 gives", useful},
	} {
		g := gather(c.line)
		if got := g.table.all()[0].uselessness(nowHere); got != c.want {
			t.Errorf("%s: rank %d, want %d", c.line, got, c.want)
		}
	}
}

func TestLeastUseful(t *testing.T) {
	for _, c := range []struct {
		why   string
		peers []string
		want  int
	}{
		{"nobody is useless", []string{"1.1 gives", "2.1 fresh", "3.1 offers moves"}, 0},
		{"an empty peer goes before an idle one", []string{"1.1 offers", "2.1", "3.1 gives"}, 2},
		{"a mute peer goes first", []string{"1.1", "2.1 mute", "3.1 offers"}, 2},
		{"of equals one of the larger network", []string{"1.1", "2.1", "2.2"}, 2},
		{"even if one of a smaller network moved less", []string{"1.1", "2.1 sent=5",
			"2.2 sent=6", "3.1"}, 2},
		{"of those the one that moved least", []string{"1.1 sent=9", "2.1 sent=5",
			"3.1 sent=7"}, 2},
		{"of those the lowest priority", []string{"1.1 rank=5", "2.1 rank=9", "3.1 rank=3"}, 3},
	} {
		if got := refOfPeer(gather(c.peers...).eviction().leastUseful(nil, nil)); got != c.want {
			t.Errorf("%s: peer %d goes, want %d", c.why, got, c.want)
		}
	}
	g := gather("1.1 mute", "2.1", "3.1 offers")
	v := g.eviction()
	if got := refOfPeer(v.leastUseful(g.table.live(1), nil)); got != 2 {
		t.Errorf("peer %d makes room for the first, want the second", got)
	}
	only := func(q *peer) bool { return q.ref == 3 }
	if got := refOfPeer(v.leastUseful(nil, only)); got != 3 {
		t.Errorf("peer %d goes where only the third may", got)
	}
}

// The last peer of each picture is the newcomer.
func TestWhoMakesRoom(t *testing.T) {
	crowd := func(n int, words string) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("1.%d %s", i+1, words))
		}
		return list
	}
	add := func(list []string, more ...string) []string { return append(list, more...) }
	for _, c := range []struct {
		why    string
		peers  []string
		want   int
		yields bool
	}{
		{"everybody is useful, and of equal rank", []string{"1.1 gives", "2.1 gives",
			"3.1 fresh"}, 0, false},
		{"one is of no use", []string{"1.1 gives", "2.1", "3.1 fresh"}, 2, false},
		{"a crowd of peers that give yields its youngest", add(crowd(8, "gives"), "2.1 fresh"), 8,
			false},
		{"a few who give yield nothing", add(crowd(7, "gives"), "2.1 fresh"), 0, false},
		{"of a few one yields that neither gives nor takes", add(crowd(3, "gives"),
			"1.9 fresh", "2.1 fresh"), 4, false},
		{"nobody of a smaller network goes for one of a larger", []string{"2.1", "1.1 gives",
			"1.2 gives", "1.3 fresh"}, 0, false},
		{"a crowd goes before a useless peer that stands alone", add(crowd(8, "gives"), "3.1",
			"2.1 fresh"), 8, false},
		{"a mute peer goes even before a crowd", add(crowd(8, "gives"), "3.1 mute",
			"2.1 fresh"), 9, false},
		{"the second connection of a household", []string{"1.1 gives", "1.1 gives", "2.1 gives",
			"3.1 fresh"}, 2, false},
		{"a newcomer of higher rank", []string{"1.1 offers moves rank=3",
			"2.1 offers moves rank=9", "3.1 fresh rank=5"}, 1, true},
		{"a newcomer of lower rank", []string{"1.1 offers moves rank=3", "3.1 fresh rank=2"}, 0,
			false},
		{"a higher rank does not end an exchange", []string{"1.1 gives rank=3",
			"3.1 fresh rank=5"}, 0, false},
	} {
		g := gather(c.peers...)
		p := g.table.live(PeerRef(len(c.peers)))
		worst, yields := g.eviction().replace(p)
		if got := refOfPeer(worst); got != c.want || yields != c.yields {
			t.Errorf("%s: peer %d goes for %s (yields %v), want %d (%v)", c.why, got, c.peers,
				yields, c.want, c.yields)
		}
	}
}

// Useful peers are replaced for their rank now and then only.
func TestRankReplacesNowAndThen(t *testing.T) {
	g := gather("1.1 offers moves rank=3", "3.1 fresh rank=5")
	for _, c := range []struct {
		yielded time.Duration
		want    int
	}{
		{0, 1}, {nowHere - replaceEvery + 1, 0}, {nowHere - replaceEvery, 1},
	} {
		g.table.yielded = c.yielded
		worst, _ := g.eviction().replace(g.table.live(2))
		if got := refOfPeer(worst); got != c.want {
			t.Errorf("peer %d goes %v after the last one, want %d", got, nowHere-c.yielded, c.want)
		}
	}
}

func TestWhoGoesOfANetwork(t *testing.T) {
	network := netip.MustParsePrefix("90.0.1.0/24")
	for _, c := range []struct {
		peers []string
		want  int
	}{
		{[]string{"2.1", "3.1"}, 0},
		{[]string{"1.1 gives", "1.2 gives", "2.1"}, 2},
		{[]string{"1.1 offers", "1.2 gives", "2.1"}, 1},
		{[]string{"1.1 offers", "1.2 offers", "1.3 gives"}, 2},
	} {
		if got := refOfPeer(gather(c.peers...).eviction().ofNet(network)); got != c.want {
			t.Errorf("%s: peer %d goes, want %d", c.peers, got, c.want)
		}
	}
}

// What does not count by network, as our own address, is a crowd of one.
func TestHomeIsNoCrowd(t *testing.T) {
	g := gather("1.1", "1.1", "1.1")
	for _, p := range g.table.all() {
		p.network = netip.Prefix{}
	}
	c := crowdsOf(g.table.all())
	for _, p := range g.table.all() {
		if c.ofSource(p) != 1 || c.ofNetwork(p) != 1 {
			t.Errorf("peer %d is one of %d and %d, want 1", p.ref, c.ofSource(p), c.ofNetwork(p))
		}
	}
	if g.eviction().extra() != nil {
		t.Error("a second connection from our own address makes room for others")
	}
}

// Both ends of two connections keep the same one: that of the peer with the greater id,
// if they were made in both directions, and the newer one if the old one is silent.
func TestWhichLinkStays(t *testing.T) {
	ours, greater, smaller := [20]byte{5}, [20]byte{9}, [20]byte{1}
	for _, c := range []struct {
		id             [20]byte
		newOut, oldOut bool
		gaveUp         bool
		silent         time.Duration // of the old connection
		want           bool          // the new one stays
	}{
		{greater, false, true, false, 0, true},
		{greater, true, false, false, 0, false},
		{smaller, false, true, false, 0, false},
		{smaller, true, false, false, 0, true},
		{greater, true, false, true, quietAfter, false},
		{greater, true, false, true, quietAfter + 1, true},
		{greater, true, true, false, quietAfter, false},
		{greater, true, true, false, quietAfter + 1, true},
	} {
		p := &peer{id: c.id, outgoing: c.newOut}
		old := &peer{id: c.id, outgoing: c.oldOut, silence: newSilence(nowHere - c.silent)}
		if got := p.replaces(old, ours, c.gaveUp, nowHere); got != c.want {
			t.Errorf("%+v: the new one stays: %v", c, got)
		}
		if c.newOut == c.oldOut || c.gaveUp {
			continue
		}
		// The other end sees the same two connections from their other sides.
		p, old = &peer{id: ours, outgoing: !c.newOut}, &peer{id: ours, outgoing: !c.oldOut}
		if got := p.replaces(old, c.id, c.gaveUp, nowHere); got != c.want {
			t.Errorf("%+v: the other end keeps another connection", c)
		}
	}
}

// The last connections that ended are remembered, so that their peers can be blamed.
func TestFormerPeers(t *testing.T) {
	table := newPeerTable()
	for i := range pastMax + 10 {
		ref := PeerRef(i + 1)
		table.past.add(ref, endpoint.IP(benchAddr(i)), endpoint.Endpoint{})
	}
	for i := range pastMax + 10 {
		g, ok := table.former(PeerRef(i + 1))
		if ok != (i >= 10) || ok && g.endpoint != endpoint.IP(benchAddr(i)) {
			t.Errorf("connection %d: known %v, at %v", i+1, ok, g.endpoint)
		}
	}
	if len(table.past.ring) != pastMax {
		t.Errorf("%d are remembered, want %d", len(table.past.ring), pastMax)
	}
}

// Only a peer that sent something can be blamed. Others are not remembered: they would take
// memory at a seed, and push liars out elsewhere.
func TestFormerPeersSentSomething(t *testing.T) {
	for _, c := range []struct {
		seed bool
		want int
	}{{true, 0}, {false, 1}} {
		const peers = 3
		r := newRig(8, peers, c.seed)
		for sent := false; !sent && r.head < len(r.asked); {
			e := r.next()
			r.step(e)
			sent = e.Kind == ReceivedBlock
		}
		for ref := range PeerRef(peers) {
			r.step(Event{Kind: Closed, Peer: ref + 1})
		}
		if got := len(r.t.peers.past.ring); got != c.want {
			t.Errorf("seed %v: %d of %d are remembered, want %d", c.seed, got, peers, c.want)
		}
	}
}

func TestPeerTable(t *testing.T) {
	g := gather("1.1", "2.1", "3.1")
	second := g.table.live(2)
	all := g.table.snapshot()
	second.gone = true
	g.table.unlist(second)
	g.table.unlist(second)
	if g.table.count() != 2 || g.table.live(2) != nil || g.table.live(9) != nil {
		t.Errorf("%d peers are live after one was dropped, want 2", g.table.count())
	}
	if len(all) != 3 || all[1] != second {
		t.Error("a snapshot changed when a peer was dropped")
	}
	if p := g.table.heard(3, nowHere); p == nil || p.silence.lastHeard() != nowHere {
		t.Error("a live peer was not heard")
	}
	if g.table.heard(2, nowHere) != nil {
		t.Error("a dropped peer was heard")
	}
}
