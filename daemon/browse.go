package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"swarmnode/daemon/confine"
)

const (
	// browseMax is the most entries of a Listing, and browseReadMax how many of a folder are
	// looked at; browseBatch of them are read at a time.
	browseMax     = 5_000
	browseReadMax = 50_000
	browseBatch   = 1_000
	// browsesMax bounds the folders that are read at one time. A file system that hangs keeps
	// a place.
	browsesMax = 8
)

// ErrBusy says that too many folders are being read.
var ErrBusy = errors.New("too many folders are being read at one time")

// ErrNoFolder says that a path is that of something else.
var ErrNoFolder = errors.New("is not a folder")

// A Listing shows a folder of this machine, subfolders first.
type Listing struct {
	Dir     string // "" for the folders to begin with, whose entries have whole paths as names
	Parent  string // "" if there is none that may be shown
	Entries []Entry
	// Total counts the entries, of which Entries has the first; More says that the folder has
	// more than were looked at.
	Total int
	More  bool
}

// An Entry is a file or folder in a Listing. Links are shown as what they lead to.
type Entry struct {
	Name     string
	Folder   bool
	Size     int64
	Modified time.Time
}

// Browse shows a folder. Without one it shows those in which content may lie. Whoever is
// confined (Confine) sees nothing else, wherever links lead. The error is a *PathError, an
// *OptionError, ErrBusy, or that of the system.
func (d *Daemon) Browse(ctx context.Context, dir string) (Listing, error) {
	if d.browsing.Add(1) > browsesMax {
		d.browsing.Add(-1)
		return Listing{}, ErrBusy
	}
	defer d.browsing.Add(-1)
	set := d.Settings()
	roots := d.roots(&set)
	if dir == "" {
		return browseRoots(roots, Confined(ctx)), nil
	}
	dir = filepath.Clean(dir)
	if !Confined(ctx) {
		roots = nil
		if !filepath.IsAbs(dir) {
			return Listing{}, &OptionError{"dir", fmt.Errorf("%q %w", dir, confine.ErrRelative)}
		}
	} else if err := allowed(dir, roots); err != nil {
		return Listing{}, err
	}
	return browse(ctx, dir, roots)
}

// browseRoots lists the folders to begin with.
func browseRoots(roots []string, confined bool) Listing {
	if !confined {
		home, _ := os.UserHomeDir()
		roots = append(slices.Clone(roots), home)
		if filepath.IsAbs(roots[0]) {
			roots = append(roots, filepath.VolumeName(roots[0])+string(filepath.Separator))
		}
	}
	var l Listing
	seen := make(map[string]bool)
	for _, root := range roots {
		if !filepath.IsAbs(root) || seen[filepath.Clean(root)] {
			continue
		}
		root = filepath.Clean(root)
		seen[root] = true
		if info, err := os.Stat(root); err == nil && info.IsDir() {
			l.Entries = append(l.Entries, Entry{Name: root, Folder: true,
				Modified: info.ModTime()})
		}
	}
	l.Total = len(l.Entries)
	return l
}

// browse lists a folder. Without roots every one may be shown.
func browse(ctx context.Context, dir string, roots []string) (Listing, error) {
	l := Listing{Dir: dir, Parent: filepath.Dir(dir)}
	if l.Parent == dir || roots != nil && confine.Check(l.Parent, roots) != nil {
		l.Parent = ""
	}
	f, err := openFolder(dir, roots)
	if err != nil {
		return Listing{}, err
	}
	defer f.Close()
	for len(l.Entries) < browseReadMax && ctx.Err() == nil {
		batch, err := f.ReadDir(browseBatch)
		for _, e := range batch {
			if is, ok := kindOf(dir, e, roots); ok {
				l.Entries = append(l.Entries, is)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Listing{}, err
		}
		l.More = len(l.Entries) >= browseReadMax
	}
	if err := ctx.Err(); err != nil {
		return Listing{}, err
	}
	slices.SortFunc(l.Entries, func(a, b Entry) int {
		if a.Folder != b.Folder {
			if a.Folder {
				return -1
			}
			return 1
		}
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)),
			strings.Compare(a.Name, b.Name))
	})
	l.Total = len(l.Entries)
	l.Entries = slices.Clip(l.Entries[:min(l.Total, browseMax)])
	for i := range l.Entries {
		e := &l.Entries[i]
		if info, err := os.Stat(filepath.Join(dir, e.Name)); err == nil {
			e.Modified = info.ModTime()
			if !e.Folder {
				e.Size = info.Size()
			}
		}
	}
	return l, nil
}

// openFolder opens a folder. With roots it opens the one that the path led to when it was
// judged: a link that is put into its way afterwards does not lead out of them.
func openFolder(dir string, roots []string) (*os.File, error) {
	if roots == nil {
		if err := wantFolder(os.Stat(dir)); err != nil {
			return nil, err
		}
		return os.Open(dir)
	}
	at, err := confine.Resolve(dir)
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		if !filepath.IsAbs(root) {
			continue
		}
		top, err := confine.Resolve(filepath.Clean(root))
		if err != nil || !confine.Below(at, top) {
			continue
		}
		below, err := filepath.Rel(top, at)
		if err != nil {
			return nil, err
		}
		r, err := os.OpenRoot(top)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		if err := wantFolder(r.Stat(below)); err != nil {
			return nil, err
		}
		return r.Open(below)
	}
	return nil, &PathError{Path: dir, Err: confine.ErrOutside}
}

// wantFolder takes the result of a Stat and returns an error unless it is that of a folder: to
// open a pipe would wait for somebody who writes.
func wantFolder(info fs.FileInfo, err error) error {
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s %w", info.Name(), ErrNoFolder)
	}
	return err
}

// kindOf returns what an entry of a folder is, and whether it is shown: files and folders are,
// and links to them unless they lead out of the roots.
func kindOf(dir string, e fs.DirEntry, roots []string) (Entry, bool) {
	if !utf8.ValidString(e.Name()) {
		return Entry{}, false
	}
	kind := e.Type()
	if kind&fs.ModeSymlink != 0 {
		path := filepath.Join(dir, e.Name())
		if roots != nil && confine.Check(path, roots) != nil {
			return Entry{}, false
		}
		info, err := os.Stat(path)
		if err != nil {
			return Entry{}, false
		}
		kind = info.Mode().Type()
	}
	return Entry{Name: e.Name(), Folder: kind.IsDir()}, kind.IsDir() || kind.IsRegular()
}
