package hashes

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// wood is some hash trees as a Search sees them. Each file has a letter and some ranges of
// four pieces; "a0" names the first range of file a. A piece has two ranges of two leaves:
// "3.0" and "3.1" are those of piece 3.
type wood struct {
	counts []int  // ranges of each file
	names  []byte // letter of each file
	looks  int    // calls of NeedsHashes
	known  map[string]bool
}

const leafRoot = '#'

func newWood(files ...string) *wood {
	w := &wood{known: map[string]bool{}}
	for _, f := range files {
		w.names = append(w.names, (f + "-")[0])
		w.counts = append(w.counts, len(f))
	}
	return w
}

func (w *wood) NeedsHashes(file int) iter.Seq[metainfo.HashRange] {
	w.looks++
	return func(yield func(metainfo.HashRange) bool) {
		for i := range w.counts[file] {
			r := metainfo.HashRange{Root: [32]byte{w.names[file]}, Base: 1, Index: uint32(4 * i),
				Length: 4}
			if !w.known[nameOf(r)] && !yield(r) {
				return
			}
		}
	}
}

func (w *wood) NeedsBlockHashes(piece int) iter.Seq[metainfo.HashRange] {
	return func(yield func(metainfo.HashRange) bool) {
		for i := range 2 {
			r := metainfo.HashRange{Root: [32]byte{leafRoot, byte(piece)}, Index: uint32(2 * i),
				Length: 2}
			if !yield(r) {
				return
			}
		}
	}
}

func (w *wood) FilePieces(file int) (first, end int) {
	for _, n := range w.counts[:file] {
		first += 4 * n
	}
	return first, first + 4*w.counts[file]
}

func (w *wood) AddHashes(r metainfo.HashRange, hashes []byte) error {
	if err := w.CheckHashes(r, hashes); err != nil {
		return err
	}
	w.known[nameOf(r)] = true
	return nil
}

func (w *wood) CheckHashes(_ metainfo.HashRange, hashes []byte) error {
	if string(hashes[:5]) != "right" {
		return errors.New("no proof")
	}
	return nil
}

func nameOf(r metainfo.HashRange) string {
	if r.Root[0] == leafRoot {
		return fmt.Sprintf("%d.%d", r.Root[1], r.Index/2)
	}
	return fmt.Sprintf("%c%d", r.Root[0], r.Index/4)
}

func rangeOf(name string) metainfo.HashRange {
	if piece, half, ok := strings.Cut(name, "."); ok {
		return metainfo.HashRange{Root: [32]byte{leafRoot, byte(number(piece))},
			Index: uint32(2 * number(half)), Length: 2}
	}
	return metainfo.HashRange{Root: [32]byte{name[0]}, Base: 1, Index: uint32(4 * number(name[1:])),
		Length: 4}
}

// crowd says which peers are seeds and which have a piece.
type crowd struct{ seeds, havers []uint32 }

func (c *crowd) IsSeed(peer uint32) bool          { return slices.Contains(c.seeds, peer) }
func (c *crowd) HasPiece(peer uint32, _ int) bool { return slices.Contains(c.havers, peer) }

var worths = map[Worth]string{Unasked: "unasked", Late: "late", Unproven: "unproven",
	Lies: "lies", ProvenLayer: "layer", ProvenLeaves: "leaves"}

// A searchTest drives a Search by a script:
//
//	join PEER..., leave PEER   "open" if others should be asked for its ranges
//	seed PEER, has PEER        what the crowd says of peers that join later or have joined
//	fill, ask                  "1:a0" for each Ask, and when to ask again
//	right|wrong PEER RANGE     what the answer is worth
//	reject PEER RANGE          "unasked" if it was
//	known                      the runs of pieces that have become known
//	want|forget PIECE          leaves
//	state                      what the Search says of itself
type searchTest struct {
	search Search
	crowd  crowd
}

