package storage

import (
	"errors"
	"io/fs"
	"slices"
	"sync/atomic"

	"swarmnode/swarm/bits"
)

// A partfile keeps the bytes that belong to wanted pieces and not to wanted files. They
// are neither written to files that are not wanted, nor lost. It is safe for
// concurrent use.
//
// The partfile is one sparse file beside the record. To contentFiles it is the file with
// the index after the last: so its handle, its stamp and its syncing are those of
// any file.
type partfile struct {
	cfg    *Config
	wanted *selection
	files  *contentFiles
	known  *ledger
	place  *place
	at     partfilePlace

	// table is nil as long as nothing is in the partfile or can come there. What it
	// says is guarded by known.mu, since it is recorded together with the pieces.
	table    atomic.Pointer[partTable]
	diverted *bits.Set // pieces whose unwanted parts are all here; guarded by known.mu
	recorded bool      // there is a record, so leaving counts
	leaving  []part    // see moveOut; guarded by known.mu
}

// init makes x the partfile of a torrent, with a name that begins with stem.
func (x *partfile) init(stem string) {
	x.at.init(x.cfg, stem)
	x.open(x.wanted.files())
}

func (x *partfile) index() int { return partfileIndex(x.files.layout) }

// path returns the path of the partfile, for messages.
func (x *partfile) path() string { return x.at.path() }

// useStem gives the partfile the name that begins with stem.
func (x *partfile) useStem(stem string) { x.at.stem.Store(&stem) }

// moveTo gives the partfile the name that begins with stem.
func (x *partfile) moveTo(stem string) {
	if st, there := x.at.moveTo(stem); there {
		x.known.renamed(x.index(), st)
	}
}

// takeEarlier takes over the partfile of an earlier version, at path, if there is none
// yet. r is what the record says, or nil.
func (x *partfile) takeEarlier(path string, r *Resume) {
	was, is, ok := x.at.takeEarlier(path)
	if ok && r != nil && r.Partfile != nil && r.Partfile.Ctime == was.ctime {
		r.Partfile.Ctime = is.ctime // a new name is a change, but not of the content
	}
}

// openFile opens the partfile. To write, it is made first, with room for every part that
// this selection can put into it.
func (x *partfile) openFile(how access) (file, error) {
	if how == toRead {
		return x.at.open()
	}
	if err := x.place.writable(); err != nil {
		return nil, err
	}
	return x.at.make(x.table.Load().length(x.wanted))
}

// syncFolder puts the name of the partfile on stable storage.
func (x *partfile) syncFolder() error { return x.at.syncFolder() }

// close gives up the lock. A partfile without a folder for state is removed.
func (x *partfile) close() error { return x.at.close() }

// holds reports whether the bytes of a file in piece p are in the partfile.
func (x *partfile) holds(file, p int) bool {
	t := x.table.Load()
	if t == nil {
		return false
	}
	end := t.end(file, p)
	if end == nil {
		return false
	}
	x.known.mu.Lock()
	defer x.known.mu.Unlock()
	return end.Has(file)
}

// divert cuts y, which begins at offset of the content, at the end of its piece, and
// leads it to the partfile if its bytes are there.
func (x *partfile) divert(t *partTable, y *stretch, offset int64) {
	length := int64(x.files.layout.PieceLength)
	p := int(offset / length)
	y.n = int(min(int64(y.n), x.files.layout.PieceOffset(p)+length-offset))
	if slot, ok := t.slot(p); ok && x.holds(y.file, p) {
		y.file, y.at = x.index(), x.files.layout.PieceOffset(slot)+offset%length
	}
}

// pieces yields the pieces with bytes in the partfile. known.mu is held.
func (x *partfile) pieces(yield func(int) bool) {
	for part := range x.table.Load().held() {
		if !yield(part.piece) {
			return
		}
	}
}

