package storage

import (
	"io"
	"os"
)

// switchTo makes the Store one of the content at the new place, in memory and in its
// record. Writes wait, and files.moving is held.
func (m *mover) switchTo() {
	s := m.s
	s.files.closeAll()
	s.journal.writing.Lock()
	defer s.journal.writing.Unlock()
	s.disk.exchange(m.to)
	s.names.setAll(m.all, m.is)
	if old, taken := s.place.movedTo(m.taken); taken {
		m.lock, m.taken = old, nil
	} else if m.taken != nil { // a write after this one locks the new place
		m.lock = s.place.takeLent()
		s.place.lend(m.taken)
		m.taken = nil
	}
	m.stamp()
	s.journal.moveTo(stateStem(s.cfg.Hash, s.names.finalPath()))
}

// stamp records how the files at the new place were left.
func (m *mover) stamp() {
	s := m.s
	if m.note.phase == moveRename && s.layout.Multi {
		return // a folder that gets another name changes no file
	}
	for i := range s.layout.Files {
		if !hasPlace(s.layout, i) {
			continue
		}
		is, err := m.to.stat(s.names.nameIn(m.note.newTop, i))
		if err != nil {
			continue
		}
		was, err := m.from.stat(s.names.nameIn(m.note.top, i))
		if err != nil { // it was renamed
			was = is
		}
		s.known.moved(i, was, is)
	}
}

// stampAgain records how the files were left, after the originals were removed.
func (m *mover) stampAgain() {
	s := m.s
	for i := range s.layout.Files {
		if hasPlace(s.layout, i) {
			s.place.renamed(i, s.names.fileName(i))
		}
	}
	if s.journal.hasRecord() {
		_ = s.journal.renew() // the user was told
	}
}

// setAll makes all the names that content may have, of which the index top is the name that
// it has.
func (n *naming) setAll(all [4]string, top int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.foundIn == n.top {
		n.foundIn = all[top]
	}
	n.all, n.top = all, all[top]
}

// setLink makes linked the symbolic link that leads to the content.
func (n *naming) setLink(linked string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.linked = linked
}

// isLocked reports whether the place holds the lock of a writer.
func (p *place) isLocked() bool {
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	return p.lock != nil
}

// movedTo records that the content has another path. If the place has the lock of a writer,
// it takes over lock in its stead, unless that is nil; then it returns the old one.
func (p *place) movedTo(lock io.Closer) (old io.Closer, taken bool) {
	p.names.mu.Lock()
	held := p.lock != nil
	if held && lock != nil {
		old, p.lock, taken = p.lock, lock, true
	}
	path := p.names.disk.path(p.names.top)
	p.names.mu.Unlock()
	if held {
		p.writers.move(p, path)
	}
	return old, taken
}

// move records that what p has locked has another path.
func (w *writers) move(p *place, path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all[p.locked] == p {
		delete(w.all, p.locked)
	}
	p.locked = path
	w.all[path] = p
}

// moveTo gives record and partfile the names that begin with stem, once the content has
// another path. j.writing is held.
func (j *journal) moveTo(stem string) {
	j.parts.moveTo(stem)
	if j.record == nil {
		return
	}
	old := j.record.path()
	if j.cfg.record == nil {
		j.record.name = stem + ResumeSuffix
	}
	if !j.hasRecord() || j.record.frozen {
		return
	}
	if j.replaceRecord(recordOpen) == nil && j.record.path() != old {
		_ = os.Remove(old) // it is found to be about another path
	}
}
