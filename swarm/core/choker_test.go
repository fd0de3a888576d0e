package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// contenders reads "rate[flags]": u unchoked, s snubbed, i idle, n new, b
// barren, o has an optimistic slot; :N waits for so many seconds.
func readContenders(text string) []contender {
	var list []contender
	for i, word := range strings.Fields(text) {
		var rate int64
		var flags string
		waited := 0
		word, after, _ := strings.Cut(word, ":")
		fmt.Sscanf(after, "%d", &waited)
		fmt.Sscanf(word, "%d%s", &rate, &flags)
		p := &peer{ref: PeerRef(i + 1)}
		p.slot.optimistic = strings.Contains(flags, "o")
		list = append(list, contender{
			p: p, rate: rate, waited: time.Duration(waited) * time.Second,
			unchoked: strings.Contains(flags, "u"), snubbed: strings.Contains(flags, "s"),
			idle: strings.Contains(flags, "i"), newcomer: strings.Contains(flags, "n"),
			barren: strings.Contains(flags, "b"),
		})
	}
	return list
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name    string
		peers   string
		slots   int
		seeding bool
		rotate  bool
		always  []PeerRef // chosen whatever the dice say
		never   []PeerRef
	}{
		{name: "everybody when there is room", peers: "0 0 0", slots: 4,
			always: []PeerRef{1, 2, 3}},
		{name: "who gives most, and one in turn", peers: "10 50 30 40 0 0", slots: 4,
			always: []PeerRef{2, 3, 4}},
		{name: "who gives nothing for its slot goes last", peers: "90us 10 20 30", slots: 3,
			always: []PeerRef{3, 4}},
		{name: "whoever has the optimistic slot keeps it", peers: "9u 8u 7u 0uo 0 0 0", slots: 4,
			always: []PeerRef{1, 2, 3, 4}},
		{name: "until it rotates", peers: "9u 8u 7u 0uo 0 0 0", slots: 4, rotate: true,
			always: []PeerRef{1, 2, 3}, never: []PeerRef{4}},
		{name: "a seed gives each its turn", peers: "90u:70 10u:5 20u:5 0:30 0:80", slots: 4,
			seeding: true,
			always:  []PeerRef{2, 3, 5}},
		{name: "and nothing to those who take nothing", peers: "0ui:15 10u:15 0:1 0:2", slots: 3,
			seeding: true,
			always:  []PeerRef{2, 4}, never: nil},
		{name: "who only takes comes after who gave", peers: "90ub:5 0:1 0:2", slots: 3,
			seeding: true,
			always:  []PeerRef{1, 2, 3}},
		{name: "and finds no regular slot there", peers: "90ub:5 80ub:5 70ub:5 0:1 0:2 0:3",
			slots: 4, seeding: true,
			always: []PeerRef{4, 5, 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(50) {
				list := readContenders(c.peers)
				n := min(c.slots, len(list))
				var got []PeerRef
				for _, p := range choose(list, c.slots, c.seeding, c.rotate,
					rand.New(rand.NewPCG(seed, 1))) {
					got = append(got, p.ref)
				}
				slices.Sort(got)
				if len(got) != n || len(slices.Compact(slices.Clone(got))) != n {
					t.Fatalf("chose %v, want %d different ones", got, n)
				}
				for _, ref := range c.always {
					if !slices.Contains(got, ref) {
						t.Fatalf("chose %v, want %d among them", got, ref)
					}
				}
				for _, ref := range c.never {
					if slices.Contains(got, ref) {
						t.Fatalf("chose %v, want %d not among them", got, ref)
					}
				}
			}
		})
	}
}

// TestEveryoneHasATurn: over many rounds every waiting peer gets a slot.
func TestEveryoneHasATurn(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	seen := map[PeerRef]bool{}
	for range 100 {
		for _, p := range choose(readContenders("9u 8u 7u 0 0 0 0 0 0 0"), 4, false, true, rng) {
			seen[p.ref] = true
		}
	}
	if len(seen) != 10 {
		t.Errorf("only %d of 10 peers ever had a slot", len(seen))
	}
}

func TestSlots(t *testing.T) {
	for _, c := range []struct {
		rate int64
		want int
	}{{0, slotsFirst}, {50_000, slotsMin}, {1_250_000, 6}, {2_500_000, 11}, {125_000_000, 52},
		{1 << 40, 64}} {
		ch := newChoker(64)
		ch.adapt(c.rate, 64)
		if ch.slots != c.want {
			t.Errorf("%d bytes per second: %d slots, want %d", c.rate, ch.slots, c.want)
		}
	}
}

// TestChokeRejects: a choke goes first, and then each request that waits is
// rejected (BEP 6, "Reject Request").
func TestChokeRejects(t *testing.T) {
	info := testInfo(40, 4*block.Size, 160*block.Size)
	now := time.Unix(1, 0)
	tr := New(now, Config{InfoHash: info.Hash(), PeerID: [20]byte{9}, Limits: Limits{SlotsMax: 4}})
	var actions []Action
	step := func(e Event) {
		tr.Step(now, e)
		tr.check()
		actions = tr.Actions(nil)
	}
	says := func(ref PeerRef, m wire.Message) { step(Event{Kind: Received, Peer: ref, Msg: m}) }
	step(Event{Kind: InfoReady, Info: info, Have: bits.Full(40)})
	for ref := PeerRef(1); ref <= 8; ref++ {
		hello := &wire.Hello{PeerID: [20]byte{byte(ref)}}
		hello.Reserved = hello.Reserved.With(wire.FeatureFast)
		step(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(benchAddr(int(ref))),
			Hello: hello})
		full := make([]byte, 5)
		full[0], full[1] = 0xff, 0xff // enough to be allowed nothing while choked
		says(ref, wire.Message{ID: wire.Bitfield, Payload: full})
		says(ref, wire.Message{ID: wire.Interested})
	}
	open := map[PeerRef]map[block.Ref]bool{}
	choked := 0
	for round := range 30 {
		for _, p := range tr.peers.all() {
			if p.unchoked && len(p.serve.queue) < 16 {
				for i := range uint32(32) {
					r := block.Ref{Piece: 20 + i/4, Begin: i % 4 * block.Size, Length: block.Size}
					if open[p.ref] == nil {
						open[p.ref] = map[block.Ref]bool{}
					}
					if !open[p.ref][r] {
						open[p.ref][r] = true
						says(p.ref, wire.Message{ID: wire.Request, Ref: r})
					}
				}
			}
		}
		now = now.Add(10 * time.Second)
		step(Event{Kind: Tick})
		silent := map[PeerRef]bool{}
		for _, a := range actions {
			if a.Kind != Send {
				continue
			}
			switch a.Msg.ID {
			case wire.Choke:
				silent[a.Peer] = true
				choked++
			case wire.Reject:
				if !silent[a.Peer] || !open[a.Peer][a.Msg.Ref] {
					t.Fatalf("round %d: reject %v for peer %d without a choke or a request", round,
						a.Msg.Ref, a.Peer)
				}
				delete(open[a.Peer], a.Msg.Ref)
			}
		}
		for ref := range silent {
			p := tr.peers.byRef[ref]
			if len(p.serve.queue) > 0 || len(open[ref]) != len(p.serve.flying) {
				t.Fatalf("peer %d: %d requests are neither rejected nor with the writer",
					ref, len(open[ref])-len(p.serve.flying))
			}
		}
	}
	if choked == 0 {
		t.Error("nobody was ever choked, though eight peers share four slots")
	}
}
