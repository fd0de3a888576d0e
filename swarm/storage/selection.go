package storage

import (
	"slices"
	"sync"
	"sync/atomic"

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

// A selection says which files of a torrent are wanted, and in which places the Store
// writes. It is safe for concurrent use.
//
// A file that is not wanted is neither made nor changed, as long as nothing but shared
// pieces asks for it: the partfile takes their bytes. But once the Store has opened a file
// to write to, the file is kept: its bytes go to its own place until the end of the run,
// even if the user no longer wants the file.
type selection struct {
	layout *metainfo.Layout
	now    atomic.Pointer[chosen] // nil: all files are wanted

	mu     sync.Mutex // serialises changes of now
	opened *bits.Set  // files that were opened to write to; nil if none; guarded by mu
}

// A chosen is what a selection says at one moment. It never changes.
type chosen struct {
	wanted []bool
	pieces *bits.Set // with a byte of a wanted file
	none   bool      // no file is wanted
	kept   *bits.Set // files that are not wanted and are written to all the same; may be nil
}

// init makes x the selection of the wanted files; nil means all of them.
func (x *selection) init(layout *metainfo.Layout, wanted []bool) {
	x.layout = layout
	x.now.Store(newChosen(layout, wanted))
}

// newChosen returns what a selection of the wanted files says without kept ones, nil if
// all are wanted.
func newChosen(layout *metainfo.Layout, wanted []bool) *chosen {
	if allWanted(layout, wanted) {
		return nil
	}
	c := &chosen{wanted: slices.Clone(wanted), pieces: WantedPieces(layout, wanted), none: true}
	for i := range layout.Files {
		if !layout.Files[i].Pad && wanted[i] {
			c.none = false
		}
	}
	return c
}

// change makes wanted the wanted files, nil for all of them. Files that were opened to
// write to are kept. It returns the wanted files before.
func (x *selection) change(wanted []bool) (before []bool) {
	c := newChosen(x.layout, wanted)
	x.mu.Lock()
	defer x.mu.Unlock()
	before = x.now.Load().files()
	if c != nil && x.opened != nil {
		for i := range x.opened.Members() {
			c.keep(i)
		}
	}
	x.now.Store(c)
	return before
}

// files returns the wanted files, nil if all are wanted.
func (x *selection) files() []bool { return x.now.Load().files() }

// files returns the wanted files of c, nil if all are wanted.
func (c *chosen) files() []bool {
	if c == nil {
		return nil
	}
	return c.wanted
}

// keep adds file i to the kept files, unless it is wanted. It is called before c is used.
func (c *chosen) keep(i int) {
	if c.wanted[i] {
		return
	}
	if c.kept == nil {
		c.kept = bits.New(len(c.wanted))
	}
	c.kept.Add(i)
}

// open records that file i is opened to write to. From now on the file is kept.
func (x *selection) open(i int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.opened == nil {
		x.opened = bits.New(len(x.layout.Files))
	}
	if !x.opened.Add(i) {
		return
	}
	if was := x.now.Load(); was != nil && !was.wanted[i] {
		c := *was
		if c.kept != nil {
			c.kept = c.kept.Clone()
		}
		c.keep(i)
		x.now.Store(&c)
	}
}

// isOpened reports whether file i was opened to write to.
func (x *selection) isOpened(i int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.opened != nil && x.opened.Has(i)
}

// partial reports whether some file is not wanted.
func (x *selection) partial() bool { return x.now.Load() != nil }

// none reports whether no file is wanted.
func (x *selection) none() bool {
	c := x.now.Load()
	return c != nil && c.none
}

// wants reports whether the user wants file i.
func (x *selection) wants(i int) bool {
	c := x.now.Load()
	return c == nil || c.wanted[i]
}

// file reports whether the bytes of file i go to its own place: it is wanted or kept.
func (x *selection) file(i int) bool {
	c := x.now.Load()
	return c == nil || c.wanted[i] || c.kept != nil && c.kept.Has(i)
}

// piece reports whether piece p holds a byte of a wanted file.
func (x *selection) piece(p int) bool {
	c := x.now.Load()
	return c == nil || c.pieces.Has(p)
}

// within reports whether have has all pieces that hold a byte of a wanted file.
func (x *selection) within(have *bits.Set) bool {
	c := x.now.Load()
	if c == nil {
		return have.All()
	}
	return !c.pieces.AnyNotIn(have)
}
