package storage

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"
)

// Move moves the content to the folder dir, which is made if need be, and returns when
// nothing of it is left at the old place. Only files of the torrent are moved: others stay
// where they are. A file that another torrent has as well is copied and stays: see
// Config.Beside. Pieces can be read and written all the while; writes wait while the last
// of them are moved.
//
// On one device the content gets another name in one step. From device to device it is
// copied, put on stable storage, read back and compared; then the copy takes the place of
// the original, which is removed. A crash at any moment leaves the content whole at one of
// the two places; Open finds it, whichever of the two folders Config names, and removes what
// is left at the other. For that, notes are kept in Config.StateDir, and without one as
// symbolic links in both folders until the move has ended. With a StateDir, the content is
// found from the old folder even afterwards, until more of it lies there.
//
// Content that a symbolic link leads to stays where it is: the link is moved.
//
// progress, unless it is nil, gets the bytes copied and to be copied; it is not called for
// content on one device. Move does nothing if dir is the folder that the content lies in.
// If there is an error, or ctx ends, everything is as before. The error is an *Error: with
// ErrExists if one of the names of the content is taken at dir, ErrInside if dir lies in the
// content, ErrName if dir is "", ErrInUse, ErrClosed, ErrBadCopy, or that of the system; or a
// *RoomError, or that of ctx.
func (s *Store) Move(ctx context.Context, dir string, progress func(done, total int64)) error {
	if dir == "" { // would be the working folder of the process
		return &Error{"move to", dir, ErrName}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return wrap("move to", dir, err)
	}
	ctx, end, err := s.arrange(ctx)
	if err != nil {
		return err
	}
	defer end()
	if sameFile(s.Dir(), abs) {
		return nil
	}
	if linked := s.names.link(); linked != "" {
		return s.moveLink(linked, filepath.Join(abs, filepath.Base(linked)))
	}
	m := s.newMover(abs)
	m.progress = progress
	if liesIn(abs, m.from.path(m.note.top)) {
		return &Error{"move to", abs, ErrInside}
	}
	made := missingFolders(abs)
	m.to, err = s.workers.disks.open(abs, useMade)
	if err == nil {
		if err = m.run(ctx); err != nil {
			m.to.close()
		} else {
			m.from.close()
			s.claimRoomAgain()
		}
	}
	if err != nil {
		for _, folder := range made {
			_ = os.Remove(folder) // unless something was put there
		}
	}
	return err
}

// missingFolders returns the folders that have to be made for dir to exist, the innermost
// first.
func missingFolders(dir string) (missing []string) {
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir {
			return missing
		}
		missing = append(missing, dir)
		dir = filepath.Dir(dir)
	}
}

// A mover gives the content of a Store another place: a folder, or a final name, or both.
// It is for one goroutine, which has begun an arrangement.
type mover struct {
	s        *Store
	notes    placeNotes
	from, to disk
	dir      string // of from
	note     placeNote
	all      [4]string // the names at the new place: see contentNames
	is       int       // index in all of the name that the content has
	progress func(done, total int64)

	linked bool // files got a second name and were not copied

	lock  io.Closer // of the original, once nobody needs it any more
	taken io.Closer // of the copy

	inUse  func(path string) bool // by other torrents; nil if none is known
	staged bool                   // the unfinished copy, or what has its name, is ours
	noted  bool                   // the notes say that the content lies at the new place
}

// newMover returns a mover to the folder dir, whose disk is still to be opened. The names
// stay.
func (s *Store) newMover(dir string) *mover {
	m := &mover{s: s, notes: s.cfg.notes(), from: s.disk.current(), dir: s.Dir()}
	if s.cfg.record != nil { // in a test
		m.notes.stateDir = ""
	}
	top, names := s.names.topName(), s.names.all
	m.rename(names)
	m.note.top, m.note.final, m.note.to = top, names[finalName], dir
	return m
}

// rename makes names those at the new place.
func (m *mover) rename(names [4]string) {
	top := m.s.names.topName()
	m.all = names
	for i, name := range m.s.names.all {
		if name == top {
			m.is = i
			break
		}
	}
	m.note.newTop, m.note.newFinal = names[m.is], names[finalName]
}

// run moves the content. After an error everything is as before.
func (m *mover) run(ctx context.Context) error {
	if err := m.check(); err != nil {
		return err
	}
	there, err := m.s.names.exists(m.note.top)
	if err != nil {
		return err
	}
	old, err := m.notes.read(m.dir)
	if err != nil {
		return err
	}
	move := m.note
	m.note = *old.withoutMove()
	m.note.top, m.note.newTop, m.note.final, m.note.newFinal, m.note.to = move.top, move.newTop,
		move.final, move.newFinal, move.to
	m.note.newAsked = m.s.cfg.askedName()
	if !there {
		if there, err = m.takeNames(); err != nil || !there {
			return err
		}
	}
	if err := m.hold(); err != nil {
		return err
	}
	defer m.release()
	m.findShared()
	err = syscall.EXDEV
	if m.isAlone() {
		err = m.renameTop()
	}
	if errors.Is(err, syscall.EXDEV) {
		err = m.copy(ctx)
	}
	if err != nil {
		m.undo()
		return err
	}
	return m.finish()
}

