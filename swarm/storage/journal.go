package storage

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/swarm/bits"
)

const (
	// checkpointInterval is how often data is synced and the record renewed while
	// blocks are written. What was written since must be hashed again after a crash.
	checkpointInterval = 5 * time.Second
	// checkpointBytes is how many bytes are written before a checkpoint comes
	// ahead of its time, so that a fast network does not make a crash cost more than
	// hashing these.
	checkpointBytes = 256 << 20
	// recordWindow is how many intervals after the last record a Store that was not
	// closed may have written to a file: one, and the time that writing the next
	// record may take on a disk busy with syncing. A later change was made by another
	// program.
	recordWindow = 6
	// closeSyncMax bounds the time that Close waits for data to be on stable
	// storage, so that a stop by signal takes less than two seconds. Data that is
	// left out is hashed at the next start.
	closeSyncMax = 1200 * time.Millisecond
	// closeSyncFinishedMax is the same bound for complete content: that is more often
	// used by other programs than opened again, and the user waits.
	closeSyncFinishedMax = 300 * time.Millisecond
)

// A journal makes what the ledger knows outlast the process. A piece is recorded only
// after its data is on stable storage. It is safe for concurrent use.
//
// While blocks are written, a beat comes every interval, and sooner when many
// bytes were written. It syncs the files written to, and then records the
// pieces that were verified before. When a sync takes longer than an interval, the beats
// in between renew the record as it is: after a crash, its time says until when the Store
// was alive.
type journal struct {
	cfg   *Config
	known *ledger
	files *contentFiles
	parts *partfile
	place *place

	record *record // nil: nothing is recorded

	// beating is set from before the first write until a beat finds nothing to
	// do.
	beating atomic.Bool
	wait    sync.WaitGroup // a beat that is to come or at work

	// unsynced counts the bytes written since the last checkpoint began.
	unsynced atomic.Int64

	// writing serialises replacing the record; it is taken before known.mu.
	writing sync.Mutex

	// Guarded by known.mu.
	timer    *time.Timer
	stopped  bool      // no further beat is wanted
	deadline time.Time // of syncing, once stopped
	syncing  bool
	recorded *bits.Set // pieces in the record as it is on disk; nil if there is none
	clean    bool      // the record on disk says so
	resumed  bool      // the next Check is the first since load took a record over

	failing bool // the record could not be written, and the user was told; guarded by writing
	loaded  bool // load was called; for the caller of Check alone
}

func (j *journal) interval() time.Duration {
	if j.cfg.interval > 0 {
		return j.cfg.interval
	}
	return checkpointInterval
}

func (j *journal) checkpointBytes() int64 {
	if j.cfg.bytesMax > 0 {
		return j.cfg.bytesMax
	}
	return checkpointBytes
}

