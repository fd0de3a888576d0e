package storage

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
)

// mergeSuffix ends the name of complete content that is being moved into a folder
// that several torrents share.
const mergeSuffix = ".moving"

// takeName renames the content if it has the name of the unfinished. Several
// torrents may have the same name: what is complete later joins the folder of what
// was before.
func (s *Store) takeName() error {
	s.moving.Lock() // whoever opens files by name waits
	defer s.moving.Unlock()
	top, final, aside := s.topName(), s.names[finalName], s.names[mergeName]
	if top != final {
		err := s.disk.rename(top, final)
		if errors.Is(err, ErrExists) && s.layout.Multi && aside != final {
			if there, _ := s.exists(final); there {
				// From here on it is known to be complete, also after a crash.
				if err = s.disk.rename(top, aside); err == nil {
					s.setTop(mergeName)
					err = s.merge()
				}
			}
		}
		if err != nil {
			return err
		}
	}
	if !s.layout.Multi {
		s.renamed(0, final)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.top, s.readOnly = final, true
	return nil
}

// renamed notes that file i is called name now. That is a change of the file, but not
// of its content.
func (s *Store) renamed(i int, name string) {
	st, err := s.disk.stat(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && st.mtime == s.stamps[i].mtime && st.size == s.stamps[i].size {
		s.stamps[i].ctime = st.ctime
	}
}

// merge moves the files of complete content into the folder with its final name.
// What is there stays; a file that is there already is left out if it is the same,
// and otherwise an error with ErrExists.
func (s *Store) merge() error {
	from, to := s.names[mergeName], s.names[finalName]
	if s.lock == nil {
		lock, err := s.disk.lock(from, lockWrite)
		if err != nil {
			return err
		}
		defer lock.Close()
	}
	folders := map[string]bool{from: true}
	for i := range s.layout.Files {
		if s.layout.Files[i].Pad {
			continue
		}
		old, name := s.nameIn(from, i), s.nameIn(to, i)
		st, err := s.disk.stat(old)
		if errors.Is(err, fs.ErrNotExist) { // moved before, or not wanted
			continue
		}
		if err == nil {
			err = kindError(st.mode, false)
		}
		if err == nil {
			err = s.disk.makeDir(path.Dir(name))
		}
		if err == nil {
			err = s.disk.rename(old, name)
		}
		if err == nil {
			s.renamed(i, name)
		}
		if errors.Is(err, ErrExists) && s.sameContent(old, name) {
			err = s.disk.remove(old)
		}
		if err != nil {
			return wrap("rename", s.disk.path(old), err)
		}
		for dir := path.Dir(old); !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	return s.removeFolders(folders)
}

// removeFolders removes folders whose files were moved. What others have put
// there stays.
func (s *Store) removeFolders(folders map[string]bool) error {
	var names []string
	for name := range folders {
		names = append(names, name)
	}
	// the innermost first
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, name := range names {
		_ = s.disk.remove(name)
	}
	return nil
}

// sameContent reports whether two files hold the same.
func (s *Store) sameContent(a, b string) bool {
	var files [2]file
	var sizes [2]int64
	for i, name := range []string{a, b} {
		f, err := s.disk.open(name, openRead)
		if err != nil {
			return false
		}
		defer f.close()
		st, err := f.stat()
		if err != nil {
			return false
		}
		files[i], sizes[i] = f, st.size
	}
	var chunks [2][]byte
	for at := int64(0); at < sizes[0] && sizes[0] == sizes[1]; at += checkChunk {
		for i, f := range files {
			if chunks[i] == nil {
				chunks[i] = make([]byte, checkChunk)
			}
			chunks[i] = chunks[i][:min(checkChunk, sizes[0]-at)]
			if f.pread(chunks[i], at) != nil {
				return false
			}
		}
		if !bytes.Equal(chunks[0], chunks[1]) {
			return false
		}
	}
	return sizes[0] == sizes[1]
}
