package stream

import (
	"strings"
	"testing"
	"time"
)

// kib is the length of the pieces in the pictures: 64 KiB, so a megabyte has 16.
const kib = 64 << 10

// picture draws the pieces: "#" is there, "." has no deadline, a digit is how many seconds
// there are left, and "+" stands for more than nine.
func picture(p *Plan, rate int64, there string) string {
	has := func(piece int) bool { return piece < len(there) && there[piece] == '#' }
	drawn := []byte(there)
	last := time.Duration(0)
	for _, d := range p.Deadlines(rate, has) {
		if d.In < last {
			return "the list is not in order"
		}
		last = d.In
		switch {
		case d.Piece >= len(drawn) || drawn[d.Piece] != '.':
			return "a piece comes twice, is there already, or does not exist"
		case d.In >= 10*time.Second:
			drawn[d.Piece] = '+'
		default:
			drawn[d.Piece] = byte('0' + d.In/time.Second)
		}
	}
	return string(drawn)
}

// pieces returns n pieces that are missing.
func pieces(n int) string { return strings.Repeat(".", n) }

// expect compares a picture of the plan with another one.
func expect(t *testing.T, p *Plan, rate int64, there, want, why string) {
	t.Helper()
	if got := picture(p, rate, there); got != want {
		t.Errorf("%s:\ngot  %s\nwant %s", why, got, want)
	}
}

func TestPlanOfOneHead(t *testing.T) {
	const rate = 4 * kib // four pieces a second
	p := New(kib)
	h := p.Open(0, 40*kib)
	expect(t, p, rate, pieces(40), "0000111122223333........................",
		"a new head looks a megabyte ahead")
	expect(t, p, 12*kib, pieces(40), "000000000000111111111111................",
		"or two seconds of the download")
	expect(t, p, rate, "##.#####.#"+pieces(30), "##0#####2#223333........................",
		"what is there has no deadline")
	h.Read(10*kib + kib/2)
	expect(t, p, rate, pieces(40), "..........0000011112222333344445........",
		"it looks twice as far as was read, and its own piece is due now")
	h.Read(29*kib + kib/2)
	expect(t, p, rate, pieces(40), pieces(40), "at the end of the file nothing is needed")
}

// The reach follows the download: half a minute of it at most.
func TestPlanReach(t *testing.T) {
	p := New(kib)
	h := p.Open(0, 4000*kib)
	h.Read(500 * kib)
	for _, c := range []struct {
		rate int64
		want int
	}{
		{0, 30}, {kib, 30}, {10 * kib, 300}, {20 * kib, 600}, {30 * kib, 900}, {50 * kib, 1000},
	} {
		list := p.Deadlines(c.rate, func(int) bool { return false })
		if len(list) != c.want || list[0].Piece != 500 {
			t.Errorf("at %d pieces a second %d from %d on, want %d", c.rate/kib, len(list),
				list[0].Piece, c.want)
		}
	}
	h.Read(700 * kib)
	if list := p.Deadlines(1<<40, func(int) bool { return false }); len(list) != Max ||
		list[Max-1].Piece != 1200+Max-1 {
		t.Errorf("%d deadlines, want %d, from the head on", len(list), Max)
	}
}

func TestPlanJump(t *testing.T) {
	const rate = 4 * kib
	p := New(kib)
	h := p.Open(0, 60*kib)
	h.Read(12 * kib)
	expect(t, p, rate, pieces(60), "............000011112222333344445555........................",
		"before the jump")
	h.Jump(20 * kib)
	expect(t, p, rate, pieces(60), "....................0000111122223333444455556666777788889999",
		"a jump within reach keeps the momentum")
	h.Jump(2 * kib)
	expect(t, p, rate, pieces(60), "..0000111122223333..........................................",
		"a jump back begins again")
	h.Jump(58 * kib)
	expect(t, p, rate, pieces(60), "..........................................................00",
		"so does one far ahead, and the end of the file is the end")
	h.Jump(70 * kib)
	expect(t, p, rate, pieces(60), pieces(60), "beyond the end of the file nothing is needed")
}

