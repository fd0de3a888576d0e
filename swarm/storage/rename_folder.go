package storage

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"strings"

	"swarmnode/metainfo"
)

// RenameFolder gives a folder below the top another name: the one that holds file i of the
// Layout, depth levels below the top, where 1 is directly below it. Files in it that are not of
// the torrent stay in a folder with the old name. What Rename says about records, and about
// files that are still to be made, holds here, too.
//
// If there is an error, everything is as before. The error is an *Error: with fs.ErrNotExist if
// there is no such folder, or one of Rename.
func (s *Store) RenameFolder(i, depth int, name string) error {
	if !canBeGiven(name) {
		return &Error{"rename", name, ErrName}
	}
	_, end, err := s.arrange(context.Background())
	if err != nil {
		return err
	}
	defer end()
	if i < 0 || i >= len(s.layout.Files) || !s.layout.Multi || !hasPlace(s.layout, i) {
		return &Error{"rename", s.names.path(), fs.ErrNotExist}
	}
	if linked := s.names.link(); linked != "" {
		return &Error{"rename", linked, ErrLink}
	}
	old, ok := ancestor(s.names.below(i), depth)
	if !ok {
		return &Error{"rename", s.names.path(), fs.ErrNotExist}
	}
	r := &folderRename{s: s, top: s.names.topName(), old: old, now: path.Join(path.Dir(old), name)}
	if r.now == old {
		return nil
	}
	r.paths = s.names.within(old)
	return r.run()
}

// ancestor returns the folder of the first depth elements of a path.
func ancestor(below string, depth int) (folder string, ok bool) {
	end := 0
	for range depth {
		next := strings.IndexByte(below[end:], '/')
		if next < 0 {
			return "", false
		}
		end += next + 1
	}
	return strings.TrimSuffix(below[:end], "/"), depth > 0
}

// within returns the paths below the top of the files in a folder.
func (n *naming) within(folder string) map[int]string {
	paths := make(map[int]string)
	for i := range n.layout.Files {
		if !hasPlace(n.layout, i) {
			continue
		}
		if below := n.below(i); strings.HasPrefix(below, folder+"/") {
			paths[i] = below
		}
	}
	return paths
}

// A folderRename gives a folder below the top another path.
type folderRename struct {
	s        *Store
	top      string
	old, now string         // paths below the top
	paths    map[int]string // the old paths of the files in it, below the top
	single   bool           // the files were renamed one by one
}

// path returns the new path of a file that has the path below.
func (r *folderRename) path(below string) string { return r.now + strings.TrimPrefix(below, r.old) }

// run renames the folder. After an error everything is as before.
func (r *folderRename) run() error {
	s := r.s
	if err := r.check(); err != nil {
		return err
	}
	notes, dir := s.cfg.notes(), s.Dir()
	before, err := notes.read(dir)
	if err != nil {
		return err
	}
	note := before.withoutMove()
	note.files = maps.Clone(s.names.renamedFiles())
	if note.files == nil {
		note.files = make(map[int]string)
	}
	given := make(map[int]string, len(r.paths))
	for i, below := range r.paths {
		given[i] = r.path(below)
	}
	maps.Copy(note.files, given)
	note.final, note.top = s.names.all[finalName], r.top
	note.old, note.now, note.file = r.old, r.now, inFolder
	if len(note.append(nil)) > noteBytesMax {
		return &Error{"rename", r.onDisk(r.old), errNamesMany}
	}
	if err := notes.write(dir, note); err != nil {
		return err
	}
	_ = s.cfg.reach("noted")
	if err := r.give(given); err != nil {
		_ = notes.write(dir, before)
		return err
	}
	_ = s.cfg.reach("named")
	note.old, note.now, note.top, note.file = "", "", "", 0
	if err := notes.write(dir, note); err != nil {
		s.cfg.warn(err) // the next Open sees that the folder has its new name
	}
	return nil
}

// errNamesMany says that the names that the user gave do not fit into a note.
var errNamesMany = errors.New("too many files would get other names")

// onDisk returns a path below the top as the user would write it.
func (r *folderRename) onDisk(below string) string {
	return r.s.disk.path(path.Join(r.top, below))
}

// check reports by its error whether the folder can be renamed, and the new path is free: no
// file of the torrent has it or will have it, on any file system.
func (r *folderRename) check() error {
	taken := &Error{"rename", r.onDisk(r.now), ErrExists}
	if _, err := r.s.disk.stat(path.Join(r.top, r.now)); err == nil || IsInTheWay(err) {
		return taken
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	folded := metainfo.FoldName(r.now)
	for i := range r.s.layout.Files {
		if _, within := r.paths[i]; within || !hasPlace(r.s.layout, i) {
			continue
		}
		other := metainfo.FoldName(r.s.names.below(i))
		if other == folded || strings.HasPrefix(other, folded+"/") {
			return taken
		}
	}
	st, err := r.s.disk.stat(path.Join(r.top, r.old))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.link:
		return &Error{"rename", r.onDisk(r.old), ErrLink}
	}
	return wrap("rename", r.onDisk(r.old), kindError(st.mode, true))
}