func (s *searchTest) do(now time.Duration, command string, args []string) (result string) {
	defer s.search.Check()
	peer := func(i int) uint32 { return uint32(number(args[i])) }
	switch command {
	case "join":
		for i := range args {
			s.search.Join(peer(i))
		}
	case "leave":
		if s.search.Leave(peer(0)) {
			return "open"
		}
	case "seed":
		s.crowd.seeds = append(s.crowd.seeds, peer(0))
	case "has":
		s.crowd.havers = append(s.crowd.havers, peer(0))
	case "fill":
		s.search.Fill()
	case "ask":
		s.search.Fill()
		asks, again := s.search.Ask(now)
		for _, a := range asks {
			result += fmt.Sprintf("%d:%s ", a.Peer, nameOf(a.Range))
		}
		return result + due(again)
	case "right", "wrong":
		answer := make([]byte, 4*32)
		copy(answer, command)
		r := s.search.Answered(now, peer(0), rangeOf(args[1]), answer)
		if r.Worth == ProvenLeaves {
			return fmt.Sprintf("%d leaves of piece %d from %d", len(r.Leaves), r.Piece, r.First)
		}
		return worths[r.Worth]
	case "reject":
		if !s.search.Rejected(now, peer(0), rangeOf(args[1])) {
			return "unasked"
		}
	case "known":
		for r := range s.search.Known() {
			result += fmt.Sprintf("%d-%d ", r.First, r.End)
		}
	case "want":
		s.search.WantLeaves(peer(0))
	case "forget":
		s.search.ForgetLeaves(peer(0))
	case "state":
		return s.state(now)
	default:
		panic(command)
	}
	return result
}

func (s *searchTest) state(now time.Duration) string {
	var words []string
	say := func(word string, yes bool) {
		if yes {
			words = append(words, word)
		}
	}
	say("wants", s.search.Wants())
	say("layers", s.search.LayersKnown())
	say("told", s.search.CanTell(now))
	say("leaves", s.search.CanTellLeaves(now, 3, 0))
	for _, src := range s.search.sources {
		say(fmt.Sprint("promising:", src.peer), s.search.Promising(src.peer))
	}
	return strings.Join(words, " ")
}

