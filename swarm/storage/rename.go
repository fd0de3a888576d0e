package storage

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"strings"

	"swarmnode/metainfo"
)

// renameMax is how long a name that the user gives may be, in bytes: content has longer
// names while it is not complete.
const renameMax = nameMax - len(".01234567"+stagingSuffix)

// Rename gives file i of the Layout another name in the folder that it lies in, or, if i is
// -1, the file or folder at the top; that of unfinished content keeps its suffix. Everything
// else that lies in a folder at the top which the torrent shares with others stays where it
// is.
//
// With a StateDir the names are recorded, also for files that are still to be made: the
// next Open finds the content by them. The name at the top counts if Config.Name is then
// what it was, or is the new name; any other Config.Name means other content. Without a
// StateDir, the caller says the new name in Config.Name, and files with other names than
// in the torrent are not found.
//
// Rename does nothing if the name is the one that the file has. If there is an error,
// everything is as before. The error is an *Error: with ErrName if no file can have the
// name, ErrExists if something has it or will have it, fs.ErrNotExist if the Layout has no
// such file, ErrLink if the file is reached by a symbolic link, or one of Move.
func (s *Store) Rename(i int, name string) error {
	if !canBeGiven(name) {
		return &Error{"rename", name, ErrName}
	}
	ctx, end, err := s.arrange(context.Background())
	if err != nil {
		return err
	}
	defer end()
	switch {
	case i == -1, i == 0 && !s.layout.Multi:
		return s.renameTop(ctx, name)
	case i < 0 || i >= len(s.layout.Files) || !hasPlace(s.layout, i):
		return &Error{"rename", s.names.path(), fs.ErrNotExist}
	case s.names.link() != "":
		return &Error{"rename", s.names.link(), ErrLink}
	}
	return s.renameFile(i, name)
}

// canBeGiven reports whether the user may give a file or folder that name.
func canBeGiven(name string) bool {
	return isName(name) && len(name) <= renameMax && !strings.ContainsAny(name, "/\x00")
}

// renameTop gives the file or folder at the top the final name name.
func (s *Store) renameTop(ctx context.Context, name string) error {
	if linked := s.names.link(); linked != "" {
		return s.renameLink(linked, name)
	}
	m := s.newMover(s.Dir())
	final := path.Join(path.Dir(m.note.final), name)
	if final == m.note.final {
		return nil
	}
	m.to = m.from
	m.rename(contentNames(final, s.cfg.Hash))
	return m.run(ctx)
}

// renameLink gives the symbolic link that leads to the content another name.
func (s *Store) renameLink(linked, name string) error {
	to := filepath.Join(filepath.Dir(linked), name)
	if to == linked {
		return nil
	}
	if err := s.moveLink(linked, to); err != nil {
		return err
	}
	notes := s.cfg.notes()
	note, err := notes.read(filepath.Dir(to))
	if err == nil {
		note.name, note.asked, note.final = name, s.cfg.askedName(), name
		err = notes.write(filepath.Dir(to), note)
	}
	if err != nil {
		s.cfg.warn(err)
	}
	return nil
}

// renameFile gives file i, which lies below the top, another name.
func (s *Store) renameFile(i int, name string) error {
	top := s.names.topName()
	old := s.names.below(i)
	now := path.Join(path.Dir(old), name)
	if now == old {
		return nil
	}
	if err := s.mayHave(i, top, now); err != nil {
		return err
	}
	st, err := s.disk.stat(path.Join(top, old))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if st.link {
		return &Error{"rename", s.disk.path(path.Join(top, old)), ErrLink}
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
	note.files[i], note.final = now, s.names.all[finalName]
	note.old, note.file, note.top = old, i, top
	if err := notes.write(dir, note); err != nil {
		return err
	}
	_ = s.cfg.reach("noted")
	if err := s.giveName(i, top, old, now); err != nil {
		_ = notes.write(dir, before)
		return err
	}
	_ = s.cfg.reach("named")
	note.old, note.top = "", ""
	if err := notes.write(dir, note); err != nil {
		s.cfg.warn(err) // the next Open sees that the file has its new name
	}
	return nil
}

// mayHave reports by its error whether the path now below the top is free for file i: no
// other file of the torrent has it or will have it, on any file system.
func (s *Store) mayHave(i int, top, now string) error {
	taken := &Error{"rename", s.disk.path(path.Join(top, now)), ErrExists}
	if _, err := s.disk.stat(path.Join(top, now)); err == nil || IsInTheWay(err) {
		return taken
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	folded := metainfo.FoldName(now)
	for j := range s.layout.Files {
		if j == i || !hasPlace(s.layout, j) {
			continue
		}
		other := metainfo.FoldName(s.names.below(j))
		if other == folded || strings.HasPrefix(other, folded+"/") {
			return taken
		}
	}
	return nil
}

// giveName renames file i from the path old below the top to now. If it does not exist yet,
// it will be made there.
func (s *Store) giveName(i int, top, old, now string) error {
	s.holdWrites()
	defer s.releaseWrites()
	s.files.moving.Lock()
	defer s.files.moving.Unlock()
	_, err := s.disk.stat(path.Join(top, old)) // writes may have made it until now
	there := err == nil
	if there {
		if !s.place.isLocked() {
			lock, err := s.disk.lock(top, lockWrite)
			if err != nil {
				return err
			}
			defer lock.Close()
		}
		s.files.closeAll()
		if err := s.disk.rename(path.Join(top, old), path.Join(top, now)); err != nil {
			return err
		}
		if err := s.disk.syncFolder(path.Dir(path.Join(top, now))); err != nil {
			s.cfg.warn(err)
		}
	}
	s.names.setRenamed(map[int]string{i: now})
	if there {
		s.place.renamed(i, path.Join(top, now))
		if s.journal.hasRecord() {
			_ = s.journal.renew() // the user was told
		}
	}
	return nil
}

// below returns the path of file i below the top.
func (n *naming) below(i int) string { return strings.TrimPrefix(n.nameIn("", i), "/") }

// renamedFiles returns the paths below the top of the files that the user renamed.
func (n *naming) renamedFiles() map[int]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.renamed
}

// setRenamed gives files the paths below the top by their indices.
func (n *naming) setRenamed(paths map[int]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	renamed := maps.Clone(n.renamed) // it may be shared
	if renamed == nil {
		renamed = make(map[int]string)
	}
	maps.Copy(renamed, paths)
	n.renamed = renamed
}
