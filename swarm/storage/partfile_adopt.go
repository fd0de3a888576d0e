package storage

import (
	"errors"
	"io/fs"
	"slices"
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
		} else {
			x.lose(t, y)
		}
		x.known.mu.Unlock()
	}
	return sound
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
