package storage

import (
	"iter"
	"sync"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// A ledger is what a Store knows of its pieces, and how it left its files. It does
// not touch the disk. It is safe for concurrent use.
//
//	durable ⊆ pieces that were in have, or trusted, when their data was synced
//	suspect ∩ durable = ∅
type ledger struct {
	layout *metainfo.Layout
	// partPieces yields the pieces with bytes in the partfile. mu is held.
	partPieces iter.Seq[int]

	mu   sync.Mutex
	have *bits.Set // verified and on disk, as far as Check and Verify have seen
	late lateSets  // see Late
	// stamps say how files were left: by index, and at partfileIndex the partfile.
	stamps []stamp
	// unproven are pieces that were taken from a record, or came into doubt, and that
	// this process has not hashed since; nil if there are none.
	unproven *bits.Set
	doubts   int // how often a complete file was found changed

	dirty   map[int]struct{} // files written to since they were synced; nil if none
	durable *bits.Set        // pieces verified and synced
	// suspect are pieces in files of which a sync failed. The kernel may have
	// dropped their data, and a later sync would not tell; so they never become
	// durable. nil if no sync failed; fault is the first failure.
	suspect *bits.Set
	fault   error

	// writtenUntil is the time until which the Store of an earlier run may have
	// written to files, if it was not closed: see recordWindow.
	writtenUntil int64
}

// A stamp is how the Store left a file, or found it.
type stamp struct {
	mtime int64 // nanoseconds since 1970; 0 if the file is not known to exist
	size  int64 // bytes
	ctime int64 // time of the last change of anything; 0 if unknown
	ours  bool  // the Store has written to it
	open  bool  // the Store has written to it since it last looked
	wrong bool  // after a write it did not have its length: another program changed it
	again bool  // Finish found it changed: its pieces must be verified again
	// doubted: it was complete when ReadAt found it changed. Its pieces are
	// hashed one by one before they are read from, and all of them by the next
	// Check or after the next Finish.
	doubted bool
}

// state returns x as it is recorded.
func (x *stamp) state() FileState {
	if x.mtime == 0 || x.wrong || x.doubted {
		return FileState{Size: -1}
	}
	return FileState{x.size, x.mtime, x.ctime}
}

// fits reports whether a file whose state is st was not changed since x was made.
func (x *stamp) fits(st fileStat) bool {
	return x.mtime == st.mtime && x.size == st.size && (x.ctime == st.ctime || x.ctime == 0)
}

// init makes l the ledger of a torrent of which nothing is known.
func (l *ledger) init(layout *metainfo.Layout) {
	l.layout = layout
	l.have, l.durable = bits.New(layout.Pieces()), bits.New(layout.Pieces())
	l.stamps = make([]stamp, len(layout.Files)+1)
}

// pieces returns a copy of the set of pieces that are verified and on disk.
func (l *ledger) pieces() *bits.Set {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.have.Clone()
}

// has reports whether piece p is verified and on disk.
func (l *ledger) has(p int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.have.Has(p)
}

// accounted returns the pieces that are verified, and those that the record calls
// sound and nothing speaks against. mu is held.
func (l *ledger) accounted() *bits.Set {
	set := l.have.Clone()
	if !l.late.none() {
		for p := range l.late.trusted.Members() {
			set.Add(p)
		}
	}
	return set
}

// allSound records that every piece is sound, and was before the Store was opened.
func (l *ledger) allSound() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.have, l.durable = bits.Full(l.layout.Pieces()), bits.Full(l.layout.Pieces())
}

// verified records that piece p is right, and on disk.
func (l *ledger) verified(p int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.have.Add(p)
	if l.unproven != nil {
		l.unproven.Remove(p)
	}
}

// unsound records that piece p was found not to be right.
func (l *ledger) unsound(p int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose(p)
}

// lose records that piece p is missing, or not sound. mu is held.
func (l *ledger) lose(p int) {
	l.have.Remove(p)
	l.durable.Remove(p)
	if l.unproven != nil {
		l.unproven.Remove(p)
	}
}

// piecesOf yields the pieces with bytes of file i. mu is held.
func (l *ledger) piecesOf(i int) iter.Seq[int] {
	if i == partfileIndex(l.layout) {
		return l.partPieces
	}
	return func(yield func(int) bool) {
		for p, end := l.layout.FilePieces(i); p < end; p++ {
			if !yield(p) {
				return
			}
		}
	}
}

// lacks reports whether a piece of file i is missing. mu is held.
func (l *ledger) lacks(i int) bool {
	first, end := l.layout.FilePieces(i)
	missing := l.have.NextMissing(first)
	return missing >= 0 && missing < end
}

