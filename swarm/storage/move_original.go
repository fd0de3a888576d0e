package storage

import (
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"

	"swarmnode/metainfo"
)

// asItLies returns d such that stat follows no symbolic link.
func asItLies(d disk) disk {
	if x, ok := d.(systemDisk); ok {
		return &osDisk{dir: x.system().dir, root: x.system().root, use: useThere}
	}
	return d
}

// An original is the content that was moved, at its old place, beside that at the new one.
type original struct {
	old, now    disk // old follows no symbolic link
	followed    disk // old, links included
	top, newTop string
	kept        []int                  // files that stay, in order
	inUse       func(path string) bool // by another torrent; nil if none is known
	// folders says of folders below the top whether their files are removed; the name of
	// the top is ".".
	folders map[string]bool
	order   []string // of folders, the outermost first
}

// newOriginal returns the content that was moved from top on one disk to newTop on another.
func newOriginal(old disk, top string, now disk, newTop string) *original {
	return &original{old: asItLies(old), followed: old, now: now, top: top, newTop: newTop,
		folders: make(map[string]bool)}
}

// remove removes the files of the original that lie at the new place too, and the folders
// that are empty then. names yields their indices and paths below the top; "." is the top itself.
// Nothing else is touched: a file of another size or of a later time is not one that was
// moved, what others use stays, and no link is followed. Where both places are one by now,
// nothing is removed.
func (o *original) remove(names iter.Seq2[int, string]) error {
	var errs []error
	if o.isOnePlace() {
		return nil
	}
	for i, below := range names {
		if _, kept := slices.BinarySearch(o.kept, i); kept {
			continue
		}
		if below != "." && !o.enters(path.Dir(below)) {
			continue
		}
		old := path.Join(o.top, below)
		if o.wasMoved(below) && (o.inUse == nil || !o.inUse(o.old.path(old))) {
			errs = append(errs, o.old.remove(old))
		}
	}
	for k := len(o.order) - 1; k >= 0; k-- { // the innermost first
		_ = o.old.remove(path.Join(o.top, o.order[k])) // unless other files are there
	}
	if above := path.Dir(o.top); above != "." {
		_ = o.old.remove(above)
	}
	errs = append(errs, o.old.syncFolder("."))
	return errors.Join(errs...)
}

// isOnePlace reports whether the tops have one name in one folder, by whichever path.
func (o *original) isOnePlace() bool {
	if path.Base(o.top) != path.Base(o.newTop) {
		return false
	}
	a, errA := o.followed.stat(path.Dir(o.top))
	b, errB := o.now.stat(path.Dir(o.newTop))
	return errA == nil && errB == nil && os.SameFile(a.info, b.info)
}

// enters reports whether files are removed from a folder below the top: it is a folder at
// both places, and not the same one. A link to a folder is removed itself, since what it
// leads to was copied and is not ours.
func (o *original) enters(folder string) bool {
	if is, known := o.folders[folder]; known {
		return is
	}
	is := folder == "." || o.enters(path.Dir(folder))
	if is {
		name := path.Join(o.top, folder)
		was, err := o.old.stat(name)
		st, errNow := o.now.stat(path.Join(o.newTop, folder))
		is = err == nil && errNow == nil && st.mode.IsDir() && !os.SameFile(was.info, st.info)
		if is && was.mode&fs.ModeSymlink != 0 && folder != "." {
			target, err := o.followed.stat(name)
			if err == nil && target.mode.IsDir() && !os.SameFile(target.info, st.info) {
				_ = o.old.remove(name)
			}
		}
		is = is && was.mode.IsDir()
	}
	if o.folders[folder] = is; is {
		o.order = append(o.order, folder)
	}
	return is
}

// wasMoved reports whether the file, or link to one, of that path below the top lies at the
// new place too. Its copy may have been written to since.
func (o *original) wasMoved(below string) bool {
	was, err := o.followed.stat(path.Join(o.top, below))
	if err != nil || !was.mode.IsRegular() {
		return false
	}
	st, err := o.now.stat(path.Join(o.newTop, below))
	return err == nil && st.mode.IsRegular() && isMoved(was, st)
}

// isMoved reports whether a file with the state st may be one that was moved from a place
// where its state is was. File systems may be coarse about times. An empty file may be one
// that was made for bytes to come.
func isMoved(was, st fileStat) bool {
	return (st.size == was.size || was.size == 0) && was.mtime < st.mtime+int64(mtimeGrain)
}

// isCopied reports whether the new place has all files of the original. names are those of
// remove.
func (o *original) isCopied(l *metainfo.Layout, names iter.Seq2[int, string]) bool {
	some := false
	for i, below := range names {
		was, err := o.followed.stat(path.Join(o.top, below))
		if err != nil || !was.mode.IsRegular() || was.size > l.Files[i].Length {
			continue
		}
		some = true
		st, err := o.now.stat(path.Join(o.newTop, below))
		if err != nil || !st.mode.IsRegular() || !isMoved(was, st) {
			return false
		}
	}
	return some
}

// ourNames yields the files of the content and their paths below the top; "." is the top.
func (s *Store) ourNames(yield func(i int, below string) bool) {
	for i := range s.layout.Files {
		if !hasPlace(s.layout, i) {
			continue
		}
		below := s.names.below(i)
		if !s.layout.Multi {
			below = "."
		}
		if !yield(i, below) {
			return
		}
	}
}

// namesOf yields what Store.ourNames does, by every rule and as the user renamed the files.
// Files may come more than once.
func (n *placeNotes) namesOf(note *placeNote) iter.Seq2[int, string] {
	return func(yield func(i int, below string) bool) {
		l := n.layout
		if !l.Multi {
			yield(0, ".")
			return
		}
		for i, below := range note.files {
			if i < len(l.Files) && !yield(i, below) {
				return
			}
		}
		rules := otherRules[:1]
		if l.NamesVary() {
			rules = otherRules[:]
		}
		for _, names := range l.NamesBy(rules...) {
			for i := range l.Files {
				if hasPlace(l, i) && !yield(i, path.Join(names.Path(i)...)) {
					return
				}
			}
		}
	}
}

// filesAt returns how many files of the content lie in the folder dir under the name top,
// or under one that goes with the name final. Anything else than a folder counts as one file.
func (n *placeNotes) filesAt(dir, top, final string, note *placeNote) (count int) {
	for _, name := range append(n.namesWith(final), top) {
		info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name)))
		switch {
		case err != nil:
			continue
		case !info.IsDir() || !n.layout.Multi:
			return 1
		}
		found := make(map[int]bool)
		for i, below := range n.namesOf(note) {
			if existsAt(dir, path.Join(name, below)) {
				found[i] = true
			}
		}
		count = max(count, len(found))
	}
	return count
}
