package hashes

import (
	"testing"
	"time"

	"swarmnode/metainfo"
)

// A tape is a script of bytes, which goes on with zeros.
type tape []byte

func (s *tape) byte() byte {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return b
}

// FuzzSearch lets peers do what bytes say, and checks after each step that only peers that
// have joined are asked, and that an answer is of worth only after a question.
func FuzzSearch(f *testing.F) {
	f.Add([]byte("\x03\x02\x00\x01\x00\x02\x02\x00\x03\x00\x00\x03\x01\x00\x02\x00\x05\x03\x04\x00"))
	f.Add([]byte{9, 1, 0, 1, 2, 0, 3, 0, 1, 3, 0, 64, 3, 1, 64, 6, 200, 2, 0, 1, 1, 4, 0, 7, 3, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		s := tape(script)
		var z searchTest
		trees := newWood("aaaaaaaa"[:s.byte()%9], "b", "cc"[:s.byte()%3], "b")
		z.search.Begin(trees, len(trees.counts), &z.crowd)
		joined := map[uint32]bool{}
		var open []Ask
		now := time.Duration(0)
		for len(s) > 0 {
			what, peer := s.byte(), uint32(s.byte()%6)+1
			switch what % 8 {
			case 0:
				z.search.Join(peer)
				joined[peer] = true
			case 1:
				z.search.Leave(peer)
				delete(joined, peer)
			case 2:
				z.search.Fill()
				asks, _ := z.search.Ask(now)
				for _, a := range asks {
					if !joined[a.Peer] {
						t.Fatalf("%+v is asked of a peer that has not joined", a)
					}
				}
				open = append(open, asks...)
			case 3, 4:
				open = z.hear(t, now, open, what, s.byte())
			case 5:
				z.search.WantLeaves(uint32(what >> 3))
			case 6:
				now += time.Duration(s.byte()) * 100 * time.Millisecond
			case 7:
				z.search.ForgetLeaves(uint32(what >> 3))
			}
			z.search.Check()
		}
	})
}

// hear lets a peer answer an open request, rightly, wrongly or with a reject, or another
// range that it was not asked for. It returns the requests that are still open.
func (s *searchTest) hear(t *testing.T, now time.Duration, open []Ask, how, which byte) []Ask {
	if len(open) == 0 || how>>6 == 3 {
		r := metainfo.HashRange{Root: [32]byte{'z'}, Base: 1, Length: 4}
		got := s.search.Answered(now, uint32(which), r, make([]byte, 128))
		if got.Worth != Unasked {
			t.Fatalf("a range that nobody asked for was %v", worths[got.Worth])
		}
		return open
	}
	i := int(which) % len(open)
	a := open[i]
	open = append(open[:i], open[i+1:]...)
	answer := make([]byte, 4*32)
	switch how >> 6 {
	case 0:
		copy(answer, "right")
	case 1:
		s.search.Rejected(now, a.Peer, a.Range)
		return open
	}
	got := s.search.Answered(now, a.Peer, a.Range, answer)
	if how>>6 != 0 && (got.Worth == ProvenLayer || got.Worth == ProvenLeaves) {
		t.Fatalf("a wrong answer to %+v proves something", a)
	}
	return open
}

// FuzzServer lets peers ask for hashes, come and go as bytes say. Each request gets one
// answer unless its peer has left, and at most one piece is read at a time.
func FuzzServer(f *testing.F) {
	f.Add([]byte("\x00\x01\x05\x00\x02\x06\x00\x01\x07\x02\x01\x01\x00\x02\x00\x02\x02\x00"))
	f.Add([]byte{0, 1, 3, 0, 1, 9, 0, 1, 12, 2, 0, 1, 1, 0, 0, 1, 2, 2, 0, 2, 0, 0, 3, 2, 2, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		s := tape(script)
		var z serverTest
		z.do(0, "has", []string{"xxxxxxxx-xxxx-xx"})
		reading, open := noPiece, map[uint32]int{}
		take := func(r Reply) {
			switch r.Outcome {
			case Reading:
				if reading != noPiece {
					t.Fatalf("piece %d must be read, and piece %d already is", r.Piece, reading)
				}
				reading = r.Piece
			case Refused, Answered:
				if open[r.Peer]--; open[r.Peer] < 0 {
					t.Fatalf("%+v answers no request", r)
				}
			}
		}
		for len(s) > 0 {
			switch what, peer := s.byte(), uint32(s.byte()%6)+1; what % 3 {
			case 0:
				open[peer]++
				take(z.server.Answer(peer, metainfo.HashRange{Index: uint32(s.byte() % 16),
					Base: uint32(what >> 7), Length: 2}))
			case 1:
				z.server.Leave(peer)
				delete(open, peer)
			case 2:
				if reading == noPiece {
					break
				}
				piece := reading
				reading = noPiece
				z.server.Hashed(piece, leavesOf("AB"[:what>>3&1]))
				for r, ok := z.server.Next(); ok; r, ok = z.server.Next() {
					take(r)
				}
			}
			z.server.Check()
			for peer, n := range open {
				if n != z.server.Waits(peer) {
					t.Fatalf("peer %d waits for %d answers, of which %d will come", peer, n,
						z.server.Waits(peer))
				}
			}
		}
	})
}
