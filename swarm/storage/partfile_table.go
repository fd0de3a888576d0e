package storage

import (
	"iter"
	"slices"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// A partTable says which parts of files are in the partfile and not in their own
// files. It has no lock; see partfile.
//
// Only a piece that lies in several files can be wanted for one of them and not
// for another. Each such piece has a slot of a piece's length in the partfile. Slots
// are numbered in the order of pieces, so that the place of a byte depends on the
// torrent alone and not on what was wanted when it came. A file shares at most its first
// and its last piece with others.
type partTable struct {
	layout *metainfo.Layout
	slots  []int32 // the pieces that lie in several files, in order
	// head are the files whose part in their first piece is in the partfile, tail
	// those whose part in their last piece is, if that is another one.
	head, tail *bits.Set
}

func newPartTable(layout *metainfo.Layout) *partTable {
	t := &partTable{layout: layout, head: bits.New(len(layout.Files)),
		tail: bits.New(len(layout.Files))}
	last, shared := -1, -1 // the last piece of the file before, and of slots
	for i := range layout.Files {
		if layout.Files[i].Pad || layout.Files[i].Length == 0 {
			continue
		}
		first, end := layout.FilePieces(i)
		if first == last && first != shared {
			t.slots = append(t.slots, int32(first))
			shared = first
		}
		last = end - 1
	}
	return t
}

// A part is the bytes of one file in one piece that has a slot.
type part struct {
	file, piece int
	at          int64 // in the file
	slotAt      int64 // in the partfile
	n           int   // bytes
}

// empty reports whether nothing is in the partfile.
func (t *partTable) empty() bool { return t.head.None() && t.tail.None() }

// slot returns the number of the slot of piece p; ok is false if it has none.
func (t *partTable) slot(p int) (n int, ok bool) { return slices.BinarySearch(t.slots, int32(p)) }

// end returns the set that says whether the part of a file in piece p is in the
// partfile; nil if that part is neither the first of the file nor its last.
func (t *partTable) end(file, p int) *bits.Set {
	first, end := t.layout.FilePieces(file)
	switch {
	case first == end: // it is empty
		return nil
	case p == first:
		return t.head
	case p == end-1:
		return t.tail
	}
	return nil
}

// holds reports whether the part of a file in piece p is in the partfile.
func (t *partTable) holds(file, p int) bool {
	end := t.end(file, p)
	return end != nil && end.Has(file)
}

// add records that x is in the partfile, and remove that it is not.
func (t *partTable) add(x part)    { t.end(x.file, x.piece).Add(x.file) }
func (t *partTable) remove(x part) { t.end(x.file, x.piece).Remove(x.file) }

// part returns the part of a file in piece p, which has a slot.
func (t *partTable) part(file, p int) part {
	f := &t.layout.Files[file]
	start := t.layout.PieceOffset(p)
	from, to := max(f.Offset, start), min(f.Offset+f.Length, start+int64(t.layout.PieceLength))
	slot, _ := t.slot(p)
	return part{file, p, from - f.Offset, t.layout.PieceOffset(slot) + from - start, int(to - from)}
}

// parts returns the parts of files in piece p, which has a slot.
func (t *partTable) parts(p int) []part {
	var parts []part
	for x := range t.layout.Spans(t.layout.PieceOffset(p), t.layout.PieceLength) {
		if !t.layout.Files[x.File].Pad {
			parts = append(parts, t.part(x.File, p))
		}
	}
	return parts
}

// held yields the parts that are in the partfile. A nil table holds none.
func (t *partTable) held() iter.Seq[part] {
	return func(yield func(part) bool) {
		if t == nil {
			return
		}
		for i := range t.head.Members() {
			first, _ := t.layout.FilePieces(i)
			if !yield(t.part(i, first)) {
				return
			}
		}
		for i := range t.tail.Members() {
			_, end := t.layout.FilePieces(i)
			if !yield(t.part(i, end-1)) {
				return
			}
		}
	}
}

// length returns how long a partfile has to be that can hold the parts of all pieces
// that are wanted.
func (t *partTable) length(wanted *selection) int64 {
	for slot := len(t.slots) - 1; slot >= 0; slot-- {
		if wanted.piece(int(t.slots[slot])) {
			return t.layout.PieceOffset(slot + 1)
		}
	}
	return 0
}

// restore makes t what a record says. Parts that cannot be in a partfile are passed
// over.
func (t *partTable) restore(r *PartfileState) {
	add := func(file, p int) {
		f := &t.layout.Files[file]
		if _, shared := t.slot(p); shared && !f.Pad && f.Length > 0 {
			t.end(file, p).Add(file)
		}
	}
	for i := range r.Head.Members() {
		first, _ := t.layout.FilePieces(i)
		add(i, first)
	}
	for i := range r.Tail.Members() {
		_, end := t.layout.FilePieces(i)
		add(i, end-1)
	}
}