func TestPlanOfSeveralHeads(t *testing.T) {
	const rate = 4 * kib
	p := New(kib)
	a := p.Open(0, 50*kib)
	b := p.Open(30*kib, 50*kib)
	expect(t, p, rate, pieces(50), "0011223344556677..............0011223344556677....",
		"each gets half of the download")
	expect(t, p, rate, pieces(30)+strings.Repeat("#", 20),
		"0000111122223333.............."+strings.Repeat("#", 20),
		"a head that lacks nothing shares nothing")
	b.Jump(2 * kib)
	expect(t, p, rate, pieces(50), "000011223344556677................................",
		"of a piece that two need the earlier deadline counts")
	p.Close(a)
	expect(t, p, rate, pieces(50), "..0000111122223333................................",
		"a head that is closed needs nothing")
	p.Close(b)
	expect(t, p, rate, pieces(50), pieces(50), "without a head nothing is needed")
	if p.Heads() != 0 {
		t.Errorf("%d heads are left", p.Heads())
	}
}

// Of large pieces, a head looks at no fewer than three.
func TestPlanOfLargePieces(t *testing.T) {
	p := New(4 << 20)
	h := p.Open(0, 20<<20)
	expect(t, p, 0, ".....", "0++..", "at the start")
	h.Jump(3<<20 + 1)
	expect(t, p, 0, ".....", "0+++.", "within a piece")
}

// Reads at places in turn have a head each, up to a number.
func TestTrails(t *testing.T) {
	const rate = 4 * kib
	p := New(kib)
	var trails Trails
	end := int64(400 * kib)
	film := trails.Follow(p, 0, end)
	film.Read(kib)
	if trails.Follow(p, kib, end) != film || trails.Follow(p, kib+5, end) != film {
		t.Error("a read that goes on from the last one has another head")
	}
	if film.At() != kib+5 {
		t.Errorf("the head is at %d", film.At())
	}
	index := trails.Follow(p, 390*kib, end)
	if index == film || trails.Follow(p, 0, end) != film || film.At() != kib+5 {
		t.Error("a read far away has the same head, or a read just behind has another one")
	}
	for i := range int64(trailsMax - 1) {
		trails.Follow(p, (100+50*i)*kib, end)
	}
	if p.Heads() != trailsMax {
		t.Errorf("%d heads, want %d", p.Heads(), trailsMax)
	}
	if trails.Follow(p, 390*kib, end) == index {
		t.Error("the head that was not used for longest is still there")
	}
	trails.Close(p)
	if list := p.Deadlines(rate, func(int) bool { return false }); len(list) != 0 {
		t.Errorf("%d deadlines are left after the end", len(list))
	}
}

func TestPlanOfReadsThatWait(t *testing.T) {
	const rate = 4 * kib
	p := New(kib)
	h := p.Open(20*kib, 40*kib)
	p.Await(3)
	p.Await(3)
	p.Await(22)
	p.Await(30)
	expect(t, p, rate, pieces(30)+"#.........", "...0................0000111122#23333....",
		"what reads wait for is due now")
	h.Jump(38 * kib)
	p.Leave(3)
	p.Leave(22)
	expect(t, p, rate, pieces(40), "...0..........................0.......00",
		"also when the head has left")
	p.Leave(3)
	p.Leave(30)
	expect(t, p, rate, pieces(40), pieces(38)+"00", "until no read waits")
}

func TestPlanOfHeadThatRests(t *testing.T) {
	p := New(kib)
	h := p.Open(0, 40*kib)
	h.Rest()
	expect(t, p, 4*kib, pieces(40), pieces(40), "a head that rests needs nothing")
	h.Wake()
	expect(t, p, 4*kib, pieces(20), "0000111122223333....", "awake it needs what it would")
	h.Rest()
	h.Jump(38 * kib)
	expect(t, p, 4*kib, pieces(40), pieces(38)+"00", "a jump wakes it")
}
