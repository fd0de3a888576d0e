package core

import (
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

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
			if p.slot.Unchoked() && p.slot.Waiting() < 16 {
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
			if p.slot.Waiting() > 0 || len(open[ref]) != len(p.slot.Flying()) {
				t.Fatalf("peer %d: %d requests are neither rejected nor with the writer",
					ref, len(open[ref])-len(p.slot.Flying()))
			}
		}
	}
	if choked == 0 {
		t.Error("nobody was ever choked, though eight peers share four slots")
	}
}
