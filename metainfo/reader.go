package metainfo

import (
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
)

// A reader reads the files of the content. It keeps the last file and its
// folder open, since the next read is most often from one of them. It is for one
// goroutine.
type reader struct {
	src    *sources
	file   *os.File // open file, or nil
	source int      // its index
	folder *os.Root // folder of the last file, or nil
	dir    string   // its path
}

// read fills buf from off on in the file of the given index.
func (r *reader) read(buf []byte, source int, off int64) error {
	if err := r.openFile(source); err != nil {
		return err
	}
	_, err := r.file.ReadAt(buf, off)
	if errors.Is(err, io.EOF) {
		return &changedError{r.src.display(source)}
	}
	return located(r.src.display(source), err)
}

func (r *reader) openFile(source int) error {
	if r.file != nil && r.source == source {
		return nil
	}
	if err := r.closeFile(true); err != nil {
		return err
	}
	f, err := r.open(&r.src.files[source])
	if err != nil {
		return located(r.src.display(source), err)
	}
	if err := r.src.checkFile(f, source); err != nil { // before much is read in case it changed
		f.Close()
		return err
	}
	r.file, r.source = f, source
	return nil
}

func (r *reader) open(s *source) (*os.File, error) {
	switch {
	case r.src.root == nil:
		return os.OpenFile(r.src.base, os.O_RDONLY|openFlags, 0)
	case s.link: // its target may be anywhere in the content
		return r.src.root.OpenFile(filepath.FromSlash(s.path), os.O_RDONLY|openFlags, 0)
	}
	dir, name := path.Split(s.path)
	if r.folder == nil || r.dir != dir {
		folder, err := r.src.root.OpenRoot(filepath.FromSlash(path.Clean(dir)))
		if err != nil {
			return nil, err
		}
		if r.folder != nil {
			r.folder.Close()
		}
		r.folder, r.dir = folder, dir
	}
	return r.folder.OpenFile(name, os.O_RDONLY|openFlags, 0)
}

// closeFile closes the open file, if any; with check it first looks whether the file
// changed.
func (r *reader) closeFile(check bool) error {
	if r.file == nil {
		return nil
	}
	var err error
	if check {
		err = r.src.checkFile(r.file, r.source)
	}
	r.file.Close()
	r.file = nil
	return err
}

// close closes file and folder; with check it first looks whether the file changed.
func (r *reader) close(check bool) error {
	err := r.closeFile(check)
	if r.folder != nil {
		r.folder.Close()
		r.folder = nil
	}
	return err
}