// found records how file i is before anything is written to it, and reports whether
// that is how it was left. After a crash a file that is not complete may have been
// written to until shortly after the record was made.
func (l *ledger) found(i int, st fileStat) (same bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.stamps[i]
	l.stamps[i] = stamp{mtime: st.mtime, ctime: st.ctime, size: st.size}
	if x.wrong || x.open {
		return false
	}
	if x.mtime == 0 {
		return st.mtime == 0
	}
	if x.fits(st) {
		return true
	}
	if i == partfileIndex(l.layout) { // it grows, and is never complete
		return st.size >= x.size && l.writtenSince(x, st)
	}
	return l.lacks(i) && (st.size == x.size || st.size == l.layout.Files[i].Length) &&
		l.writtenSince(x, st)
}

// writtenSince reports whether the writes of this Store before a crash can have made
// a file that was left as x what it is now.
func (l *ledger) writtenSince(x stamp, st fileStat) bool {
	return x.mtime <= st.mtime && max(st.mtime, st.ctime) <= l.writtenUntil
}

// left records how file i is after a write. Workers may come here in another order
// than they wrote in, so the latest time counts.
func (l *ledger) left(i int, st fileStat) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := &l.stamps[i]
	if !x.ours {
		x.mtime, x.ctime = 0, 0
	}
	x.mtime = max(x.mtime, st.mtime)
	x.ours, x.open, x.size, x.ctime = true, false, st.size, max(x.ctime, st.ctime)
	if i != partfileIndex(l.layout) && st.size != l.layout.Files[i].Length {
		x.wrong = true
	}
}

// renamed records the state of file i after it was given another name. That changes
// the file, but not its content.
func (l *ledger) renamed(i int, st fileStat) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if st.mtime == l.stamps[i].mtime && st.size == l.stamps[i].size {
		l.stamps[i].ctime = st.ctime
	}
}

// moved records that file i, whose state is is, was made from the one whose state was was.
// If the latter was not as it was left, neither is the former.
func (l *ledger) moved(i int, was, is fileStat) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := &l.stamps[i]
	if x.mtime == was.mtime && x.size == was.size {
		x.mtime, x.size, x.ctime = is.mtime, is.size, is.ctime
	}
}

// asLeft reports whether file i, whose state is st if it exists, is exactly as it was
// left.
func (l *ledger) asLeft(i int, st fileStat, exists bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.stamps[i]
	if x.open || x.wrong {
		return false
	}
	if x.mtime == 0 {
		return !exists
	}
	return exists && x.fits(st)
}

// finished reports whether file i, whose state is st, is complete and as it was left.
func (l *ledger) finished(i int, st fileStat) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.stamps[i]
	if x.wrong || x.doubted || x.again && l.lacks(i) || st.size != l.layout.Files[i].Length {
		return false
	}
	return x.mtime == 0 || st.mtime == x.mtime && st.size == x.size
}

// forgetFile makes nothing known of file i, which another program has changed. Finish
// will not take it for complete before its pieces are verified again.
func (l *ledger) forgetFile(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stamps[i] = stamp{again: true}
	for p := range l.piecesOf(i) {
		l.have.Remove(p)
		l.durable.Remove(p)
	}
}

// forgetStamps makes it unknown how files were left.
func (l *ledger) forgetStamps(files []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range files {
		l.stamps[i] = stamp{}
	}
}

// forgetAllStamps makes it unknown how any file but the partfile was left.
func (l *ledger) forgetAllStamps() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.stamps[:partfileIndex(l.layout)])
}

// forgetPartfile records that the partfile no longer exists.
func (l *ledger) forgetPartfile() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stamps[partfileIndex(l.layout)] = stamp{}
	delete(l.dirty, partfileIndex(l.layout))
}

// wrote records that file i was written to.
func (l *ledger) wrote(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.soil(i)
	l.stamps[i].open = true
}

// soil counts file i as dirty. mu is held.
func (l *ledger) soil(i int) {
	if l.dirty == nil {
		l.dirty = make(map[int]struct{})
	}
	l.dirty[i] = struct{}{}
}

// openFiles returns the files that were written to since they were looked at.
func (l *ledger) openFiles() (open []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.stamps {
		if l.stamps[i].open {
			open = append(open, i)
		}
	}
	return open
}

// doubt records the state of file i. If the file is not as it was left, its pieces
// are hashed before they are next read from.
func (l *ledger) doubt(i int, st fileStat) {
	l.doubtUnless(i, st, func(int) bool { return false })
}

