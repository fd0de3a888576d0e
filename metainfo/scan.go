package metainfo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// sources are the files that a torrent is built from.
type sources struct {
	base  string   // the path that Build was given
	root  *os.Root // the folder; nil for a single file
	name  string
	multi bool
	files []source // sorted as BEP 52 sorts a file tree
	total int64    // bytes
	began time.Time
	// hidden counts the files and folders that are left out because their names start
	// with a dot.
	hidden int
}

// A source is one file on disk.
type source struct {
	path     string // relative to the root, with slashes
	link     bool   // a symbolic link to a file
	program  bool   // its owner may execute it
	size     int64  // bytes
	modified int64  // Unix nanoseconds
	id       fileID
}

func (s *sources) close() {
	if s.root != nil {
		s.root.Close()
	}
}

// path returns the elements of the path of file i.
func (s *sources) path(i int) []string { return strings.Split(s.files[i].path, "/") }

// display returns the path of file i for people.
func (s *sources) display(i int) string {
	if s.root == nil {
		return s.base
	}
	return filepath.Join(s.base, filepath.FromSlash(s.files[i].path))
}

// The reasons why files are left out.
var (
	errSkipKind = errors.New("is neither a file nor a folder")
	errSkipLink = errors.New("link leads out of the folder or nowhere")
	errSkipLoop = errors.New("link leads to a folder that it lies in")
	// No program would write a file of that name to disk.
	errSkipPadding = errors.New("has the name of padding, which is not content")

	errSkipOutput = errors.New("is the file that the torrent will be written to")
)

// scan finds the files.
func scan(ctx context.Context, opt *BuildOptions) (*sources, error) {
	info, err := os.Stat(opt.Path)
	if err != nil {
		return nil, err
	}
	s := &sources{base: opt.Path, multi: info.IsDir(), began: time.Now()}
	if s.name = opt.Name; s.name == "" {
		if s.name, err = contentName(opt.Path); err != nil {
			return nil, fmt.Errorf("%s: %w", opt.Path, err)
		}
	}
	var output fs.FileInfo
	if opt.Output != "" {
		if st, err := os.Stat(opt.Output); err == nil {
			output = st
		}
	}
	switch {
	case s.multi:
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: %w", opt.Path, errSkipKind)
	case output != nil && os.SameFile(info, output):
		return nil, fmt.Errorf("%s: %w", opt.Path, errSkipOutput)
	default:
		return s, s.add(source{}, info)
	}
	if s.root, err = os.OpenRoot(opt.Path); err != nil {
		return nil, err
	}
	w := walker{ctx: ctx, opt: opt, found: s, output: output}
	if err := w.folder("", s.root, []fs.FileInfo{info}); err != nil {
		s.close()
		return nil, err
	}
	slices.SortFunc(s.files, func(a, b source) int { return comparePaths(a.path, b.path) })
	return s, nil
}

// located makes an error of package os name the path that the user knows.
func located(path string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: "open", Path: path, Err: p.Err}
	}
	return err
}

func (s *sources) add(f source, info fs.FileInfo) error {
	if len(s.files) == FilesMax {
		return fmt.Errorf("%s: more than %d files", s.base, FilesMax)
	}
	f.size, f.modified, f.id = info.Size(), info.ModTime().UnixNano(), idOf(info)
	f.program = info.Mode().Perm()&0o100 != 0
	s.files = append(s.files, f)
	s.total += info.Size()
	if info.Size() < 0 || s.total < 0 {
		return fmt.Errorf("%s: too large", s.base)
	}
	return nil
}

// comparePaths orders paths as their elements, one after the other: the slash
// sorts before every character of a name.
func comparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		if a[i] == '/' || b[i] != '/' && a[i] < b[i] {
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}

// A walker goes through a folder.
type walker struct {
	found   *sources
	ctx     context.Context
	opt     *BuildOptions
	output  fs.FileInfo // nil if there is no such file
	folders int
}

// folder goes through the folder dir, opened as root; above holds it and the folders
// above it, to detect loops of links.
func (w *walker) folder(dir string, root *os.Root, above []fs.FileInfo) error {
	// Links can make one folder appear in many places; the number of places is
	// bounded like the number of files.
	if w.folders++; w.folders > FilesMax {
		return fmt.Errorf("%s: more than %d folders", w.found.base, FilesMax)
	}
	if len(above) > PathDepthMax {
		return fmt.Errorf("%s: folders are nested deeper than %d", filepath.Join(w.found.base, dir),
			PathDepthMax)
	}
	f, err := root.Open(".")
	if err != nil {
		return located(filepath.Join(w.found.base, dir), err)
	}
	entries, err := f.ReadDir(-1)
	f.Close()
	if err != nil {
		return located(filepath.Join(w.found.base, dir), err)
	}
	// In order, so that Skipped is called in the same order each time.
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		return strings.Compare(a.Name(), b.Name())
	})
	for _, e := range entries {
		if w.ctx.Err() != nil {
			return context.Cause(w.ctx)
		}
		if strings.HasPrefix(e.Name(), ".") && !w.opt.Hidden {
			w.countHidden(path.Join(dir, e.Name()))
			continue
		}
		if err := w.entry(path.Join(dir, e.Name()), e, root, above); err != nil {
			return err
		}
	}
	return nil
}

// countHidden counts a hidden file or folder, unless the globs leave it out, too.
func (w *walker) countHidden(name string) {
	if !matchAny(w.opt.Exclude, name) && (len(w.opt.Include) == 0 ||
		matchBelow(w.opt.Include, name)) {
		w.found.hidden++
	}
}

// entry takes the entry e of the folder opened as root.
func (w *walker) entry(name string, e fs.DirEntry, root *os.Root, above []fs.FileInfo) error {
	if matchAny(w.opt.Exclude, name) {
		return nil
	}
	link := e.Type()&fs.ModeSymlink != 0
	var info fs.FileInfo
	var err error
	if link {
		info, err = w.found.root.Stat(filepath.FromSlash(name)) // follows it within the content
	} else {
		info, err = root.Lstat(e.Name())
	}
	switch {
	case err != nil && link:
		w.skip(name, errSkipLink)
		return nil
	case err != nil:
		return located(filepath.Join(w.found.base, name), err)
	case info.IsDir():
		if slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
			w.skip(name, errSkipLoop)
			return nil
		}
		return w.subfolder(name, append(above, info))
	case len(w.opt.Include) > 0 && !matchBelow(w.opt.Include, name):
		return nil
	case !info.Mode().IsRegular():
		w.skip(name, errSkipKind)
		return nil
	case w.output != nil && os.SameFile(info, w.output):
		w.skip(name, errSkipOutput)
		return nil
	case isPaddingName(path.Base(name)):
		w.skip(name, errSkipPadding)
		return nil
	case !utf8.ValidString(name):
		return fmt.Errorf("name %q is not valid UTF-8 (try: rename or exclude the file)", name)
	}
	return w.found.add(source{path: name, link: link}, info)
}

func (w *walker) subfolder(name string, above []fs.FileInfo) error {
	root, err := w.found.root.OpenRoot(filepath.FromSlash(name))
	if err != nil {
		return located(filepath.Join(w.found.base, name), err)
	}
	defer root.Close()
	return w.folder(name, root, above)
}

func (w *walker) skip(name string, why error) {
	if w.opt.Skipped != nil {
		w.opt.Skipped(name, why)
	}
}