// state returns what is recorded of the partfile; nil if it holds nothing. known.mu is
// held.
func (x *partfile) state() *PartfileState {
	t := x.table.Load()
	if t == nil || t.empty() && len(x.leaving) == 0 {
		return nil
	}
	all := partTable{layout: t.layout, slots: t.slots, head: t.head.Clone(), tail: t.tail.Clone()}
	for _, y := range x.leaving {
		all.add(y)
	}
	return &PartfileState{x.known.stamps[x.index()].state(), all.head, all.tail}
}

// restore takes over what a record says of the partfile. known.mu is held.
func (x *partfile) restore(r *PartfileState) {
	if r == nil {
		return
	}
	t := x.table.Load()
	if t == nil {
		t = newPartTable(x.files.layout)
	}
	t.restore(r)
	if r.Size >= 0 {
		x.known.stamps[x.index()] = stamp{mtime: r.Mtime, ctime: r.Ctime, size: r.Size}
	}
	x.table.Store(t)
}

// A partfileFinding is how Check found the partfile.
type partfileFinding struct {
	exists bool
	same   bool // it is as it was left, or there is none and none is needed
}

// look finds out what is useful in the partfile, before Check looks at the files. unsure
// says that no record knows exactly what is there.
func (x *partfile) look(unsure bool) (found partfileFinding, err error) {
	if x.diverted != nil {
		x.known.mu.Lock()
		x.diverted.Clear()
		x.known.mu.Unlock()
	}
	st, exists, err := x.at.stat()
	if err == nil && exists && !x.place.isReadOnly() {
		err = x.at.hold()
	}
	t := x.table.Load()
	if t == nil && (!exists || err != nil) { // nor is any needed
		return partfileFinding{same: true}, nil
	}
	if err != nil {
		return found, wrap("open", x.path(), err)
	}
	if t == nil {
		t = newPartTable(x.files.layout)
		x.table.Store(t)
	}
	found = partfileFinding{exists, x.known.found(x.index(), st)}
	x.known.mu.Lock()
	for _, part := range slices.Collect(t.held()) {
		if part.slotAt+int64(part.n) > st.size {
			x.lose(t, part)
		}
	}
	x.known.mu.Unlock()
	if exists && unsure {
		x.guess(t, st)
	}
	return found, nil
}

// lose makes nothing known of a part that was in the partfile and is lost. known.mu is
// held.
func (x *partfile) lose(t *partTable, y part) {
	t.remove(y)
	x.known.lose(y.piece)
}

// tidy removes the partfile if nothing in it is useful. found is how it was found.
func (x *partfile) tidy(found partfileFinding) error {
	t := x.table.Load()
	if t == nil {
		return nil
	}
	x.known.mu.Lock()
	empty := t.empty()
	x.known.mu.Unlock()
	if !empty {
		return nil
	}
	if found.exists {
		x.files.closeAll()
		if err := x.at.remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		x.known.forgetPartfile()
	}
	if !x.wanted.partial() {
		x.table.Store(nil)
	}
	return nil
}

// finish is the part of Finish about the partfile: if that has changed, its pieces are
// no longer in Have, and the error is an *Error with ErrChanged.
func (x *partfile) finish() error {
	x.known.mu.Lock()
	parts := slices.Collect(x.table.Load().held())
	left := x.known.stamps[x.index()]
	needed, missing := false, false
	for _, y := range parts {
		if x.wanted.piece(y.piece) {
			needed = true
			missing = missing || !x.known.have.Has(y.piece)
		}
	}
	x.known.mu.Unlock()
	if !needed {
		return nil
	}
	st, exists, err := x.at.stat()
	if err != nil {
		return err
	}
	same := exists && !(left.again && missing) && (left.mtime == 0 ||
		st.mtime == left.mtime && st.size == left.size)
	if same {
		return nil
	}
	x.known.mu.Lock()
	x.known.stamps[x.index()] = stamp{again: true}
	for _, y := range parts {
		x.known.lose(y.piece)
	}
	x.known.mu.Unlock()
	if !x.place.isReadOnly() {
		x.files.closeAll()            // it may be another file by now
		f, err := x.openFile(toWrite) // with its length, so that hashing shows what is missing
		if err != nil {
			return err
		}
		f.close()
	}
	return &Error{"open", x.path(), ErrChanged}
}
