package storage

import (
	"errors"
	"io/fs"
	"slices"

	"swarmnode/swarm/bits"
)

// prepare makes piece p ready to be written to: from now on its bytes in files that are
// not wanted are in the partfile. Those that are on disk already are copied there,
// since only a part of the piece may be written again.
func (x *partfile) prepare(p int) error {
	t := x.table.Load()
	if !x.wanted.partial() || t == nil {
		return nil
	}
	if _, shared := t.slot(p); !shared {
		return nil
	}
	x.known.mu.Lock()
	done := x.diverted.Has(p)
	x.known.mu.Unlock()
	if done {
		return nil
	}
	var parts, onDisk []part
	all := t.parts(p)
	x.known.mu.Lock()
	for _, y := range all {
		if !x.wanted.file(y.file) && !t.holds(y.file, p) {
			parts = append(parts, y)
			if x.known.stamps[y.file].size > y.at {
				onDisk = append(onDisk, y)
			}
		}
	}
	x.known.mu.Unlock()
	for _, y := range onDisk {
		err := x.files.copyRange(y.file, y.at, x.index(), y.slotAt, y.n)
		if failed := (*writeError)(nil); errors.As(err, &failed) {
			return failed.error // bytes that cannot be read, on the other hand, are missing
		}
	}
	x.known.mu.Lock()
	defer x.known.mu.Unlock()
	for _, y := range parts {
		t.add(y)
	}
	x.diverted.Add(p)
	return nil
}

// adopt copies parts of files that are wanted by now into those files, as far as the
// parts belong to sound pieces; so nothing is overwritten by wrong data. It returns the
// parts, which are still in the partfile too. Only when they are on stable storage, and
// removeParts was called, they no longer count as lying there; so a crash leads to no
// more than copying them again. hash reports whether a piece is right. An error is one of
// writing, and nothing is lost by it.
func (x *partfile) adopt(found partfileFinding,
	hash func(piece int) (bool, error)) (moved []part, err error) {
	t := x.table.Load()
	if t == nil {
		return nil, nil
	}
	moved = x.soundParts(t, hash)
	same := make(map[int]bool) // by file
	for _, y := range moved {
		if _, seen := same[y.file]; !seen {
			st, err := x.files.stat(y.file)
			same[y.file] = found.same && x.known.asLeft(y.file, st, err == nil)
		}
		if err := x.files.copyRange(x.index(), y.slotAt, y.file, y.at, y.n); err != nil {
			return nil, err
		}
	}
	for i, same := range same {
		if !same {
			continue
		}
		// Nobody else has changed the file, so its pieces need no hashing. Without a
		// stamp they would get it.
		if st, err := x.files.statOpen(i); err == nil {
			x.known.left(i, st)
		}
	}
	return moved, nil
}

// removeParts records that parts are no longer in the partfile.
func (x *partfile) removeParts(parts []part) {
	t := x.table.Load()
	x.known.mu.Lock()
	defer x.known.mu.Unlock()
	for _, y := range parts {
		t.remove(y)
	}
}

// soundParts returns the parts of wanted files that are in the partfile and belong to a
// sound piece. The other parts of wanted files count as lost.
func (x *partfile) soundParts(t *partTable, hash func(piece int) (bool, error)) (sound []part) {
	x.known.mu.Lock()
	parts := slices.Collect(t.held())
	x.known.mu.Unlock()
	hashed := make(map[int]bool)
	for _, y := range parts {
		if !x.wanted.file(y.file) {
			continue
		}
		ok, known := hashed[y.piece]
		if !known {
			var err error
			ok, err = hash(y.piece)
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrShort) {
				x.cfg.warn(err)
			}
			hashed[y.piece] = ok
		}
		x.known.mu.Lock()
		if ok {
			sound = append(sound, y)
			x.known.have.Add(y.piece)
			x.known.soilPiece(y.piece) // a checkpoint may come before the end of Check
			x.known.soil(x.index())
		} else {
			x.lose(t, y)
		}
		x.known.mu.Unlock()
	}
	return sound
}

// open prepares the partfile for a selection of the wanted files; nil means all.
func (x *partfile) open(wanted []bool) {
	if allWanted(x.files.layout, wanted) {
		return
	}
	x.known.mu.Lock()
	defer x.known.mu.Unlock()
	if x.diverted == nil {
		x.diverted = bits.New(x.files.layout.Pieces())
	}
	if x.table.Load() == nil {
		x.table.Store(newPartTable(x.files.layout))
	}
}

// reselected records that other files are wanted now, after open: other parts of pieces
// belong here.
func (x *partfile) reselected() {
	x.known.mu.Lock()
	defer x.known.mu.Unlock()
	if x.diverted != nil {
		x.diverted.Clear()
	}
}