// undo removes what the move has left at the new place, and its notes.
func (m *mover) undo() {
	if m.staged {
		_ = removeTree(m.to, stagingName(m.note.newFinal, m.notes.hash))
	}
	_ = m.notes.undoMove(m.dir, nil, &m.note)
}

// takeNames moves content of which nothing exists yet. It reports true, and does nothing, if
// something has been written meanwhile.
func (m *mover) takeNames() (there bool, err error) {
	m.s.holdWrites()
	defer m.s.releaseWrites()
	m.s.files.moving.Lock()
	defer m.s.files.moving.Unlock()
	if there, err := m.s.names.exists(m.note.top); err != nil || there {
		return there, err
	}
	if m.note.to != m.dir || m.note.newFinal != m.note.final || m.note.name != "" ||
		len(m.note.files) > 0 {
		if err := m.notes.endMove(m.dir, &m.note); err != nil {
			return false, err
		}
	}
	m.switchTo()
	return false, nil
}

// check reports by its error whether the new place is free, and whether both places can be
// written to.
func (m *mover) check() error {
	staging := stagingName(m.note.newFinal, m.notes.hash)
	for _, name := range append(m.all[:], staging) {
		_, err := m.to.stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil && !IsInTheWay(err):
			return err
		case name == staging:
			if err := m.removeStale(name); err != nil {
				return err
			}
			continue
		}
		return &Error{"move to", m.to.path(name), ErrExists}
	}
	if err := m.to.tryFolder("."); err != nil {
		return err
	}
	return m.from.tryFolder(path.Dir(m.note.top))
}

// removeStale removes the unfinished copy that an earlier move has left without a note. The
// error is ErrInUse if another node is at it.
func (m *mover) removeStale(staging string) error {
	lock, err := m.to.lock(staging, lockWrite)
	if err != nil {
		return err
	}
	defer lock.Close()
	return removeTree(m.to, staging)
}

// findShared finds the files that other torrents use.
func (m *mover) findShared() {
	if m.inUse = m.notes.usedBy(m.from.path(m.note.top)); m.inUse == nil {
		return
	}
	for i := range m.s.ourNames {
		if m.inUse(m.s.files.path(i)) {
			m.note.kept = append(m.note.kept, i)
		}
	}
}

// hold locks the content, so that no other Store writes to it or moves it.
func (m *mover) hold() error {
	if m.s.place.isLocked() {
		return nil
	}
	for try := 0; ; try++ {
		lock, err := m.from.lock(m.note.top, lockWrite)
		if err == nil {
			m.s.place.lend(lock)
			return nil
		}
		if !errors.Is(err, ErrInUse) || try == lockTries {
			return err
		}
		time.Sleep(lockPause)
	}
}

// release gives up the locks that only the move needed.
func (m *mover) release() {
	closeLock(m.s.place.takeLent())
	closeLock(m.lock)
	closeLock(m.taken)
}

// isAlone reports whether everything at the top belongs to the torrent and lies there, so
// that it can be renamed as a whole.
func (m *mover) isAlone() bool {
	if m.note.top == m.note.newTop && path.Dir(m.note.top) != "." {
		return false // in a folder that may hold other things
	}
	if m.s.layout.Multi && m.s.place.holdsOthers() {
		return false
	}
	if len(m.note.kept) > 0 {
		return false
	}
	for i := range m.s.layout.Files {
		if !hasPlace(m.s.layout, i) {
			continue
		}
		if st, err := m.s.files.stat(i); err == nil && st.link {
			return false // it may lead to elsewhere from the new place
		}
	}
	return true
}

// begin makes the notes say that a move of this kind is under way.
func (m *mover) begin(phase movePhase) error {
	m.note.phase = phase
	if err := m.notes.begin(m.dir, &m.note); err != nil && m.notes.keeps() {
		return err
	}
	return m.s.cfg.reach("begun")
}

