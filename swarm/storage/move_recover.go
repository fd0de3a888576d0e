package storage

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"swarmnode/metainfo"
)

const (
	// stagingSuffix ends the name of content while it is copied, after the info-hash.
	stagingSuffix = ".copying"
	// placeHopsMax bounds the moves from folder to folder that Open follows.
	placeHopsMax = 16
	// mtimeGrain is how coarse the times of some file systems are.
	mtimeGrain = 2 * time.Second
)

// stagingName returns the name that content gets while it is copied.
func stagingName(final string, hash metainfo.Hash) string {
	name := "." + hash.Short() + stagingSuffix
	if base := path.Base(final); len(base)+len(name) <= nameMax {
		name = base + name
	}
	return path.Join(path.Dir(final), name)
}

// findPlace returns cfg for the place where the content lies by now. It ends a move that
// a crash has left unfinished: the content then lies at one of the two places, whole, and
// nothing of the move at the other. A note that cannot be used is passed over with a
// warning. The error is an *Error.
func findPlace(cfg Config) (Config, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return cfg, wrap("open", cfg.Dir, err)
	}
	notes := cfg.notes()
	var note *placeNote
	for range placeHopsMax {
		note, err = notes.read(dir)
		if err != nil {
			cfg.warn(err)
		}
		next, err := notes.follow(dir, note)
		if err != nil {
			return cfg, err
		}
		if next == "" {
			break
		}
		dir = next
	}
	if note.old != "" {
		if note, err = notes.endRename(dir, note); err != nil {
			return cfg, err
		}
	}
	cfg.Dir = dir
	cfg.takeNames(note)
	return cfg, nil
}

// takeNames takes over the names that the user gave, as a note says them.
func (c *Config) takeNames(note *placeNote) {
	if note.name == "" && len(note.files) == 0 {
		return
	}
	c.given = &givenNames{asked: c.Name, files: note.files}
	if note.name != "" && (c.Name == note.asked || c.Name == note.name) {
		c.given.top = note.name
	}
}

// follow ends the move that the note about dir tells of. It returns the folder whose note
// is read next, or "" if the content is that of dir.
func (n *placeNotes) follow(dir string, note *placeNote) (next string, err error) {
	switch {
	case note.back != "":
		from, err := n.read(note.back)
		if err == nil && from.moves() && from.to == dir {
			return n.recover(note.back, from)
		}
		if n.isBack(dir, note) {
			return note.back, n.write(dir, note.undone())
		}
		return dir, n.write(dir, note.withoutMove())
	case note.moves():
		return n.recover(dir, note)
	case note.phase != moveDone:
		return "", nil
	}
	if end := n.leadsTo(dir, note); end != "" {
		return end, nil
	}
	return dir, n.write(dir, note.withoutMove())
}

// isBack reports whether a move to dir that has ended, or had hardly begun, has left the content
// at the old place.
func (n *placeNotes) isBack(dir string, note *placeNote) bool {
	return !existsAt(dir, note.newTop) && !existsAt(dir, note.newFinal) &&
		(existsAt(note.back, note.top) || existsAt(note.back, note.final))
}

// leadsTo returns the folder where the content lies that the note about dir leads to, maybe
// by way of others; "" if there is none, or if more of the content lies in dir than there: then
// somebody has put it there.
func (n *placeNotes) leadsTo(dir string, note *placeNote) string {
	here := n.filesAt(dir, note.top, note.final, note)
	for range placeHopsMax {
		if n.liesAt(note.to, note.newTop, note.newFinal) {
			if here > n.filesAt(note.to, note.newTop, note.newFinal, note) {
				return ""
			}
			return note.to
		}
		next, err := n.read(note.to)
		if err != nil || next.isEmpty() {
			return ""
		}
		if next.phase != moveDone || next.back != "" {
			return note.to // a move from or to there was not ended
		}
		note = next
	}
	return ""
}

// liesAt reports whether content lies in dir under the name top, or under one of those that
// go with the final name: content that was moved before anything of it existed gets the name
// of the unfinished afterwards.
func (n *placeNotes) liesAt(dir, top, final string) bool {
	return existsAt(dir, top) || slices.ContainsFunc(n.namesWith(final), func(name string) bool {
		return existsAt(dir, name)
	})
}

// namesWith returns the names of content with that final name.
func (n *placeNotes) namesWith(final string) []string {
	names := contentNames(final, n.hash)
	return names[:]
}