// misplaced returns the pieces, in order, with parts in the partfile that belong to files
// which are written to by now.
func (x *partfile) misplaced() (pieces []int) {
	x.known.mu.Lock()
	defer x.known.mu.Unlock()
	for y := range x.table.Load().held() {
		if x.wanted.file(y.file) {
			pieces = append(pieces, y.piece)
		}
	}
	slices.Sort(pieces)
	return slices.Compact(pieces)
}

// moveOut moves the parts of piece p that are misplaced into their files, sound or not,
// since blocks of the piece may still be on their way. Nobody writes to the piece
// meanwhile. The parts are recorded as lying in the partfile until the files have been
// synced, so a crash leads to no more than copying them again. whole is false if a part
// could not be read and is lost with its piece; an error is one of writing.
func (x *partfile) moveOut(p int) (whole bool, err error) {
	t := x.table.Load()
	var parts []part
	x.known.mu.Lock()
	for _, y := range t.parts(p) {
		if t.holds(y.file, p) && x.wanted.file(y.file) {
			parts = append(parts, y)
		}
	}
	x.known.mu.Unlock()
	whole = true
	for _, y := range parts {
		read, err := x.moveOutPart(t, y)
		if err != nil {
			return whole, err
		}
		whole = whole && read
	}
	return whole, nil
}

// moveOutPart moves one part into its file, and reports whether it could be read. An error
// is one of writing.
func (x *partfile) moveOutPart(t *partTable, y part) (read bool, err error) {
	st, err := x.files.stat(y.file)
	same := x.known.asLeft(y.file, st, err == nil)
	n := y.n
	if !x.known.has(y.piece) { // blocks may be missing at its end, or all of them
		end, err := x.files.statOpen(x.index())
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			n = int(max(0, min(int64(n), end.size-y.slotAt)))
		}
	}
	err = x.files.copyRange(x.index(), y.slotAt, y.file, y.at, n)
	if failed := (*writeError)(nil); errors.As(err, &failed) {
		return false, failed.error
	}
	if err != nil {
		x.cfg.warn(err)
		x.known.mu.Lock()
		defer x.known.mu.Unlock()
		x.lose(t, y)
		return false, nil
	}
	if same { // nobody else has changed the file, so its pieces need no hashing
		if st, err := x.files.statOpen(y.file); err == nil {
			x.known.left(y.file, st)
		}
	}
	x.known.mu.Lock()
	defer x.known.mu.Unlock()
	t.remove(y)
	if x.recorded {
		x.leaving = append(x.leaving, y)
	}
	return true, nil
}

// leavingNow returns how many parts are recorded as lying in the partfile although they
// were moved out.
func (x *partfile) leavingNow() int {
	x.known.mu.Lock()
	defer x.known.mu.Unlock()
	return len(x.leaving)
}

// left records that the first n parts that are leaving have left: their files were synced
// since, except for those in failed.
func (x *partfile) left(n int, failed map[int]struct{}) {
	x.known.mu.Lock()
	defer x.known.mu.Unlock()
	still := slices.DeleteFunc(slices.Clone(x.leaving[:n]), func(y part) bool {
		_, bad := failed[y.file]
		return !bad
	})
	x.leaving = append(still, x.leaving[n:]...)
}

// guess finds out what may be useful in the partfile, whose state is st, when no record
// knows exactly: parts that have data there, and none in their own file. They are hashed
// before they count.
func (x *partfile) guess(t *partTable, st fileStat) {
	h, err := x.files.pin(x.index(), toRead)
	if err != nil {
		x.cfg.warn(wrap("open", x.path(), err))
		return
	}
	defer x.files.unpin(h)
	for slot, piece := range t.slots {
		p := int(piece)
		start := x.files.layout.PieceOffset(slot)
		if start >= st.size {
			return
		}
		end := min(start+int64(x.files.layout.PieceLength), st.size)
		if x.known.has(p) || h.file.nextData(start, st.size) >= end {
			continue
		}
		for _, y := range t.parts(p) {
			partEnd := y.slotAt + int64(y.n)
			if partEnd <= st.size && h.file.nextData(y.slotAt, partEnd) < partEnd && !x.inPlace(y) {
				x.known.mu.Lock()
				t.add(y)
				x.known.mu.Unlock()
			}
		}
	}
}

// inPlace reports whether the file that y belongs to has data of it.
func (x *partfile) inPlace(y part) bool {
	st, err := x.files.stat(y.file)
	end := y.at + int64(y.n)
	if err != nil || st.size < end || kindError(st.mode, false) != nil {
		return false
	}
	if !st.sparse {
		return true
	}
	h, err := x.files.pin(y.file, toRead)
	if err != nil {
		return false
	}
	defer x.files.unpin(h)
	return h.file.nextData(y.at, end) < end
}
