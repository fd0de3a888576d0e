package storage

import (
	"cmp"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/swarm/bits"
)

const (
	// checkpointInterval is how often, while blocks are written, data is synced
	// and the record renewed: what a crash makes to be hashed again.
	checkpointInterval = 5 * time.Second
	// checkpointBytes is how many bytes are written before a checkpoint comes
	// without waiting for its time, so that a fast network does not make a
	// crash cost more than hashing these.
	checkpointBytes = 256 << 20
	// recordWindow is how many intervals after the last record a file may have
	// been written to by the Store, when it was not closed: one, and the time
	// that writing the next record may take on a disk busy with syncing. A
	// later change was made by somebody else.
	recordWindow = 6
	// closeSyncMax bounds the time that Close waits for data to be on stable
	// storage, so that a stop by signal takes less than two seconds. What is
	// left out is hashed at the next start.
	closeSyncMax = 1200 * time.Millisecond
	// closeSyncFinishedMax is the same for complete content: it is more often
	// used by other programs than opened again, and the user waits.
	closeSyncFinishedMax = 300 * time.Millisecond
)

// A journal is the part of a Store that makes what it knows outlast the
// process. Bits are recorded only after the data is on stable storage.
//
// While blocks are written, a beat comes every interval, and sooner when many
// bytes were written: it syncs the files written to and then records the
// pieces that were verified before. When a
// sync takes longer than that, the beats in between renew the record as it
// is, so that its time tells, after a crash, until when the Store was alive.
type journal struct {
	record *record // nil: nothing is recorded

	// beating is set from before the first write until a beat finds nothing to
	// do.
	beating atomic.Bool
	wait    sync.WaitGroup // a beat that is to come or at work

	// unsynced counts the bytes written since the last checkpoint began.
	unsynced atomic.Int64

	// writing serialises replacing the record; it is taken before Store.mu.
	writing sync.Mutex

	// Guarded by Store.mu.
	timer    *time.Timer
	stopped  bool      // no further beat is wanted
	deadline time.Time // of syncing, once stopped
	syncing  bool
	dirty    map[int]struct{} // files written to since they were synced
	durable  *bits.Set        // pieces verified and synced
	recorded *bits.Set        // pieces in the record as it is on disk; nil if there is none
	clean    bool             // the record on disk says so
	// suspect are pieces in files of which a sync failed. The kernel may have
	// dropped their data, and a later sync would not tell; so they are never
	// durable. fault is the first such failure.
	suspect *bits.Set
	fault   error

	failing bool // the record could not be written, and that was told

	// What load found, for the first Check.
	loaded       bool // for the caller of Check alone
	resumed      bool
	writtenUntil int64     // for a record that is not clean: see recordWindow
	unproven     *bits.Set // pieces taken from the record, not hashed by this process yet
}

func (s *Store) interval() time.Duration {
	if s.cfg.interval > 0 {
		return s.cfg.interval
	}
	return checkpointInterval
}

func (s *Store) checkpointBytes() int64 {
	if s.cfg.bytesMax > 0 {
		return s.cfg.bytesMax
	}
	return checkpointBytes
}

// beginWriting is called before every write. The first one after a pause makes
// the record say that the files are being written to, before they are.
func (s *Store) beginWriting() {
	if s.record == nil || s.beating.Load() {
		return
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.beating.Load() {
		return
	}
	s.mu.Lock()
	stopped := s.stopped
	s.mu.Unlock()
	if stopped {
		return
	}
	// It is durable even if there is no record to lose: by the record the next start
	// knows that the data is not somebody else's.
	s.replaceRecord(false, true)
	s.beating.Store(true)
	s.armBeat()
}

// wrote notes that n bytes of file i were written. It comes after the write, so
// that a sync in between does not count for it.
func (s *Store) wrote(i, n int) {
	if s.record == nil {
		return
	}
	s.mu.Lock()
	s.dirty[i] = struct{}{}
	s.stamps[i].open = true
	s.mu.Unlock()
	s.beginWriting() // a beat may have found nothing to do just before
	if limit := s.checkpointBytes(); s.unsynced.Add(int64(n)) >= limit {
		s.hurry()
	}
}

// hurry has the next beat come at once, unless data is being synced already.
func (s *Store) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.syncing && !s.stopped && s.timer != nil && s.timer.Stop() {
		s.timer.Reset(0)
	}
}

