package stream

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	// Max is the number of pieces that have a deadline at a time. The picker takes no more.
	Max = 1024
	// ahead is how long the download at its measured rate takes for what a head looks
	// ahead at most.
	ahead = 30 * time.Second
	// aheadFirst is the same for a head from which nothing was read yet. It is as much as
	// peers are asked for at a time, and more.
	aheadFirst = 2 * time.Second
	// aheadMin is the number of bytes that a head looks ahead at least. It holds the header
	// of nearly every container. aheadPieces is the same in pieces. Together they keep
	// several peers busy, which are not asked for much else before they have sent a piece.
	aheadMin    = 1 << 20
	aheadPieces = 3
	// paceMin is the rate, in bytes per second, that is assumed of a download that is slower
	// or has not begun.
	paceMin = 64 << 10
)

// A Deadline says when a piece is needed.
type Deadline struct {
	Piece int
	In    time.Duration // from now on
}

// A Head is a place where content is read. It belongs to its Plan.
type Head struct {
	at    int64 // the next byte that is read
	begun int64 // where the head has read from without a jump
	end   int64 // of the file
	reach int64 // how far the head looked ahead in the last list
	rests bool  // the head looks at nothing
}

// Rest makes the head look at nothing until Wake or Jump.
func (h *Head) Rest() { h.rests = true }

// Wake ends a rest.
func (h *Head) Wake() { h.rests = false }

// Jump moves the head to the byte at of the content. The head keeps its momentum if it had
// looked ahead to that place.
func (h *Head) Jump(at int64) {
	if at < h.at || at > h.at+h.reach {
		h.begun = at
	}
	h.at, h.rests = at, false
}

// Read records that n bytes were read from where the head is.
func (h *Head) Read(n int) { h.at += int64(n) }

// At returns the next byte that is read.
func (h *Head) At() int64 { return h.at }

// Near reports whether the byte at of the content lies where the head reads: within its
// reach, or in the part that was just read.
func (h *Head) Near(at int64) bool {
	return at >= max(h.begun, h.at-aheadMin) && at <= h.at+max(h.reach, aheadMin)
}

// A Plan knows where a torrent is read. It is for one goroutine at a time.
type Plan struct {
	pieceLength int64
	heads       []*Head
	awaited     map[int]int // pieces that reads wait for, and how many reads
	list        []Deadline
}

// New returns a Plan for a torrent with pieces of that many bytes.
func New(pieceLength int) *Plan { return &Plan{pieceLength: int64(pieceLength)} }

// Open adds a head at byte at of the content, in a file that ends before byte end.
func (p *Plan) Open(at, end int64) *Head {
	h := &Head{at: at, begun: at, end: end}
	p.heads = append(p.heads, h)
	return h
}

// Close removes a head.
func (p *Plan) Close(h *Head) {
	p.heads = slices.DeleteFunc(p.heads, func(o *Head) bool { return o == h })
}

// Await makes a piece due now, because a read waits for it, until Leave is called as often.
// The head of that read may go on without it: reads at several places share heads.
func (p *Plan) Await(piece int) {
	if p.awaited == nil {
		p.awaited = make(map[int]int)
	}
	p.awaited[piece]++
}

// Leave ends what Await began.
func (p *Plan) Leave(piece int) {
	if p.awaited[piece]--; p.awaited[piece] == 0 {
		delete(p.awaited, piece)
	}
}

// Heads returns how many heads there are.
func (p *Plan) Heads() int { return len(p.heads) }

// Deadlines returns the pieces that are needed soon and that has reports as missing, the
// earliest first. rate is what the download brings, in bytes per second. The list is valid
// until the next call.
func (p *Plan) Deadlines(rate int64, has func(piece int) bool) []Deadline {
	rate = max(rate, paceMin)
	hungry := int64(0)
	for _, h := range p.heads {
		if p.look(h, rate, 1); p.lacks(h, has) {
			hungry++
		}
	}
	hungry = max(hungry, 1)
	p.list = p.list[:0]
	p.addAwaited(has)
	for _, h := range p.heads {
		p.look(h, rate, hungry)
		p.add(h, float64(rate)/float64(hungry), has)
	}
	return p.sorted()
}

// look sets how far a head looks ahead when several heads lack something.
func (p *Plan) look(h *Head, rate, hungry int64) {
	if h.rests {
		h.reach = 0
		return
	}
	least := max(aheadMin, aheadPieces*p.pieceLength, bytesIn(aheadFirst, rate)/hungry)
	most := max(least, bytesIn(ahead, rate)/hungry)
	h.reach = min(max(least, 2*(h.at-h.begun)), most, max(h.end-h.at, 0))
}

// bytesIn returns how many bytes come in a time.
func bytesIn(d time.Duration, rate int64) int64 {
	return int64(d/time.Second) * rate
}

// pieces returns the pieces that a head looks at, the last one not included.
func (p *Plan) pieces(h *Head) (first, end int) {
	if h.reach == 0 {
		return 0, 0
	}
	first = int(h.at / p.pieceLength)
	end = int((h.at+h.reach-1)/p.pieceLength) + 1
	return first, min(end, first+Max)
}

// lacks reports whether some piece that a head looks at is missing.
func (p *Plan) lacks(h *Head, has func(piece int) bool) bool {
	first, end := p.pieces(h)
	for piece := first; piece < end; piece++ {
		if !has(piece) {
			return true
		}
	}
	return false
}

// addAwaited puts the missing pieces that reads wait for into the list.
func (p *Plan) addAwaited(has func(piece int) bool) {
	if len(p.awaited) == 0 {
		return
	}
	for _, piece := range slices.Sorted(maps.Keys(p.awaited)) {
		if !has(piece) {
			p.list = append(p.list, Deadline{Piece: piece})
		}
	}
}

// add puts the missing pieces that a head looks at into the list. pace is how many bytes a
// second come for the head.
func (p *Plan) add(h *Head, pace float64, has func(piece int) bool) {
	first, end := p.pieces(h)
	for piece := first; piece < end; piece++ {
		if has(piece) || p.awaited[piece] > 0 {
			continue
		}
		before := max(0, int64(piece)*p.pieceLength-h.at)
		in := time.Duration(float64(before) / pace * float64(time.Second))
		p.list = append(p.list, Deadline{piece, in})
	}
}

// sorted returns the list, the earliest first, with each piece once.
func (p *Plan) sorted() []Deadline {
	if len(p.heads) > 1 {
		slices.SortFunc(p.list, func(a, b Deadline) int {
			return cmp.Or(cmp.Compare(a.Piece, b.Piece), cmp.Compare(a.In, b.In))
		})
		p.list = slices.CompactFunc(p.list, func(a, b Deadline) bool { return a.Piece == b.Piece })
		slices.SortFunc(p.list, func(a, b Deadline) int {
			return cmp.Or(cmp.Compare(a.In, b.In), cmp.Compare(a.Piece, b.Piece))
		})
	}
	return p.list[:min(len(p.list), Max)]
}
