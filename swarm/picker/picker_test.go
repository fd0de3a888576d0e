package picker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"swarmnode/swarm/bits"
)

// A scene is a small torrent drawn as strings, one character a piece. Each
// piece has four blocks.
//
//	avail     how many peers, no seeds, have it: "0" to "9"
//	state     "." wanted, "#" had, "-" skipped, "?" without a hash
//	priority  "1" to "7"
type scene struct {
	avail, state, priority string
}

const blocksPerPiece = 4

// pieces are those of a torrent of this many, with blocks blocks each or one to
// five. Of those in bare no hash is known.
type pieces struct {
	n, blocks int
	bare      *bits.Set
}

func (p pieces) Pieces() int { return p.n }

func (p pieces) Blocks(piece int) int {
	if p.blocks == 0 {
		return 1 + piece%5
	}
	return p.blocks
}

func (p pieces) CanVerify(piece int) bool { return p.bare == nil || !p.bare.Has(piece) }

func (s scene) picker(seed uint64) *Picker {
	n := max(len(s.avail), len(s.state), len(s.priority))
	have, bare := bits.New(n), bits.New(n)
	for i, c := range s.state {
		switch c {
		case '#':
			have.Add(i)
		case '?':
			bare.Add(i)
		}
	}
	p := New(pieces{n, blocksPerPiece, bare}, have, rand.New(rand.NewPCG(seed, 1)))
	for i, c := range s.avail {
		for range c - '0' {
			p.PeerHas(uint32(i))
		}
	}
	for i, c := range s.state {
		if c == '-' {
			p.SetPriority(uint32(i), Skip)
		}
	}
	for i, c := range s.priority {
		p.SetPriority(uint32(i), Priority(c-'0'))
	}
	p.Check()
	return p
}

// set reads "x" as a member.
func set(picture string) *bits.Set {
	s := bits.New(len(picture))
	for i, c := range picture {
		if c == 'x' {
			s.Add(i)
		}
	}
	return s
}

// text writes blocks as "piece.index", rows of one piece as "piece.from-to".
func text(blocks []Block) string {
	var parts []string
	for i := 0; i < len(blocks); {
		j := i
		for j+1 < len(blocks) && blocks[j+1] == (Block{blocks[i].Piece, blocks[j].Index + 1}) {
			j++
		}
		if i == j {
			parts = append(parts, fmt.Sprintf("%d.%d", blocks[i].Piece, blocks[i].Index))
		} else {
			parts = append(parts, fmt.Sprintf("%d.%d-%d", blocks[i].Piece, blocks[i].Index,
				blocks[j].Index))
		}
		i = j + 1
	}
	return strings.Join(parts, " ")
}

func pick(p *Picker, q Query) string {
	got := p.Pick(&q, nil)
	p.Check()
	return text(got)
}

func TestNextPiece(t *testing.T) {
	for _, c := range []struct {
		name  string
		scene scene
		have  string
		want  string // pieces, any of which may come
	}{
		{"rarest first", scene{avail: "32123333", state: "....####"}, "xxxxxxxx", "2"},
		{"rarest that the peer has", scene{avail: "32123333", state: "....####"}, "xx.xxxxx", "13"},
		{"random among equals", scene{avail: "11119999", state: "....####"}, "xxxxxxxx", "0123"},
		{"nobody but seeds has it", scene{avail: "20119999", state: "....####"}, "xxxxxxxx", "1"},
		{"priority before rarity", scene{avail: "11129999", state: "....####",
			priority: "44464444"}, "xxxxxxxx", "3"},
		{"a lower one when the peer lacks the higher",
			scene{avail: "12129999", state: "....####", priority: "44464444"}, "xxx.xxxx", "02"},
		{"not what is skipped", scene{avail: "12339999", state: "-...####"}, "xxxxxxxx", "1"},
		{"at random as long as we have few", scene{avail: "12345678"}, "xxxxxxxx", "01234567"},
		{"at random what the peer has", scene{avail: "12345678"}, "..x...x.", "26"},
		{"nothing", scene{avail: "12345678", state: "....####"}, "....xxxx", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := map[string]bool{}
			for seed := range uint64(200) {
				p := c.scene.picker(seed)
				got := p.Pick(&Query{Peer: 1, Have: set(c.have), Max: 1}, nil)
				p.Check()
				if len(got) == 0 {
					if c.want != "" {
						t.Fatalf("nothing picked, want one of %s", c.want)
					}
					continue
				}
				piece := fmt.Sprint(got[0].Piece)
				if !strings.Contains(c.want, piece) {
					t.Fatalf("picked %s, want one of %q", piece, c.want)
				}
				seen[piece] = true
			}
			if len(seen) != len(c.want) {
				t.Errorf("picked only %v of %q", seen, c.want)
			}
		})
	}
}