// existsAt reports whether anything has this name in a folder.
func existsAt(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name)))
	return err == nil
}

// A leftover is what a move that was cut short has left at its two places.
type leftover struct {
	note *placeNote
	// a and b are the folders from and note.to; nil if they cannot be opened, which errB
	// explains of the latter.
	a, b         disk
	errB         error
	atFrom, atTo bool
	was          *original // nil if a or b is
}

// leftoverOf looks at the two places of the move that the note about the folder from tells of.
func (n *placeNotes) leftoverOf(from string, note *placeNote) *leftover {
	l := &leftover{note: note}
	if a, err := openDisk(from, useOwn); err == nil {
		l.a = a
	}
	if b, err := openDisk(note.to, useOwn); err == nil {
		l.b = b
	} else {
		l.errB = err
	}
	l.atFrom = l.a != nil && existsAt(from, note.top)
	l.atTo = l.b != nil && existsAt(note.to, note.newTop)
	if l.a != nil && l.b != nil {
		l.was = newOriginal(l.a, note.top, l.b, note.newTop)
		l.was.kept, l.was.inUse = note.kept, n.usedBy(l.a.path(note.top))
	}
	return l
}

// close closes the two folders.
func (l *leftover) close() {
	if l.a != nil {
		l.a.close()
	}
	if l.b != nil {
		l.b.close()
	}
}

// seeCopy corrects atTo: what has the name of the content may be something else.
func (l *leftover) seeCopy(n *placeNotes) {
	if l.note.phase == moveCopy && l.atFrom && l.atTo {
		l.atTo = !existsAt(l.note.to, stagingName(l.note.newFinal, n.hash)) &&
			l.was.isCopied(n.layout, n.namesOf(l.note))
	}
}

// isMoved reports whether the content has got to the new place.
func (l *leftover) isMoved() bool {
	switch l.note.phase {
	case moveSwitched:
		return l.atTo || !l.atFrom
	case moveRename:
		return l.atTo && !l.atFrom
	}
	return l.atTo
}

// recover finishes or undoes the move that the note about the folder from tells of, and
// returns the folder where the content lies then. The error is an *Error: with ErrInUse
// if the move is still under way, or another one if the content lies where it cannot be
// reached.
func (n *placeNotes) recover(from string, note *placeNote) (dir string, err error) {
	l := n.leftoverOf(from, note)
	defer l.close()
	if l.atFrom {
		lock, err := l.a.lock(note.top, lockWrite)
		if errors.Is(err, ErrInUse) {
			return "", err
		}
		defer closeLock(lock)
	}
	l.seeCopy(n)
	same := l.atFrom && l.atTo && sameFile(l.a.path(note.top), l.b.path(note.newTop))
	if l.atTo && note.phase != moveRename && !same { // which would be a second name
		lock, err := l.b.lock(note.newTop, lockWrite)
		if errors.Is(err, ErrInUse) {
			return "", err
		}
		defer closeLock(lock)
	}
	switch {
	case l.errB != nil && (note.phase == moveSwitched || !l.atFrom):
		return "", l.errB
	case l.errB == nil && l.isMoved():
		return n.complete(from, note, l.b, l.was)
	}
	return from, n.undoMove(from, l.b, note)
}

// complete ends the move that the note about the folder from tells of, after the content has
// got to the disk to. was is what may be left of the original, or nil.
func (n *placeNotes) complete(from string, note *placeNote, to disk,
	was *original) (dir string, err error) {
	if err := n.switched(from, to, note); err != nil {
		return "", err
	}
	n.moveRecord(filepath.Join(from, filepath.FromSlash(note.final)),
		filepath.Join(note.to, filepath.FromSlash(note.newFinal)))
	if was != nil {
		err = was.remove(n.namesOf(note))
	}
	return note.to, errors.Join(err, n.endMove(from, note))
}

// usedBy returns a function that reports whether another torrent uses a file of content
// that lies at path; nil if none is known.
func (n *placeNotes) usedBy(path string) func(path string) bool {
	if n.beside == nil {
		return nil
	}
	return n.beside(path)
}

func closeLock(lock io.Closer) {
	if lock != nil {
		lock.Close()
	}
}