// armBeat starts the timer of the next beat.
func (s *Store) armBeat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	s.wait.Add(1)
	s.timer = time.AfterFunc(s.interval(), s.beat)
}

// beat does what is due, in a goroutine that Close waits for.
func (s *Store) beat() {
	defer s.wait.Done()
	s.mu.Lock()
	syncing, idle := s.syncing, len(s.dirty) == 0 && !s.behind()
	if !syncing && !idle {
		s.syncing = true
	}
	s.mu.Unlock()
	switch {
	case syncing:
		s.armBeat()
		s.renew()
	case idle:
		s.beating.Store(false)
	default:
		s.armBeat()
		s.checkpoint(false)
		s.mu.Lock()
		s.syncing = false
		s.mu.Unlock()
	}
}

// behind reports whether a piece is not recorded that could be: it was verified
// only after its data had been synced. Store.mu is held.
func (s *Store) behind() bool {
	if s.suspect == nil {
		return s.have.AnyNotIn(s.durable)
	}
	for p := range s.have.Members() {
		if !s.durable.Has(p) && !s.suspect.Has(p) {
			return true
		}
	}
	return false
}

// stopBeats returns when no beat is at work or to come. It sets the time when
// syncing is given up.
func (s *Store) stopBeats() {
	s.mu.Lock()
	limit := closeSyncMax
	if s.readOnly {
		limit = closeSyncFinishedMax
	}
	limit = max(limit, s.cfg.closeMax)
	s.stopped, s.deadline = true, time.Now().Add(limit)
	if s.timer != nil && s.timer.Stop() {
		s.wait.Done()
	}
	s.mu.Unlock()
	s.wait.Wait()
}

// renew writes the record as it is, with a new time.
func (s *Store) renew() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.replaceRecord(false, true)
}

// late reports whether it is time to give up syncing.
func (s *Store) late() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped && time.Now().After(s.deadline)
}

// checkpoint syncs what was written, and records what was verified before
// that. When the syncing is given up, what was recorded before stays recorded.
// closing says that nothing is written any more.
func (s *Store) checkpoint(closing bool) error {
	s.mu.Lock()
	have, dirty := s.accounted(), s.dirty
	s.dirty = make(map[int]struct{})
	s.mu.Unlock()
	s.unsynced.Store(0)
	failed, err := s.syncFiles(dirty)
	late := errors.Is(err, os.ErrDeadlineExceeded)
	if first := s.settleDurable(have, failed, err, late); first {
		s.warn(err)
	}
	if closing {
		s.stampOpen()
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return cmp.Or(err, s.replaceRecord(closing, true))
}

// settleDurable notes which of the pieces of have are durable now, given the
// files whose sync failed or, if late, was given up. It reports whether this sync was
// the first that failed.
func (s *Store) settleDurable(have *bits.Set, failed map[int]struct {
}, err error, late bool) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first = err != nil && !late && s.fault == nil; first {
		s.fault = err
		s.suspect = bits.New(s.layout.Pieces())
	}
	for i := range failed {
		s.dirty[i] = struct{}{}
		for p := range s.piecesOf(i) {
			if !s.durable.Has(p) && have.Remove(p) && !late {
				s.suspect.Add(p)
			}
		}
	}
	if s.suspect != nil {
		for p := range s.suspect.Members() {
			have.Remove(p)
		}
	}
	s.durable = have
	return first
}

// syncFiles puts the data of files, and the names of new ones, on stable
// storage. It returns the files of which that is not known, and the first
// error.
func (s *Store) syncFiles(files map[int]struct{}) (failed map[int]struct{}, err error) {
	failed = make(map[int]struct{})
	folders := make(map[string]bool)
	for i := range files {
		err1 := s.syncFile(i)
		switch {
		case (i == s.sideIndex() || !s.wanted.file(i)) && errors.Is(err1, fs.ErrNotExist):
			continue // others may remove the one, and Check the other when nothing in it is of use
		case err1 == nil && i == s.sideIndex():
			err1 = s.side.syncFolder()
		case err1 == nil:
			err1 = s.syncFolders(path.Dir(s.fileName(i)), folders)
		}
		if err1 != nil {
			failed[i] = struct{}{}
			err = cmp.Or(err, err1)
		}
	}
	return failed, err
}