// give makes given the paths of the files, on disk as far as they exist.
func (r *folderRename) give(given map[int]string) error {
	s := r.s
	s.holdWrites()
	defer s.releaseWrites()
	s.files.moving.Lock()
	defer s.files.moving.Unlock()
	old := path.Join(r.top, r.old)
	_, err := s.disk.stat(old) // writes may have made it until now
	if err == nil {
		if !s.place.isLocked() {
			lock, err := s.disk.lock(r.top, lockWrite)
			if err != nil {
				return err
			}
			defer lock.Close()
		}
		s.files.closeAll()
		if err := r.rename(given); err != nil {
			r.stamp(r.paths)
			return err
		}
	}
	s.names.setRenamed(given)
	r.stamp(given)
	return nil
}

// stamp records how the files were left, which have these paths now. A folder that gets another
// name changes no file.
func (r *folderRename) stamp(paths map[int]string) {
	if !r.single {
		return
	}
	for i, below := range paths {
		r.s.place.renamed(i, path.Join(r.top, below))
	}
	if r.s.journal.hasRecord() {
		_ = r.s.journal.renew() // the user was told
	}
}

// rename gives the folder its new name, in one step if all that it holds is of the torrent.
func (r *folderRename) rename(given map[int]string) error {
	s := r.s
	err := s.cfg.reach("rename") // an error makes the files go one by one
	if err == nil && !s.place.holdsOthersIn(path.Join(r.top, r.old)) {
		err = s.disk.rename(path.Join(r.top, r.old), path.Join(r.top, r.now))
	} else {
		r.single = true
		err = r.each(given)
	}
	if err != nil {
		return err
	}
	if err := s.disk.syncFolder(path.Dir(path.Join(r.top, r.now))); err != nil {
		s.cfg.warn(err)
	}
	return nil
}

// each renames the files of the torrent one by one. After an error it renames them back.
func (r *folderRename) each(given map[int]string) error {
	d := r.s.disk.current()
	done, err := renameEach(d, r.top, r.paths, given, func() { _ = r.s.cfg.reach("each") })
	if err != nil {
		_, _ = renameEach(d, r.top, done, r.paths, func() {})
	}
	return err
}

// renameEach gives files that have the paths old below top the paths now, as far as they exist,
// and removes the folders that are empty then. next is called before each file. It returns the
// new paths of those that were renamed, also if there is an error.
func renameEach(d disk, top string, old, now map[int]string, next func()) (done map[int]string,
	err error) {
	done = make(map[int]string)
	folders := make(map[string]bool)
	defer func() { removeFolders(d, folders) }()
	for i, below := range old {
		from, to := path.Join(top, below), path.Join(top, now[i])
		if _, err := d.stat(from); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		next()
		for dir := path.Dir(to); dir != top; dir = path.Dir(dir) {
			folders[dir] = true // they go again if nothing gets there
		}
		for dir := path.Dir(from); dir != top; dir = path.Dir(dir) {
			folders[dir] = true
		}
		if err := d.makeDir(path.Dir(to)); err != nil {
			return done, err
		}
		if err := d.rename(from, to); err != nil {
			return done, err
		}
		done[i] = now[i]
	}
	return done, nil
}

// endRenameFolder ends the renaming of a folder in dir, of which note tells: it has not begun, it
// was done, or some of the files lie in each of the two folders. It puts the paths of the files
// into p.
func (n *placeNotes) endRenameFolder(dir string, note, p *placeNote) error {
	if !existsAt(dir, path.Join(note.top, note.old)) {
		return nil
	}
	p.files = maps.Clone(note.files)
	old := make(map[int]string)
	for i, now := range note.files {
		if strings.HasPrefix(now, note.now+"/") {
			old[i] = note.old + strings.TrimPrefix(now, note.now)
		}
	}
	if !existsAt(dir, path.Join(note.top, note.now)) {
		maps.Copy(p.files, old)
		return nil
	}
	d, err := openDisk(dir, useThere)
	if err != nil {
		return err
	}
	defer d.close()
	lock, err := d.lock(note.top, lockWrite)
	if err != nil {
		return err
	}
	defer closeLock(lock)
	for i, below := range old {
		if existsAt(dir, path.Join(note.top, note.files[i])) {
			continue
		}
		one := map[int]string{i: below}
		if _, err := renameEach(d, note.top, one, note.files, func() {}); err != nil {
			p.files[i] = below
		}
	}
	return nil
}
