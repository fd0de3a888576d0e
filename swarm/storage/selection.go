package storage

import (
	"slices"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// WantedPieces returns the pieces that hold a byte of a wanted file; the caller
// owns the set. wanted says for each of layout.Files whether it is wanted; nil
// means all of them. Files beyond its end are not wanted, and its entries for padding
// do not matter.
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

// A selection says which files of a torrent are wanted. It never changes.
type selection struct {
	files  []bool    // nil: all
	pieces *bits.Set // with a byte of a wanted file; nil: all
	none   bool      // no file is wanted
}

// partial reports whether some file is not wanted.
func (x *selection) partial() bool { return x.files != nil }

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
