package storage

import (
	"path/filepath"
	"slices"
)

// Find returns the folder where Open would find the content of cfg: Dir, or the one that the
// content was moved to from there, by a process that may have been killed on the way. there
// reports whether anything has a name of the content in that folder. Find only looks. Of cfg
// it needs Dir, Name, Names, Layout, Hash and StateDir.
func Find(cfg Config) (dir string, there bool) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return cfg.Dir, false
	}
	notes := cfg.notes()
	var note *placeNote
	for range placeHopsMax {
		note, _ = notes.read(dir) // Open warns
		next := notes.peek(dir, note)
		if next == "" || next == dir {
			break
		}
		dir = next
	}
	cfg.Dir, cfg.ReadOnly, cfg.Part = dir, true, true
	if note.moves() && notes.isMoved(dir, note) {
		note = note.afterMove()
	}
	cfg.takeNames(note)
	d, err := openDisk(dir, useOwn)
	if err != nil {
		return dir, false
	}
	defer d.close()
	var names naming
	names.init(&cfg, d)
	return dir, slices.ContainsFunc(names.topForms(names.all[finalName]),
		func(name string) bool { return existsAt(dir, name) })
}

// peek returns the folder to which follow would go from dir; "" or dir if the content is that
// of dir.
func (n *placeNotes) peek(dir string, note *placeNote) (next string) {
	switch {
	case note.back != "":
		from, err := n.read(note.back)
		if err == nil && from.moves() && from.to == dir {
			if n.isMoved(note.back, from) {
				return dir
			}
			return note.back
		}
		if n.isBack(dir, note) {
			return note.back
		}
	case note.moves():
		if n.isMoved(dir, note) {
			return note.to
		}
	case note.phase == moveDone:
		return n.leadsTo(dir, note)
	}
	return ""
}

// isMoved reports whether the content lies at the new place once the move that the note about
// the folder from tells of was finished or undone.
func (n *placeNotes) isMoved(from string, note *placeNote) bool {
	l := n.leftoverOf(from, note)
	defer l.close()
	l.seeCopy(n)
	return l.isMoved()
}
