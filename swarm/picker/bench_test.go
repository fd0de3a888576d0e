package picker

import (
	"math/rand/v2"
	"testing"

	"swarmnode/swarm/bits"
)

const (
	benchPieces = 100_000
	benchPeers  = 500
	benchBlocks = 64 // of 1 MiB
)

// benchSwarm has peers with half of the pieces each, chosen at random.
func benchSwarm() (*Picker, []*bits.Set) {
	rng := rand.New(rand.NewPCG(1, 1))
	p := New(pieces{n: benchPieces, blocks: benchBlocks}, nil, rng)
	var have []*bits.Set
	for range benchPeers {
		s := bits.New(benchPieces)
		for i := range benchPieces {
			if rng.Uint32()&1 == 0 {
				s.Add(i)
			}
		}
		have = append(have, s)
		p.AddPeer(s, false)
	}
	return p, have
}

// BenchmarkBlock is the way of one block through the picker, when each of 500
// peers fetches pieces of its own out of 100,000.
func BenchmarkBlock(b *testing.B) {
	p, have := benchSwarm()
	type ask struct {
		block Block
		peer  uint32
	}
	queue := make([]ask, 0, 1<<20)
	var buf []Block
	q := Query{Max: 16, Whole: true}
	fill := func(peer uint32) {
		q.Peer, q.Have = peer, have[peer-1]
		buf = p.Pick(&q, buf[:0])
		for _, blk := range buf {
			queue = append(queue, ask{blk, peer})
		}
	}
	for peer := range uint32(benchPeers) {
		fill(peer + 1)
	}
	head, n := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		a := queue[head]
		if head++; head == 1<<19 {
			queue = queue[:copy(queue, queue[head:])]
			head = 0
		}
		if r := p.Received(a.block, a.peer); r.Complete {
			p.Verified(a.block.Piece)
			if n++; n%(benchPieces/2) == 0 { // again and again
				for i := range uint32(benchPieces) {
					p.Lost(i)
				}
				queue, head = queue[:0], 0
				for peer := range uint32(benchPeers) {
					fill(peer + 1)
				}
				continue
			}
		}
		if a.block.Index%16 == 15 {
			fill(a.peer)
		}
	}
}

// BenchmarkHave is a HAVE message of one of the peers.
func BenchmarkHave(b *testing.B) {
	p, _ := benchSwarm()
	rng := rand.New(rand.NewPCG(2, 2))
	b.ReportAllocs()
	for b.Loop() {
		piece := uint32(rng.IntN(benchPieces))
		p.PeerHas(piece)
		p.PeerLost(piece)
	}
}

// BenchmarkCommonPieces picks for a peer that has none of the rare pieces,
// which is the longest search.
func BenchmarkCommonPieces(b *testing.B) {
	p, _ := benchSwarm()
	common := bits.New(benchPieces)
	for i := range benchPieces {
		if i%2 == 0 {
			common.Add(i)
			p.PeerHas(uint32(i))
		}
	}
	for range 40 { // now all even pieces are more common than all odd ones
		for i := 0; i < benchPieces; i += 2 {
			p.PeerHas(uint32(i))
		}
	}
	for i := range uint32(8) { // so that rarity counts
		p.begin(i, 9, false)
		for j := range uint32(benchBlocks) {
			p.Received(Block{i, j}, 9)
		}
		p.Verified(i)
	}
	q := Query{Peer: 1, Have: common, Max: 1, Whole: true}
	var buf []Block
	b.ReportAllocs()
	for b.Loop() {
		buf = p.Pick(&q, buf[:0])
		p.Release(buf[0], 1)
	}
}

// BenchmarkAddPeer is a bitfield of a peer that comes, and goes again.
func BenchmarkAddPeer(b *testing.B) {
	p, have := benchSwarm()
	b.ReportAllocs()
	for b.Loop() {
		p.AddPeer(have[0], false)
		p.RemovePeer(have[0], false)
	}
}