func all(p *Picker) *bits.Set { return bits.Full(p.Pieces()) }

func TestPieceOfOnePeer(t *testing.T) {
	p := scene{avail: "12349", state: "....#"}.picker(1)
	p.SetSequential(true)
	steps := []struct {
		why  string
		q    Query
		want string
	}{
		{"a piece is begun", Query{Peer: 1, Max: 2}, "0.0-1"},
		{"a quick peer begins its own", Query{Peer: 2, Max: 3, Whole: true}, "1.0-2"},
		{"the first goes on with its piece", Query{Peer: 1, Max: 3}, "0.2-3 1.3"},
		{"nothing of it is left, so the next", Query{Peer: 1, Max: 2}, "2.0-1"},
		{"a slow peer helps with what was begun", Query{Peer: 3, Max: 1}, "2.2"},
		{"a quick one still begins", Query{Peer: 2, Max: 4, Whole: true}, "3.0-3"},
		{"until none is left to begin", Query{Peer: 2, Max: 4, Whole: true}, "2.3"},
		{"and then nothing is left at all", Query{Peer: 2, Max: 4, Whole: true}, ""},
	}
	for _, s := range steps {
		s.q.Have = all(p)
		if got := pick(p, s.q); got != s.want {
			t.Fatalf("%s: picked %q, want %q", s.why, got, s.want)
		}
	}
}

// TestAlong: a web server is asked for pieces in a row, as far as others leave it
// one, and never for what is less urgent.
func TestAlong(t *testing.T) {
	p := scene{avail: "1111111111", state: "..#......#", priority: "4444444664"}.picker(1)
	q := Query{Peer: 1, Have: all(p), Max: 8, Whole: true, Along: true, Next: 8}
	steps := []struct{ why, want string }{
		{"what is urgent, from Next on", "8.0-3 7.0-3"},
		{"the row is broken: another one begins", ""},
	}
	if got := p.Pick(&q, nil); text(got) != steps[0].want || q.Next != 8 {
		t.Errorf("%s: picked %q and then %d, want %q", steps[0].why, text(got), q.Next,
			steps[0].want)
	}
	// Piece 8 is begun, 9 is had: somewhere else, and from there on.
	q.Max = 4
	first := p.Pick(&q, nil)[0].Piece
	if q.Next != first+1 || first > 6 {
		t.Fatalf("%s: picked %d and then %d", steps[1].why, first, q.Next)
	}
	for q.Next < 7 && p.State(q.Next) == Wanted {
		next := q.Next
		if got := p.Pick(&q, nil); got[0].Piece != next {
			t.Errorf("picked %s, want piece %d", text(got), next)
		}
	}
	p.Check()
}

// TestAlongInOrder: in order goes before in a row.
func TestAlongInOrder(t *testing.T) {
	p := scene{avail: "11111111"}.picker(1)
	p.SetSequential(true)
	if got := pick(p, Query{Peer: 1, Have: all(p), Max: 4, Along: true, Next: 5}); got != "0.0-3" {
		t.Errorf("picked %q", got)
	}
}

func TestReleasedBlocksGoFirst(t *testing.T) {
	p := scene{state: ".........."}.picker(1)
	p.SetSequential(true)
	if got := pick(p, Query{Peer: 1, Have: all(p), Max: 6}); got != "0.0-3 1.0-1" {
		t.Fatalf("picked %q", got)
	}
	p.Received(Block{0, 0}, 1)
	for _, b := range []Block{{0, 1}, {0, 2}, {0, 3}, {1, 0}, {1, 1}} {
		p.Release(b, 1)
		p.Check()
	}
	p.Leave(1)
	if s := p.State(1); s != Wanted {
		t.Errorf("a piece of which nothing came is in state %d, want Wanted", s)
	}
	if got := pick(p, Query{Peer: 2, Have: all(p), Max: 4, Whole: true}); got != "0.1-3 1.0" {
		t.Errorf("another peer gets %q, want what was left first", got)
	}
}

