package choke

import (
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
)

// FuzzChoker lets peers do what bytes say, and checks after each step that it names nobody
// who has left, that a block is sent only after its request, and that no more peers are
// unchoked than may be.
func FuzzChoker(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x02\x01\x01\x01\x02\x03\x01\x07\x03\x02\x07\x04\x01\x01\x06\x11"))
	f.Add([]byte{3, 0, 1, 0, 2, 5, 1, 9, 1, 1, 1, 2, 3, 1, 9, 3, 2, 9, 7, 40, 4, 1, 2, 2, 1, 8, 8})
	f.Fuzz(func(t *testing.T, script []byte) {
		z := &fuzzer{script: script, asked: map[Ref]map[block.Ref]int{}}
		z.stage = newStage(t, Config{SlotsMax: 1 + int(z.byte()%4), SuperSeed: z.byte()&1 == 1},
			[]*bits.Set{nil, bits.New(pieces)}[z.byte()&1])
		z.answers = z.look
		for len(z.script) > 0 {
			z.step()
			z.settle()
			if n := z.choker.Unchoked(); n > z.choker.cfg.SlotsMax {
				t.Fatalf("%d peers are unchoked, of at most %d", n, z.choker.cfg.SlotsMax)
			}
			for piece, p := range z.choker.owner {
				if p != nil && z.peers[p.ref] != p {
					t.Fatalf("piece %d is promised to a peer that has left", piece)
				}
			}
		}
	})
}

// A fuzzer is a stage whose script is bytes.
type fuzzer struct {
	*stage
	script []byte
	asked  map[Ref]map[block.Ref]int // requests that were taken and not answered
}

func (z *fuzzer) byte() byte {
	if len(z.script) == 0 {
		return 0
	}
	b := z.script[0]
	z.script = z.script[1:]
	return b
}

// look checks a step.
func (z *fuzzer) look(step Step) {
	if step.Kind == ShowAll {
		return
	}
	if z.peers[step.Peer] == nil {
		z.t.Fatalf("%+v is for a peer that has left", step)
	}
	if step.Kind != Send && step.Kind != Reject {
		return
	}
	if z.asked[step.Peer][step.Block]--; z.asked[step.Peer][step.Block] < 0 {
		z.t.Fatalf("%+v answers no request", step)
	}
}

// step does one thing with one of eight peers.
func (z *fuzzer) step() {
	what, ref := z.byte(), Ref(z.byte()%8+1)
	p := z.peers[ref]
	if p == nil {
		if what%8 == 0 {
			z.joinSilently(ref)
		}
		return
	}
	switch what % 8 {
	case 0:
		z.says(ref, what&8 == 0)
	case 1:
		z.gets(ref, uint32(z.byte()%pieces))
	case 2:
		z.leaves(ref)
	case 3:
		z.asks(ref, block.Ref{Piece: uint32(z.byte() % pieces), Begin: uint32(what>>4) * block.Size,
			Length: block.Size})
	case 4:
		z.goesOut(ref, int(z.byte()%16))
	case 5:
		if w := p.queue; len(w) > 0 {
			r := w[int(z.byte())%len(w)].ref
			if z.choker.Cancel(p, r) {
				z.asked[ref][r]--
			}
		}
	case 6:
		z.pass(time.Duration(z.byte()) * 40 * time.Millisecond)
	case 7:
		z.forgetsOrGives(ref, what)
	}
}

// asks records a request of a peer that is taken.
func (z *fuzzer) asks(ref Ref, r block.Ref) {
	if z.asked[ref] == nil {
		z.asked[ref] = map[block.Ref]int{}
	}
	z.asked[ref][r]++ // the answer may be a part of the call
	if z.request(ref, r) != Queued {
		z.asked[ref][r]--
	}
}

// leaves lets a peer leave.
func (z *fuzzer) leaves(ref Ref) {
	if z.has[ref] != nil {
		z.pick.RemovePeer(z.has[ref], false)
	}
	p := z.peers[ref]
	delete(z.peers, ref)
	delete(z.has, ref)
	delete(z.asked, ref)
	z.choker.Leave(z.now, p)
}

// forgetsOrGives lets a peer take back what it has said, as with another bitfield, or lets
// it give a block, be of interest, or ask for a gift.
func (z *fuzzer) forgetsOrGives(ref Ref, what byte) {
	p, l := z.peers[ref], z.links[ref]
	switch what >> 3 % 4 {
	case 0:
		if z.has[ref] != nil {
			z.pick.RemovePeer(z.has[ref], false)
			delete(z.has, ref)
			z.choker.Knows(z.now, p, nil)
		}
	case 1:
		l.got.add(z.now, block.Size)
	case 2:
		l.interesting, l.asked = !l.interesting, what&64 == 0
	case 3:
		if p.Granted() < 10 {
			p.Grant(uint32(z.byte() % pieces))
		}
	}
}
