package metainfo

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
)

// changedError says that a file has changed since Build first looked at it.
type changedError struct{ path string }

func (e *changedError) Error() string { return e.path + ": changed while it was read" }

// checkFile reports by its error whether f, opened by the path of file i, is still that
// file, unchanged.
func (s *sources) checkFile(f *os.File, i int) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !s.same(info, i) {
		return &changedError{s.display(i)}
	}
	return nil
}

// same reports whether info describes file i as it was found.
func (s *sources) same(info fs.FileInfo, i int) bool {
	f := &s.files[i]
	return info.Mode().IsRegular() && info.Size() == f.size &&
		info.ModTime().UnixNano() == f.modified &&
		idOf(info).matches(f.id, s.began)
}

// checkPaths looks whether the files still have their paths, when everything is read:
// another file may have got the path of one, which an open file does not show.
func (s *sources) checkPaths(ctx context.Context) error {
	if s.root != nil {
		opened, err := s.root.Stat(".")
		if err != nil {
			return err
		}
		if named, err := os.Stat(s.base); err != nil || !os.SameFile(opened, named) {
			return &changedError{s.base}
		}
	}
	for i := range s.files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var info fs.FileInfo
		var err error
		if s.root == nil {
			info, err = os.Stat(s.base)
		} else {
			info, err = s.root.Stat(filepath.FromSlash(s.files[i].path))
		}
		if err != nil || !s.same(info, i) {
			return &changedError{s.display(i)}
		}
	}
	return nil
}
