package hashes

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// leavesOf makes a hash of each letter: "abc" are the leaves of three blocks.
func leavesOf(letters string) []metainfo.Hash256 {
	list := make([]metainfo.Hash256, len(letters))
	for i := range letters {
		list[i] = metainfo.Hash256{letters[i]}
	}
	return list
}

// sendersOf makes a sender of each digit: "112" are those of three blocks.
func sendersOf(digits string) []uint32 {
	list := make([]uint32, len(digits))
	for i := range digits {
		list[i] = uint32(digits[i] - '0')
	}
	return list
}

// A blameTest drives a Blame by a script. Blocks are written as letters, one for each, which
// is the block's hash, and their senders as digits:
//
//	open|hold PIECE BLOCKS SENDERS   "no" if it was not taken; pieces that had to go for it
//	judge PIECE FIRST BLOCKS         the Verdict
//	copy PIECE BLOCKS                the Verdict
//	expire                           pieces
//	unhold [PIECE...]                pieces, and when to call again; those named can be told
//	state                            the pieces that are known, and held
type blameTest struct {
	blame  Blame
	pieces []uint32
}

func (b *blameTest) do(now time.Duration, command string, args []string) string {
	defer b.blame.Check()
	piece := func(i int) uint32 { return uint32(number(args[i])) }
	switch command {
	case "open", "hold":
		b.pieces = append(b.pieces, piece(0))
		released, ok := b.blame.Open(now, piece(0), leavesOf(args[1]), sendersOf(args[2]),
			command == "hold")
		if !ok {
			return "no"
		}
		var words []string
		for _, r := range released {
			words = append(words, fmt.Sprintf("%d %v", r.Piece, map[bool]string{true: "held",
				false: "free"}[r.Held]))
		}
		return strings.Join(words, " ")
	case "judge":
		return verdict(b.blame.Judge(piece(0), number(args[1]), leavesOf(args[2])))
	case "copy":
		return verdict(b.blame.JudgeByCopy(piece(0), leavesOf(strings.Join(args[1:], ""))))
	case "expire":
		return list("pieces", b.blame.Expire(now, nil))
	case "unhold":
		canTell := func(p uint32) bool { return slices.Contains(args, fmt.Sprint(p)) }
		pieces, again := b.blame.Unhold(now, canTell, nil)
		return list("pieces", pieces) + due(again)
	case "state":
		return b.state()
	}
	panic(command)
}

func verdict(v Verdict) string {
	s := list("liars", v.Liars)
	if v.Done {
		s += "done "
	}
	if v.Held {
		s += "held "
	}
	return s + list("honest", v.Honest) + list("wrong", v.Wrong)
}

func (b *blameTest) state() string {
	var words []string
	slices.Sort(b.pieces)
	for _, p := range slices.Compact(b.pieces) {
		switch {
		case b.blame.Holds(p):
			words = append(words, fmt.Sprint(p, ":held"))
		case b.blame.Knows(p):
			words = append(words, fmt.Sprint(p))
		}
	}
	return strings.Join(words, " ")
}

func TestBlame(t *testing.T) {
	for name, script := range map[string]string{
		"the sender of the wrong block is the liar": `
			0s open 7 abcd 1122
			1s judge 7 0 abcx -> liars 2 done honest 1 wrong 3
			1s state ->`,
		"all may be honest": `
			0s open 7 ab 12
			0s judge 7 0 ab -> done honest 1,2`,
		"all may lie": `
			0s open 7 ab 12
			0s judge 7 0 xy -> liars 1,2 done wrong 0,1`,
		"a held piece says so": `
			0s hold 7 ab 12
			0s state -> 7:held
			0s judge 7 0 ax -> liars 2 done held honest 1 wrong 1`,
		"parts are judged as they come, and a liar is named once": `
			0s open 7 abcd 1213
			0s judge 7 2 xy -> liars 1,3
			0s state -> 7
			0s judge 7 0 xb -> done honest 2 wrong 2,3,0`,
		"the proof of the last part goes beyond the piece": `
			0s open 7 abc 121
			0s judge 7 2 c0 ->
			0s judge 7 0 ab -> done honest 1,2`,
		"no part of a piece is beyond its end": `
			0s open 7 ab 12
			0s judge 7 2 xy -> `,
		"a copy judges all at once": `
			0s hold 7 abcd 1122
			0s judge 7 0 xb -> liars 1
			0s copy 7 xbcy -> liars 2 done held wrong 0,3`,
		"a copy that cannot be read ends it": `
			0s open 7 ab 12
			0s copy 7 -> done
			0s state ->`,
		"other pieces are not judged": `
			0s open 7 ab 12
			0s judge 8 0 xx ->
			0s copy 8 xx ->
			0s state -> 7`,
		"the only sender is known to lie": `
			0s open 7 ab 11 -> no
			0s hold 7 ab 11
			0s judge 7 0 ax -> liars 1 done held wrong 1`,
		"hashes and senders have to fit": `
			0s open 7 ab 1 -> no`,
		"a piece that fails again is judged again": `
			0s hold 7 ab 12
			0s judge 7 0 x -> liars 1
			0s open 7 cd 34 -> 7 held
			0s judge 7 0 cx -> liars 4 done honest 3 wrong 1`,
		"a piece is held for five seconds": `
			1s hold 7 ab 12
			5.9s unhold 7 -> again 6s
			5.9s state -> 7:held
			6s unhold 7 -> pieces 7 again never
			6s state -> 7
			7s judge 7 0 ax -> liars 2 done honest 1 wrong 1`,
		"or as long as somebody can tell its hashes": `
			0s hold 7 ab 12
			1s hold 8 ab 12
			2s unhold 8 -> pieces 7 again 6s
			2s unhold -> pieces 8 again never
			2s state -> 7 8`,
		"hashes are asked for during a minute": `
			0s open 7 ab 12
			30s open 8 ab 12
			60s expire ->
			60.1s expire -> pieces 7
			61s expire ->
			2m expire -> pieces 8
			2m state -> 7 8`,
	} {
		t.Run(name, func(t *testing.T) {
			var b blameTest
			play(t, script, b.do)
		})
	}
}

// The oldest pieces make room for others, by number and by blocks.
func TestBlameIsBounded(t *testing.T) {
	var b Blame
	many := leavesOf(strings.Repeat("a", 100))
	senders := sendersOf(strings.Repeat("12", 50))
	for piece := range uint32(blameMax) {
		if released, ok := b.Open(0, piece, many, senders, piece == 0); !ok || released != nil {
			t.Fatalf("piece %d: taken %v, released %v", piece, ok, released)
		}
	}
	released, _ := b.Open(0, 1000, many, senders, false)
	if want := []Release{{Piece: 0, Held: true}}; !slices.Equal(released, want) {
		t.Errorf("released %v, want %v", released, want)
	}
	huge := leavesOf(strings.Repeat("a", blameBlocksMax-150))
	released, ok := b.Open(0, 1001, huge, sendersOf(strings.Repeat("12", len(huge)/2)), false)
	if !ok || len(released) != blameMax-1 || !b.Knows(1000) || b.Knows(1) {
		t.Errorf("taken %v, %d released, want all but one", ok, len(released))
	}
	huge = leavesOf(strings.Repeat("a", blameBlocksMax+2))
	if _, ok := b.Open(0, 1002, huge, sendersOf(strings.Repeat("12", len(huge)/2)), true); ok {
		t.Error("a piece of too many blocks was taken")
	}
}
