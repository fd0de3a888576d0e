package storage

import (
	"slices"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// WantedPieces returns the pieces that hold a byte of a wanted file; the caller
// owns the set. wanted tells for each of layout.Files whether it is wanted; nil
// means all, and a file that it is too short for is not. What it says of
// padding does not matter.
func WantedPieces(layout *metainfo.Layout, wanted []bool) *bits.Set {
	if allWanted(layout, wanted) {
		return bits.Full(layout.Pieces())
	}
	pieces := bits.New(layout.Pieces())
	for i := range layout.Files {
		if i >= len(wanted) || !wanted[i] || layout.Files[i].Pad {
			continue
		}
		for p, end := layout.FilePieces(i); p < end; p++ {
			pieces.Add(p)
		}
	}
	return pieces
}

// allWanted reports whether no file but padding is left out.
func allWanted(layout *metainfo.Layout, wanted []bool) bool {
	if wanted == nil {
		return true
	}
	for i := range layout.Files {
		if !layout.Files[i].Pad && (i >= len(wanted) || !wanted[i]) {
			return false
		}
	}
	return true
}

// A selection is which files of a torrent are wanted. It never changes.
type selection struct {
	files  []bool    // nil: all
	pieces *bits.Set // with a byte of a wanted file; nil: all
	none   bool      // no file is wanted
}

func newSelection(layout *metainfo.Layout, wanted []bool) selection {
	if allWanted(layout, wanted) {
		return selection{}
	}
	x := selection{slices.Clone(wanted), WantedPieces(layout, wanted), true}
	for i := range layout.Files {
		if !layout.Files[i].Pad && wanted[i] {
			x.none = false
		}
	}
	return x
}

// file reports whether file i is wanted.
func (x *selection) file(i int) bool { return x.files == nil || x.files[i] }

// piece reports whether piece p holds a byte of a wanted file.
func (x *selection) piece(p int) bool { return x.pieces == nil || x.pieces.Has(p) }

// aside tells which parts of files lie in the side file and not in their own.
//
// Only a piece that lies in several files can be wanted for one of them and not
// for another. Each such piece has a slot of a piece's length in the side file,
// numbered in order, so that the place of a byte depends on the torrent alone
// and not on what was wanted when it came. A file shares at most its first and
// its last piece with others; head and tail say of which files that part lies
// aside.
type aside struct {
	slots      []int32   // the pieces that lie in several files, in order
	head, tail *bits.Set // by file; guarded by Store.mu
}

func newAside(layout *metainfo.Layout) *aside {
	a := &aside{head: bits.New(len(layout.Files)), tail: bits.New(len(layout.Files))}
	last, shared := -1, -1 // the last piece of the file before, and of slots
	for i := range layout.Files {
		if layout.Files[i].Pad || layout.Files[i].Length == 0 {
			continue
		}
		first, end := layout.FilePieces(i)
		if first == last && first != shared {
			a.slots = append(a.slots, int32(first))
			shared = first
		}
		last = end - 1
	}
	return a
}

// none reports whether nothing lies aside. Store.mu is held.
func (a *aside) none() bool { return a.head.None() && a.tail.None() }

// slot returns the number of the slot of piece p; ok is false if it has none.
func (a *aside) slot(p int) (n int, ok bool) { return slices.BinarySearch(a.slots, int32(p)) }

// end returns the set that tells of the part of a file in piece p, nil if that
// part is neither its first nor its last.
func (a *aside) end(layout *metainfo.Layout, file, p int) *bits.Set {
	first, end := layout.FilePieces(file)
	switch {
	case first == end: // it is empty
		return nil
	case p == first:
		return a.head
	case p == end-1:
		return a.tail
	}
	return nil
}

// A part is the bytes of one file in one piece that has a slot.
type part struct {
	file, piece int
	at          int64 // in the file
	side        int64 // in the side file
	n           int   // bytes
}

// part returns the part of a file in piece p, which has a slot.
func (s *Store) part(a *aside, file, p int) part {
	f := &s.layout.Files[file]
	start := s.layout.PieceOffset(p)
	from, to := max(f.Offset, start), min(f.Offset+f.Length, start+int64(s.layout.PieceLength))
	slot, _ := a.slot(p)
	return part{file, p, from - f.Offset, s.layout.PieceOffset(slot) + from - start, int(to - from)}
}

// parts returns the parts of files in piece p, which has a slot.
func (s *Store) parts(a *aside, p int) []part {
	var parts []part
	for x := range s.layout.Spans(s.layout.PieceOffset(p), s.layout.PieceLength) {
		if !s.layout.Files[x.File].Pad {
			parts = append(parts, s.part(a, x.File, p))
		}
	}
	return parts
}

// asideParts returns the parts that lie in the side file. Store.mu is held.
func (s *Store) asideParts() []part {
	a := s.aside.Load()
	if a == nil {
		return nil
	}
	var parts []part
	for i := range a.head.Members() {
		first, _ := s.layout.FilePieces(i)
		parts = append(parts, s.part(a, i, first))
	}
	for i := range a.tail.Members() {
		_, end := s.layout.FilePieces(i)
		parts = append(parts, s.part(a, i, end-1))
	}
	return parts
}

// isAside reports whether the bytes of a file in piece p lie in the side file.
func (s *Store) isAside(a *aside, file, p int) bool {
	if a == nil {
		return false
	}
	end := a.end(s.layout, file, p)
	if end == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return end.Has(file)
}

// sideIndex stands for the side file where files have their index.
func (s *Store) sideIndex() int { return len(s.layout.Files) }
