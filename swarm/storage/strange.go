package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// strangersMax bounds the names that are looked at to see whether a folder with the
// name of unfinished content is somebody else's. One with more is taken for such.
const strangersMax = 10_000

// errStrange is told of something that has the name of unfinished content.
var errStrange = errors.New("holds no sound piece of this torrent, and is left alone")

// mayBeForeign reports whether what lies under the names for this content, and of
// which nothing is right, may be something else: no record says that an earlier
// run wrote it, nor does its name. Store.mu is held.
func (s *Store) mayBeForeign() bool {
	known := s.recorded != nil && !(s.replaced && s.top == s.names[partName])
	return s.cfg.Part && !s.readOnly && s.looking && !known && s.top != s.names[ownName]
}

// setReplaced notes whether what an earlier run left, and put on record when it
// stopped, is gone: what lies there now is none of it, so the record does not make it
// ours.
func (s *Store) setReplaced(replaced bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replaced = replaced
}

// foreign reports whether what lies there is something else, when nothing of it is
// right. Zeros are not: other programs fill files with them before they fetch.
func (s *Store) foreign(ctx context.Context) bool {
	s.mu.Lock()
	may := s.mayBeForeign()
	s.mu.Unlock()
	return may && (!s.onlyZeros(ctx) || s.hasName(partName) && s.layout.Multi && s.holdsOthers())
}

// leaveForeign leaves what is something else where it is. Unfinished content goes
// under another name, and so does a torrent that shares its folder with others; else
// there is only one of the final name, so the error is an *Error with ErrExists.
func (s *Store) leaveForeign() error {
	if s.hasName(finalName) && s.sharesFolder() && s.takeOwnName() {
		return nil
	}
	if !s.hasName(partName) || s.names[partName] == s.names[finalName] {
		return &Error{"open", s.path(), ErrExists}
	}
	lock, err := s.disk.lock(s.topName(), lockLook)
	switch {
	case err == nil:
		lock.Close()
	case errors.Is(err, fs.ErrNotExist): // another Store has just finished it
		return s.claim()
	case errors.Is(err, ErrInUse) && !s.isOthersFolder():
		return err
	}
	if !s.takeOwnName() {
		return &Error{"open", s.path(), ErrExists}
	}
	if !errors.Is(err, ErrInUse) { // or it is that of another torrent, which is no reason to worry
		s.tellStrange()
	}
	return nil
}

// sharesFolder reports whether the folder with the final name may be that of other
// torrents, which have files in common with this one: it has other files, lacks some of
// this torrent, and those that it has are of the right length. Whether they are the same
// is seen when the content is complete; a piece that spans files does not tell before.
func (s *Store) sharesFolder() bool {
	if !s.layout.Multi || !s.holdsOthers() {
		return false
	}
	lacks := false
	for i := range s.layout.Files {
		if !s.hasPlace(i) {
			continue
		}
		st, err := s.disk.stat(s.nameIn(s.names[finalName], i))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			lacks = true
		case err != nil || kindError(st.mode, false) != nil || st.size != s.layout.Files[i].Length:
			return false
		}
	}
	return lacks
}

// tellStrange tells that the content goes under another name than usual.
func (s *Store) tellStrange() {
	s.warn(&Error{"open", s.disk.path(s.names[partName]),
		fmt.Errorf("%w: fetching into %q", errStrange, s.names[ownName])})
}

// onlyZeros reports whether the files hold nothing but zeros.
func (s *Store) onlyZeros(ctx context.Context) bool {
	chunk := make([]byte, checkChunk)
	for i := range s.layout.Files {
		f := &s.layout.Files[i]
		if f.Pad || len(f.Link) > 0 || f.Length == 0 {
			continue
		}
		if !s.fileOnlyZeros(ctx, i, chunk) {
			return false
		}
	}
	return true
}

// fileOnlyZeros is onlyZeros for one file. What cannot be read may be anything.
func (s *Store) fileOnlyZeros(ctx context.Context, i int, chunk []byte) bool {
	h, err := s.workers.files.pin(s, i, false)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer s.workers.files.unpin(h)
	st, err := h.file.stat()
	if err != nil {
		return false
	}
	for at := h.file.nextData(0, st.size); at < st.size; at = h.file.nextData(at+int64(len(chunk)),
		st.size) {
		part := chunk[:min(int64(len(chunk)), st.size-at)]
		if ctx.Err() != nil || h.file.pread(part, at) != nil {
			return false
		}
		for _, b := range part {
			if b != 0 {
				return false
			}
		}
	}
	return true
}

// holdsOthers reports whether the folder at the top has files that are not of this
// torrent.
func (s *Store) holdsOthers() bool {
	top := s.topName()
	ours := make(map[string]bool)
	for i := range s.layout.Files {
		if !s.layout.Files[i].Pad {
			ours[s.nameIn(top, i)] = true
		}
	}
	seen := 0
	for folders := []string{top}; len(folders) > 0; {
		folder := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		entries, err := s.disk.list(folder, strangersMax+1-seen)
		if seen += len(entries); err != nil || seen > strangersMax {
			return true
		}
		for _, entry := range entries {
			name := path.Join(folder, entry.Name())
			switch {
			case entry.IsDir():
				folders = append(folders, name)
			case !ours[name]:
				return true
			}
		}
	}
	return false
}
