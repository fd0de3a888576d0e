package metadata

import (
	"bytes"
	"testing"
	"time"
)

// FuzzSearch lets peers do what bytes say, and checks after each step that only peers that
// are there are asked, for blocks that they claim to have, and that what is found is right.
func FuzzSearch(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x02\x00\x00\x00\x03\x01\x00\x03\x01\x00\x00\x03\x01\x00\x00\x03\x01"))
	f.Add([]byte{0, 1, 0, 0, 2, 4, 2, 3, 1, 1, 2, 0, 4, 1, 1, 3, 5, 200, 2, 3, 2, 0, 0, 3, 2, 2, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		z := &fuzzer{searchTest: newSearchTest(), t: t, script: script, claims: map[uint32]int64{}}
		for len(z.script) > 0 {
			z.step()
			z.search.Check()
		}
	})
}

// claims are sizes that peers claim, right and wrong.
var claims = []int64{testSize, testSize, testSize - 1, 0, 1, -1, 1 << 20, 64 << 20, 1 << 62}

// A fuzzer drives a search by bytes.
type fuzzer struct {
	*searchTest
	t      *testing.T
	script []byte
	now    time.Duration
	claims map[uint32]int64 // what peers have claimed at most
	open   []Ask            // not answered
}

func (z *fuzzer) byte() byte {
	if len(z.script) == 0 {
		return 0
	}
	b := z.script[0]
	z.script = z.script[1:]
	return b
}

// step does one thing.
func (z *fuzzer) step() {
	switch what, peer := z.byte(), uint32(z.byte()%6); what % 6 {
	case 0:
		size := claims[int(z.byte())%len(claims)]
		z.search.Offer(peer, size)
		z.claims[peer] = max(size, z.claims[peer])
	case 1:
		z.search.Leave(peer)
		delete(z.claims, peer)
	case 2:
		asks, again := z.search.Ask(z.now)
		z.ask(asks)
		if again < z.now {
			z.t.Fatalf("at %v the search wants to look again at %v", z.now, again)
		}
	case 3:
		z.answer(what)
	case 4:
		z.search.Rejected(z.now, peer)
	case 5:
		z.now += time.Duration(z.byte()) * 100 * time.Millisecond
	}
}

// ask checks requests and keeps them.
func (z *fuzzer) ask(asks []Ask) {
	for _, a := range asks {
		if claim := z.claims[a.Peer]; int64(a.Block)*BlockSize >= claim {
			z.t.Fatalf("%+v is asked of a peer that claims %d bytes", a, claim)
		}
		z.open = append(z.open, a)
	}
}

// answer lets a peer answer a request, or send what nobody asked for.
func (z *fuzzer) answer(how byte) {
	a := Ask{Peer: uint32(z.byte() % 6), Block: uint32(how) << 24}
	if len(z.open) > 0 && how>>3&7 != 7 {
		i := int(z.byte()) % len(z.open)
		a = z.open[i]
		z.open = append(z.open[:i], z.open[i+1:]...)
	}
	begin := int(min(int64(a.Block)*BlockSize, testSize))
	data := bytes.Clone(z.whole[begin:min(begin+BlockSize, testSize)])
	switch how >> 6 {
	case 1:
		data = make([]byte, BlockSize)
	case 2:
		data = nil
	}
	got := z.search.Received(z.now, a.Peer, a.Block, data)
	if got.Worth == Complete && !bytes.Equal(got.Dictionary, z.whole) {
		z.t.Fatal("what was found is not the dictionary")
	}
	if got.Worth == Liar {
		z.search.Leave(a.Peer)
		delete(z.claims, a.Peer)
	}
	z.ask(got.Asks)
}