func TestSearch(t *testing.T) {
	for name, test := range map[string]struct {
		files  []string
		script string
	}{
		"a v1 torrent, or a whole .torrent file, wants nothing": {nil, `
			0s state -> layers
			0s join 1
			0s ask -> again never`},
		"the layers of all files are asked for and kept": {[]string{"aa", "b"}, `
			0s state -> wants
			0s join 1
			0s state -> wants told promising:1
			0s ask -> 1:a0 1:a1 1:b0 again 3s
			1s right 1 a1 -> layer
			1s known -> 4-8
			1s right 1 a0 -> layer
			1s known -> 0-4
			1s state -> wants told promising:1
			1s right 1 b0 -> layer
			1s known -> 8-12
			1s state -> layers told promising:1`},
		"files whose layer is known from the start": {[]string{"", "a", ""}, `
			0s join 1
			0s fill
			0s known -> 0-0 4-4
			0s ask -> 1:a0 again 3s`},
		"one peer is asked for four ranges at a time": {[]string{"aaaaaa"}, `
			0s join 1
			0s ask -> 1:a0 1:a1 1:a2 1:a3 again 3s
			1s right 1 a0 -> layer
			1s ask -> 1:a4 again 4s`},
		"seeds come first, then those with few outstanding requests": {[]string{"aaaaaaaaa"}, `
			0s join 1 2 3
			0s seed 2
			0s ask -> 2:a0 2:a1 2:a2 2:a3 1:a4 3:a5 1:a6 3:a7 1:a8 again 3s`},
		"a slow peer keeps nobody from being asked": {[]string{"a"}, `
			0s join 1 2
			0s ask -> 1:a0 again 3s
			2.9s ask -> again 5.9s
			3s ask -> 2:a0 again 6s
			4s right 1 a0 -> layer
			4s right 2 a0 -> late
			4s right 2 a0 -> unasked`},
		"a slow peer is not asked for more": {[]string{"aaaaa"}, `
			0s join 1
			0s ask -> 1:a0 1:a1 1:a2 1:a3 again 3s
			1s right 1 a1 -> layer
			3s ask -> again 6s`},
		"a silent peer is given up for a minute": {[]string{"a"}, `
			0s join 1
			0s ask -> 1:a0 again 3s
			19.9s ask -> again 22.9s
			20s ask -> again 1m20s
			20s state -> wants
			1m20s ask -> 1:a0 again 1m23s`},
		"a peer that rejects is left alone for ten seconds": {[]string{"a"}, `
			0s join 1 2
			0s ask -> 1:a0 again 3s
			1s reject 1 a0
			1s ask -> 2:a0 again 4s
			1s reject 2 a0
			1s state -> wants
			1s ask -> again 11s
			11s ask -> 1:a0 again 14s
			11s reject 2 a0 -> unasked
			11s reject 9 a0 -> unasked`},
		"the peer asked last comes last": {[]string{"a"}, `
			0s join 1 2
			0s seed 1
			0s ask -> 1:a0 again 3s
			0s reject 1 a0
			10s ask -> 2:a0 again 13s`},
		"a liar is found out after three answers": {[]string{"a"}, `
			0s join 1
			0s ask -> 1:a0 again 3s
			0s wrong 1 a0 -> unproven
			0s known ->
			0s ask -> again 10s
			10s ask -> 1:a0 again 13s
			10s wrong 1 a0 -> unproven
			20s ask -> 1:a0 again 23s
			20s wrong 1 a0 -> lies`},
		"what a peer was asked for is free once it is gone": {[]string{"aa"}, `
			0s join 1 2
			0s ask -> 1:a0 2:a1 again 3s
			1s leave 1 -> open
			1s leave 1 ->
			1s ask -> 2:a0 again 4s
			1s right 1 a0 -> unasked
			1s leave 2 -> open
			1s leave 3 ->`},
		"a peer that was asked for nothing leaves nothing open": {[]string{"a"}, `
			0s join 1 2
			0s ask -> 1:a0 again 3s
			0s leave 2 ->`},
		"a peer joins once": {[]string{"a"}, `
			0s join 1 1
			0s state -> wants told promising:1`},
		"files of the same content have one layer": {[]string{"a", "a", "b"}, `
			0s join 1
			0s ask -> 1:a0 again 3s
			1s right 1 a0 -> layer
			1s known -> 0-8
			1s ask -> 1:b0 again 4s`},
		"leaves of a piece are proven and not kept": {[]string{"a"}, `
			0s join 1
			0s has 1
			0s ask -> 1:a0 again 3s
			0s right 1 a0 -> layer
			0s state -> layers told leaves promising:1
			0s want 3
			0s state -> wants layers told leaves promising:1
			0s ask -> 1:3.0 1:3.1 again 3s
			1s right 1 3.1 -> 2 leaves of piece 3 from 2
			1s right 1 3.0 -> 2 leaves of piece 3 from 0
			1s state -> layers told leaves promising:1`},
		"forgotten leaves are not asked for": {[]string{"a"}, `
			0s want 3
			0s want 4
			0s forget 3
			0s join 1
			0s ask -> 1:4.0 1:4.1 1:a0 again 3s`},
		"a peer is not asked twice for one range": {nil, `
			0s join 1
			0s want 3
			0s ask -> 1:3.0 1:3.1 again 3s
			0s forget 3
			0s want 3
			0s ask -> again 3s`},
		"leaves come from peers with the piece that may be asked": {[]string{"a"}, `
			0s join 1 2
			0s state -> wants told promising:1 promising:2
			0s has 1
			0s state -> wants told leaves promising:1 promising:2
			0s ask -> 1:a0 again 3s
			0s reject 1 a0
			0s state -> wants told promising:2`},
	} {
		t.Run(name, func(t *testing.T) {
			var s searchTest
			s.search.Begin(newWood(test.files...), len(test.files), &s.crowd)
			play(t, test.script, s.do)
		})
	}
}

// A Search that has not begun takes peers in, and has nothing to ask them.
func TestSearchBeforeTheMetadata(t *testing.T) {
	var s searchTest
	play(t, `
		0s join 1
		0s state -> layers told promising:1
		0s fill
		0s ask -> again never
		0s right 1 a0 -> unasked`, s.do)
	if !s.search.Has(1) || s.search.Has(2) {
		t.Error("not the peer that joined is known")
	}
}

