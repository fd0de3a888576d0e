package core

import (
	"fmt"
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// rig is a torrent of 1 MiB pieces with quick peers, as a benchmark drives it.
type rig struct {
	t       *Torrent
	now     time.Time
	actions []Action
	asked   []Event // requests, as the blocks that answer them
	head    int
	uploads int
}

func newRig(pieces, peers int, seed bool) *rig {
	const size = 1 << 20
	info := testInfo(pieces, size, int64(pieces)*size)
	r := &rig{now: time.Unix(1, 0)}
	r.t = New(r.now, Config{InfoHash: info.Hash(), PeerID: [20]byte{1},
		Limits: Limits{PeersMax: 1000, RequestsMax: 100_000}})
	ready := Event{Kind: InfoReady, Info: info}
	if seed {
		ready.Have = bits.Full(pieces)
	}
	r.step(ready)
	for i := range peers {
		ref := PeerRef(i + 1)
		hello := &wire.Hello{PeerID: [20]byte{2, byte(i), byte(i >> 8)}}
		hello.Reserved = hello.Reserved.With(wire.FeatureFast)
		r.step(Event{Kind: Connected, Peer: ref, Hello: hello, Endpoint: endpoint.IP(benchAddr(i)),
			Outgoing: true})
		if seed {
			r.says(ref, wire.Message{ID: wire.HaveNone})
			r.says(ref, wire.Message{ID: wire.Interested})
			continue
		}
		r.says(ref, wire.Message{ID: wire.HaveAll})
		r.says(ref, wire.Message{ID: wire.Unchoke})
	}
	return r
}

func (r *rig) says(ref PeerRef, m wire.Message) {
	r.step(Event{Kind: Received, Peer: ref, Msg: m})
}

func (r *rig) step(e Event) {
	r.t.Step(r.now, e)
	r.actions = r.t.Actions(r.actions[:0])
	for i := range r.actions {
		switch a := &r.actions[i]; a.Kind {
		case Send:
			if a.Msg.ID == wire.Request {
				r.asked = append(r.asked, Event{Kind: ReceivedBlock, Peer: a.Peer, Ref: a.Msg.Ref})
			}
		case Upload:
			r.uploads++
		case Verify:
			r.asked = append(r.asked, Event{Kind: Verified, Ref: a.Ref})
		}
	}
}

// next takes the oldest answer.
func (r *rig) next() Event {
	e := r.asked[r.head]
	if r.head++; r.head > len(r.asked)/2 {
		r.asked = r.asked[:copy(r.asked, r.asked[r.head:])]
		r.head = 0
	}
	r.now = r.now.Add(10 * time.Microsecond)
	return e
}

// BenchmarkStepBlock is a block that comes: its event, the next requests and
// its part of what a piece costs.
func BenchmarkStepBlock(b *testing.B) {
	for _, c := range []struct{ pieces, peers int }{{10_000, 1}, {10_000, 50}, {100_000, 500}} {
		b.Run(fmt.Sprintf("pieces=%d/peers=%d", c.pieces, c.peers), func(b *testing.B) {
			b.ReportAllocs()
			r := newRig(c.pieces, c.peers, false)
			for b.Loop() {
				for block := false; !block; {
					if r.head == len(r.asked) {
						b.StopTimer()
						r = newRig(c.pieces, c.peers, false)
						b.StartTimer()
					}
					e := r.next()
					r.step(e)
					block = e.Kind == ReceivedBlock
				}
			}
		})
	}
}

// BenchmarkStepRequest is a block that goes out: its request, and the news that
// it was sent.
func BenchmarkStepRequest(b *testing.B) {
	r := newRig(10_000, 2, true)
	b.ReportAllocs()
	ref := block.Ref{Length: block.Size}
	for b.Loop() {
		r.now = r.now.Add(10 * time.Microsecond)
		r.says(1, wire.Message{ID: wire.Request, Ref: ref})
		r.step(Event{Kind: Sent, Peer: 1, Count: 1})
		if ref.Begin += block.Size; ref.Begin == 1<<20 {
			ref.Begin = 0
			ref.Piece = (ref.Piece + 1) % 10_000
		}
	}
	if r.uploads < b.N {
		b.Fatalf("%d uploads for %d requests", r.uploads, b.N)
	}
}

// BenchmarkPEX has a full message of new addresses for a full book.
func BenchmarkPEX(b *testing.B) {
	t := New(time.Unix(1_000_000, 0), Config{InfoHash: testInfo(4, block.Size, 4*block.Size).Hash(),
		Seed: 1})
	p := &peer{endpoint: endpoint.IP(numbered(1 << 20))}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		p.pex.taken = 0
		var m wire.PEX
		for range wire.PEXMax {
			m.Added = append(m.Added, wire.PEXPeer{Addr: numbered(n)})
			n++
		}
		t.pex.take(0, p, &m)
	}
}