// undoMove removes what a move has left on the disk to, which is nil if it cannot be
// reached or if nothing was left, and the notes about it.
func (n *placeNotes) undoMove(from string, to disk, note *placeNote) error {
	var err error
	if staging := stagingName(note.newFinal, n.hash); to != nil {
		var lock io.Closer
		lock, err = to.lock(staging, lockWrite)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = nil
		case err == nil, sameFile(filepath.Join(from, filepath.FromSlash(note.top)),
			to.path(staging)):
			err = removeTree(to, staging)
		case errors.Is(err, ErrInUse):
			err = nil // it is that of another node, which copies the same torrent
		}
		closeLock(lock)
	}
	if note.to != from {
		// Unless the move had not begun: then the note is that of before.
		if back, bad := n.read(note.to); bad != nil || back.back == from {
			err = errors.Join(err, n.write(note.to, back.undone()))
		}
	}
	return errors.Join(err, n.write(from, note.withoutMove()))
}

// switched records that the content lies on the disk to, once that is on stable storage.
// Only then the original is touched.
func (n *placeNotes) switched(from string, to disk, note *placeNote) error {
	if err := to.syncFolder(path.Dir(note.newTop)); err != nil {
		return err
	}
	note.phase = moveSwitched
	return n.write(from, note)
}

// begin records that a move from the folder from is under way. In a folder for state the
// first note is the one by which the old folder is found from the new one. Of two links, the
// first is the one that removes both.
func (n *placeNotes) begin(from string, note *placeNote) error {
	back := *note
	back.phase, back.back = notMoving, from
	if was, err := n.read(note.to); err == nil && was.phase == moveDone && n.keeps() {
		back.phase = moveDone // it led to the content, and does so again if this is undone
	}
	switch {
	case note.to == from:
		return n.write(from, note)
	case n.keeps():
		return errors.Join(n.write(note.to, &back), n.write(from, note))
	}
	return errors.Join(n.write(from, note), n.write(note.to, &back))
}

// endMove records that nothing is left to do of a move. The names that the user gave go
// with the content.
func (n *placeNotes) endMove(from string, note *placeNote) error {
	names := note.afterMove()
	if note.to == from {
		return n.write(from, names)
	}
	done := &placeNote{phase: moveDone, to: note.to, top: note.top,
		newTop: note.newTop, final: note.final, newFinal: note.newFinal}
	if now, err := n.read(note.to); err == nil && !now.isEmpty() && now.back != from {
		return n.write(from, done) // the content was moved on from there
	}
	if n.keeps() {
		return errors.Join(n.write(note.to, names), n.write(from, done))
	}
	return errors.Join(n.write(from, done), n.write(note.to, names)) // the content is found there
}

// endRename ends the renaming of a file, which either was done or was not, or of a folder.
func (n *placeNotes) endRename(dir string, note *placeNote) (*placeNote, error) {
	p := note.withoutMove()
	if note.file == inFolder {
		if err := n.endRenameFolder(dir, note, p); err != nil {
			return p, err
		}
		return p, n.write(dir, p)
	}
	if existsAt(dir, path.Join(note.top, note.old)) &&
		!existsAt(dir, path.Join(note.top, note.files[note.file])) {
		p.files = maps.Clone(note.files)
		p.files[note.file] = note.old
	}
	return p, n.write(dir, p)
}

// moveRecord makes the record and the partfile of content that lay at the path from those
// of the path to. Without them, pieces are hashed and fetched again; so no error matters.
func (n *placeNotes) moveRecord(from, to string) {
	if !n.keeps() || from == to {
		return
	}
	old, now := stateStem(n.hash, from), stateStem(n.hash, to)
	was, is := newRecord(n.stateDir, old), newRecord(n.stateDir, now)
	parts := filepath.Join(n.stateDir, now+partfileSuffix)
	if _, err := os.Lstat(parts); errors.Is(err, fs.ErrNotExist) {
		_ = os.Rename(filepath.Join(n.stateDir, old+partfileSuffix), parts)
	}
	doc, _, err := was.read()
	if err != nil {
		return
	}
	_, _, err = is.read()
	if r, parsed := ParseResume(doc); parsed == nil && r.Path == from &&
		errors.Is(err, fs.ErrNotExist) {
		r.Path = to
		for i := range r.Files {
			r.Files[i].Ctime = 0 // a copy and a new name change it
		}
		if r.Partfile != nil {
			r.Partfile.Ctime = 0
		}
		if is.replace(r.Append(nil)) != nil {
			return
		}
	}
	_ = os.Remove(was.path())
}