// beginWriting is called before every write. The first one after a pause makes
// the record say that the files are being written to, before they are.
func (j *journal) beginWriting() {
	if j.record == nil || j.beating.Load() {
		return
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.beating.Load() {
		return
	}
	j.known.mu.Lock()
	stopped := j.stopped
	j.known.mu.Unlock()
	if stopped {
		return
	}
	// The record is durable even if there is none to lose: by it the next start knows
	// that the data is this node's.
	j.replaceRecord(recordOpen)
	j.beating.Store(true)
	j.armBeat()
}

// wrote records that n bytes of file i were written. It comes after the write, so
// that a sync in between does not count for it.
func (j *journal) wrote(i, n int) {
	if j.record == nil {
		return
	}
	j.known.wrote(i)
	j.beginWriting() // a beat may have found nothing to do just before
	if limit := j.checkpointBytes(); j.unsynced.Add(int64(n)) >= limit {
		j.hurry()
	}
}

// hurry makes the next beat come at once, unless data is being synced already.
func (j *journal) hurry() {
	j.known.mu.Lock()
	defer j.known.mu.Unlock()
	if !j.syncing && !j.stopped && j.timer != nil && j.timer.Stop() {
		j.timer.Reset(0)
	}
}

// armBeat starts the timer of the next beat.
func (j *journal) armBeat() {
	j.known.mu.Lock()
	defer j.known.mu.Unlock()
	if j.stopped {
		return
	}
	j.wait.Add(1)
	j.timer = time.AfterFunc(j.interval(), j.beat)
}

// beat does what is due, in a goroutine that Close waits for.
func (j *journal) beat() {
	defer j.wait.Done()
	j.known.mu.Lock()
	syncing, idle := j.syncing, len(j.known.dirty) == 0 && !j.known.behind()
	if !syncing && !idle {
		j.syncing = true
	}
	j.known.mu.Unlock()
	switch {
	case syncing:
		j.armBeat()
		j.renew()
	case idle:
		j.beating.Store(false)
	default:
		j.armBeat()
		j.checkpoint(recordOpen)
		j.known.mu.Lock()
		j.syncing = false
		j.known.mu.Unlock()
	}
}

// stopBeats returns when no beat is at work or to come. It sets the time when
// syncing is given up.
func (j *journal) stopBeats() {
	limit := closeSyncMax
	if j.place.isReadOnly() {
		limit = closeSyncFinishedMax
	}
	limit = max(limit, j.cfg.closeMax)
	j.known.mu.Lock()
	j.stopped, j.deadline = true, time.Now().Add(limit)
	if j.timer != nil && j.timer.Stop() {
		j.wait.Done()
	}
	j.known.mu.Unlock()
	j.wait.Wait()
}

// renew writes the record of what is durable, if the Store keeps one.
func (j *journal) renew() error {
	if j.record == nil {
		return nil
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	return j.replaceRecord(recordOpen)
}

// timeUp reports whether it is time to give up syncing.
func (j *journal) timeUp() bool {
	j.known.mu.Lock()
	defer j.known.mu.Unlock()
	return j.stopped && time.Now().After(j.deadline)
}

// checkpoint syncs what was written, and records what was verified before
// that. When the syncing is given up, what was recorded before stays recorded.
func (j *journal) checkpoint(state recordState) error {
	leaving := j.parts.leavingNow() // their files are in dirty
	have, dirty := j.known.toSync()
	j.unsynced.Store(0)
	failed, err := j.syncFiles(dirty)
	givenUp := errors.Is(err, os.ErrDeadlineExceeded)
	if first := j.known.synced(have, syncOutcome{failed, err, givenUp}); first {
		j.cfg.warn(err)
	}
	j.parts.left(leaving, failed)
	if state == recordClosed {
		j.stampOpen()
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	return cmp.Or(err, j.replaceRecord(state))
}

// syncFiles puts the data of files, and the names of new ones, on stable
// storage. It returns the files that may not be there, and the first error.
func (j *journal) syncFiles(files map[int]struct{}) (failed map[int]struct{}, err error) {
	failed = make(map[int]struct{})
	folders := make(map[string]bool)
	for i := range files {
		err1 := j.files.sync(i, j.timeUp)
		partfile := j.files.isPartfile(i)
		switch {
		case (partfile || !j.files.wanted.file(i)) && errors.Is(err1, fs.ErrNotExist):
			continue // other programs may remove the file, and Check an empty partfile
		case err1 == nil && partfile:
			err1 = j.parts.syncFolder()
		case err1 == nil:
			err1 = j.files.syncFolders(i, folders)
		}
		if err1 != nil {
			failed[i] = struct{}{}
			err = cmp.Or(err, err1)
		}
	}
	return failed, err
}

// secure puts files on stable storage, if the Store keeps a record of them.
func (j *journal) secure(files map[int]struct{}) error {
	if j.record == nil {
		return nil
	}
	_, err := j.syncFiles(files)
	return err
}

// stampOpen looks at the files that were written to since they were last looked at:
// files with pieces that were not completed.
func (j *journal) stampOpen() {
	for _, i := range j.known.openFiles() {
		if st, err := j.files.statOpen(i); err == nil {
			j.known.left(i, st)
		} // otherwise the stamp does not fit, so the file will be checked
	}
}

// A recordState says whether more will be written.
type recordState bool

const (
	recordOpen   recordState = false
	recordClosed recordState = true
)

// replaceRecord writes the record of what is durable. Of failures in a row, the user is
// told of the first alone. j.writing is held.
func (j *journal) replaceRecord(state recordState) error {
	final := state == recordClosed || j.place.isReadOnly()
	j.known.mu.Lock()
	r := Resume{Hash: j.cfg.Hash, Path: j.place.names.finalPath(), Have: j.known.durable.Clone(),
		Clean: final && j.known.late.unknown() == 0 &&
			equal(j.known.durable, j.known.accounted()),
		Files: j.known.fileStates(), Partfile: j.parts.state()}
	j.known.mu.Unlock()
	err := wrap("write", j.record.path(), j.record.replace(r.Append(nil)))
	told := j.failing
	j.failing = err != nil
	if err == nil {
		j.known.mu.Lock()
		j.recorded, j.clean = r.Have, r.Clean
		j.known.mu.Unlock()
	} else if !told {
		j.cfg.warn(err)
	}
	return err
}

// hasRecord reports whether there is a record of this content.
func (j *journal) hasRecord() bool {
	j.known.mu.Lock()
	defer j.known.mu.Unlock()
	return j.recorded != nil
}

// isExact reports whether the next Check is the first since a record was taken over that
// says exactly what is there.
func (j *journal) isExact() bool {
	j.known.mu.Lock()
	defer j.known.mu.Unlock()
	return j.resumed && j.clean
}

// checked hands the findings of a check to the ledger, and records them if need be.
func (j *journal) checked(c *check, late lateSets) {
	readOnly := j.place.isReadOnly()
	recording := j.record != nil
	lacking := j.known.checked(c, late, readOnly, recording)
	j.known.mu.Lock()
	j.resumed = false
	outdated := recording && (j.recorded == nil || !j.clean || !equal(j.recorded, c.have))
	j.known.mu.Unlock()
	if lacking {
		j.beginWriting() // so that a beat comes
	}
	if readOnly && outdated {
		j.renew()
	}
}

// close records, if it can be done soon, that the Store was closed in good order.
// Nothing is written any more.
func (j *journal) close() error {
	j.stopBeats()
	if j.record == nil {
		return nil
	}
	j.known.mu.Lock()
	dirty := len(j.known.dirty) > 0
	upToDate := j.clean && !dirty && j.recorded != nil && equal(j.recorded, j.known.accounted())
	nothing := j.recorded == nil && j.known.have.None() && !dirty
	j.known.mu.Unlock()
	if upToDate || nothing {
		return nil
	}
	err := j.checkpoint(recordClosed)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}