// renameTop moves the content in one step. The error is syscall.EXDEV if it lies on another
// device.
func (m *mover) renameTop() error {
	if err := m.begin(moveRename); err != nil {
		return err
	}
	m.s.holdWrites()
	defer m.s.releaseWrites()
	m.s.files.moving.Lock()
	defer m.s.files.moving.Unlock()
	err := m.s.cfg.reach("rename")
	if err == nil {
		err = renameAcross(m.from, m.note.top, m.to, m.note.newTop)
	}
	if err != nil {
		if errors.Is(err, syscall.EXDEV) {
			return err
		}
		return wrap("move to", m.to.path(m.note.newTop), err)
	}
	_ = m.s.cfg.reach("renamed")
	m.commit()
	return nil
}

// copy moves the content by copying it.
func (m *mover) copy(ctx context.Context) error {
	c := &copier{m: m, s: m.s, from: m.from, to: m.to, top: m.note.top, progress: m.progress,
		staging: stagingName(m.note.newFinal, m.notes.hash), seed: maphash.MakeSeed(),
		files: make(map[int]*copied), chunk: make([]byte, copyChunk)}
	room, err := c.survey(ctx)
	if err == nil {
		err = m.checkRoom(room)
	}
	if err == nil {
		err = m.begin(moveCopy)
	}
	if err != nil {
		return err
	}
	m.s.files.soiled.Store(&c.soiled)
	defer m.s.files.soiled.Store(nil)
	if m.s.layout.Multi {
		if err := m.to.makeDir(c.staging); err != nil {
			return err
		}
		if err := m.take(c.staging); err != nil {
			return err
		}
	}
	if err := c.run(ctx); err != nil {
		return err
	}
	if err := m.s.cfg.reach("copied"); err != nil {
		return err
	}
	m.s.holdWrites()
	defer m.s.releaseWrites()
	if err := m.s.cfg.reach("held"); err != nil {
		return err
	}
	if err := c.finish(ctx); err != nil {
		return err
	}
	if err := m.s.cfg.reach("synced"); err != nil {
		return err
	}
	m.s.files.moving.Lock()
	defer m.s.files.moving.Unlock()
	m.linked = c.hasLinked()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := isAtItsPath(m.to); err != nil {
		return err
	}
	if err := m.to.rename(c.staging, m.note.newTop); err != nil {
		return err
	}
	_ = m.s.cfg.reach("renamed")
	m.commit()
	return nil
}

// take locks the unfinished copy, which has just been made, so that no other node removes or
// changes it.
func (m *mover) take(staging string) (err error) {
	if m.taken == nil {
		m.taken, err = m.to.lock(staging, lockWrite)
		m.staged = err == nil
	}
	return err
}

// checkRoom reports by a *RoomError whether the disk has room for a copy. A file that gets a
// second name needs none, and neither does one that shares its data.
func (m *mover) checkRoom(need int64) error {
	dir := m.to.path(".")
	system, free, ok := m.s.cfg.freeSpace(dir)
	if same, _, both := m.s.cfg.freeSpace(m.dir); !ok || both && same == system || need <= free {
		return nil
	}
	return &RoomError{Path: m.to.path(m.note.newTop), Need: need, Free: free}
}

// commit makes the new place the one that is read from and written to. It cannot be undone,
// so that faults are warnings from here on. Writes wait, and files.moving is held.
func (m *mover) commit() {
	if err := m.notes.switched(m.dir, m.to, &m.note); err != nil {
		m.s.cfg.warn(err)
	} else {
		m.noted = true
	}
	m.switchTo()
	_ = m.s.cfg.reach("switched")
}

// finish removes the original.
func (m *mover) finish() error {
	if !m.noted && m.note.phase == moveCopy {
		return nil // the user was told, and the next Open tries again
	}
	_ = m.s.cfg.reach("removing")
	was := newOriginal(m.from, m.note.top, m.to, m.note.newTop)
	was.kept, was.inUse = m.note.kept, m.inUse
	if err := was.remove(m.s.ourNames); err != nil {
		m.s.cfg.warn(err) // the next Open tries again
		return nil
	}
	_ = m.s.cfg.reach("removed")
	if m.linked { // a second name that is gone is a change of a file
		m.stampAgain()
	}
	if err := m.notes.endMove(m.dir, &m.note); err != nil {
		m.s.cfg.warn(err)
	}
	return nil
}

// moveLink moves the symbolic link that leads to the content.
func (s *Store) moveLink(linked, to string) error {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return &Error{"move to", to, ErrExists}
	}
	made := missingFolders(filepath.Dir(to))
	err := os.MkdirAll(filepath.Dir(to), 0o777)
	if err == nil {
		err = os.Symlink(s.names.path(), to)
	}
	if err != nil {
		for _, folder := range made {
			_ = os.Remove(folder)
		}
		return wrap("move to", to, err)
	}
	if err := os.Remove(linked); err != nil {
		_ = os.Remove(to)
		return wrap("move", linked, err)
	}
	s.names.setLink(to)
	return nil
}