func TestProbation(t *testing.T) {
	p := scene{state: ".........."}.picker(1)
	p.SetSequential(true)
	q := Query{Peer: 1, Have: all(p), Max: 10, Whole: true, Pieces: 1}
	if got := pick(p, q); got != "0.0-3" {
		t.Errorf("picked %q, want one piece", got)
	}
	if got := pick(p, q); got != "" {
		t.Errorf("picked %q, want nothing before the first piece is verified", got)
	}
}

// TestReopen: of a piece with some wrong blocks nothing else is fetched again, by
// whoever comes first.
func TestReopen(t *testing.T) {
	p := scene{state: ".."}.picker(1)
	p.SetSequential(true)
	pick(p, Query{Peer: 1, Have: all(p), Max: 4})
	for i := range uint32(4) {
		p.Received(Block{0, i}, 1)
	}
	if p.Reopen(1, slices.Values([]uint32{0})) || p.Reopen(0, slices.Values([]uint32{7})) {
		t.Error("a piece was reopened of which nothing is wrong")
	}
	if !p.Reopen(0, slices.Values([]uint32{1, 3, 3})) || p.State(0) != InFlight || p.Failed(0) {
		t.Fatal("the piece is not in flight again")
	}
	p.Check()
	got := pick(p, Query{Peer: 2, Have: all(p), Max: 1}) + " " + pick(p,
		Query{Peer: 3, Have: all(p), Max: 1})
	if got != "0.1 0.3" {
		t.Errorf("picked %q", got)
	}
	p.Received(Block{0, 1}, 2)
	if r := p.Received(Block{0, 3}, 3); !r.Complete || !p.Verified(0) {
		t.Error("the piece is not complete")
	}
	p.Check()
}

// TestSuppose: a piece that may be there already is asked of nobody until it was
// looked at.
func TestSuppose(t *testing.T) {
	p := scene{state: ".-#"}.picker(1)
	if !p.Suppose(0) || !p.Suppose(1) || p.Suppose(2) || p.Suppose(0) {
		t.Error("not just what is neither there nor asked for can be supposed")
	}
	p.Check()
	if got := pick(p, Query{Peer: 1, Have: all(p), Max: 9}); got != "" {
		t.Errorf("picked %q", got)
	}
	if !p.Refuted(0) || p.State(0) != Wanted || p.Failed(0) || !p.Verified(1) {
		t.Error("what was supposed turns into neither")
	}
	p.Check()
}

// TestHeld: of a piece without a hash nothing is picked, whatever is done to it and
// whoever asks, until its hash is known; and it is not judged.
func TestHeld(t *testing.T) {
	p := scene{state: ".?-?#"}.picker(1)
	bare := p.pieces.(pieces).bare
	overtake := func(uint32) bool { return true }
	replace := func(_, _ uint32, _, _, _ int) bool { return true }
	queries := []Query{
		{}, {Whole: true}, {Alone: true}, {Along: true, Next: 1}, {Only: []uint32{1, 3}},
		{First: []uint32{1, 3}},
		{RareOnly: true}, {Overtake: overtake, Replace: replace},
	}
	try := func() {
		t.Helper()
		for i, q := range queries {
			q.Peer, q.Have, q.Max = uint32(i+1), all(p), 20
			for _, b := range p.Pick(&q, nil) {
				if bare.Has(int(b.Piece)) {
					t.Errorf("query %d: a block of piece %d was picked, which has no hash",
						i, b.Piece)
				}
			}
		}
	}
	for _, sequential := range []bool{false, true} {
		p.SetSequential(sequential)
		try()
	}
	p.SetDeadlines(dues("1:0"))
	p.SetPriority(3, Skip)
	p.SetPriority(3, Highest)
	try()
	if p.Free(1) || p.Suppose(1) || p.Verified(1) || p.Refuted(1) || p.Recheck(1) ||
		p.State(1) != Held {
		t.Errorf("a piece without a hash is in state %d", p.State(1))
	}
	if r := p.Received(Block{1, 0}, 1); r.Fresh {
		t.Error("a block of a piece without a hash was taken")
	}
	p.Lost(1)
	p.Check()
	if p.Done() || !p.Needed().Has(1) || !p.Needed().Has(3) {
		t.Error("a piece is not needed because its hash is not known")
	}

	bare.Remove(1)
	bare.Remove(3)
	try() // nobody has said yet that it may be asked for
	if got := pick(p, Query{Peer: 99, Have: set("-x-x-"), Max: 1}); got != "" {
		t.Errorf("picked %q of pieces that are held", got)
	}
	if !p.Free(1) || p.Free(1) || !p.Suppose(3) {
		t.Error("pieces stay held although their hashes are known")
	}
	p.Check()
	if got := pick(p, Query{Peer: 99, Have: set("-x-x-"), Max: 9}); got != "1.0-3" {
		t.Errorf("picked %q, want piece 1", got)
	}
}

