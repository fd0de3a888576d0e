package storage

import (
	"path"
	"path/filepath"
	"slices"

	"swarmnode/metainfo"
)

// Find returns the folder where Open would find the content of cfg: Dir, or the one that the
// content was moved to from there, by a process that may have been killed on the way. there
// reports whether anything has a name of the content in that folder. Find only looks. Of cfg
// it needs Dir, Name, Names, Layout, Hash and StateDir.
func Find(cfg Config) (dir string, there bool) {
	dir, note, err := cfg.noteOf()
	if err != nil {
		return cfg.Dir, false
	}
	cfg.Dir, cfg.ReadOnly, cfg.Part = dir, true, true
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

// noteOf returns the folder where Open would find the content, and the note about it as it will be
// then.
func (c *Config) noteOf() (dir string, note *placeNote, err error) {
	if dir, err = filepath.Abs(c.Dir); err != nil {
		return "", nil, err
	}
	notes := c.notes()
	for range placeHopsMax {
		note, _ = notes.read(dir) // Open warns
		next := notes.peek(dir, note)
		if next == "" || next == dir {
			break
		}
		dir = next
	}
	if note.moves() && notes.isMoved(dir, note) {
		note = note.afterMove()
	}
	return dir, note, nil
}

// Locate says that the content of cfg, which was in Dir, lies in another folder now, because the
// user has moved or copied it there by other means. Open finds it there by the names that the user
// gave to it and to its files, as far as they went along. A note that led from the new folder to
// elsewhere counts no more. No Store of the torrent is open meanwhile. The error is an *Error.
func Locate(cfg Config, dir string) error {
	to, err := filepath.Abs(dir)
	if err != nil {
		return wrap("open", dir, err)
	}
	notes := cfg.notes()
	from, note, err := cfg.noteOf()
	if err != nil || from == to || !notes.keeps() {
		return wrap("open", cfg.Dir, err)
	}
	if there, err := notes.read(to); err == nil && (there.moves() || there.back != "") {
		return nil // a move was cut short, which the next Open ends
	}
	return notes.write(to, notes.wentAlong(to, note))
}

// wentAlong returns what note, which is about content in another folder, says of the content in
// dir.
func (n *placeNotes) wentAlong(dir string, note *placeNote) *placeNote {
	p := &placeNote{final: n.layout.TopName(metainfo.NamesNative)}
	if note.name != "" && n.liesAt(dir, note.name, note.name) {
		p.name, p.asked, p.final = note.name, note.asked, note.name
	}
	given, others := 0, 0 // files that exist by the given names, and by those of the torrent
	for _, top := range n.namesWith(p.final) {
		for i, below := range note.files {
			if i >= len(n.layout.Files) {
				continue
			}
			if existsAt(dir, path.Join(top, below)) {
				given++
			}
			if existsAt(dir, path.Join(top, path.Join(n.layout.Files[i].Path...))) {
				others++
			}
		}
	}
	if given >= others {
		p.files = note.files
	}
	return p
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