// The alone sender of a wrong piece is not asked for its hashes.
func TestLeavesNotFromTheSenderAlone(t *testing.T) {
	s := searchTest{crowd: crowd{havers: []uint32{1}}}
	s.search.Begin(newWood("a"), 1, &s.crowd)
	s.search.Join(1)
	if s.search.CanTellLeaves(0, 3, 1) {
		t.Error("the sender itself would be asked")
	}
	if !s.search.CanTellLeaves(0, 3, 2) {
		t.Error("nobody would be asked")
	}
}

// Files in a row whose layers are known are one run, however many there are.
func TestKnownFilesAreOneRun(t *testing.T) {
	var s searchTest
	files := slices.Repeat([]string{"a"}, 1000)
	trees := newWood(files...)
	trees.known["a0"] = true
	s.search.Begin(trees, len(files), &s.crowd)
	s.search.Fill()
	if runs := slices.Collect(s.search.Known()); !slices.Equal(runs, []Run{{0, 4000}}) {
		t.Errorf("%d runs, want one of 4000 pieces", len(runs))
	}
}

// The window is bounded, and is refilled when half of it is empty: to look at a file takes time.
func TestWindowIsBounded(t *testing.T) {
	var s searchTest
	trees := newWood(strings.Repeat("a", windowMax+100))
	s.search.Begin(trees, 1, &s.crowd)
	s.search.Fill()
	if got := len(s.search.window); got != windowMax {
		t.Fatalf("%d ranges are looked for, want %d", got, windowMax)
	}
	s.search.Join(1)
	for i := range windowMax/2 + 1 {
		if got := len(s.search.window); got > windowMax {
			t.Fatalf("%d ranges are looked for, want at most %d", got, windowMax)
		}
		s.search.Ask(time.Duration(i))
		s.do(time.Duration(i), "right", []string{"1", fmt.Sprint("a", i)})
	}
	if s.search.LayersKnown() {
		t.Error("the layer is known too early")
	}
	if trees.looks > 5 {
		t.Errorf("the file was looked at %d times for %d answers", trees.looks, windowMax/2)
	}
}

// With honest and lying peers that come and go, every layer is known in the end, and no
// request outlives its peer.
func TestSearchEnds(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 52))
		var s searchTest
		trees := newWood(strings.Repeat("a", 1+rng.IntN(20)), "b", strings.Repeat("c", rng.IntN(5)),
			"b")
		s.search.Begin(trees, len(trees.counts), &s.crowd)
		runs := make([]bool, 4*(trees.counts[0]+trees.counts[2]+2))
		joined := uint32(0)
		var open []Ask
		now := time.Duration(0)
		for range 3000 {
			now += time.Duration(rng.IntN(2000)) * time.Millisecond
			s.search.Fill()
			asks, _ := s.search.Ask(now)
			open = append(open, asks...)
			for r := range s.search.Known() {
				for i := r.First; i < r.End; i++ {
					runs[i] = true
				}
			}
			switch {
			case rng.IntN(10) == 0:
				joined++
				s.search.Join(joined)
			case rng.IntN(10) == 0 && joined > 0:
				gone := 1 + rng.Uint32N(joined)
				s.search.Leave(gone)
				open = slices.DeleteFunc(open, func(a Ask) bool { return a.Peer == gone })
			case len(open) > 0:
				a := open[0]
				open = open[1:]
				s.answer(now, a, rng.IntN(6))
			}
		}
		if !s.search.LayersKnown() || slices.Contains(runs, false) {
			t.Fatalf("seed %d: known %v, pieces %v", seed, s.search.LayersKnown(), runs)
		}
	}
}

// answer has a peer answer, reject, lie or say nothing.
func (s *searchTest) answer(now time.Duration, a Ask, how int) {
	peer := fmt.Sprint(a.Peer)
	switch how {
	case 0:
		s.do(now, "reject", []string{peer, nameOf(a.Range)})
	case 1:
		if s.do(now, "wrong", []string{peer, nameOf(a.Range)}) == "lies" {
			s.search.Leave(a.Peer)
		}
	case 2:
	default:
		s.do(now, "right", []string{peer, nameOf(a.Range)})
	}
}