// TestLostByOwner: a peer that has lost a piece which it had begun is not asked for
// more of it, and another one goes on with it.
func TestLostByOwner(t *testing.T) {
	p := scene{state: ".."}.picker(1)
	p.SetSequential(true)
	if got := pick(p, Query{Peer: 1, Have: set("xx"), Max: 2}); got != "0.0-1" {
		t.Fatalf("picked %q", got)
	}
	p.Release(Block{0, 0}, 1)
	if got := pick(p, Query{Peer: 1, Have: set("-x"), Max: 9}); got != "1.0-3" {
		t.Errorf("picked %q, want the piece that it still has", got)
	}
	if got := pick(p, Query{Peer: 2, Have: set("xx"), Max: 9, Whole: true}); got != "0.0 0.2-3" {
		t.Errorf("picked %q, want what is left of the first piece", got)
	}
	p.Check()
}

// TestOnward: a server that can only read on begins the next piece that is missing.
func TestOnward(t *testing.T) {
	p := scene{state: "..###..#..", avail: "9999900000"}.picker(1)
	q := Query{Peer: 1, Have: all(p), Max: blocksPerPiece, Along: true, Onward: true, Next: 1}
	var got []uint32
	for range 6 {
		got = append(got, p.Pick(&q, nil)[0].Piece)
	}
	if want := []uint32{1, 5, 6, 8, 9, 0}; !slices.Equal(got, want) {
		t.Errorf("begun in the order %v, want %v", got, want)
	}
}

// TestHold: what lies on disk and has not been looked at is not asked for, also
// when it is wanted later.
func TestHold(t *testing.T) {
	p := scene{state: "..-#"}.picker(1)
	for piece := range uint32(4) {
		p.Hold(piece)
	}
	p.SetPriority(2, Normal)
	p.SetPriority(1, Skip)
	p.Check()
	if got := pick(p, Query{Peer: 1, Have: all(p), Max: 9}); got != "" || p.State(3) != Have {
		t.Errorf("picked %q", got)
	}
	if !p.Suppose(2) || !p.Refuted(2) || !p.Free(1) || p.State(1) != Skipped {
		t.Error("pieces stay held")
	}
	p.Check()
	if got := pick(p, Query{Peer: 1, Have: all(p), Max: 9}); got != "2.0-3" {
		t.Errorf("picked %q", got)
	}
}

func TestAloneAfterFailure(t *testing.T) {
	p := scene{state: ".........."}.picker(1)
	p.SetSequential(true)
	pick(p, Query{Peer: 1, Have: all(p), Max: 2})
	pick(p, Query{Peer: 2, Have: all(p), Max: 2})
	for i := range uint32(4) {
		p.Received(Block{0, i}, 1+i/2)
	}
	if got := p.Senders(0, nil); !slices.Equal(got, []uint32{1, 2}) {
		t.Fatalf("senders %v, want 1 and 2", got)
	}
	if !p.Refuted(0) || p.State(0) != Wanted || !p.Failed(0) {
		t.Fatal("a piece with the wrong hash is not wanted again")
	}
	if got := pick(p, Query{Peer: 1, Have: all(p), Max: 3}); got != "0.0-2" {
		t.Fatalf("picked %q", got)
	}
	if got := pick(p, Query{Peer: 2, Have: all(p), Max: 1}); got != "1.0" {
		t.Errorf("picked %q: another peer must not add to a piece that failed", got)
	}
	if r := p.Received(Block{0, 3}, 2); r.Fresh {
		t.Error("a block of another peer was taken")
	}
	p.Received(Block{0, 0}, 1)
	p.Release(Block{0, 1}, 1)
	p.Release(Block{0, 2}, 1)
	p.Leave(1)
	have := bits.New(p.Pieces())
	have.Add(0)
	if got := pick(p, Query{Peer: 3, Have: have, Max: 4}); got != "0.0-3" {
		t.Errorf("picked %q: who takes over must send all of it", got)
	}
}