// doubtUnless is doubt, unless the Store has opened file i to write to after st was taken.
func (l *ledger) doubtUnless(i int, st fileStat, isOpened func(i int) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if isOpened(i) {
		return
	}
	x := &l.stamps[i]
	if x.mtime == st.mtime && x.size == st.size {
		return
	}
	changed := x.mtime != 0
	*x = stamp{mtime: st.mtime, ctime: st.ctime, size: st.size, doubted: changed}
	if !changed { // content that is known to be whole, seen for the first time
		return
	}
	l.doubts++
	if l.unproven == nil {
		l.unproven = bits.New(l.layout.Pieces())
	}
	for p := range l.piecesOf(i) {
		l.unproven.Add(p)
	}
}

// doubtsSoFar returns how often a file was found changed.
func (l *ledger) doubtsSoFar() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.doubts
}

// isUnproven reports whether piece p must be hashed before it is read from, and
// returns the number of doubts so far.
func (l *ledger) isUnproven(p int) (unproven bool, doubts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unproven != nil && l.unproven.Has(p), l.doubts
}

// proved records whether piece p is right. doubts is the number of doubts before it was
// hashed; if a file has changed since, a right piece still does not count as proven.
func (l *ledger) proved(p int, ok bool, doubts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !ok:
		l.have.Remove(p) // but not from unproven: more of it may have been asked for
		l.durable.Remove(p)
	case l.doubts == doubts: // and not what was there before another change
		l.unproven.Remove(p)
	}
}

// checked takes over the findings of a check: have are the sound pieces, of which
// trusted were not hashed. preserved says that the content is only read, so that it was
// on stable storage before the Store was opened. recording says that there is a record;
// checked reports whether that now lacks pieces, and counts their files as dirty.
func (l *ledger) checked(c *check, late lateSets, preserved, recording bool) (lacking bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.have, l.late = c.have.Clone(), late
	l.writtenUntil = 0
	keep(l.durable, l.accounted())
	if l.unproven != nil {
		keep(l.unproven, c.trusted)
	}
	if preserved {
		l.durable = c.have.Clone()
	}
	if !recording || equal(l.durable, l.accounted()) {
		return false
	}
	for i := range len(l.layout.Files) + 1 {
		if i != partfileIndex(l.layout) && l.layout.Files[i].Pad {
			continue
		}
		for p := range l.piecesOf(i) {
			if c.have.Has(p) && !l.durable.Has(p) {
				l.soil(i)
				break
			}
		}
	}
	return true
}

// behind reports whether a piece could be durable and is not: it was verified only
// after its data had been synced. mu is held.
func (l *ledger) behind() bool {
	if l.suspect == nil {
		return l.have.AnyNotIn(l.durable)
	}
	for p := range l.have.Members() {
		if !l.durable.Has(p) && !l.suspect.Has(p) {
			return true
		}
	}
	return false
}

// toSync returns the files to sync, which are no longer dirty, and the pieces that are
// durable when that has succeeded.
func (l *ledger) toSync() (have *bits.Set, dirty map[int]struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	have, dirty = l.accounted(), l.dirty
	l.dirty = nil
	return have, dirty
}

// A syncOutcome is what came of syncing files.
type syncOutcome struct {
	failed  map[int]struct{} // files that may not be on stable storage
	err     error            // the first
	givenUp bool             // err is that time was up
}

// synced records which of the pieces of have are durable, after their files were
// synced. It takes have over. It reports whether this is the first sync that failed.
func (l *ledger) synced(have *bits.Set, o syncOutcome) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first = o.err != nil && !o.givenUp && l.fault == nil; first {
		l.fault = o.err
		l.suspect = bits.New(l.layout.Pieces())
	}
	for i := range o.failed {
		l.soil(i)
		for p := range l.piecesOf(i) {
			if !l.durable.Has(p) && have.Remove(p) && !o.givenUp {
				l.suspect.Add(p)
			}
		}
	}
	if l.suspect != nil {
		for p := range l.suspect.Members() {
			have.Remove(p)
		}
	}
	l.durable = have
	return first
}

// syncFault returns the first failure of a sync.
func (l *ledger) syncFault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// restore takes over the pieces and files of the record r of an earlier run. For a
// record that is not clean, writtenUntil is when the Store may last have written.
// mu is held.
func (l *ledger) restore(r *Resume, writtenUntil int64) {
	l.have, l.durable, l.unproven = r.Have.Clone(), r.Have.Clone(), r.Have.Clone()
	if !r.Clean {
		l.writtenUntil = writtenUntil
	}
	for i, f := range r.Files {
		if f.Size >= 0 {
			l.stamps[i] = stamp{mtime: f.Mtime, ctime: f.Ctime, size: f.Size}
		}
	}
}

// fileStates returns how files were left, as it is recorded. mu is held.
func (l *ledger) fileStates() []FileState {
	states := make([]FileState, len(l.layout.Files))
	for i := range states {
		states[i] = l.stamps[i].state()
	}
	return states
}