// syncFolders puts the names in a folder and those above it on stable storage,
// but for those in done.
func (s *Store) syncFolders(folder string, done map[string]bool) error {
	for ; !done[folder]; folder = path.Dir(folder) {
		done[folder] = true
		if err := s.disk.syncFolder(folder); err != nil {
			return err
		}
	}
	return nil
}

// piecesOf yields the pieces with bytes of file i, which may be sideIndex.
// Store.mu is held.
func (s *Store) piecesOf(i int) iter.Seq[int] {
	return func(yield func(int) bool) {
		if i == s.sideIndex() {
			for _, x := range s.asideParts() {
				if !yield(x.piece) {
					return
				}
			}
			return
		}
		for p, end := s.layout.FilePieces(i); p < end; p++ {
			if !yield(p) {
				return
			}
		}
	}
}

func (s *Store) syncFile(i int) error {
	if s.late() { // before a file is opened for it
		return os.ErrDeadlineExceeded
	}

	h, err := s.workers.files.pin(s, i, false)
	if err == nil {
		err = h.file.sync(s.late)
		s.workers.files.unpin(h)
	}
	return wrap("sync", s.filePath(i), err)
}

// stampOpen looks at the files that were written to since they were looked at:
// those with pieces that were not completed.
func (s *Store) stampOpen() {
	var open []int
	s.mu.Lock()
	for i := range s.stamps {
		if s.stamps[i].open {
			open = append(open, i)
		}
	}
	s.mu.Unlock()
	for _, i := range open {
		h, err := s.workers.files.pin(s, i, false)
		if err != nil {
			continue // the stamp does not fit, so the file will be checked
		}
		if st, err := h.file.stat(); err == nil {
			s.left(i, st)
		}
		s.workers.files.unpin(h)
	}
}

// replaceRecord writes the record of what is durable; closed says that nothing
// will be written any more. A failure is told once, until it works again.
// s.writing is held.
func (s *Store) replaceRecord(closed, durable bool) error {
	s.mu.Lock()
	r := Resume{Hash: s.cfg.Hash, Path: s.disk.path(s.cfg.Name), Have: s.durable.Clone(),
		Clean: (closed || s.readOnly) && s.putOff.unknown() == 0 && equal(s.durable, s.accounted()),
		Files: make([]FileState, s.sideIndex())}
	for i := range r.Files {
		r.Files[i] = s.stamps[i].state()
	}
	if a := s.aside.Load(); a != nil && !a.none() {
		r.Side = &SideState{s.stamps[s.sideIndex()].state(), a.head.Clone(), a.tail.Clone()}
	}
	s.mu.Unlock()
	err := wrap("write", s.record.path(), s.record.replace(r.Append(nil), durable))
	s.mu.Lock()
	told := s.failing
	if s.failing = err != nil; !s.failing {
		s.recorded, s.clean = r.Have, r.Clean
	}
	s.mu.Unlock()
	if err != nil && !told {
		s.warn(err)
	}
	return err
}

// closeJournal records, if it can be done soon, that the Store was closed in
// good order. Nothing is written any more.
func (s *Store) closeJournal() error {
	s.stopBeats()
	if s.record == nil {
		return nil
	}
	s.mu.Lock()
	upToDate := s.clean && len(s.dirty) == 0 && s.recorded != nil &&
		equal(s.recorded, s.accounted())
	nothing := s.recorded == nil && s.have.None() && len(s.dirty) == 0
	s.mu.Unlock()
	if upToDate || nothing {
		return nil
	}
	err := s.checkpoint(true)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// equal reports whether two sets of the same length have the same members.
func equal(a, b *bits.Set) bool { return a.Count() == b.Count() && !a.AnyNotIn(b) }