func TestReplaceWhoIsSlowAlone(t *testing.T) {
	p := scene{state: "."}.picker(1)
	if got := pick(p, Query{Peer: 1, Have: all(p), Max: 3, Alone: true}); got != "0.0-2" {
		t.Fatalf("picked %q", got)
	}
	p.Received(Block{0, 0}, 1)
	var lacks, of, replaced int
	slow := false
	replace := func(peer, piece uint32, l, n, times int) bool {
		lacks, of, replaced = l, n, times
		return peer == 1 && piece == 0 && slow
	}
	if got := pick(p, Query{Peer: 2, Have: all(p), Max: 9, Replace: replace}); got != "" {
		t.Errorf("picked %q of one who is not slow", got)
	}
	if lacks != of-1 {
		t.Errorf("lacks %d of %d, want one less", lacks, of)
	}
	slow = true
	if got := pick(p, Query{Peer: 2, Have: all(p), Max: of, Replace: replace}); got != "0.0-3" {
		t.Errorf("picked %q, want all of the piece", got)
	}
	if p.Received(Block{0, 1}, 1).Fresh {
		t.Error("who was replaced still adds to the piece")
	}
	if pick(p, Query{Peer: 3, Have: all(p), Max: of, Replace: replace}); replaced != 1 {
		t.Errorf("replaced %d times, want once", replaced)
	}
	p.Release(Block{0, 2}, 1)
	p.Check()
}

// TestRefusedBlockIsFreeAgain: what comes from a peer that left its piece, which
// must come from one alone, is not kept, and can be asked for again.
func TestRefusedBlockIsFreeAgain(t *testing.T) {
	p := scene{state: "."}.picker(1)
	if got := pick(p, Query{Peer: 1, Have: all(p), Max: 4, Alone: true}); got != "0.0-3" {
		t.Fatalf("picked %q", got)
	}
	p.Received(Block{0, 0}, 1)
	p.Leave(1)
	if p.Received(Block{0, 1}, 1).Fresh {
		t.Error("a block of a piece that was left was kept")
	}
	if got := pick(p, Query{Peer: 1, Have: all(p), Max: 4}); got != "0.1" {
		t.Errorf("picked %q, want the block that was refused", got)
	}
	p.Check()
}

func TestOvertake(t *testing.T) {
	p := scene{state: "#########."}.picker(1)
	slow := func(peer uint32) bool { return peer == 1 }
	if got := pick(p, Query{Peer: 1, Have: all(p), Max: 4}); got != "9.0-3" {
		t.Fatalf("picked %q", got)
	}
	if got := pick(p, Query{Peer: 2, Have: all(p), Max: 2}); got != "" {
		t.Errorf("picked %q without a wish to overtake", got)
	}
	if got := pick(p, Query{Peer: 2, Have: all(p), Max: 2, Overtake: slow}); got != "9.3 9.2" {
		t.Errorf("picked %q, want the last blocks of the slow peer", got)
	}
	if got := pick(p, Query{Peer: 3, Have: all(p), Max: 9, Overtake: slow}); got != "9.1 9.0" {
		t.Errorf("picked %q: a block may be asked of two peers only", got)
	}
	if r := p.Received(Block{9, 3}, 2); !r.Fresh || r.Other != 1 {
		t.Errorf("receipt %+v, want fresh, and the slow peer to be told", r)
	}
	if r := p.Received(Block{9, 3}, 1); r.Fresh {
		t.Error("a block is fresh twice")
	}
}

func TestNoOvertakingWhilePiecesAreLeft(t *testing.T) {
	p := scene{state: "########.."}.picker(1)
	have := bits.New(10)
	have.Add(8)
	pick(p, Query{Peer: 1, Have: have, Max: 4})
	q := Query{Peer: 2, Have: have, Max: 4, Overtake: func(uint32) bool { return true }}
	if got := pick(p, q); got != "" {
		t.Errorf("picked %q although a piece is left to begin", got)
	}
}

func TestDeadlines(t *testing.T) {
	p := scene{avail: "1999999999", state: "......####"}.picker(1)
	p.SetDeadlines(dues("4:1"))
	p.SetDeadlines(dues("5:2 3:1"))
	if got := pick(p, Query{Peer: 1, Have: all(p), Max: 9, Whole: true}); got != "3.0-3 5.0-3 0.0" {
		t.Errorf("picked %q, want the earliest deadline first", got)
	}
}

