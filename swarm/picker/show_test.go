package picker

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"swarmnode/swarm/bits"
)

// The availability that is shown counts every peer, seeds included, and no more than fits.
func TestAppendAvailability(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	p := New(pieces{n: 5, blocks: 2}, nil, rng)
	if got := p.AppendAvailability(nil); !slices.Equal(got, make([]uint16, 5)) {
		t.Errorf("without peers: %v", got)
	}
	some := bits.New(5)
	some.Add(1)
	some.Add(4)
	p.AddPeer(some, false)
	p.AddPeer(bits.Full(5), true)
	p.PeerHas(2)
	if got, want := p.AppendAvailability([]uint16{9}),
		[]uint16{9, 1, 2, 2, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	p.seeds = math.MaxUint16 - 1
	if got := p.AppendAvailability(nil); got[0] != math.MaxUint16-1 || got[1] != math.MaxUint16 {
		t.Errorf("with many seeds: %v", got)
	}
	p.seeds = math.MaxUint16 + 7
	if got := p.AppendAvailability(nil); got[0] != math.MaxUint16 || got[1] != math.MaxUint16 {
		t.Errorf("with more seeds than fit: %v", got)
	}
}

// The pieces that are shown as under way are those in flight.
func TestAppendUnfinished(t *testing.T) {
	p := New(pieces{n: 8, blocks: 2}, nil, rand.New(rand.NewPCG(3, 4)))
	p.AddPeer(bits.Full(8), true)
	blocks := p.Pick(&Query{Peer: 1, Have: bits.Full(8), Max: 5}, nil)
	var want []int
	for _, b := range blocks {
		if !slices.Contains(want, int(b.Piece)) {
			want = append(want, int(b.Piece))
		}
	}
	if got := p.AppendUnfinished(nil); !slices.Equal(got, want) || len(want) < 3 {
		t.Errorf("in flight: %v, want %v", got, want)
	}
	for _, b := range blocks[:2] { // the first piece is whole
		p.Received(b, 1)
	}
	if got := p.AppendUnfinished(nil); !slices.Equal(got, want[1:]) {
		t.Errorf("after the first: %v, want %v", got, want[1:])
	}
}

// BenchmarkShow is what it costs to show the pieces of a torrent with a million of them.
func BenchmarkShow(b *testing.B) {
	const n = 1_000_000
	p := New(pieces{n: n, blocks: 2}, nil, rand.New(rand.NewPCG(3, 4)))
	p.AddPeer(bits.Full(n), true)
	b.ReportAllocs()
	for b.Loop() {
		p.Have().Clone()
		p.AppendAvailability(make([]uint16, 0, n))
		p.AppendUnfinished(nil)
	}
}