func TestHints(t *testing.T) {
	p := scene{avail: "0123456789", state: ".....#####"}.picker(1)
	q := Query{Peer: 1, Have: all(p), Max: 1, First: []uint32{7, 3}}
	if got := pick(p, q); got != "3.0" {
		t.Errorf("picked %q, want the suggestion that is wanted", got)
	}
	q = Query{Peer: 2, Have: all(p), Max: 9, Only: []uint32{4, 9}}
	if got := pick(p, q); got != "4.0-3" {
		t.Errorf("picked %q, want only what is allowed", got)
	}
	q = Query{Peer: 3, Have: all(p), Max: 9, RareOnly: true}
	if got := pick(p, q); got != "0.0-3" {
		t.Errorf("picked %q, want only what none but seeds have", got)
	}
}

func TestDisk(t *testing.T) {
	p := scene{state: "#########."}.picker(1)
	pick(p, Query{Peer: 1, Have: all(p), Max: 4})
	p.Received(Block{9, 0}, 1)
	p.Lost(9)
	p.Check()
	if p.State(9) != Wanted {
		t.Error("a lost piece is not wanted")
	}
	if r := p.Received(Block{9, 1}, 1); r.Fresh {
		t.Error("a block is stored for a piece that is not in flight")
	}
	if !p.Recheck(3) || p.State(3) != Unverified || p.Done() {
		t.Error("a piece in doubt counts as had")
	}
	if !p.Verified(3) || p.State(3) != Have {
		t.Error("a piece that was checked again is not had")
	}
	if p.Verified(3) || p.Refuted(9) {
		t.Error("a result was taken for a piece that is not unverified")
	}
}

// FuzzPicker does what the bytes say, and checks the invariants all the while.
func FuzzPicker(f *testing.F) {
	f.Add(uint64(1), []byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d"))
	f.Add(uint64(2), []byte("picks and releases, haves and losses, in no order at all"))
	f.Fuzz(func(t *testing.T, seed uint64, ops []byte) {
		const count, peers = 24, 4
		rng := rand.New(rand.NewPCG(seed, 2))
		bare := bits.New(count)
		for piece := 0; piece < count; piece += 1 + int(seed%7) {
			bare.Add(piece)
		}
		p := New(pieces{n: count, bare: bare}, nil, rng)
		var have [peers]*bits.Set
		for i := range have {
			have[i] = bits.New(count)
			p.AddPeer(have[i], false)
		}
		type ask struct {
			b    Block
			peer uint32
		}
		var asks []ask
		for _, op := range ops {
			peer := uint32(op)%peers + 1
			piece := uint32(rng.IntN(count))
			switch op / 16 {
			case 0, 1, 2:
				if have[peer-1].Add(int(piece)) {
					p.PeerHas(piece)
				}
			case 3, 4, 5, 6:
				q := Query{Peer: peer, Have: have[peer-1], Max: rng.IntN(8), Whole: op%3 == 0,
					Alone: op%5 == 0}
				if op%2 == 0 {
					q.Overtake = func(uint32) bool { return op%7 < 3 }
				}
				for _, b := range p.Pick(&q, nil) {
					asks = append(asks, ask{b, peer})
				}
			case 7, 8, 9, 10:
				if len(asks) > 0 {
					a := asks[rng.IntN(len(asks))]
					p.Received(a.b, a.peer)
				}
			case 11:
				if len(asks) > 0 {
					a := asks[rng.IntN(len(asks))]
					p.Release(a.b, a.peer)
				}
			case 12:
				p.Verified(piece)
				switch op % 4 {
				case 0:
					p.Suppose(piece)
				case 1:
					bare.Remove(int(piece))
					p.Free(piece)
				case 2:
					p.Hold(piece)
				}
			case 13:
				if op%2 == 0 {
					p.Reopen(piece, slices.Values([]uint32{uint32(op % 3), uint32(op % 5)}))
				}
				p.Refuted(piece)
			case 14:
				p.SetPriority(piece, Priority(op%9))
				p.SetDeadlines(dues(fmt.Sprintf("%d:%d %d:%d", piece, op, (piece+1)%uint32(count),
					rng.IntN(9))))
			case 15:
				if op%2 == 0 {
					p.Lost(piece)
				} else {
					p.Leave(peer)
				}
			}
			p.Check()
		}
		for i := range have {
			p.RemovePeer(have[i], false)
		}
		p.Check()
		if p.Unseen() != count {
			t.Errorf("%d pieces unseen after all peers left, want %d", p.Unseen(), count)
		}
	})
}
